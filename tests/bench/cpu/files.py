"""Makes the GGUF files that `run` measures: SmolLM2-135M in the old block formats, and random weights at the widths of a
4B model in the K-quants (SmolLM2's rows of 576 have none). Quantised by llama.cpp itself, so that both programs read the
very same blocks.

    python files.py FOLDER SMOLLM2.gguf LIBRARIES

FOLDER: where they are written. LIBRARIES: the folder of llama.cpp's shared libraries (npm @node-llama-cpp/linux-x64).
"""

import ctypes
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter

# llama.h, enum llama_ftype.
LEGACY = {"q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9}
K_QUANTS = {"q4_k": 15, "q5_k": 17, "q6_k": 18}
# Qwen3-4B's widths; six of its layers are enough to measure a layer's speed, and load quickly.
WIDE = {"layers": 6, "hidden": 2560, "feed_forward": 9728, "heads": 32, "kv_heads": 8, "head_dim": 80}


def quantiser(libraries: Path):
    for name in ("libggml-base.so", "libggml.v0.5.0.so", "libllama.v0.5.0.so"):
        library = ctypes.CDLL(str(next(libraries.glob(name.replace("v0.5.0", "*")))), mode=ctypes.RTLD_GLOBAL)

    class Parameters(ctypes.Structure):
        # llama.h, llama_model_quantize_params: only the beginning is touched, the rest is the library's own.
        _fields_ = [
            ("threads", ctypes.c_int32),
            ("ftype", ctypes.c_int),
            ("output_type", ctypes.c_int),
            ("embedding_type", ctypes.c_int),
            ("allow_requantize", ctypes.c_bool),
            ("rest", ctypes.c_uint8 * 239),
        ]

    library.llama_model_quantize_default_params.restype = Parameters
    library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Parameters)]
    library.llama_backend_init()

    def quantise(source: Path, target: Path, ftype: int) -> None:
        parameters = library.llama_model_quantize_default_params()
        parameters.ftype = ftype
        parameters.allow_requantize = True
        partial = target.with_suffix(".part")
        if library.llama_model_quantize(str(source).encode(), str(partial).encode(), ctypes.byref(parameters)) != 0:
            sys.exit(f"{source} could not be quantised to {target}")
        partial.rename(target)

    return quantise


def write_wide(source: Path, target: Path) -> None:
    """Random float16 weights at [`WIDE`] with the tokenizer of `source`."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target.with_suffix(".part"), "llama")
    for field in reader.fields.values():
        if field.name.startswith("tokenizer."):
            kind = field.types[0]
            inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    vocabulary = len(reader.fields["tokenizer.ggml.tokens"].data)
    hidden, head_dim = WIDE["hidden"], WIDE["head_dim"]
    writer.add_block_count(WIDE["layers"])
    writer.add_context_length(32768)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(WIDE["feed_forward"])
    writer.add_head_count(WIDE["heads"])
    writer.add_head_count_kv(WIDE["kv_heads"])
    writer.add_rope_dimension_count(head_dim)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(vocabulary)
    random = np.random.default_rng(4)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, (random.standard_normal((rows, columns), dtype=np.float32) / columns**0.5).astype(np.float16))

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(hidden, dtype=np.float32))

    matrix("token_embd.weight", vocabulary, hidden)
    ones("output_norm.weight")
    for layer in range(WIDE["layers"]):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm.weight")
        ones(f"{block}.ffn_norm.weight")
        matrix(f"{block}.attn_q.weight", WIDE["heads"] * head_dim, hidden)
        matrix(f"{block}.attn_k.weight", WIDE["kv_heads"] * head_dim, hidden)
        matrix(f"{block}.attn_v.weight", WIDE["kv_heads"] * head_dim, hidden)
        matrix(f"{block}.attn_output.weight", hidden, WIDE["heads"] * head_dim)
        matrix(f"{block}.ffn_gate.weight", WIDE["feed_forward"], hidden)
        matrix(f"{block}.ffn_up.weight", WIDE["feed_forward"], hidden)
        matrix(f"{block}.ffn_down.weight", hidden, WIDE["feed_forward"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    target.with_suffix(".part").rename(target)


def main() -> None:
    folder, smollm2, libraries = map(Path, sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    assert GGMLQuantizationType.Q4_K == 12
    quantise = quantiser(libraries)
    for name, ftype in LEGACY.items():
        target = folder / f"smollm2-135m.{name}.gguf"
        if not target.exists():
            quantise(smollm2, target, ftype)
    wide = folder / "wide.f16.gguf"
    if not wide.exists():
        write_wide(smollm2, wide)
    for name, ftype in K_QUANTS.items():
        target = folder / f"wide.{name}.gguf"
        if not target.exists():
            quantise(wide, target, ftype)


if __name__ == "__main__":
    main()
