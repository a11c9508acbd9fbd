"""Short ways to ask the embedded backend in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio

from core.builtin import engine


def body(model: str, *said: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request: plain strings are what the person said."""
    messages = [{"role": "user", "content": item} if isinstance(item, str) else item for item in said]
    return {"model": model, "messages": messages, **more}


def completed(model: str, *said: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    return anyio.run(engine.complete, body(model, *said, **more))


def text(model: str, *said: str | dict[str, Any], **more: Any) -> str:
    content: str = completed(model, *said, **more)["choices"][0]["message"]["content"]
    return content


def chunks(model: str, *said: str | dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        return [chunk async for chunk in engine.stream(body(model, *said, **more))]

    return anyio.run(collect)


def streamed(found: Sequence[dict[str, Any]], choice: int = 0) -> str:
    """The text of one answer of a stream."""
    deltas = [c for chunk in found for c in chunk["choices"] if c["index"] == choice]
    return "".join(delta["delta"].get("content") or "" for delta in deltas)
