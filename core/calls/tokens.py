"""Count tokens exactly as tiktoken does, with no network: the ranks ship in `data/tokenizers/`.

tiktoken's own constructor builds each encoding; only its loader of ranks is replaced, in a copy of the function,
so nothing is patched for others and the hash is the one the installed tiktoken expects. The result is put into
tiktoken's public registry, so every other use of tiktoken in this process has it too.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import lzma
import threading
import types
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import tiktoken
from tiktoken import registry
from tiktoken_ext import openai_public

from core.settings import ROOT

RANKS = ROOT / "data" / "tokenizers"
FALLBACK = "o200k_base"
PER_MESSAGE = 3
PER_NAME = 1
PER_REPLY = 3
PER_IMAGE = 765  # a high-detail 1024 × 1024 picture on GPT-4o; a guess for anything else

_lock = threading.RLock()


def _load(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """The ranks behind one of tiktoken's addresses, from our file. Raises: ValueError when it was tampered with."""
    name = url.rsplit("/", 1)[-1]
    raw = lzma.decompress((RANKS / f"{name}.xz").read_bytes())
    if expected_hash and hashlib.sha256(raw).hexdigest() != expected_hash:
        raise ValueError(f"{name} is not the file tiktoken {tiktoken.__version__} expects: restore data/tokenizers")
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in raw.splitlines() if line)}


def encoding(name: str) -> tiktoken.Encoding:
    """tiktoken's encoding of this name. Raises: ValueError for a damaged file, FileNotFoundError without one."""
    with _lock:
        known = registry.ENCODINGS.get(name)
        if known is not None:
            return known
        names: dict[str, Any] = dict(vars(openai_public), load_tiktoken_bpe=_load)
        for key, value in list(names.items()):
            if isinstance(value, types.FunctionType) and value.__module__ == openai_public.__name__:
                names[key] = types.FunctionType(
                    value.__code__, names, value.__name__, value.__defaults__, value.__closure__
                )
        made = registry.ENCODINGS[name] = tiktoken.Encoding(**names[name]())
        return made


@functools.lru_cache(maxsize=1024)
def encoding_name(model: str) -> tuple[str, bool]:
    """The encoding of a model, and whether tiktoken knows the model (else it is an estimate)."""
    bare = model.rpartition("/")[2]
    try:
        name = tiktoken.encoding_name_for_model(bare)
    except KeyError:
        return FALLBACK, False
    return (name, True) if (RANKS / f"{name.replace('harmony', 'base')}.tiktoken.xz").exists() else (FALLBACK, False)


def count_text(model: str, text: str) -> tuple[int, bool]:
    """Tokens of a text for a model, and whether the count is exact."""
    name, exact = encoding_name(model)
    return len(_encoded(name, text)), exact


def _encoded(name: str, text: str) -> list[int]:
    chosen = encoding(name)
    try:
        return chosen.encode_ordinary(text)
    except UnicodeEncodeError:  # lone surrogates, which JSON can carry
        return chosen.encode_ordinary(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def count_messages(model: str, messages: Iterable[Mapping[str, Any]]) -> tuple[int, bool]:
    """Prompt tokens of a chat for a model, and whether the count is exact.

    Three per message, its role and content, one more for a name, three to prime the reply. Pictures, sounds and tool
    calls are estimated. Source: OpenAI Cookbook, "How to count tokens with tiktoken".
    """
    name, exact = encoding_name(model)
    total = PER_REPLY
    for message in messages:
        total += PER_MESSAGE
        for key, value in message.items():
            if isinstance(value, str):
                total += len(_encoded(name, value)) + (PER_NAME if key == "name" else 0)
            elif key == "content" and isinstance(value, list):
                counted, known = _parts(name, value)
                total, exact = total + counted, exact and known
            elif value is not None:
                total, exact = total + len(_encoded(name, orjson.dumps(value, default=str).decode())), False
    return total, exact


def _parts(name: str, parts: list[Any]) -> tuple[int, bool]:
    total, exact = 0, True
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            total += len(_encoded(name, text))
        else:
            total, exact = total + PER_IMAGE, False
    return total, exact
