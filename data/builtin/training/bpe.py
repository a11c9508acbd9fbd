"""Learns the tokenizer of builtin/tiny: byte-pair encoding (Sennrich et al. 2016) over the training text.

Token ids: 0–255 are the bytes, then one id per learned merge in order, so that `tiktoken` with these ranks
cuts text exactly the way it was learned here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

import regex


def learn(texts: Iterable[str], pattern: str, size: int) -> list[bytes]:
    """The `size` tokens, by id. Ties go to the pair of smaller ids: the result depends on the text alone."""
    pieces = Counter(piece.encode() for text in texts for piece in regex.findall(pattern, text))
    words = [(list(piece), count) for piece, count in sorted(pieces.items())]
    tokens = [bytes([value]) for value in range(256)]
    while len(tokens) < size:
        pairs: Counter[tuple[int, int]] = Counter()
        for word, count in words:
            for pair in itertools.pairwise(word):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        tokens.append(tokens[best[0]] + tokens[best[1]])
        words = [(_merged(word, best, len(tokens) - 1), count) for word, count in words]
    return tokens


def _merged(word: list[int], pair: tuple[int, int], new: int) -> list[int]:
    out: list[int] = []
    at = 0
    while at < len(word):
        if word[at : at + 2] == list(pair):
            out.append(new)
            at += 2
        else:
            out.append(word[at])
            at += 1
    return out
