"""Runs Paddock's engine and llama.cpp in turn on the same files and prints a table of medians and ratios.

Wall-clock seconds: both use the threads that they are given, and on a quiet machine with one thread wall and CPU are the same.
An instruction set forces both: Paddock by PADDOCK_ISA, llama.cpp by leaving it one of its libraries.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Ours, and the library of llama.cpp that uses the same instructions.
LIBRARIES = {
    "own": None,
    "avx2": "haswell",
    "avx-vnni": "alderlake",
    "avx512-vnni": "icelake",
    "avx512-bf16": "zen4",
    "amx": "sapphirerapids",
}
WORDS = "the red circle is on the left of a blue square and "
ANSWER_TOKENS = 64


def llama_folder(cache: Path, isa: str) -> Path:
    """A copy of the installed package that has only one library for the processor."""
    library = LIBRARIES[isa]
    if library is None:
        return cache / "llama"
    folder = cache / f"llama-{library}"
    if not folder.exists():
        shutil.copytree(cache / "llama", folder, copy_function=os.link)
        for other in folder.glob("node_modules/@node-llama-cpp/linux-x64/bins/*/libggml-cpu-*.so"):
            if library not in other.name:
                other.unlink()
    return folder


def ours(arguments, file: Path, threads: int, isa: str) -> tuple[float, float, int]:
    environment = dict(os.environ)
    if isa != "own":
        environment["PADDOCK_ISA"] = isa
    command = [arguments.paddock, "bench", "--model", file, "--threads", threads, "--rounds", 1, "--json"]
    out = subprocess.run(list(map(str, command)), env=environment, check=True, capture_output=True, text=True).stdout
    report = json.loads(out)
    return report["prompt_tokens_per_second"], report["answer_tokens_per_second"], report["prompt_tokens"]


def theirs(arguments, file: Path, threads: int, isa: str, prompt_tokens: int) -> tuple[float, float]:
    command = ["node", HERE / "llama.mjs", file, threads, prompt_tokens, ANSWER_TOKENS]
    folder = llama_folder(arguments.cache, isa)
    out = subprocess.run(list(map(str, command)), cwd=folder, input=WORDS * 40, check=True, capture_output=True, text=True).stdout
    report = json.loads(out.strip().splitlines()[-1])
    return report["promptTokens"] / report["reading"]["wall"], report["written"] / report["writing"]["wall"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--paddock", type=Path, required=True)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--isa", default="own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", default="smollm2-135m.q8_0,smollm2-135m.q4_0,smollm2-135m.q4_1,wide.q4_k,wide.q5_k,wide.q6_k")
    arguments = parser.parse_args()
    print("| file | threads | instructions | prompt | reading, ours | llama.cpp | ratio | writing, ours | llama.cpp | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.files.split(","):
        file = arguments.cache / "files" / f"{name}.gguf"
        for threads in map(int, arguments.threads.split(",")):
            for isa in arguments.isa.split(","):
                rows = []
                for _ in range(arguments.rounds):
                    reading, writing, tokens = ours(arguments, file, threads, isa)
                    rows.append((reading, writing, *theirs(arguments, file, threads, isa, tokens)))
                a, b, c, d = (statistics.median(column) for column in zip(*rows))
                print(
                    f"| {name} | {threads} | {isa} | {tokens} | {a:.0f} | {c:.0f} | {a / c:.2f} | {b:.1f} | {d:.1f} | {b / d:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
