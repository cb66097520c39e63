"""What stock transformers (float32, CPU) answers with the tiny checkpoints of family_models.py.

    python families.py --out ../fixtures/families [NAME...]

Writes the model folders, the pictures and cases.json of each family. Deterministic.
"""
import argparse
import json
import os
import random
import shutil
import tempfile

import numpy as np
import torch
import transformers
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from family_models import FAMILIES, random_weights

torch.set_num_threads(1)
NEW_TOKENS = 24
PICTURES = {"square_56": (56, 56, 1), "square_112": (112, 112, 2), "tall_84x112": (84, 112, 3), "wide_128x96": (128, 96, 4),
            "odd_123x77": (123, 77, 5), "tall_61x150": (61, 150, 6), "large_168x140": (168, 140, 7)}


def picture(width, height, seed):
    """Smooth gradients with sharp shapes, so that scaling, order and place all matter."""
    rng = random.Random(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x / max(width - 1, 1), y / max(height - 1, 1)
    planes = [127 + 120 * np.sin(rng.uniform(1, 6) * x + rng.uniform(1, 6) * y + rng.uniform(0, 6)) for _ in range(3)]
    image = Image.fromarray(np.stack(planes, -1).clip(0, 255).astype(np.uint8), "RGB")
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.08, 0.3) * min(width, height)
        rng.choice([draw.ellipse, draw.rectangle])([cx - r, cy - r, cx + r, cy + r], fill=tuple(rng.randrange(256) for _ in range(3)))
    return image


def cases(family):
    """(id, turns); a turn is (user's text, pictures, answer or None). Pictures stand before the text, as the app sends them."""
    exact, ask = family.exact, "What is in this image?"
    return [
        ("text", [("Hello! How can a river run so quiet?", [], None)]),
        ("one_exact", [(ask, [exact], None)]),
        ("one_odd", [(ask, ["odd_123x77"], None)]),
        ("one_tall", [("Describe it.", ["tall_61x150"], None)]),
        ("one_large", [("Describe it.", ["large_168x140"], None)]),
        ("two", [("Compare the two pictures.", [exact, "odd_123x77"], None)]),
        ("two_swapped", [("Compare the two pictures.", ["odd_123x77", exact], None)]),
        ("two_exact_and_same", [("Compare the two pictures.", [exact, exact], None)]),
        ("three", [("Compare.", ["tall_61x150", exact, "large_168x140"], None)]),
        ("then_text", [(ask, [exact], "A red circle."), ("And what about the garden?", [], None)]),
        ("second_turn", [(ask, [exact], "A red circle."), ("And what about this other one?", ["large_168x140"], None)]),
        ("after_text", [("Hello!", [], "Hello! How can I help you today?"), (ask, [exact], None)]),
    ]


def dump(path, value, indent=1):
    with open(path, "w") as f:
        json.dump(value, f, indent=indent)
        f.write("\n")


def write_model(family, folder, seed):
    os.makedirs(folder, exist_ok=True)
    dump(f"{folder}/config.json", family.config)
    config = family.config_class.from_pretrained(folder)
    model = family.model(config)
    random_weights(model, family, seed)
    with tempfile.TemporaryDirectory() as temporary:
        # save_pretrained gives the tensors their released names
        model.to(torch.bfloat16).save_pretrained(temporary)
        tensors = load_file(f"{temporary}/model.safetensors")
    if family.name == "gemma3":  # released checkpoints have one level more, which transformers 5 reads but does not write
        tensors = {k.replace("vision_tower.", "vision_tower.vision_model."): v for k, v in tensors.items()}
    save_file({k: v.contiguous() for k, v in sorted(tensors.items())}, f"{folder}/model.safetensors", metadata={"format": "pt"})
    os.chmod(f"{folder}/model.safetensors", 0o644)
    tokens = {str(family.id(t)): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
              for t in family.specials}
    family.tokenizer().save(f"{folder}/tokenizer.json", pretty=False)
    dump(f"{folder}/tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": family.bos, "eos_token": family.eos[0], "pad_token": family.eos[0],
        "clean_up_tokenization_spaces": False, "model_max_length": 2048, "added_tokens_decoder": tokens, "chat_template": family.chat_template})
    dump(f"{folder}/preprocessor_config.json", family.preprocessor)
    dump(f"{folder}/processor_config.json", family.processor)
    dump(f"{folder}/generation_config.json", {"eos_token_id": [family.id(t) for t in family.eos], "pad_token_id": family.id(family.eos[0]),
                                              "do_sample": False})


def messages(turns):
    result = []
    for user, pictures, answer in turns:
        result.append({"role": "user", "content": [{"type": "image"}] * len(pictures) + [{"type": "text", "text": user}]})
        if answer is not None:
            result.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return result


class Reference:
    def __init__(self, family, folder, pictures):
        self.family = family
        self.model, info = family.model.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
        self.model.eval()
        self.processor = family.make_processor()
        self.pictures = pictures

    def run(self, turns, pictures):
        prompt = self.processor.apply_chat_template(messages(turns), add_generation_prompt=True, tokenize=False)
        inputs = self.processor(text=[prompt], images=pictures or None, return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            out = self.model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, output_logits=True, return_dict_in_generate=True)
        ids = inputs["input_ids"][0].tolist()
        logits = torch.stack([step[0] for step in out.logits]).float()
        return prompt, ids, out.sequences[0].tolist()[len(ids):], logits

    def image_tokens(self, picture):
        """Tokens that carry pixels, for one picture alone."""
        _, ids, _, _ = self.run([("x", ["x"], None)], [picture])
        return ids.count(self.family.id(self.family.image_token))

    def case(self, name, turns):
        files = [p for _, pictures, _ in turns for p in pictures]
        pictures = [self.pictures[p] for p in files]
        prompt, ids, answer, logits = self.run(turns, pictures)
        assert len(answer) == NEW_TOKENS and max(answer) < self.family.id(self.family.specials[0]), "an answer must have its full length"
        text = self.processor.tokenizer.decode(answer)
        assert text.isprintable() and text.isascii(), text
        counts = [self.image_tokens(p) for p in pictures]
        assert sum(counts) == ids.count(self.family.id(self.family.image_token))
        # An engine that does not look at one of the pictures must not be able to give the same answer.
        blind = []
        for i in range(len(pictures)):
            without = list(pictures)
            without[i] = Image.new("RGB", pictures[i].size, (128, 128, 128))
            other = self.run(turns, without)[2]
            blind.append(next((s for s in range(NEW_TOKENS) if other[s] != answer[s]), None))
        assert None not in blind, f"{name}: {blind}"
        top = logits[:2].topk(10)
        best = logits.topk(2).values
        return {
            "id": name, "turns": [{"user": u, "images": [f"{p}.png" for p in ps], **({"assistant": a} if a else {})} for u, ps, a in turns],
            "prompt": prompt, "input_ids": ids, "image_tokens": counts, "ids": answer,
            "text": text, "first_difference_if_blind": blind,
            "margins": [round(m, 5) for m in (best[:, 0] - best[:, 1]).tolist()],
            "top10": [[[int(i), round(v, 5)] for i, v in zip(top.indices[s], top.values[s].tolist())] for s in range(2)],
        }


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--out", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fixtures/families"))
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("names", nargs="*", default=list(FAMILIES))
    a = ap.parse_args()
    os.makedirs(f"{a.out}/images", exist_ok=True)
    pictures = {name: picture(*spec) for name, spec in PICTURES.items()}
    for name, image in pictures.items():
        image.save(f"{a.out}/images/{name}.png", optimize=True)
    for name in a.names or FAMILIES:
        family = FAMILIES[name]()
        folder = f"{a.out}/{name}"
        shutil.rmtree(folder, ignore_errors=True)
        write_model(family, folder, a.seed)
        reference = Reference(family, folder, pictures)
        done = [reference.case(*c) for c in cases(family)]
        with open(f"{folder}/cases.json", "w") as f:
            head = {"family": name, "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0],
                    "arithmetic": "float32, CPU", "new_tokens": NEW_TOKENS, "image_token_id": family.id(family.image_token)}
            f.write(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(json.dumps(c) for c in done) + "\n]}\n")
        size = sum(os.path.getsize(f"{folder}/{n}") for n in os.listdir(folder))
        print(f"{name}: {size / 1e6:.2f} MB")
        for c in done:
            print(f"  {c['id']:20} prompt {len(c['input_ids']):4} image tokens {c['image_tokens']} blind at {c['first_difference_if_blind']} "
                  f"least margin {min(c['margins']):.3f} {c['text'][:40]!r}", flush=True)
