"""Checkpoints of random weights at Scout's true widths, and what transformers makes of the vision tower.

    python make.py FOLDER

writes into FOLDER (about 10 GB):

- `scout-wide`: Scout's configuration with 4 layers, of which the last one is a mixture (16 experts and the shared one,
  no RoPE) and the others dense, and the true vision tower. 4.0 billion weights. Only the vocabulary is small (the demo
  model's tokenizer), for there is no question of arithmetic in it.
- `scout-vision`: the true vision tower in front of a narrow text part, so that its numbers can be compared in float32.
- `reference.json`, `reference-N.npy`: the logits that transformers computes with `scout-vision` in float32 for pictures
  of one tile and of seven, the seconds its vision tower takes for a tile, and the pictures.

Names of tensors and shapes come from transformers' own model on the `meta` device.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import Llama4Config, Llama4ForConditionalGeneration, PreTrainedTokenizerFast
from transformers.models.llama4.image_processing_llama4 import Llama4ImageProcessor
from transformers.models.llama4.processing_llama4 import Llama4Processor

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "src-tauri/resources/demo-model"
SCOUT = ROOT / "tests/fixtures/herd/scout/older"
TOKENIZER_FILES = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
]
# Rows and columns of tiles; all but 1 x 1 have the global tile too.
PICTURES = [(1, 1), (3, 2)]


def config(layers: int, text: dict) -> dict:
    out = json.loads((SCOUT / "config.json").read_text())
    demo = json.loads((DEMO / "config.json").read_text())
    for key in ["boi_token_index", "eoi_token_index", "image_token_index"]:
        out[key] = demo[key]
    for key in ["vocab_size", "bos_token_id", "eos_token_id", "pad_token_id"]:
        out["text_config"][key] = demo["text_config"][key]
    out["text_config"] |= {"num_hidden_layers": layers, "max_position_embeddings": 16384} | text
    return out


def write(folder: Path, written: dict, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(written, indent=1))
    for name in ["preprocessor_config.json", "processor_config.json"]:
        (folder / name).write_bytes((SCOUT / name).read_bytes())
    for name in TOKENIZER_FILES:
        (folder / name).write_bytes((DEMO / name).read_bytes())
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in hf_model(written).state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    index: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}
    total = 0

    def flush() -> None:
        name = f"{len(set(index.values())) + 1:05}"
        save_file(shard, folder / name, metadata={"format": "pt"})
        index.update(dict.fromkeys(shard, name))
        shard.clear()

    for name, shape in shapes.items():
        shard[name] = weights(name, shape, generator)
        total += 2 * shape.numel()
        if sum(tensor.numel() for tensor in shard.values()) > 500_000_000:
            flush()
    flush()
    count = len(set(index.values()))
    for tensor, number in index.items():
        index[tensor] = f"model-{number}-of-{count:05}.safetensors"
        if (folder / number).exists():
            (folder / number).rename(folder / index[tensor])
    names = {"metadata": {"total_size": total}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(names))
    print(f"{folder.name}: {total // 2:,} weights, {total / 1e9:.1f} GB", flush=True)


def weights(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Of sizes that keep activations near 1 through all layers."""
    out = torch.empty(shape, dtype=torch.float32).normal_(generator=generator)
    if "norm" in name and name.endswith("weight"):
        out = 1 + 0.2 * out
    elif name.endswith("bias"):
        out *= 0.1
    elif "class_embedding" in name or "positional_embedding" in name:
        out *= 0.5
    elif not name.endswith("embed_tokens.weight"):
        stacked = ".experts." in name
        out *= 1 / math.sqrt(shape[1] if stacked else shape[-1])
    return out.to(torch.bfloat16).contiguous()


def hf_model(written: dict) -> Llama4ForConditionalGeneration:
    known = {key: value for key, value in written.items() if key not in ("architectures", "model_type", "torch_dtype")}
    known["text_config"] = dict(known["text_config"], attn_temperature_tuning=True)
    return Llama4ForConditionalGeneration(Llama4Config(**known))


def picture(rows: int, columns: int) -> Image.Image:
    height, width = 336 * rows, 336 * columns
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x / a + y / b) for a, b in [(37, 91), (59, 23), (17, 71)]]
    return Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8))


def reference(folder: Path) -> None:
    source = folder / "scout-vision"
    from safetensors.torch import load_file

    state: dict[str, torch.Tensor] = {}
    for file in sorted(source.glob("*.safetensors")):
        state |= {name: tensor.float() for name, tensor in load_file(file).items()}
    model = hf_model(json.loads((source / "config.json").read_text())).float().eval()
    model.load_state_dict(state)
    del state
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source)
    processor = Llama4Processor(
        Llama4ImageProcessor(**json.loads((source / "preprocessor_config.json").read_text())),
        tokenizer,
        chat_template=(source / "chat_template.jinja").read_text(),
    )
    cases = []
    for number, (rows, columns) in enumerate(PICTURES):
        image = picture(rows, columns)
        path = folder / f"picture-{number}.png"
        image.save(path)
        content = [{"type": "image"}, {"type": "text", "text": "What is in this image?"}]
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(text=prompt, images=[image], add_special_tokens=False, return_tensors="pt")
        pixels = inputs["pixel_values"].float()
        tiles = pixels.shape[0]
        with torch.no_grad():
            started = time.perf_counter()
            model.vision_model(pixels)
            seconds = (time.perf_counter() - started) / tiles
            logits = model(**{**inputs, "pixel_values": pixels}).logits[0, -1:].numpy()
        np.save(folder / f"reference-{number}.npy", logits)
        ids = inputs["input_ids"][0].tolist()
        cases.append({"rows": rows, "columns": columns, "tiles": tiles, "tokens": len(ids), "seconds_per_tile": seconds})
        print(f"transformers: {tiles} tiles, {len(ids)} tokens, {seconds:.2f} s a tile", flush=True)
    (folder / "reference.json").write_text(json.dumps({"cases": cases}))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    narrow = {
        "hidden_size": 256,
        "intermediate_size": 256,
        "intermediate_size_mlp": 512,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "num_local_experts": 4,
    }
    if not (out / "scout-vision/model.safetensors.index.json").exists():
        write(out / "scout-vision", config(4, narrow), 1)
    if not (out / "scout-wide/model.safetensors.index.json").exists():
        write(out / "scout-wide", config(4, {"interleave_moe_layer_step": 4}), 2)
    reference(out)
