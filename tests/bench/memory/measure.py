"""Predicted beside measured memory: the real engine with checkpoints of real shapes, and `paddock fit`'s plan for each.

    python measure.py [--table] [--folder FOLDER] [CASE...]

For every case: makes the checkpoint, starts the engine, asks a short question, one with a picture if the model sees, and
one that fills the context (at most 8,192 tokens), and notes the process's largest resident memory for each. Results go to
measurements.json; the table in README.md is made of them and of what `paddock fit --json` says now. `--table` makes only the
table (with checkpoints whose data are holes). `PADDOCK` and `PADDOCK_ENGINE` name the programs.

What is measured (Linux): `VmHWM` of /proc/PID/status, set back between questions through /proc/PID/clear_refs. While
loading it contains the pages of the weight files, which are mapped and which the system takes back whenever it wants;
so the load has its largest `RssAnon` beside it, read every 5 ms.

Outside: making checkpoints (make.py).
"""

import argparse
import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from pathlib import Path

import make

HERE = Path(__file__).resolve().parent
BIN = make.ROOT / "target/bin"
PADDOCK = os.environ.get("PADDOCK", str(BIN / "paddock"))
ENGINE = os.environ.get("PADDOCK_ENGINE", str(BIN / "paddock-engine"))
MEASUREMENTS = HERE / "measurements.json"
TOKEN = "0123456789abcdef0123456789abcdef"
SHORT_TOKENS = 1024
LONG_TOKENS = 8192
ANSWER_TOKENS = 16

# Name: model of make.py, quantisation, context, questions: `short` has 1,024 tokens, `picture` one picture of the most
# expensive size, `long` fills the context. Attention over a long prompt and big pictures take minutes on two cores, so not
# every model is asked everything.
CASES = {
    "Qwen2.5-0.5B": ("qwen2.5-0.5b", "none", 2048, ("short", "long")),
    "Qwen2.5-0.5B, 2 layers": ("qwen2.5-0.5b-2-layers", "q8_0", 4096, ("short", "long")),
    "Qwen2.5-0.5B, 2 layers, 32k": ("qwen2.5-0.5b-2-layers", "none", 32768, ("short",)),
    "Qwen2.5-1.5B, f16 in shards": ("qwen2.5-1.5b", "q8_0", 4096, ("short",)),
    "Llama-3.2-1B, f32 in shards": ("llama-3.2-1b", "none", 2048, ("short",)),
    "SmolVLM-256M": ("smolvlm-256m", "none", 8192, ("short", "picture")),
    "SmolVLM-500M": ("smolvlm-500m", "q4k", 2048, ("short",)),
    "Gemma 3 4B, 6 layers, windowed": ("gemma-3-4b-6-layers", "q6k", 2048, ("short", "long")),
    "Qwen3-VL-2B in shards": ("qwen3-vl-2b", "q6k", 2048, ("short", "picture")),
    "Llama 4, Scout's widths, 2 layers": ("scout-2-layers", "q4k", 2048, ("short",)),
    "Llama 4, narrow": ("llama-4-narrow", "q8_0", 4096, ("short", "long")),
    "Llama-3.2-1B Q4_K_M, GGUF": ("llama-3.2-1b-q4_k_m.gguf", "none", 4096, ("short",)),
    "Qwen2.5-0.5B Q8_0, GGUF": ("qwen2.5-0.5b-q8_0.gguf", "none", 2048, ("short",)),
    "Qwen3-0.6B Q4_0, GGUF": ("qwen3-0.6b-q4_0.gguf", "none", 32768, ("short",)),
}


class Engine:
    """One engine process, with an eye on its memory."""

    def __init__(self, model: Path, quant: str, dtype: str, context: int) -> None:
        arguments = [ENGINE, "--model", str(model), "--device", "cpu", "--dtype", dtype, "--quant", quant, "--context", str(context)]
        environment = os.environ | {"PADDOCK_ENGINE_TOKEN": TOKEN}
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
        self.own = 0
        self.watching = True
        threading.Thread(target=self.watch, daemon=True).start()
        started = time.monotonic()
        for line in self.process.stdout:
            said = json.loads(line)
            if said["event"] == "failed":
                raise SystemExit(f"{model.name}: {said['message']}")
            if said["event"] == "ready":
                self.ready = said
                break
        else:
            raise SystemExit(f"{model.name}: the engine ended with {self.process.wait()}")
        self.load_seconds = time.monotonic() - started
        self.overhead = None

    def watch(self) -> None:
        while self.watching:
            try:
                self.own = max(self.own, self.status()["RssAnon"])
            except (OSError, KeyError):
                return
            time.sleep(0.005)

    def status(self) -> dict[str, int]:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines if line.endswith("kB")}

    def peak(self) -> dict[str, int]:
        """The largest since the last call."""
        status = self.status()
        found = {"resident": status["VmHWM"], "own": max(self.own, status["RssAnon"])}
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        self.own = 0
        return found

    def ask(self, content: object, tokens: int) -> dict:
        body = {"messages": [{"role": "user", "content": content}], "max_tokens": tokens, "stream": False}
        request = urllib.request.Request(f"http://{self.ready['address']}/v1/chat/completions", json.dumps(body).encode(),
                                         {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=3600) as answer:
            return json.load(answer)

    def prompt(self, tokens: int) -> dict:
        """A prompt of exactly so many tokens: every digit is one, whatever the tokenizer."""
        if self.overhead is None:
            self.overhead = self.ask("7", 1)["usage"]["prompt_tokens"] - 1
            self.peak()
        return self.measured("7" * (tokens - self.overhead))

    def measured(self, content: object) -> dict:
        started = time.monotonic()
        answer = self.ask(content, ANSWER_TOKENS)
        return {"tokens": answer["usage"]["prompt_tokens"], "seconds": round(time.monotonic() - started, 1), **self.peak()}

    def end(self) -> None:
        self.watching = False
        self.process.stdin.close()
        self.process.wait()


def picture() -> str:
    """A PNG of 4096 x 4096 pixels: the most expensive size for every family."""
    side = 4096
    rows = b"".join(b"\0" + bytes([y >> 4, 64, 128]) * side for y in range(side))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()


def model_path(folder: Path, model: str) -> Path:
    return folder / "model.gguf" if model.endswith(".gguf") else folder


def plan(path: Path, quant: str, context: int, images: int) -> dict:
    arguments = [PADDOCK, "fit", str(path), "--json", "--memory", "1TiB", "--quant", quant, "--context", str(context), "--images", str(images)]
    return json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def measure(name: str, folder: Path) -> dict:
    model, quant, context, questions = CASES[name]
    path = model_path(folder, model)
    dtype = "auto" if model.endswith(".gguf") else plan(path, quant, context, 0)["compute_type"]
    weights = sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".safetensors", ".gguf"))
    engine = Engine(path, quant, dtype, context)
    try:
        found = {"file_bytes": weights, "dtype": dtype, "load_seconds": round(engine.load_seconds, 1), "load": engine.peak(),
                 "loaded": engine.status()["VmRSS"], "loaded_own": engine.status()["RssAnon"], "program": engine.status()["RssFile"]}
        print(name, json.dumps(found), flush=True)
        for question in questions:
            if question == "picture":
                image = {"type": "image_url", "image_url": {"url": picture()}}
                found[question] = engine.measured([image, {"type": "text", "text": "7"}])
            else:
                found[question] = engine.prompt(SHORT_TOKENS if question == "short" else min(context, LONG_TOKENS) - ANSWER_TOKENS)
            print(name, question, json.dumps(found[question]), flush=True)
        found["after"] = engine.status()["VmRSS"]
        return found
    finally:
        engine.end()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    measured = json.loads(MEASUREMENTS.read_text()) if MEASUREMENTS.exists() else {}
    if not options.table:
        for name in options.cases:
            place = folder / "checkpoint"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            make.MODELS[CASES[name][0]](place)
            measured[name] = measure(name, place)
            shutil.rmtree(place)
            MEASUREMENTS.write_text(json.dumps({name: measured[name] for name in CASES if name in measured}, indent=1) + "\n")
    make.HOLLOW = True
    table(measured, folder)
    if options.folder is None:
        shutil.rmtree(folder)


def table(measured: dict, folder: Path) -> None:
    """Puts the table into README.md, and prints it."""
    lines = []
    for name, found in measured.items():
        model, quant, context, _ = CASES[name]
        place = folder / "hollow"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        make.MODELS[model](place)
        path = model_path(place, model)
        plans = {images: plan(path, quant, context, images) for images in (0, 1)}
        shutil.rmtree(place)
        for question, predicted in [("short", plans[0]["total_bytes"]["low"]), ("picture", plans[1]["total_bytes"]["low"]), ("long", plans[0]["total_bytes"]["high"])]:
            if question in found:
                lines.append(row(name, quant, context, question, predicted, found))
    text = HEAD + "\n".join(lines) + "\n"
    print(text)
    before, rest = README.read_text().split(BEGIN)
    README.write_text(before + BEGIN + text + END + rest.split(END)[1])


README = HERE / "README.md"
BEGIN, END = "<!-- table -->\n", "<!-- end -->"
HEAD = """| model | files | quantised to, type | context | question, tokens | loading | answering | predicted | difference |
|---|---|---|---|---|---|---|---|---|
"""


def row(name: str, quant: str, context: int, question: str, predicted: int, found: dict) -> str:
    # The program's own pages are the only ones of a file that are left after the load.
    loading = found["load"]["own"] + found["program"]
    answering = found[question]["resident"]
    measured = max(answering, loading)
    off = predicted - measured
    good = abs(off) <= max(100e6, 0.05 * measured)
    dtype = "f16" if found["dtype"] == "auto" else found["dtype"]
    cells = [name, f"{found['file_bytes'] / 1e6:,.0f}", f"{quant}, {dtype}", f"{context:,}", f"{question}, {found[question]['tokens']:,}",
             f"{loading / 1e6:,.0f}", f"{answering / 1e6:,.0f}", f"{predicted / 1e6:,.0f}", f"{off / 1e6:+,.0f} ({100 * off / measured:+.1f} %)" + ("" if good else " **off**")]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
