"""Tiny random-weight checkpoints of the families that ordinary computers run: the architecture whole, the widths tiny.

Outside: what the models answer (families.py). Each `Family` gives the files a released checkpoint has.
"""
import math
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedTokenizerFast
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config
from transformers.models.gemma3.image_processing_gemma3 import Gemma3ImageProcessor
from transformers.models.gemma3.modeling_gemma3 import Gemma3ForConditionalGeneration
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
from transformers.models.idefics3.configuration_idefics3 import Idefics3Config
from transformers.models.idefics3.image_processing_idefics3 import Idefics3ImageProcessor
from transformers.models.idefics3.modeling_idefics3 import Idefics3ForConditionalGeneration
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLConfig
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

import byte_bpe

PLAIN = 420  # ids before the special tokens
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
COMMON = {"do_convert_rgb": True, "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}


@dataclass
class Family:
    """One family; `config` is written as released checkpoints have it, and read by transformers from there."""

    name: str
    model: type
    config_class: type
    config: dict
    preprocessor: dict
    processor: dict
    specials: list
    eos: list
    bos: str | None
    chat_template: str
    image_token: str  # what carries pixels in the prompt
    exact: str  # a picture this family does not scale (SmolVLM: only its small whole view is)
    build: object  # (image processor settings, tokenizer, processor settings) -> processor
    named: dict = field(default_factory=dict)

    def id(self, token):
        return PLAIN + self.specials.index(token)

    def tokenizer(self):
        return byte_bpe.build(self.specials, PLAIN + len(self.specials))

    def fast_tokenizer(self):
        return PreTrainedTokenizerFast(tokenizer_object=self.tokenizer(), bos_token=self.bos, eos_token=self.eos[0],
                                       pad_token=self.eos[0], extra_special_tokens=self.named, clean_up_tokenization_spaces=False)

    def make_processor(self):
        settings = {k: v for k, v in self.preprocessor.items() if not k.endswith("_type") and k != "processor_class"}
        extra = {k: v for k, v in self.processor.items() if k != "processor_class"}
        return self.build(settings, self.fast_tokenizer(), {**extra, "chat_template": self.chat_template})


# The templates are those of the released instruction checkpoints, without tools and video.
SMOLVLM_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}"
    "{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")
QWEN_TURNS = (
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
QWEN2_5_TEMPLATE = ("{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
                    "You are a helpful assistant.<|im_end|>\n{% endif %}" + QWEN_TURNS)
QWEN3_TEMPLATE = "{% for message in messages %}" + QWEN_TURNS
GEMMA_TEMPLATE = (
    "{{ bos_token }}{%- for message in messages -%}{%- if message['role'] == 'assistant' -%}{%- set role = 'model' -%}{%- else -%}"
    "{%- set role = message['role'] -%}{%- endif -%}{{ '<start_of_turn>' + role + '\n' }}{%- if message['content'] is string -%}"
    "{{ message['content'] | trim }}{%- elif message['content'] is iterable -%}{%- for item in message['content'] -%}"
    "{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}"
    "{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<end_of_turn>\n' }}{%- endfor -%}{%- if add_generation_prompt -%}"
    "{{ '<start_of_turn>model\n' }}{%- endif -%}")

TEXT = {"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048}


def smolvlm():
    specials = ["<|endoftext|>", "<|im_start|>", "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>"]
    specials += [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
    at = {t: PLAIN + i for i, t in enumerate(specials)}
    text = {**TEXT, "model_type": "llama", "intermediate_size": 160, "num_hidden_layers": 3, "hidden_act": "silu", "rms_norm_eps": 1e-5,
            "rope_theta": 100000.0, "vocab_size": PLAIN + len(specials), "head_dim": 16, "tie_word_embeddings": False,
            "bos_token_id": at["<|im_start|>"], "eos_token_id": at["<end_of_utterance>"], "pad_token_id": at["<|endoftext|>"]}
    vision = {"model_type": "idefics3_vision", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
              "num_channels": 3, "image_size": 56, "patch_size": 14, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
    config = {"architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3", "image_token_id": at["<image>"],
              "scale_factor": 2, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "pad_token_id": at["<|endoftext|>"],
              "text_config": text, "vision_config": vision}
    pre = {**COMMON, **HALF, "image_processor_type": "Idefics3ImageProcessor", "processor_class": "Idefics3Processor", "resample": 1,
           "do_image_splitting": True, "do_pad": True, "size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}}
    return Family("smolvlm", Idefics3ForConditionalGeneration, Idefics3Config, config, pre,
                  {"processor_class": "Idefics3Processor", "image_seq_len": 4}, specials, ["<end_of_utterance>", "<|endoftext|>"],
                  "<|im_start|>", SMOLVLM_TEMPLATE, "<image>", "square_112",
                  lambda p, t, x: Idefics3Processor(image_processor=Idefics3ImageProcessor(**p), tokenizer=t, **x))


QWEN_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
QWEN_AT = {t: PLAIN + i for i, t in enumerate(QWEN_SPECIALS)}
QWEN_MARKS = {"image_token_id": QWEN_AT["<|image_pad|>"], "video_token_id": QWEN_AT["<|video_pad|>"],
              "vision_start_token_id": QWEN_AT["<|vision_start|>"], "vision_end_token_id": QWEN_AT["<|vision_end|>"]}
QWEN_ENDS = {"bos_token_id": QWEN_AT["<|endoftext|>"], "eos_token_id": QWEN_AT["<|im_end|>"]}


def qwen2_5_vl():
    text = {**TEXT, **QWEN_ENDS, "intermediate_size": 160, "num_hidden_layers": 3, "hidden_act": "silu", "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0, "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}, "use_sliding_window": False,
            "sliding_window": 32768, "max_window_layers": 3, "vocab_size": PLAIN + len(QWEN_SPECIALS), "tie_word_embeddings": False}
    # windows of 4 x 4 merged patches (112 px) in blocks 0 and 2, the whole picture in 1 and 3
    vision = {"model_type": "qwen2_5_vl", "depth": 4, "hidden_size": 64, "out_hidden_size": 64, "hidden_act": "silu", "intermediate_size": 96,
              "num_heads": 4, "in_chans": 3, "in_channels": 3, "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
              "window_size": 112, "fullatt_block_indexes": [1, 3], "tokens_per_second": 2}
    config = {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", **QWEN_MARKS, **text,
              "torch_dtype": "bfloat16", "vision_config": vision}
    pre = {**COMMON, **CLIP, "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor", "resample": 3,
           "min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
    return Family("qwen2.5-vl", Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, config, pre, {"processor_class": "Qwen2_5_VLProcessor"},
                  QWEN_SPECIALS, ["<|im_end|>", "<|endoftext|>"], None, QWEN2_5_TEMPLATE, "<|image_pad|>", "tall_84x112",
                  lambda p, t, x: Qwen2_5_VLProcessor(image_processor=Qwen2VLImageProcessor(**p), tokenizer=t, video_processor=Qwen2VLVideoProcessor(), **x))


def qwen3_vl():
    text = {**TEXT, **QWEN_ENDS, "model_type": "qwen3_vl_text", "head_dim": 16, "intermediate_size": 160, "num_hidden_layers": 4, "hidden_act": "silu",
            "rms_norm_eps": 1e-6, "rope_theta": 5000000.0, "attention_bias": False, "vocab_size": PLAIN + len(QWEN_SPECIALS), "tie_word_embeddings": False,
            "rope_scaling": {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [4, 2, 2]}}
    vision = {"model_type": "qwen3_vl", "depth": 4, "hidden_size": 64, "out_hidden_size": 64, "hidden_act": "gelu_pytorch_tanh", "intermediate_size": 96,
              "num_heads": 4, "in_channels": 3, "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
              "num_position_embeddings": 36, "deepstack_visual_indexes": [0, 1, 2]}
    config = {"architectures": ["Qwen3VLForConditionalGeneration"], "model_type": "qwen3_vl", **QWEN_MARKS, "tie_word_embeddings": False,
              "torch_dtype": "bfloat16", "text_config": text, "vision_config": vision}
    pre = {**COMMON, **HALF, "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor", "resample": 3,
           "size": {"shortest_edge": 4096, "longest_edge": 1048576}, "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    return Family("qwen3-vl", Qwen3VLForConditionalGeneration, Qwen3VLConfig, config, pre, {"processor_class": "Qwen3VLProcessor"},
                  QWEN_SPECIALS, ["<|im_end|>", "<|endoftext|>"], None, QWEN3_TEMPLATE, "<|image_pad|>", "wide_128x96",
                  lambda p, t, x: Qwen3VLProcessor(image_processor=Qwen2VLImageProcessor(**p), tokenizer=t, video_processor=Qwen3VLVideoProcessor(), **x))


def gemma3():
    specials = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    at = {t: PLAIN + i for i, t in enumerate(specials)}
    # five layers that see 24 tokens back, every sixth sees all, as released
    text = {**TEXT, "model_type": "gemma3_text", "head_dim": 16, "intermediate_size": 160, "num_hidden_layers": 7, "hidden_activation": "gelu_pytorch_tanh",
            "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "query_pre_attn_scalar": 16, "sliding_window": 24, "sliding_window_pattern": 6, "attention_bias": False,
            "attn_logit_softcapping": None, "final_logit_softcapping": None, "vocab_size": PLAIN + len(specials), "tie_word_embeddings": True,
            "bos_token_id": at["<bos>"], "eos_token_id": at["<eos>"], "pad_token_id": at["<pad>"]}
    vision = {"model_type": "siglip_vision_model", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
              "num_channels": 3, "image_size": 56, "patch_size": 14, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "vision_use_head": False}
    config = {"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": at["<start_of_image>"],
              "eoi_token_index": at["<end_of_image>"], "image_token_index": at["<image_soft_token>"], "eos_token_id": [at["<eos>"], at["<end_of_turn>"]],
              "mm_tokens_per_image": 4, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "text_config": text, "vision_config": vision}
    pre = {**COMMON, **HALF, "image_processor_type": "Gemma3ImageProcessor", "processor_class": "Gemma3Processor", "resample": 2,
           "size": {"height": 56, "width": 56}, "do_pan_and_scan": None, "image_seq_length": 4}
    named = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}

    def build(p, t, x):
        return Gemma3Processor(image_processor=Gemma3ImageProcessor(**{k: v for k, v in p.items() if k != "image_seq_length"}), tokenizer=t, **x)
    return Family("gemma3", Gemma3ForConditionalGeneration, Gemma3Config, config, pre, {"processor_class": "Gemma3Processor", "image_seq_length": 4},
                  specials, ["<eos>", "<end_of_turn>"], "<bos>", GEMMA_TEMPLATE, "<image_soft_token>", "square_56", build, named)


FAMILIES = {f().name: f for f in (smolvlm, qwen2_5_vl, qwen3_vl, gemma3)}


def random_weights(model, family, seed):
    """Weights that make every part matter: pictures as loud as words, sharp attention, no dead or exploding layer."""
    generator = torch.Generator().manual_seed(seed)
    gemma = family.name == "gemma3"
    # Neither special tokens nor pieces of characters ever win: all answers have the full length and can be read as text.
    tokenizer = family.tokenizer()
    quiet = [i for i in range(PLAIN + len(family.specials)) if i >= PLAIN or not tokenizer.decode([i]).isprintable() or not tokenizer.decode([i]).isascii()]
    with torch.no_grad():
        for name, p in model.named_parameters():
            n = torch.randn(p.shape, generator=generator)
            fan = math.prod(p.shape[1:]) if p.dim() > 1 else 1
            vision = any(part in name for part in ("visual", "vision"))
            norm = "norm" in name or "ln_q" in name
            if norm and name.endswith("weight"):
                w = 0.2 * n if gemma and not vision else 1 + 0.2 * n
                if gemma and ("post_attention" in name or "post_feedforward" in name or name.endswith("language_model.norm.weight")):
                    w = 1 + 0.4 * n  # the layers speak louder than the tied embedding, or every answer repeats its last token
            elif name.endswith("bias"):
                w = 0.1 * n
            elif name.endswith("embed_tokens.weight"):
                w = n * (1 / math.sqrt(p.shape[1]) if gemma else 1.0)
                if gemma:
                    w[quiet] *= 0.2
            elif name.endswith("lm_head.weight"):
                w = n * 3 / math.sqrt(fan)
                w[quiet] *= 0.2
            elif "position_embedding" in name or "pos_embed" in name:
                w = 0.5 * n
            elif "patch_embed" in name:
                w = n * 2.0 / math.sqrt(fan)
            elif "mm_input_projection" in name:
                w = n * 2.0 / math.sqrt(p.shape[0])
            elif any(part in name for part in ("modality_projection", "merger")):
                w = n * 2.0 / math.sqrt(fan)
            else:
                w = n * 1.2 / math.sqrt(fan)
            p.copy_(w.to(torch.bfloat16))
    model.tie_weights()
