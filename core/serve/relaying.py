"""What of an upstream's stream reaches the caller, and how its end is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from core import clock
from core.errors import GreenroomError, UpstreamBroken
from core.serve.asked import Progress
from core.serve.heard import Events
from core.serve.refusal import error_body
from core.serve.upstream import LARGEST_ANSWER, Flow
from core.wire import openai
from core.wire.gathered import Gathered


class Primed:
    """A generator that was started already, so that closing it always runs its end; its first value is given back."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        self._first: bytes | None = first
        self._rest = rest

    def __aiter__(self) -> Primed:
        return self

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await anext(self._rest)

    async def aclose(self) -> None:
        await self._rest.aclose()


def pass_on(
    progress: Progress,
    gathered: Gathered,
    flow: Flow,
    events: Events,
    received: list[int],
    *,
    wants_usage: bool,
) -> bytes:
    """What of these events goes to the caller, while adding them up. Raises: UpstreamBroken when it never ends."""
    out = []
    for data, value in events:
        received[0] += len(data)
        if value is None:
            if data:
                flow.saw_done = True
            else:
                out.append(b": ping\n\n")
            continue
        error = openai.error_of(value)
        if error is not None:
            gathered.add(value)
            gathered.error = error
            break
        if gathered.add(value) and progress.first_token_ms is None:
            progress.first_token_ms = clock.ticks_ms() - progress.began_ms
        if not wants_usage and value.get("usage") and not value.get("choices"):
            continue
        # a value written over several lines is one line here: only `data:` would carry its second line on
        out.append(b"data: " + (data.replace(b"\n", b" ") if b"\n" in data else data) + b"\n\n")
    if received[0] > LARGEST_ANSWER:
        raise UpstreamBroken(
            f"The backend's answer is larger than {LARGEST_ANSWER // 1024 // 1024} MB.",
            code="too_large",
            hint="Ask for less. What arrived until then is kept in Calls.",
        )
    return b"".join(out)


def stream_error(gathered: Gathered, failure: GreenroomError | None) -> dict[str, Any] | None:
    """The error a stream ends with: the upstream's own, or ours; None when it ended well."""
    if gathered.error is not None:
        said = {name: part for name, part in gathered.error.items() if part is not None}
        code = said.get("code")
        return {"type": "upstream_error", **said, "code": None if code is None else str(code)}
    return error_body(failure)["error"] if failure is not None else None
