"""Cuts text into the tokens of builtin/tiny, which are also the unit in which every builtin model counts its usage.

A token is a run of bytes. The pattern bounds every piece (32 letters, one digit, 16 of anything else), so that
neither a megabyte without a space nor a wall of blanks takes more than linear time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import tiktoken

PATTERN = r" ?\p{L}{1,32}| ?\p{N}| ?[^\s\p{L}\p{N}]{1,16}|\s{1,16}"
BOS, END, SYSTEM, USER, ASSISTANT = "<bos>", "<end>", "<|system|>", "<|user|>", "<|assistant|>"
SPECIALS = (BOS, END, SYSTEM, USER, ASSISTANT)
_ROLES = {"system": SYSTEM, "developer": SYSTEM, "assistant": ASSISTANT}


class Said(Protocol):
    """A message as the tokenizer sees it."""

    @property
    def role(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Text to ids and back; ids of special tokens follow those of the learned ones."""

    tokens: tuple[bytes, ...]
    encoding: tiktoken.Encoding

    @classmethod
    def of(cls, tokens: Sequence[bytes]) -> Tokenizer:
        """From the learned tokens in id order."""
        encoding = tiktoken.Encoding(
            "builtin-tiny",
            pat_str=PATTERN,
            mergeable_ranks={token: number for number, token in enumerate(tokens)},
            special_tokens={name: len(tokens) + number for number, name in enumerate(SPECIALS)},
        )
        return cls(tuple(tokens), encoding)

    @property
    def size(self) -> int:
        return len(self.tokens) + len(SPECIALS)

    def special(self, name: str) -> int:
        return len(self.tokens) + SPECIALS.index(name)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`. Special tokens a person typed are ordinary text here: nobody can forge a turn."""
        return self.encoding.encode_ordinary(text)

    def count(self, text: str) -> int:
        return len(self.encode(text))

    def bytes_of(self, token: int) -> bytes:
        """What a token stands for; special tokens print as nothing."""
        return self.tokens[token] if token < len(self.tokens) else b""

    def prompt(self, messages: Sequence[Said]) -> list[int]:
        """The conversation as the model was trained to see it, ending where its answer begins."""
        ids = [self.special(BOS)]
        for message in messages:
            opening = self.special(_ROLES.get(message.role, USER))
            ids += [opening, *self.encode(message.text), self.special(END)]
        return [*ids, self.special(ASSISTANT)]
