"""Checkpoints of random weights at the shapes of released models, written as fast as the disk takes them.

    python make.py MODEL FOLDER

writes MODEL (a key of `MODELS`) into FOLDER: configuration, a byte-pair tokenizer of the true size, and weights in
safetensors, or one GGUF file. Needs nothing but Python. A megabyte of normal numbers is made once for every size they
may have and written again and again, so no weight is ever held in memory; what the model says is noise, what it takes is
true.

Outside: measuring (measure.py).
"""

import array
import itertools
import json
import math
import random
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = ROOT / "src-tauri/crates/models/catalogue/models.json"
DEMO = ROOT / "src-tauri/resources/demo-model"
SCOUT = ROOT / "tests/fixtures/herd/scout/older"
SHARD_BYTES = 1_000_000_000
BLOCK_VALUES = 1 << 18
# Weights are holes in the files: for the planner, which reads nothing but headers.
HOLLOW = False

HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
PICTURES = {"do_convert_rgb": True, "do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}

# What the released templates make of text and pictures, without tools.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
SMOLVLM = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}"
    "{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}")
GEMMA = (
    "{{ bos_token }}{%- for message in messages -%}{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
    "{{ '<start_of_turn>' + role + '\n' }}{%- if message['content'] is string -%}{{ message['content'] | trim }}{%- else -%}"
    "{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}{%- elif item['type'] == 'text' -%}"
    "{{ item['text'] | trim }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<end_of_turn>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}")
CHATML_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_SPECIALS = [*CHATML_SPECIALS, "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
SMOLVLM_SPECIALS = [*CHATML_SPECIALS[:2], "<end_of_utterance>", "<fake_token_around_image>", "<image>", "<global-img>",
                    *(f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7))]
GEMMA_SPECIALS = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"]
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


# --- Tokenizers ---------------------------------------------------------------------------------------------------------

def alphabet() -> list[str]:
    """The 256 printable characters that stand for bytes (GPT-2's `bytes_to_unicode`), in the order of the bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = itertools.count(256)
    return [chr(byte) if byte in plain else chr(next(other)) for byte in range(256)]


def vocabulary(size: int, merges: int) -> tuple[list[str], list[tuple[str, str]]]:
    """`size` pieces, and at least `merges` ways in which they are made of two others, as released tokenizers have both."""
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    pieces = alphabet()
    ways: list[tuple[str, str]] = []
    level = letters
    draw = random.Random(1)
    while len(pieces) < size:
        # All words of up to three letters; of the longer ones as many of each length as make them six letters on average.
        longer = [word + letter for word in level for letter in letters]
        room = min(size - len(pieces), max(26**3, size // 6))
        level = longer if len(longer) <= room else draw.sample(longer, room)
        ways += [(word[:-1], word[-1]) for word in level]
        pieces += level
    known = set(pieces)
    for word in pieces[256:]:
        if len(ways) >= merges:
            break
        ways += [(word[:cut], word[cut:]) for cut in range(1, len(word) - 1) if word[:cut] in known and word[cut:] in known]
    return pieces, ways


def tokenizer(folder: Path, vocab: int, merges: int, specials: list[str], bos: str | None, eos: str, template: str) -> None:
    pieces, ways = vocabulary(vocab - len(specials), merges)
    first = len(pieces)
    added = [{"id": first + i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
             for i, token in enumerate(specials)]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": ways}
    whole = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": None, "model": model,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    }
    write_json(folder / "tokenizer.json", whole)
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "pad_token": eos,
        "clean_up_tokenization_spaces": False, "chat_template": template,
        "added_tokens_decoder": {str(entry.pop("id")): entry for entry in [dict(entry) for entry in added]},
    })


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


# --- Weights ------------------------------------------------------------------------------------------------------------

class Numbers:
    """Blocks of normal numbers in every type a file may have."""

    def __init__(self) -> None:
        draw = random.Random(2)
        self.normal = [draw.gauss(0, 1) for _ in range(BLOCK_VALUES)]
        self.bytes = draw.randbytes(1 << 20)
        self.blocks: dict[tuple[str, float], bytes] = {}

    def block(self, kind: str, deviation: float, mean: float) -> bytes:
        key = (kind, deviation, mean)
        if key not in self.blocks:
            self.blocks[key] = self.make(kind, deviation, mean)
        return self.blocks[key]

    def make(self, kind: str, deviation: float, mean: float) -> bytes:
        if kind in ("F32", "BF16", "F16"):
            values = [mean + deviation * value for value in self.normal]
            if kind == "F16":
                return struct.pack(f"<{len(values)}e", *values)
            whole = array.array("f", values)
            if sys.byteorder == "big":
                whole.byteswap()
            raw = whole.tobytes()
            if kind == "F32":
                return raw
            out = bytearray(len(raw) // 2)
            out[0::2], out[1::2] = raw[2::4], raw[3::4]
            return bytes(out)
        # Blocks of ggml-common.h: random bits, and scales that give the deviation.
        _, size = GGML[kind]
        out = bytearray(self.bytes[: len(self.bytes) // size * size])
        def scale(offset: int, value: float) -> None:
            low, high = struct.pack("<e", value)
            count = len(out) // size
            out[offset::size], out[offset + 1::size] = bytes([low]) * count, bytes([high]) * count
        if kind == "Q8_0":
            scale(0, deviation / 74)
        elif kind == "Q4_0":
            scale(0, deviation / 4.6)
        elif kind == "Q4_K":
            # The value is d * sc * q - dmin * m with 6-bit sc and m, 4-bit q.
            scale(0, deviation / 170)
            scale(2, deviation / 170 * 7.5)
        elif kind == "Q6_K":
            scale(208, deviation / 1350)
        return bytes(out)


# Number, and bytes of a block of 32 (Q8_0, Q4_0), 256 or 1 values.
GGML = {"F32": (0, 4), "F16": (1, 2), "Q4_0": (2, 18), "Q8_0": (8, 34), "Q4_K": (12, 144), "Q6_K": (14, 210)}
GGML_VALUES = {"F32": 1, "F16": 1, "Q4_0": 32, "Q8_0": 32, "Q4_K": 256, "Q6_K": 256}
NUMBERS = Numbers()


def weights(file, name: str, shape: list[int], kind: str, size: int) -> None:
    """`size` bytes of numbers that keep activations near 1 through all layers."""
    if HOLLOW:
        file.truncate(file.tell() + size)
        file.seek(size, 1)
        return
    if ("norm" in name or "ln_q" in name) and name.endswith("weight"):
        deviation, mean = 0.1, 1.0
    elif name.endswith("bias"):
        deviation, mean = 0.05, 0.0
    else:
        fan_in = shape[-2] if ".experts." in name else math.prod(shape[1:]) or 1
        # A power of two, so that few blocks have to be made.
        deviation, mean = 2.0 ** round(math.log2(1 / math.sqrt(fan_in))), 0.0
    block = NUMBERS.block(kind, deviation, mean)
    for _ in range(size // len(block)):
        file.write(block)
    file.write(block[: size % len(block)])


def safetensors(folder: Path, tensors: list[tuple[str, list[int]]], kind: str, sharded: bool) -> None:
    width = {"F32": 4, "BF16": 2, "F16": 2}[kind]
    shards: list[list[tuple[str, list[int], int]]] = [[]]
    for name, shape in tensors:
        size = width * math.prod(shape)
        if sharded and shards[-1] and sum(entry[2] for entry in shards[-1]) + size > SHARD_BYTES:
            shards.append([])
        shards[-1].append((name, shape, size))
    names = (["model.safetensors"] if len(shards) == 1
             else [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))])
    for shard, file_name in zip(shards, names):
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        end = 0
        for name, shape, size in shard:
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with (folder / file_name).open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for name, shape, size in shard:
                weights(file, name, shape, kind, size)
    if len(shards) > 1:
        where = {entry[0]: name for shard, name in zip(shards, names) for entry in shard}
        total = sum(entry[2] for shard in shards for entry in shard)
        write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})


# --- The architectures' tensors -------------------------------------------------------------------------------------------

def linear(name: str, outputs: int, inputs: int) -> list[tuple[str, list[int]]]:
    return [(f"{name}.weight", [outputs, inputs]), (f"{name}.bias", [outputs])]


def normed(name: str, width: int) -> list[tuple[str, list[int]]]:
    return [(f"{name}.weight", [width]), (f"{name}.bias", [width])]


def attention(layer: str, text: dict, bias: bool, query_norm: bool) -> list[tuple[str, list[int]]]:
    head, hidden = text["head_dim"], text["hidden_size"]
    out = []
    for name, heads in [("q", text["num_attention_heads"]), ("k", text["num_key_value_heads"]), ("v", text["num_key_value_heads"])]:
        out.append((f"{layer}.self_attn.{name}_proj.weight", [heads * head, hidden]))
        if bias:
            out.append((f"{layer}.self_attn.{name}_proj.bias", [heads * head]))
    out.append((f"{layer}.self_attn.o_proj.weight", [hidden, text["num_attention_heads"] * head]))
    if query_norm:
        out += [(f"{layer}.self_attn.{name}_norm.weight", [head]) for name in "qk"]
    return out


def gated(name: str, hidden: int, wide: int) -> list[tuple[str, list[int]]]:
    return [(f"{name}.gate_proj.weight", [wide, hidden]), (f"{name}.up_proj.weight", [wide, hidden]), (f"{name}.down_proj.weight", [hidden, wide])]


def decoder(prefix: str, head: str, text: dict, bias=False, query_norm=False, four_norms=False) -> list[tuple[str, list[int]]]:
    hidden = text["hidden_size"]
    norms = ["input_layernorm", "post_attention_layernorm"] + ["pre_feedforward_layernorm", "post_feedforward_layernorm"] * four_norms
    out = [(f"{prefix}embed_tokens.weight", [text["vocab_size"], hidden])]
    for index in range(text["num_hidden_layers"]):
        layer = f"{prefix}layers.{index}"
        out += [(f"{layer}.{name}.weight", [hidden]) for name in norms]
        out += attention(layer, text, bias, query_norm) + gated(f"{layer}.mlp", hidden, text["intermediate_size"])
    out.append((f"{prefix}norm.weight", [hidden]))
    return out + [(head, [text["vocab_size"], hidden])] * (not text["tie_word_embeddings"])


def siglip(prefix: str, vision: dict) -> list[tuple[str, list[int]]]:
    hidden, wide, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    side = vision["image_size"] // patch
    out = [(f"{prefix}.embeddings.patch_embedding.weight", [hidden, 3, patch, patch]), (f"{prefix}.embeddings.patch_embedding.bias", [hidden]),
           (f"{prefix}.embeddings.position_embedding.weight", [side * side, hidden])]
    for index in range(vision["num_hidden_layers"]):
        layer = f"{prefix}.encoder.layers.{index}"
        for name in ["q_proj", "k_proj", "v_proj", "out_proj"]:
            out += linear(f"{layer}.self_attn.{name}", hidden, hidden)
        out += linear(f"{layer}.mlp.fc1", wide, hidden) + linear(f"{layer}.mlp.fc2", hidden, wide)
        out += normed(f"{layer}.layer_norm1", hidden) + normed(f"{layer}.layer_norm2", hidden)
    return out + normed(f"{prefix}.post_layernorm", hidden)


def llama4(config: dict) -> list[tuple[str, list[int]]]:
    text, vision = config["text_config"], config["vision_config"]
    hidden, wide, experts = text["hidden_size"], text["intermediate_size"], text["num_local_experts"]
    prefix = "language_model.model."
    out = [(f"{prefix}embed_tokens.weight", [text["vocab_size"], hidden]), (f"{prefix}norm.weight", [hidden]),
           ("language_model.lm_head.weight", [text["vocab_size"], hidden])]
    for index in range(text["num_hidden_layers"]):
        layer = f"{prefix}layers.{index}"
        out += [(f"{layer}.{name}.weight", [hidden]) for name in ["input_layernorm", "post_attention_layernorm"]]
        out += attention(layer, text, False, False)
        network = f"{layer}.feed_forward"
        if (index + 1) % text["interleave_moe_layer_step"]:
            out += gated(network, hidden, text["intermediate_size_mlp"])
        else:
            out += [(f"{network}.router.weight", [experts, hidden]), (f"{network}.experts.gate_up_proj", [experts, hidden, 2 * wide]),
                    (f"{network}.experts.down_proj", [experts, wide, hidden])]
            out += gated(f"{network}.shared_expert", hidden, wide)
    width, high, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    side = vision["image_size"] // patch
    out += [("vision_model.class_embedding", [width]), ("vision_model.positional_embedding_vlm", [side * side + 1, width]),
            ("vision_model.patch_embedding.linear.weight", [width, 3 * patch * patch])]
    out += normed("vision_model.layernorm_pre", width) + normed("vision_model.layernorm_post", width)
    for index in range(vision["num_hidden_layers"]):
        layer = f"vision_model.model.layers.{index}"
        for name in ["q_proj", "k_proj", "v_proj", "o_proj"]:
            out += linear(f"{layer}.self_attn.{name}", width, width)
        out += linear(f"{layer}.mlp.fc1", high, width) + linear(f"{layer}.mlp.fc2", width, high)
        out += normed(f"{layer}.input_layernorm", width) + normed(f"{layer}.post_attention_layernorm", width)
    middle, end = vision["projector_input_dim"], vision["projector_output_dim"]
    return out + [("vision_model.vision_adapter.mlp.fc1.weight", [middle, high]), ("vision_model.vision_adapter.mlp.fc2.weight", [end, middle]),
                  ("multi_modal_projector.linear_1.weight", [hidden, vision["vision_output_dim"]])]


def idefics3(config: dict) -> list[tuple[str, list[int]]]:
    text, vision = config["text_config"], config["vision_config"]
    out = decoder("model.text_model.", "lm_head.weight", text) + siglip("model.vision_model", vision)
    width = vision["hidden_size"] * config["scale_factor"] ** 2
    return [*out, ("model.connector.modality_projection.proj.weight", [text["hidden_size"], width])]


def gemma3(config: dict) -> list[tuple[str, list[int]]]:
    text, vision = config["text_config"], config["vision_config"]
    out = decoder("language_model.model.", "language_model.lm_head.weight", text, query_norm=True, four_norms=True)
    out += siglip("vision_tower.vision_model", vision)
    return [*out, ("multi_modal_projector.mm_input_projection_weight", [vision["hidden_size"], text["hidden_size"]]),
            ("multi_modal_projector.mm_soft_emb_norm.weight", [vision["hidden_size"]])]


def qwen2_5_vl(config: dict) -> list[tuple[str, list[int]]]:
    vision = config["vision_config"]
    hidden, wide, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    merged = hidden * vision["spatial_merge_size"] ** 2
    out = decoder("model.", "lm_head.weight", config, bias=True)
    out.append(("visual.patch_embed.proj.weight", [hidden, 3, 2, patch, patch]))
    for index in range(vision["depth"]):
        block = f"visual.blocks.{index}"
        out += [(f"{block}.norm1.weight", [hidden]), (f"{block}.norm2.weight", [hidden])]
        out += linear(f"{block}.attn.qkv", 3 * hidden, hidden) + linear(f"{block}.attn.proj", hidden, hidden)
        out += linear(f"{block}.mlp.gate_proj", wide, hidden) + linear(f"{block}.mlp.up_proj", wide, hidden) + linear(f"{block}.mlp.down_proj", hidden, wide)
    out.append(("visual.merger.ln_q.weight", [hidden]))
    return out + linear("visual.merger.mlp.0", merged, merged) + linear("visual.merger.mlp.2", config["hidden_size"], merged)


def qwen3_vl(config: dict) -> list[tuple[str, list[int]]]:
    text, vision = config["text_config"], config["vision_config"]
    hidden, wide, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    merged = hidden * vision["spatial_merge_size"] ** 2
    out = decoder("model.language_model.", "lm_head.weight", text, query_norm=True)
    out += [("model.visual.patch_embed.proj.weight", [hidden, 3, 2, patch, patch]), ("model.visual.patch_embed.proj.bias", [hidden]),
            ("model.visual.pos_embed.weight", [vision["num_position_embeddings"], hidden])]
    for index in range(vision["depth"]):
        block = f"model.visual.blocks.{index}"
        out += normed(f"{block}.norm1", hidden) + normed(f"{block}.norm2", hidden)
        out += linear(f"{block}.attn.qkv", 3 * hidden, hidden) + linear(f"{block}.attn.proj", hidden, hidden)
        out += linear(f"{block}.mlp.linear_fc1", wide, hidden) + linear(f"{block}.mlp.linear_fc2", hidden, wide)
    mergers = [("merger", hidden)] + [(f"deepstack_merger_list.{i}", merged) for i in range(len(vision["deepstack_visual_indexes"]))]
    for name, width in mergers:
        name = f"model.visual.{name}"
        out += normed(f"{name}.norm", width) + linear(f"{name}.linear_fc1", merged, merged) + linear(f"{name}.linear_fc2", text["hidden_size"], merged)
    return out


# --- Whole checkpoints ----------------------------------------------------------------------------------------------------

def catalogue(entry: str) -> dict:
    entries = json.loads(CATALOGUE.read_text())["entries"]
    return next(found["config"] for found in entries if found["id"] == entry)


def text_model(folder, *, architecture, model_type, hidden, wide, layers, heads, kv_heads, vocab, merges, head_dim=None, kind="BF16", sharded=False,
               positions=32768, theta=1e6, tied=True, extra=None) -> None:
    text = {"hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
            "head_dim": head_dim or hidden // heads, "vocab_size": vocab, "max_position_embeddings": positions, "rms_norm_eps": 1e-6, "hidden_act": "silu",
            "rope_theta": theta, "tie_word_embeddings": tied}
    first = vocab - len(CHATML_SPECIALS)
    ends = {"bos_token_id": first, "eos_token_id": first + 2, "pad_token_id": first}
    qwen2 = {"use_sliding_window": False, "sliding_window": positions, "max_window_layers": layers} if model_type == "qwen2" else {}
    write_json(folder / "config.json", {"architectures": [architecture], "model_type": model_type, "torch_dtype": "bfloat16", **text, **ends, **qwen2, **(extra or {})})
    write_json(folder / "generation_config.json", {"eos_token_id": [first + 2, first]})
    tokenizer(folder, vocab, merges, CHATML_SPECIALS, None, "<|im_end|>", CHATML)
    safetensors(folder, decoder("model.", "lm_head.weight", text, bias=model_type == "qwen2", query_norm=model_type == "qwen3"), kind, sharded)


def smolvlm(folder, entry: str, sharded=False) -> None:
    config = catalogue(entry)
    text = config["text_config"]
    first = text["vocab_size"] - len(SMOLVLM_SPECIALS)
    at = {token: first + i for i, token in enumerate(SMOLVLM_SPECIALS)}
    config |= {"torch_dtype": "bfloat16", "image_token_id": at["<image>"], "pad_token_id": at["<|endoftext|>"]}
    text |= {"model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": False,
             "bos_token_id": at["<|im_start|>"], "eos_token_id": at["<end_of_utterance>"], "pad_token_id": at["<|endoftext|>"]}
    vision = config["vision_config"]
    vision |= {"model_type": "idefics3_vision", "num_channels": 3, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6}
    write_json(folder / "config.json", config)
    tile = vision["image_size"]
    write_json(folder / "preprocessor_config.json", {**PICTURES, **HALF, "image_processor_type": "Idefics3ImageProcessor", "resample": 1, "do_pad": True,
               "processor_class": "Idefics3Processor", "do_image_splitting": True, "size": {"longest_edge": 4 * tile}, "max_image_size": {"longest_edge": tile}})
    tokens = (tile // vision["patch_size"] // config["scale_factor"]) ** 2
    write_json(folder / "processor_config.json", {"processor_class": "Idefics3Processor", "image_seq_len": tokens})
    write_json(folder / "generation_config.json", {"eos_token_id": [at["<end_of_utterance>"]]})
    tokenizer(folder, text["vocab_size"], 48_900, SMOLVLM_SPECIALS, "<|im_start|>", "<end_of_utterance>", SMOLVLM)
    safetensors(folder, idefics3(config), "BF16", sharded)


def gemma(folder, layers: int) -> None:
    config = catalogue("gemma-3-4b")
    text, vision = config["text_config"], config["vision_config"]
    at = {token: text["vocab_size"] - len(GEMMA_SPECIALS) + i for i, token in enumerate(GEMMA_SPECIALS)}
    text |= {"model_type": "gemma3_text", "num_hidden_layers": layers, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
             "rope_local_base_freq": 10000.0, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "query_pre_attn_scalar": 256, "attention_bias": False,
             "attn_logit_softcapping": None, "final_logit_softcapping": None, "tie_word_embeddings": True,
             "bos_token_id": at["<bos>"], "eos_token_id": at["<eos>"], "pad_token_id": at["<pad>"]}
    vision |= {"model_type": "siglip_vision_model", "num_channels": 3, "hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-6, "vision_use_head": False}
    config |= {"torch_dtype": "bfloat16", "tie_word_embeddings": True, "mm_tokens_per_image": 256, "boi_token_index": at["<start_of_image>"],
               "eoi_token_index": at["<end_of_image>"], "image_token_index": at["<image_soft_token>"], "eos_token_id": [at["<eos>"], at["<end_of_turn>"]]}
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", {**PICTURES, **HALF, "image_processor_type": "Gemma3ImageProcessor", "processor_class": "Gemma3Processor",
               "resample": 2, "size": {"height": 896, "width": 896}, "do_pan_and_scan": None, "image_seq_length": 256})
    write_json(folder / "processor_config.json", {"processor_class": "Gemma3Processor", "image_seq_length": 256})
    write_json(folder / "generation_config.json", {"eos_token_id": config["eos_token_id"]})
    tokenizer(folder, text["vocab_size"], 514_906, GEMMA_SPECIALS, "<bos>", "<eos>", GEMMA)
    safetensors(folder, gemma3(config), "BF16", True)


def qwen_vl(folder, entry: str, layers: int | None = None) -> None:
    config = catalogue(entry)
    third = config["model_type"] == "qwen3_vl"
    text, vision = config["text_config"] if third else config, config["vision_config"]
    text["num_hidden_layers"] = layers or text["num_hidden_layers"]
    at = {token: text["vocab_size"] - len(QWEN_SPECIALS) + i for i, token in enumerate(QWEN_SPECIALS)}
    text |= {"head_dim": text.get("head_dim", text["hidden_size"] // text["num_attention_heads"]), "hidden_act": "silu", "rms_norm_eps": 1e-6,
             "bos_token_id": at["<|endoftext|>"], "eos_token_id": at["<|im_end|>"], "tie_word_embeddings": config["tie_word_embeddings"]}
    half = text["head_dim"] // 2
    if third:
        text |= {"model_type": "qwen3_vl_text", "rope_theta": 5000000.0, "attention_bias": False,
                 "rope_scaling": {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [half - 2 * (half * 5 // 16)] + [half * 5 // 16] * 2}}
        vision |= {"hidden_act": "gelu_pytorch_tanh", "out_hidden_size": text["hidden_size"], "model_type": "qwen3_vl"}
    else:
        text |= {"rope_theta": 1000000.0, "use_sliding_window": False, "sliding_window": 32768, "max_window_layers": text["num_hidden_layers"],
                 "rope_scaling": {"type": "mrope", "mrope_section": [half // 4, half * 3 // 8, half * 3 // 8]}}
        vision |= {"hidden_act": "silu", "out_hidden_size": text["hidden_size"], "model_type": "qwen2_5_vl", "window_size": 112,
                   "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2}
    vision |= {"in_chans": 3, "in_channels": 3, "temporal_patch_size": 2}
    config |= {"torch_dtype": "bfloat16", "image_token_id": at["<|image_pad|>"], "video_token_id": at["<|video_pad|>"],
               "vision_start_token_id": at["<|vision_start|>"], "vision_end_token_id": at["<|vision_end|>"]}
    write_json(folder / "config.json", config)
    # A quarter of a megapixel: what people set who run it on a processor, where a picture of the default 12 takes hours.
    sizes = ({"image_processor_type": "Qwen2VLImageProcessorFast", "size": {"shortest_edge": 65536, "longest_edge": 1 << 18}, **HALF} if third
             else {"image_processor_type": "Qwen2VLImageProcessor", "min_pixels": 3136, "max_pixels": 1 << 18, **CLIP})
    write_json(folder / "preprocessor_config.json", {**PICTURES, **sizes, "resample": 3, "patch_size": vision["patch_size"], "temporal_patch_size": 2,
               "merge_size": 2, "processor_class": "Qwen3VLProcessor" if third else "Qwen2_5_VLProcessor"})
    write_json(folder / "generation_config.json", {"eos_token_id": [at["<|im_end|>"], at["<|endoftext|>"]]})
    tokenizer(folder, text["vocab_size"], 151_387, QWEN_SPECIALS, None, "<|im_end|>", CHATML)
    safetensors(folder, qwen3_vl(config) if third else qwen2_5_vl(config), "BF16", True)


def llama4_model(folder, layers: int, moe_every: int, narrow: dict | None = None) -> None:
    config = json.loads((SCOUT / "config.json").read_text())
    demo = json.loads((DEMO / "tokenizer.json").read_text())
    specials = [token["content"] for token in demo["added_tokens"]]
    text = config["text_config"]
    text |= {"num_hidden_layers": layers, "interleave_moe_layer_step": moe_every, "tie_word_embeddings": False} | (narrow or {})
    at = {token: text["vocab_size"] - len(specials) + i for i, token in enumerate(specials)}
    text |= {"bos_token_id": at["<|begin_of_text|>"], "eos_token_id": [at["<|end_of_text|>"], at["<|eom|>"], at["<|eot|>"]], "pad_token_id": at["<|finetune_right_pad|>"]}
    config |= {"boi_token_index": at["<|image_start|>"], "eoi_token_index": at["<|image_end|>"], "image_token_index": at["<|patch|>"]}
    write_json(folder / "config.json", config)
    for name in ["preprocessor_config.json", "processor_config.json"]:
        (folder / name).write_bytes((SCOUT / name).read_bytes())
    (folder / "special_tokens_map.json").write_bytes((DEMO / "special_tokens_map.json").read_bytes())
    write_json(folder / "generation_config.json", {"eos_token_id": text["eos_token_id"], "bos_token_id": text["bos_token_id"]})
    template = (DEMO / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(template)
    tokenizer(folder, text["vocab_size"], 439_802 * text["vocab_size"] // 202_048, specials, "<|begin_of_text|>", "<|eot|>", template)
    safetensors(folder, llama4(config), "BF16", True)


# --- GGUF -----------------------------------------------------------------------------------------------------------------

def gguf_value(value: object) -> bytes:
    """Type and value of one entry of the metadata (docs/gguf.md of ggml)."""
    match value:
        case str():
            text = value.encode()
            return struct.pack("<IQ", 8, len(text)) + text
        case float():
            return struct.pack("<If", 6, value)
        case int():
            return struct.pack("<II", 4, value)
        case [int(), *_]:
            return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)
        case [*_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(gguf_value(text)[4:] for text in value)
    raise TypeError(value)


def gguf_file(path: Path, *, architecture, hidden, wide, layers, heads, kv_heads, vocab, merges, mix, head_dim=None, positions=32768, tied=True) -> None:
    """`mix`: q8_0, q4_0 or q4_k_m (as llama.cpp mixes it: half of the values and down projections, and the head, in Q6_K)."""
    head = head_dim or hidden // heads
    pieces, ways = vocabulary(vocab - len(CHATML_SPECIALS), merges)
    a = architecture
    facts = {
        "general.architecture": a, "general.name": path.stem, "general.quantization_version": 2, f"{a}.context_length": positions,
        f"{a}.embedding_length": hidden, f"{a}.block_count": layers, f"{a}.feed_forward_length": wide, f"{a}.attention.head_count": heads,
        f"{a}.attention.head_count_kv": kv_heads, f"{a}.attention.layer_norm_rms_epsilon": 1e-6, f"{a}.rope.freq_base": 1e6, f"{a}.rope.dimension_count": head,
        f"{a}.attention.key_length": head, f"{a}.attention.value_length": head, f"{a}.vocab_size": vocab,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.tokens": pieces + CHATML_SPECIALS,
        "tokenizer.ggml.token_type": [1] * len(pieces) + [3] * len(CHATML_SPECIALS), "tokenizer.ggml.merges": [" ".join(way) for way in ways],
        "tokenizer.ggml.bos_token_id": len(pieces), "tokenizer.ggml.eos_token_id": len(pieces) + 2, "tokenizer.chat_template": CHATML,
    }
    base, fine = {"q8_0": ("Q8_0", "Q8_0"), "q4_0": ("Q4_0", "Q6_K"), "q4_k_m": ("Q4_K", "Q6_K")}[mix]
    tensors = [("token_embd.weight", [vocab, hidden], fine if tied else base), ("output_norm.weight", [hidden], "F32")]
    if not tied:
        tensors.append(("output.weight", [vocab, hidden], fine))
    for index in range(layers):
        block = f"blk.{index}"
        some = fine if mix == "q4_k_m" and index % 2 == 0 else base
        tensors += [(f"{block}.attn_q.weight", [heads * head, hidden], base), (f"{block}.attn_k.weight", [kv_heads * head, hidden], base),
                    (f"{block}.attn_v.weight", [kv_heads * head, hidden], some), (f"{block}.attn_output.weight", [hidden, heads * head], base),
                    (f"{block}.ffn_gate.weight", [wide, hidden], base), (f"{block}.ffn_up.weight", [wide, hidden], base),
                    (f"{block}.ffn_down.weight", [hidden, wide], some), (f"{block}.attn_norm.weight", [hidden], "F32"), (f"{block}.ffn_norm.weight", [hidden], "F32")]
        if a == "qwen2":
            tensors += [(f"{block}.attn_{name}.bias", [n * head], "F32") for name, n in [("q", heads), ("k", kv_heads), ("v", kv_heads)]]
        if a == "qwen3":
            tensors += [(f"{block}.attn_{name}_norm.weight", [head], "F32") for name in "qk"]
    sizes = [GGML[kind][1] * math.prod(shape) // GGML_VALUES[kind] for _, shape, kind in tensors]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    header += b"".join(gguf_value(key)[4:] + gguf_value(value) for key, value in facts.items())
    end = 0
    for (name, shape, kind), size in zip(tensors, sizes):
        header += gguf_value(name)[4:] + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        header += struct.pack("<IQ", GGML[kind][0], end)
        end += size + -size % 32
    with path.open("wb") as file:
        file.write(header + bytes(-len(header) % 32))
        for (name, shape, kind), size in zip(tensors, sizes):
            weights(file, name, shape, kind, size)
            file.write(bytes(-size % 32))


QWEN2_5_HALF = {"hidden": 896, "wide": 4864, "heads": 14, "kv_heads": 2, "vocab": 151_936, "merges": 151_387}
QWEN2_5_1_5 = {"hidden": 1536, "wide": 8960, "heads": 12, "kv_heads": 2, "vocab": 151_936, "merges": 151_387}
LLAMA_1 = {"hidden": 2048, "wide": 8192, "heads": 32, "kv_heads": 8, "vocab": 128_256, "merges": 280_147}
QWEN3_0_6 = {"hidden": 1024, "wide": 3072, "heads": 16, "kv_heads": 8, "head_dim": 128, "vocab": 151_936, "merges": 151_387}
QWEN2 = {"architecture": "Qwen2ForCausalLM", "model_type": "qwen2"}

# Real widths, vocabularies and tokenizer sizes. Fewer layers than the released model where the name says so: a layer more
# costs the same again, in memory and in time.
MODELS = {
    "qwen2.5-0.5b": lambda folder: text_model(folder, **QWEN2, **QWEN2_5_HALF, layers=24),
    "qwen2.5-0.5b-2-layers": lambda folder: text_model(folder, **QWEN2, **QWEN2_5_HALF, layers=2),
    "qwen2.5-1.5b": lambda folder: text_model(folder, **QWEN2, **QWEN2_5_1_5, layers=28, kind="F16", sharded=True),
    "llama-3.2-1b": lambda folder: text_model(folder, architecture="LlamaForCausalLM", model_type="llama", **LLAMA_1, layers=16, kind="F32", sharded=True,
                                              positions=131_072, theta=500_000.0),
    "smolvlm-256m": lambda folder: smolvlm(folder, "smolvlm-256m"),
    "smolvlm-500m": lambda folder: smolvlm(folder, "smolvlm-500m"),
    "smolvlm-2b": lambda folder: smolvlm(folder, "smolvlm-2b", sharded=True),
    "gemma-3-4b-6-layers": lambda folder: gemma(folder, 6),
    "qwen2.5-vl-3b": lambda folder: qwen_vl(folder, "qwen2.5-vl-3b"),
    "qwen3-vl-2b": lambda folder: qwen_vl(folder, "qwen3-vl-2b"),
    # Scout's true widths: a dense layer and one of sixteen experts.
    "scout-2-layers": lambda folder: llama4_model(folder, 2, 2),
    "llama-4-narrow": lambda folder: llama4_model(folder, 8, 1, {"hidden_size": 1024, "intermediate_size": 1024, "intermediate_size_mlp": 2048,
                                                               "num_attention_heads": 8, "num_key_value_heads": 2}),
    "llama-3.2-1b-q4_k_m.gguf": lambda folder: gguf_file(folder / "model.gguf", architecture="llama", **LLAMA_1, layers=16, mix="q4_k_m", positions=131_072),
    "qwen2.5-0.5b-q8_0.gguf": lambda folder: gguf_file(folder / "model.gguf", architecture="qwen2", **QWEN2_5_HALF, layers=24, mix="q8_0"),
    "qwen3-0.6b-q4_0.gguf": lambda folder: gguf_file(folder / "model.gguf", architecture="qwen3", **QWEN3_0_6, layers=28, mix="q4_0", positions=40_960),
}

if __name__ == "__main__":
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    MODELS[sys.argv[1]](out)
