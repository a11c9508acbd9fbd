"""What of an upstream's stream reaches the caller, and how its end is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol

from core import clock
from core.catalog.rules import BackendView, Snapshot
from core.errors import GreenroomError, Upstream, UpstreamBroken
from core.serve import rules, tally
from core.serve.asked import Progress
from core.serve.asking import RULES
from core.serve.breaker import Breakers
from core.serve.ends import Ends
from core.serve.heard import Events, cut
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


class Through(Protocol):
    """What stands between a stream and its caller; `is_over`: nothing more of it may leave."""

    @property
    def is_over(self) -> bool: ...

    def pass_on(self, chunk: dict[str, Any], ms: float) -> list[dict[str, Any]]: ...

    def end(self, ms: float) -> list[dict[str, Any]]: ...


Keep = Callable[[dict[str, Any], tally.Sums], None]
Judge = Callable[[dict[str, Any]], Awaitable[None]]


class Relaying:
    """Hands streams on."""

    def __init__(self, ends: Ends, breakers: Breakers, catalog: Callable[[], Snapshot]) -> None:
        self._ends, self._breakers, self._catalog = ends, breakers, catalog

    async def relay(
        self,
        progress: Progress,
        flow: Flow,
        *,
        wants_usage: bool,
        keep: Keep | None = None,
        through: Through | None = None,
        judge: Judge | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The caller's stream: events as they came, then the row, then `[DONE]`; trouble is an error event.

        `keep` gets an answer that ended well; `judge` is awaited with it before it is recorded.
        """
        gathered = Gathered()
        opened_ms = clock.ticks_ms()
        received = [0]
        finished = False
        try:
            try:
                if passed := pass_on(progress, gathered, flow, flow.first, received, through, wants_usage=wants_usage):
                    yield passed
                async for events in flow.rest:
                    if passed := pass_on(progress, gathered, flow, events, received, through, wants_usage=wants_usage):
                        yield passed
                    if gathered.error is not None or flow.saw_done or (through is not None and through.is_over):
                        break
                is_whole = flow.saw_done or gathered.is_finished or (through is not None and through.is_over)
                if gathered.error is None and not is_whole:
                    raise cut(self._backend(progress))
                failure: GreenroomError | None = None
            except Upstream as error:
                failure = error
                self._note_failure(progress, error)
            except Exception:
                failure = self._ends.mistake(progress)
            finally:
                await flow.aclose()
                progress.upstream_ms += clock.ticks_ms() - opened_ms
                progress.tries[-1].ended_ms = clock.ticks_ms() - progress.began_ms
            if through is not None and (rest := through.end(clock.ticks_ms())):
                yield b"".join(openai.event(chunk) for chunk in rest)
            said = stream_error(gathered, failure)
            value = gathered.completion()
            if judge is not None:
                await judge(value)
            sums = await tally.of_answer(self._catalog(), progress, value, received[0])
            if failure is None and gathered.error is None and keep is not None:
                keep(value, sums)
            record = tally.record(
                progress,
                sums=sums,
                value=value,
                response=openai.dumps(value),
                http_status=200,
                error=said,
                error_kind=failure.code if failure else "upstream_error",
            )
            finished = True
            unwritten = await self._ends.write(progress, record)
            if unwritten is not None:
                yield openai.event(error_body(unwritten))
            elif said is not None:
                yield openai.event({"error": said})
            else:
                yield openai.DONE
        finally:
            if not finished:
                self._ends.leave(progress, gathered)

    def _note_failure(self, progress: Progress, error: Upstream) -> None:
        progress.tries[-1].error = error.message
        if rules.counts_against(error):
            self._breakers.failed(progress.backend, now_s=asyncio.get_running_loop().time())

    def _backend(self, progress: Progress) -> BackendView:
        return self._catalog().backends.get(progress.backend, RULES)


def pass_on(
    progress: Progress,
    gathered: Gathered,
    flow: Flow,
    events: Events,
    received: list[int],
    through: Through | None = None,
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
        if through is not None:
            out += [openai.event(chunk) for chunk in through.pass_on(value, clock.ticks_ms())]
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
