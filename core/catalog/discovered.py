"""What a server's list of models says, whatever shape it has. Pure: bytes in, models out.

Shapes seen: OpenAI and most others `{"data": [{"id"}]}`, Ollama `{"models": [{"name"}]}` and `"data": null` while it
has none, llama.cpp both at once, Together a bare list. Windows and abilities go by many names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.catalog.address import is_model
from core.errors import Upstream, UpstreamBroken, UpstreamRejected

MAX_MODELS = 5_000

_WINDOWS = ("context_length", "max_model_len", "context_window", "max_context_length", "max_context_tokens")
_KIND_BY_TYPE = {
    "embedding": "embedding",
    "embeddings": "embedding",
    "moderation": "moderation",
    "image": "other",
    "audio": "other",
    "rerank": "other",
    "transcribe": "other",
    "video": "other",
}
_KIND_BY_NAME = (
    ("moderation", re.compile(r"moderation")),
    ("other", re.compile(r"whisper|tts|dall-e|gpt-image|rerank|realtime|transcribe|sora|imagen|veo|stable-diffusion")),
    ("embedding", re.compile(r"embed|(^|[/-])(bge|e5|gte)-")),
)
_SEES = re.compile(
    r"vision|llava|[-.\d]vl\b|pixtral|moondream|minicpm-v|internvl|llama-?4|mistral-small-?3\.[12]|gpt-4o|gpt-4\.1|gpt-5|claude-(3|opus|sonnet|haiku|fable)|gemini|gemma-?3"
)
_HEARS = re.compile(r"audio|gemini|voxtral|omni(?!-moderation)")


@dataclass(frozen=True, slots=True)
class Discovered:
    """One model a server lists; what it takes is the server's word, else a guess from its name."""

    name: str
    kind: str = "chat"
    takes_image: bool = False
    takes_audio: bool = False
    context_window: int | None = None
    owner: str = ""


def parse(status: int, headers: Mapping[str, str], body: bytes, *, url: str) -> list[Discovered]:
    """The models of an answer to `GET /models`.

    Raises: UpstreamRejected or UpstreamBroken with a sentence that says what to mend.
    """
    if status != 200:
        raise _refusal(status, headers, body, url)
    try:
        listed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _no_list(headers, body, url) from None
    rows = _rows(listed)
    if rows is None:
        raise _no_list(headers, body, url)
    found = {model.name: model for row in rows[:MAX_MODELS] if (model := _model(row)) is not None}
    return sorted(found.values(), key=lambda model: model.name)


def _rows(listed: Any) -> list[Any] | None:
    """The list in the answer; None when it has none that looks like models."""
    if isinstance(listed, dict):
        if "data" not in listed and "models" not in listed:
            return None
        if listed.get("data") is None and listed.get("models") is None:
            return []
        listed = listed.get("data") or listed.get("models") or []
    if not isinstance(listed, list):
        return None
    return listed if not listed or any(_model(row) is not None for row in listed) else None


def _model(row: Any) -> Discovered | None:
    if isinstance(row, str):
        row = {"id": row}
    if not isinstance(row, dict):
        return None
    name = next((row[key] for key in ("id", "name", "model") if isinstance(row.get(key), str)), "")
    if not is_model(name):
        return None
    folded = name.lower()
    takes = _takes(row)
    return Discovered(
        name=name,
        kind=_kind(row, folded),
        takes_image="image" in takes if takes else bool(_SEES.search(folded)),
        takes_audio="audio" in takes if takes else bool(_HEARS.search(folded)),
        context_window=_window(row),
        owner=str(row.get("owned_by") or ""),
    )


def _kind(row: Mapping[str, Any], name: str) -> str:
    stated = row.get("type")
    if isinstance(stated, str) and stated in _KIND_BY_TYPE:
        return _KIND_BY_TYPE[stated]
    return next((kind for kind, pattern in _KIND_BY_NAME if pattern.search(name)), "chat")


def _takes(row: Mapping[str, Any]) -> set[str]:
    """What the server says the model takes besides text; empty when it says nothing."""
    architecture = row.get("architecture")
    modalities = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    if isinstance(modalities, list):
        return {"text"} | {str(modality) for modality in modalities}
    abilities = row.get("capabilities")
    if isinstance(abilities, dict) and "vision" in abilities:
        return {"text", "image"} if abilities["vision"] else {"text"}
    if isinstance(abilities, list) and abilities:
        return {"text", "image"} if {"vision", "multimodal"} & {str(a) for a in abilities} else {"text"}
    return set()


def _window(row: Mapping[str, Any]) -> int | None:
    meta = row.get("meta")
    places: Iterable[Any] = [row.get(key) for key in _WINDOWS]
    if isinstance(meta, dict):
        places = [*places, meta.get("n_ctx"), meta.get("n_ctx_train")]
    return next((p for p in places if isinstance(p, int) and not isinstance(p, bool) and 0 < p < 1 << 31), None)


def _refusal(status: int, headers: Mapping[str, str], body: bytes, url: str) -> Upstream:
    said = said_in(body)
    quote = f" It says: {said}" if said else ""
    if status in {401, 403}:
        message, hint = (
            f"The server refuses the key ({status}).{quote}",
            "Enter its key again, or one with more rights.",
        )
    elif status == 404:
        message = f"There is no list of models at {url} (404).{quote}"
        hint = "Check the address: it usually ends in /v1. Models can also be added by name."
    elif status == 429:
        message, hint = f"The server asks to wait (429).{quote}", "Try again in a minute."
    elif 300 <= status < 400:
        target = one_line(headers.get("location", "elsewhere"))[:200]
        message, hint = f"The server sends us on to {target} ({status}).", "Enter that address, if you trust it."
    else:
        message, hint = f"The server answered with status {status}.{quote}", "Look into the server's own log."
    return UpstreamRejected(message, hint=hint, upstream_status=status)


def _no_list(headers: Mapping[str, str], body: bytes, url: str) -> Upstream:
    start = body[:300].lstrip().lower()
    if "text/html" in headers.get("content-type", "") or start.startswith((b"<!doctype", b"<html")):
        return UpstreamBroken(
            f"A web page answers at {url}, not an inference server.",
            code="not_an_api",
            hint="Check port and path: the address usually ends in /v1.",
        )
    return UpstreamBroken(
        f"What answers at {url} is not a list of models.",
        code="not_an_api",
        hint="Check port and path: the address usually ends in /v1. Models can also be added by name.",
    )


def said_in(body: bytes) -> str:
    """The sentence in an error answer: OpenAI's `error.message`, FastAPI's `detail`, a bare `message`; else ""."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    for key in ("error", "message", "detail", "msg"):
        if isinstance(value, dict) and key in value:
            value = value[key]
    if isinstance(value, list) and value:
        value = value[0].get("msg", "") if isinstance(value[0], dict) else value[0]
    return one_line(value)[:300] if isinstance(value, str) else ""


def one_line(text: str) -> str:
    """What a stranger's server says, as part of a sentence: no line breaks, no signs that steer a terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
