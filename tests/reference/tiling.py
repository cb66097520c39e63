"""Tile plans as transformers' own processors make them: 200 picture sizes for each family.

    python tiling.py --out ../fixtures/tiling [NAME...]

Nothing is downloaded: the processors are built from the settings written out below, which are those of the released
checkpoints. What is stored is read off the processors' results (prompt ids, shapes of the pixels) and off their calls
of `resize`; no rule is repeated here.
"""
import argparse
import json
import os
import random
import time

import torch
from PIL import Image
from transformers import PreTrainedTokenizerFast
from transformers.models.gemma3.image_processing_gemma3 import Gemma3ImageProcessor
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
from transformers.models.idefics3.image_processing_idefics3 import Idefics3ImageProcessor
from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
from transformers.models.llama4.image_processing_llama4 import Llama4ImageProcessor
from transformers.models.llama4.processing_llama4 import Llama4Processor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

import byte_bpe

torch.set_num_threads(1)
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
COUNT = 200


def tokenizer(specials, **named):
    t = PreTrainedTokenizerFast(tokenizer_object=byte_bpe.build(specials, 420 + len(specials)), extra_special_tokens=named)
    return t


# ---- families ---------------------------------------------------------------------------------
def llama4(image_size, patch_size, max_patches):
    config = {"model_type": "llama4", "vision_config": {"image_size": image_size, "patch_size": patch_size, "pixel_shuffle_ratio": 0.5}}
    pre = {"size": {"height": image_size, "width": image_size}, "max_patches": max_patches, "resize_to_max_canvas": False, "resample": 2, **HALF}
    pro = {"patch_size": patch_size, "pixel_shuffle_ratio": 0.5}
    marks = ["<|image_start|>", "<|image_end|>", "<|tile_x_separator|>", "<|tile_y_separator|>", "<|image|>", "<|patch|>"]
    processor = Llama4Processor(image_processor=Llama4ImageProcessor(**pre), tokenizer=tokenizer(marks), **pro)

    def read(spied, ids, pixels):
        rows, columns = spied["aspect_ratios"][0].tolist()
        return rows, columns, rows * image_size, columns * image_size
    return config, pre, pro, processor, "<|image|>", "<|patch|>", read


def idefics3(image_size, patch_size, scale_factor, longest_edge):
    seq = (image_size // patch_size) ** 2 // scale_factor**2
    config = {"model_type": "idefics3", "scale_factor": scale_factor, "vision_config": {"image_size": image_size, "patch_size": patch_size}}
    pre = {"size": {"longest_edge": longest_edge}, "max_image_size": {"longest_edge": image_size}, "do_image_splitting": True,
           "do_pad": True, "resample": 1, **HALF}
    pro = {"image_seq_len": seq}
    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"]
    marks += [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]
    processor = Idefics3Processor(image_processor=Idefics3ImageProcessor(**pre), tokenizer=tokenizer(marks), **pro)

    def read(spied, ids, pixels):
        rows, columns = spied["rows"][0][0], spied["cols"][0][0]
        height, width = pixels.shape[-2:]
        return rows, columns, max(rows, 1) * height, max(columns, 1) * width
    return config, pre, pro, processor, "<image>", "<image>", read


def qwen(model_type, build, video, patch_size, pre):
    config = {"model_type": model_type, "vision_config": {"patch_size": patch_size, "spatial_merge_size": 2, "temporal_patch_size": 2}}
    pre = {**pre, "patch_size": patch_size, "temporal_patch_size": 2, "merge_size": 2}
    marks = ["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
    processor = build(image_processor=Qwen2VLImageProcessor(**pre), tokenizer=tokenizer(marks), video_processor=video())

    def read(spied, ids, pixels):
        _, rows, columns = spied["image_grid_thw"][0].tolist()
        return 1, 1, rows * patch_size, columns * patch_size
    return config, pre, {}, processor, "<|vision_start|><|image_pad|><|vision_end|>", "<|image_pad|>", read


def gemma3(image_size, patch_size, tokens):
    config = {"model_type": "gemma3", "mm_tokens_per_image": tokens, "vision_config": {"image_size": image_size, "patch_size": patch_size}}
    pre = {"size": {"height": image_size, "width": image_size}, "do_pan_and_scan": None, "resample": 2, **HALF}
    pro = {"image_seq_length": tokens}
    marks = ["<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    t = tokenizer(marks, boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>")
    processor = Gemma3Processor(image_processor=Gemma3ImageProcessor(**pre), tokenizer=t, **pro)

    def read(spied, ids, pixels):
        return 1, 1, *pixels.shape[-2:]
    return config, pre, pro, processor, "<start_of_image>", "<image_soft_token>", read


QWEN2 = {"min_pixels": 56 * 56, "max_pixels": 28 * 28 * 16384, "resample": 3, **CLIP}
QWEN3 = {"size": {"shortest_edge": 65536, "longest_edge": 16777216}, "resample": 3, **HALF}
FAMILIES = {
    # Scout and Maverick; the demo model; the random-weight models of the parity suite
    "llama4": lambda: llama4(336, 14, 16),
    "llama4-demo": lambda: llama4(56, 14, 4),
    "llama4-parity": lambda: llama4(56, 14, 16),
    "smolvlm-256m": lambda: idefics3(512, 16, 4, 2048),  # SmolVLM-500M has the same settings
    "smolvlm-2.2b": lambda: idefics3(384, 14, 3, 1536),
    "idefics3-8b": lambda: idefics3(364, 14, 2, 1456),
    "qwen2-vl": lambda: qwen("qwen2_vl", Qwen2VLProcessor, Qwen2VLVideoProcessor, 14, QWEN2),
    "qwen2.5-vl": lambda: qwen("qwen2_5_vl", Qwen2_5_VLProcessor, Qwen2VLVideoProcessor, 14, QWEN2),
    "qwen3-vl": lambda: qwen("qwen3_vl", Qwen3VLProcessor, Qwen3VLVideoProcessor, 16, QWEN3),
    "gemma3": lambda: gemma3(896, 14, 256),
}


# ---- sizes ------------------------------------------------------------------------------------
def sizes(name, unit):
    """`COUNT` sizes: edges around multiples of the family's unit, what cameras and screens make, thin, tiny and random."""
    rng = random.Random(name)
    known = [(1, 1), (2, 3), (7, 5), (unit, unit), (unit - 1, unit), (unit, unit + 1), (unit + 1, unit - 1), (2 * unit, 2 * unit),
             (2 * unit, unit), (unit, 3 * unit), (4 * unit, 4 * unit), (5 * unit, 3 * unit), (2 * unit + 1, 2 * unit - 1),
             (336, 336), (672, 672), (1344, 1344), (512, 512), (2048, 2048), (640, 480), (480, 640), (800, 600), (1024, 768),
             (1280, 720), (1366, 768), (1920, 1080), (1080, 1920), (2560, 1440), (1170, 2532), (3840, 2160), (4032, 3024), (3024, 4032),
             (1000, 1000), (999, 1001), (1500, 10), (10, 1500), (199, 1), (1, 199), (2000, 11), (13, 2200), (4100, 300), (300, 4100)]
    taken = list(dict.fromkeys(known))
    while len(taken) < COUNT:
        kind = rng.random()
        if kind < 0.5:
            size = (rng.randint(1, 1600), rng.randint(1, 1600))
        elif kind < 0.75:  # a pixel around the places where a plan may change
            size = (rng.randint(1, 5) * unit + rng.randint(-1, 1), rng.randint(1, 5) * unit + rng.randint(-1, 1))
        elif kind < 0.9:
            size = (rng.randint(1, 90), rng.randint(1, 90))
        else:
            edge, ratio = rng.randint(100, 2200), rng.uniform(2, 60)
            size = (edge, max(1, int(edge / ratio)))
            size = size if rng.random() < 0.5 else size[::-1]
        if min(size) > 0 and size not in taken:
            taken.append(size)
    return taken


# ---- reading ----------------------------------------------------------------------------------
def spy(image_processor):
    """Keeps what the image processor resized to and returned, for the call that follows."""
    seen = {}
    resize, preprocess = image_processor.resize, image_processor._preprocess
    depth = [0]

    def resizing(*args, **kwargs):
        depth[0] += 1
        result = resize(*args, **kwargs)
        depth[0] -= 1
        if depth[0] == 0:
            seen.setdefault("resizes", []).append(list(result.shape[-2:]))
        return result

    def preprocessing(*args, **kwargs):
        result = preprocess(*args, **kwargs)
        seen.update(result)
        return result
    image_processor.resize, image_processor._preprocess = resizing, preprocessing
    return seen


def write(name, out):
    config, pre, pro, processor, placeholder, pad, read = FAMILIES[name]()
    unit = pre.get("max_image_size", {}).get("longest_edge") or pre["size"].get("height") if "size" in pre else None
    unit = unit or 2 * pre["patch_size"]
    seen = spy(processor.image_processor)
    pad_id = processor.tokenizer.convert_tokens_to_ids(pad)
    cases = []
    for width, height in sizes(name, unit):
        seen.clear()
        case = {"width": width, "height": height}
        try:
            result = processor(text=[f"a{placeholder}b"], images=[Image.new("RGB", (width, height))], return_tensors="pt", add_special_tokens=False)
        except ValueError as error:  # Qwen: sides that differ by more than 200 times
            cases.append({**case, "refused": str(error)})
            continue
        ids, pixels = result["input_ids"][0].tolist(), result["pixel_values"]
        rows, columns, canvas_height, canvas_width = read(seen, ids, pixels)
        around = len(processor.tokenizer("a", add_special_tokens=False)["input_ids"]) + len(processor.tokenizer("b", add_special_tokens=False)["input_ids"])
        cases.append({**case, "rows": rows, "columns": columns, "tokens": ids.count(pad_id), "prompt_tokens": len(ids) - around,
                      "canvas_height": canvas_height, "canvas_width": canvas_width, "pixel_shape": list(pixels.shape),
                      "resizes": seen.get("resizes", [])})
    head = json.dumps({"family": name, "config": config, "preprocessor": pre, "processor": pro})[:-1]
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path = os.path.join(out, f"{name}.json")
    with open(path, "w") as f:
        f.write(f'{head}, "cases": [\n{lines}\n]}}\n')
    assert len(json.load(open(path))["cases"]) == COUNT
    return path


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fixtures/tiling"))
    ap.add_argument("names", nargs="*", default=list(FAMILIES))
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for name in a.names or FAMILIES:
        start = time.time()
        path = write(name, a.out)
        print(f"{name}: {os.path.getsize(path)} bytes, {time.time() - start:.0f} s", flush=True)
