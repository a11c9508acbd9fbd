"""Count tokens with no network: OpenAI's own encodings from the rank files that ship with the project.

tiktoken's constructors read their ranks through one module-level name; we run a copy of them with that name bound to
our files (nothing is patched), checked against the hash the installed tiktoken expects, and register the encodings,
so that `tiktoken.get_encoding` finds them too. Unknown models are counted with o200k_base, as an estimate.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import lzma
import threading
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tiktoken
import tiktoken.registry
from tiktoken_ext import openai_public

FOLDER = Path(__file__).resolve().parents[2] / "data" / "tokenizers"
FALLBACK = "o200k_base"
_LONGEST = 400_000  # characters counted one by one; of a longer text a sample is counted
_PER_MESSAGE, _PER_NAME, _PER_REPLY = 3, 1, 3  # OpenAI cookbook, "How to count tokens with tiktoken"
_IMAGE_LOW, _IMAGE_HIGH = 85, 765  # OpenAI's vision guide: low detail; 1024 × 1024 in high detail
_AUDIO = 500
_lock = threading.RLock()


def _ranks(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    name = url.rsplit("/", 1)[-1]
    raw = lzma.decompress((FOLDER / f"{name}.xz").read_bytes())
    if expected_hash and hashlib.sha256(raw).hexdigest() != expected_hash:
        raise ValueError(f"{name}: the ranks that ship differ from those tiktoken {tiktoken.__version__} expects")
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in raw.splitlines() if line)}


def encoding(name: str) -> tiktoken.Encoding:
    """An encoding by name; loaded once, in about a third of a second.

    Raises:
        KeyError: tiktoken has none of this name.
        OSError: its ranks do not ship with the project.
    """
    with _lock:
        if name in tiktoken.registry.ENCODINGS:
            return tiktoken.registry.ENCODINGS[name]
        made = tiktoken.Encoding(**_constructors()[name]())
        tiktoken.registry.ENCODINGS[name] = made
        return made


def _constructors() -> dict[str, Any]:
    """tiktoken's constructors, reading our files; they call each other, so all are bound anew."""
    bound = dict(vars(openai_public), load_tiktoken_bpe=_ranks)
    for name, value in list(bound.items()):
        if isinstance(value, types.FunctionType) and value.__module__ == openai_public.__name__:
            bound[name] = types.FunctionType(
                value.__code__, bound, value.__name__, value.__defaults__, value.__closure__
            )
    return bound


@functools.lru_cache(maxsize=512)
def for_model(model: str) -> tuple[tiktoken.Encoding, bool]:
    """The encoding of a model ("gpt-4o", "openai/gpt-4o") and whether it is known to be its own."""
    try:
        return encoding(tiktoken.encoding_name_for_model(model.rsplit("/", 1)[-1])), True
    except (KeyError, OSError):
        return encoding(FALLBACK), False


def count_text(model: str, text: str) -> tuple[int, bool]:
    """How many tokens a text has, and whether that is exact."""
    codec, is_exact = for_model(model)
    if len(text) > _LONGEST:
        sample = text[:_LONGEST]
        return round(_encoded(codec, sample) * len(text) / _LONGEST), False
    return _encoded(codec, text), is_exact


def count_messages(model: str, messages: Sequence[Mapping[str, Any]]) -> tuple[int, bool]:
    """How many tokens a conversation has as a prompt; images, audio and tool calls make it an estimate."""
    total, is_exact = _PER_REPLY, for_model(model)[1]
    for message in messages:
        total += _PER_MESSAGE
        for name, value in message.items():
            if value is None:
                continue
            count, exact = _part(model, name, value)
            total += count + (_PER_NAME if name == "name" else 0)
            is_exact = is_exact and exact
    return total, is_exact


def _part(model: str, name: str, value: Any) -> tuple[int, bool]:
    if isinstance(value, str):
        return count_text(model, value)
    if name == "content" and isinstance(value, list):
        counts = [_content(model, part) for part in value]
        return sum(count for count, _ in counts), all(exact for _, exact in counts)
    return count_text(model, json.dumps(value, ensure_ascii=False, default=str))[0], False


def _content(model: str, part: Any) -> tuple[int, bool]:
    if not isinstance(part, Mapping):
        return count_text(model, str(part))[0], False
    if isinstance(part.get("text"), str):
        return count_text(model, part["text"])
    if part.get("type") == "image_url":
        image = part.get("image_url")
        is_low = isinstance(image, Mapping) and image.get("detail") == "low"
        return (_IMAGE_LOW if is_low else _IMAGE_HIGH), False
    if part.get("type") == "input_audio":
        return _AUDIO, False
    return count_text(model, json.dumps(dict(part), ensure_ascii=False, default=str))[0], False


def _encoded(codec: tiktoken.Encoding, text: str) -> int:
    return len(codec.encode_ordinary(text))
