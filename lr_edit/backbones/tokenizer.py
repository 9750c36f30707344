"""A small CLIP tokenizer of one's own: trained on sentences, kept as a Hugging Face folder.

The folder is read by transformers (`CLIPTokenizer`) and by OpenCLIP (`hf_tokenizer_name` in a
`local-dir:` model) alike. It is byte-level BPE, so that no text is outside its vocabulary.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lr_edit.backbones.folders import local_folder
from lr_edit.errors import UserError

CONTEXT_LENGTH = 20
START, END = "<|startoftext|>", "<|endoftext|>"
SUFFIX = "</w>"
_FUNCTION_WORDS = re.compile(
    r"an?|the|this|that|these|those|my|your|his|her|our|their|its|some|any|no|every|each|all|both|"
    r"either|neither|another|other|many|much|few|more|most|several|"
    r"zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|"
    r"first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|"
    r"he|she|it|they|we|you|him|them|us|me|who|whom|whose|which|what|there|here|"
    r"of|in|on|at|by|to|from|with|without|within|into|onto|inside|outside|under|below|beneath|"
    r"above|over|behind|beside|between|among|near|next|through|across|along|around|against|for|"
    r"about|like|as|than|off|out|up|and|or|but|nor|not|if|so|very|too|also|just|only|"
    r"is|are|was|were|be|been|being|am|has|have|had|does|did|'(?:s|t|re|ve|m|ll|d)"
)


def train_tokenizer(sentences: Iterable[str], folder: str | Path, merges: int = 700) -> Any:
    """Learn at most `merges` merges from the sentences and write a CLIPTokenizer folder.

    The end token gets the highest id, as OpenCLIP's text pooling expects.
    """
    from tokenizers import models, trainers
    from transformers import CLIPTokenizer

    alphabet = sorted(pre_tokenizer_alphabet())
    learner = CLIPTokenizer().backend_tokenizer
    learner.model = models.BPE(end_of_word_suffix=SUFFIX, unk_token=END)
    trainer = trainers.BpeTrainer(
        vocab_size=2 * len(alphabet) + merges,
        initial_alphabet=alphabet,
        end_of_word_suffix=SUFFIX,
        special_tokens=[],
        show_progress=False,
    )
    learner.train_from_iterator((s.lower() for s in sentences), trainer)
    pairs: Any = [tuple(m) for m in json.loads(learner.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(a + SUFFIX for a in alphabet), *("".join(p) for p in pairs), START, END]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = CLIPTokenizer(
        vocab=vocabulary, merges=pairs, pad_token=END, model_max_length=CONTEXT_LENGTH
    )
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def pre_tokenizer_alphabet() -> list[str]:
    """The 256 characters that stand for bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    return list(ByteLevel.alphabet())


def load_tokenizer(folder: str | Path) -> Any:
    """The CLIPTokenizer of a folder; UserError where there is none."""
    from transformers import CLIPTokenizer

    place = local_folder(folder)
    if place is None or not (place / "tokenizer.json").is_file():
        raise UserError(f"{folder}: found no tokenizer.json, expected a tokenizer folder")
    return CLIPTokenizer.from_pretrained(str(place), local_files_only=True)


def token_count(tokenizer: Any, text: str) -> int:
    """How many tokens a tokenizer of transformers makes of a text, nothing cut, start and end
    included."""
    return len(tokenizer(text, verbose=False).input_ids)


def knows_a_word(tokenizer: Any, text: str) -> bool:
    """Whether any word of a text that names or describes something is one token of a CLIPTokenizer,
    as the words are that its model was taught; those it never saw come in pieces, foreign scripts
    byte by byte. Function words do not count, nor single letters and digits."""
    tokens = tokenizer.tokenize(text)
    begins = [True, *(token.endswith(SUFFIX) for token in tokens)]
    whole = (
        token.removesuffix(SUFFIX).lower()
        for first, token in zip(begins, tokens, strict=False)
        if first and token.endswith(SUFFIX)
    )
    return any(
        len(word) > 1 and any(map(str.isalpha, word)) and not _FUNCTION_WORDS.fullmatch(word)
        for word in whole
    )


def token_ids(tokenizer: Any, texts: Sequence[str], length: int = CONTEXT_LENGTH) -> Tensor:
    """Ids int64 [B, length] of B texts; longer ones are cut, shorter ones padded with the end."""
    ids = tokenizer(list(texts), padding="max_length", truncation=True, max_length=length).input_ids
    return torch.tensor(ids, dtype=torch.long)
