"""A small byte-level BPE tokenizer: every text can be written with it, and special tokens are single ids at the end.

Outside: what the special tokens of a family are and where they stand.
"""
import json

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

# The split of the Qwen and Llama 3 families: words with their leading space, numbers, signs with line ends, blanks.
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CORPUS = [
    "What is in this image? Describe it. Compare the two pictures. Which one is larger, the first or the second?",
    "The river runs past a garden where a yellow window opens and a silver guitar plays for the moon.",
    "A small red circle asks a blue square why the mountain is so quiet, and nobody answers before winter.",
    "user assistant system model User Assistant You are a helpful assistant. And what about this other one?",
    "Hello! How can I help you today? I see a green triangle, a black star and an orange heart on a white background.",
]


def build(specials, vocab_size):
    """A tokenizer of exactly `vocab_size` ids, the last ones being `specials` in their order.

    A blank line ("\\n\\n") is one token, as in the released tokenizers of SmolVLM and Gemma.
    """
    plain = vocab_size - len(specials)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=plain, special_tokens=[], show_progress=False, min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(CORPUS + ["\n\n"] * 1000, trainer)
    assert tokenizer.get_vocab_size() == plain, f"the corpus gives only {tokenizer.get_vocab_size()} ids"
    assert len(tokenizer.encode("\n\n").ids) == 1
    tokenizer.add_special_tokens(list(specials))
    assert tokenizer.get_vocab_size() == vocab_size
    # Reading it back proves that what is stored is what was used.
    return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str())))
