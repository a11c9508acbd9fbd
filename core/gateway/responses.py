"""`/v1/responses`: the API through which an answer can wait for people: create, look again, follow, cancel.

A response has the number of its call. `background` answers at once and is asked for in a task of its own; what is held
is read from the store, by whichever process is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from anyio import to_thread

from core import clock, ids
from core.calls import queries as calls
from core.errors import Conflict, Invalid, NotFound
from core.gateway.answering import MEGABYTE, RAISE, Keep, asked_of, hand_over, once, refuse
from core.gateway.checking import check
from core.gateway.exchange import Leaving, json_object, raw_headers, read_body, respond
from core.gateway.visit import Visit
from core.serve.asked import CHAT, RESPONSES, Answer, Asked
from core.serve.ends import STREAM
from core.serve.held import HeldRow
from core.wire import openai, responses, sse

log = logging.getLogger("greenroom.gateway")

Json = dict[str, Any]
PING_S = 10.0
PING = b": waiting\n\n"
LONGEST_FOLLOW_S = 24 * 3600.0


async def create(visit: Visit) -> int:
    """Ask for a response."""
    limit = visit.runtime.settings.max_body_mb * MEGABYTE
    raw, body = b"", {}
    try:
        raw = await read_body(visit.sent, visit.receive, limit=limit, hint=RAISE)
        body = await json_object(raw)
        chat = responses.as_chat(body)
        check(CHAT, chat)
        is_background = _flag(body, "background")
        _flag(body, "stream")
    except Invalid as error:
        return await refuse(visit, asked_of(visit, body, raw), error)
    asked = replace(asked_of(visit, chat, openai.dumps(chat)), call_id=visit.runtime.ids.next(), sent=body)
    key = visit.sent.get("idempotency-key")
    work = _Creation(visit, asked, body, is_background=is_background)
    return await (work.run(None) if key is None else once(visit, asked, raw, key, work.run))


async def look(visit: Visit) -> int:
    """A response as it stands now, or with `stream=true` its events from the beginning or after a number."""
    call_id, row = await _found(visit)
    query = dict(parse_qsl(visit.scope["query_string"].decode("latin-1")))
    if query.get("stream") == "true":
        after = query.get("starting_after", "-1")
        if not after.lstrip("-").isdecimal():
            raise Invalid("starting_after is a whole number.", code="invalid_type", param="starting_after")
        if row is None:
            raise Invalid(
                "Only a response that was made in the background, or waited for people, can be followed.",
                code="not_background",
                param="stream",
            )
        return await _follow(visit, row, after=int(after))
    told = _shown(row) if row is not None else await _recorded(visit, call_id)
    return await visit.respond(200, told)


async def cancel(visit: Visit) -> int:
    """Withdraw a response; one that has ended stays as it ended."""
    call_id, row = await _found(visit)
    if row is None:
        raise Conflict(
            "This response is complete: only one that is made in the background, or waits for people, can be "
            "cancelled.",
            code="not_cancellable",
        )
    assert visit.key is not None
    await visit.runtime.holding.cancel(call_id, reason="cancelled by the application", by=visit.principal)
    ended = await visit.runtime.holding.of(call_id, project_id=visit.key.project_id)
    assert ended is not None
    return await visit.respond(200, _shown(ended))


class _Creation:
    """One request for a response."""

    def __init__(self, visit: Visit, asked: Asked, body: Json, *, is_background: bool) -> None:
        assert asked.call_id is not None
        self._visit, self._asked, self._body, self._is_background = visit, asked, body, is_background
        self._call_id: int = asked.call_id
        self._name = ids.shown("resp", self._call_id)
        self._created_at = int(clock.now().timestamp())

    async def run(self, keep: Keep | None) -> int:
        """Answer; `keep` is told everything the answer consists of before its last byte leaves."""
        with Leaving(self._visit.receive) as leaving:
            try:
                if self._is_background:
                    return await self._background(keep)
                return await self._foreground(keep)
            finally:
                self._visit.has_left = leaving.has_left

    # In the background

    async def _background(self, keep: Keep | None) -> int:
        visit, asked = self._visit, self._asked
        holding = visit.runtime.holding
        await holding.begin(call_id=self._call_id, project_id=asked.project_id, key_id=asked.key_id, body=self._body)
        plain = {name: value for name, value in asked.body.items() if name != "stream"}
        task = asyncio.get_running_loop().create_task(self._ask(replace(asked, body=plain)))
        holding.asking(self._call_id, task)
        if asked.body.get("stream"):
            row = await holding.of(self._call_id, project_id=asked.project_id)
            assert row is not None
            return await _follow(visit, row, after=-1, keep=keep)
        return await self._respond(self._told("queued"), keep, [])

    async def _ask(self, asked: Asked) -> None:
        """Ask the model, and end the response unless people are to decide on it."""
        runtime = self._visit.runtime
        try:
            answer = await runtime.serve.answer(asked)
            if answer.is_held:
                return
            value = openai.loads(answer.body or b"null")
            if answer.status == 200:
                await runtime.holding.answered(self._call_id, value=value, error=None)
            else:
                await runtime.holding.answered(self._call_id, value=None, error=_error(value))
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the background response %s could not be ended", self._name)

    # While the caller waits

    async def _foreground(self, keep: Keep | None) -> int:
        visit = self._visit
        answer = await visit.runtime.serve.answer(self._asked)
        if answer.is_held:
            return await self._held(answer, keep)
        if answer.chunks is not None:
            return await self._stream(answer, keep)
        if answer.status != 200:
            await hand_over(visit, answer, keep)
            return answer.status
        value = openai.loads(answer.body or b"null")
        return await self._respond(self._told("completed", value), keep, answer.headers)

    async def _held(self, answer: Answer, keep: Keep | None) -> int:
        """Wait for people for a while; then the caller knows by which name to ask again."""
        visit, project_id = self._visit, self._asked.project_id
        row = await visit.runtime.holding.of(self._call_id, project_id=project_id)
        assert row is not None
        if self._asked.body.get("stream"):
            return await _follow(visit, row, after=-1, keep=keep, headers=answer.headers)
        ended = await visit.runtime.holding.wait(self._call_id, row.patience_s)
        headers = [(name, value) for name, value in answer.headers if name != "content-type"]
        return await self._respond(_shown(ended or row), keep, headers)

    async def _stream(self, answer: Answer, keep: Keep | None) -> int:
        """A chat stream told as the events of a response, as it comes."""
        assert answer.chunks is not None
        telling, decoder = responses.Telling(self._name), sse.Decoder()
        chunks = answer.chunks

        async def events() -> AsyncGenerator[bytes, None]:
            yield responses.written(telling.begin(self._told("in_progress")))
            failed: Any = None
            try:
                async for chunk in chunks:
                    told: list[Json] = []
                    for event in decoder.feed(chunk):
                        if event.data == b"[DONE]":
                            continue
                        value = openai.loads(event.data)
                        if isinstance(value, dict) and "error" in value and not value.get("choices"):
                            failed = value
                        elif isinstance(value, dict):
                            told += telling.feed(value)
                    if told:
                        yield responses.written(told)
            finally:
                await chunks.aclose()
            if failed is not None:
                ended = self._told("failed", error=_error(failed))
            else:
                ended = self._told("completed", telling.gathered.completion())
            yield responses.written(telling.end(ended))

        headers = [pair for pair in answer.headers if pair[0] not in ("content-type", "cache-control")]
        return await _send_events(self._visit, events(), headers, keep)

    async def _respond(self, told: Json, keep: Keep | None, passed: list[tuple[str, str]]) -> int:
        visit = self._visit
        raw = openai.dumps(told)
        if keep is not None:
            await keep(Answer(200, [], raw, None, self._call_id), raw)
        headers = [("content-type", "application/json"), *visit.headers()]
        headers += [pair for pair in passed if pair[0] not in ("content-type", "cache-control")]
        visit.has_started = True
        await respond(visit.send, 200, headers, raw)
        return 200

    def _told(self, status: str, completion: Json | None = None, error: Json | None = None) -> Json:
        return responses.response(
            self._name,
            self._body,
            created_at=self._created_at,
            status=status,
            completion=completion,
            error=error,
            is_background=self._is_background,
        )


async def _follow(
    visit: Visit,
    row: HeldRow,
    *,
    after: int,
    keep: Keep | None = None,
    headers: list[tuple[str, str]] | None = None,
) -> int:
    """A response that is made in the background, or waits for people, as events until its end."""
    holding = visit.runtime.holding
    name = ids.shown("resp", row.id)
    telling = responses.Telling(name)

    def fresh(events: list[Json]) -> bytes:
        return responses.written([event for event in events if event["sequence_number"] > after])

    async def events() -> AsyncGenerator[bytes, None]:
        is_background = row.kind == "background"
        begun = telling.begin(_standing(row, "queued" if is_background else "in_progress"))
        if is_background:
            begun += telling.working(_standing(row, "in_progress"))
        yield fresh(begun) or PING
        ended = row if row.is_final else None
        until = clock.ticks_ms() + LONGEST_FOLLOW_S * 1000
        while ended is None and clock.ticks_ms() < until:
            ended = await holding.wait(row.id, PING_S)
            if ended is None:
                yield PING
        if ended is not None:
            said = telling.say(ended.value) if ended.value is not None else []
            if last := fresh([*said, *telling.end(_shown(ended))]):
                yield last

    passed = [pair for pair in headers or [] if pair[0] not in ("content-type", "cache-control")]
    return await _send_events(visit, events(), passed, keep, call_id=row.id)


async def _send_events(
    visit: Visit,
    events: AsyncGenerator[bytes, None],
    headers: list[tuple[str, str]],
    keep: Keep | None,
    *,
    call_id: int = 0,
) -> int:
    """Send events; all of them are kept before the last leaves, where the caller wants the same again."""
    send, sent = visit.send, [*STREAM, *visit.headers(), *headers]
    kept: list[bytes] = []
    visit.has_started = True
    await send({"type": "http.response.start", "status": 200, "headers": raw_headers(sent)})
    waiting = b""
    try:
        async for chunk in events:
            if keep is not None:
                kept.append(chunk)
            if waiting:
                await send({"type": "http.response.body", "body": waiting, "more_body": True})
                waiting = b""
            if keep is None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            else:
                waiting = chunk
        if keep is not None:
            whole = b"".join(kept)
            await keep(Answer(200, [STREAM[0]], whole, None, call_id), whole)
        await send({"type": "http.response.body", "body": waiting})
    finally:
        await events.aclose()
    return 200


async def _found(visit: Visit) -> tuple[int, HeldRow | None]:
    """The call named in the path, and its row where it is or was held. Raises: NotFound."""
    assert visit.key is not None
    assert visit.route is not None
    name = visit.scope["path"].removeprefix("/v1/responses/").removesuffix("/cancel")
    call_id = ids.read("resp", name)
    if call_id is None:
        raise _unknown(name)
    row = await visit.runtime.holding.of(call_id, project_id=visit.key.project_id)
    if row is None and not await _is_recorded(visit, call_id):
        raise _unknown(name)
    return call_id, row


async def _is_recorded(visit: Visit, call_id: int) -> bool:
    assert visit.key is not None
    project_id = visit.key.project_id

    def read() -> bool:
        with visit.runtime.db.read() as session:
            try:
                return calls.call(session, call_id, (project_id,)).route == RESPONSES
            except NotFound:
                return False

    return await to_thread.run_sync(read)


async def _recorded(visit: Visit, call_id: int) -> Json:
    """A response that nobody held, from its record."""
    assert visit.key is not None
    project_id = visit.key.project_id

    def read() -> Json:
        with visit.runtime.db.read() as session:
            call = calls.call(session, call_id, (project_id,))
            payload = calls.payloads(session, [call_id], [project_id]).get(call_id)
        body = payload.request if payload is not None and isinstance(payload.request, dict) else {}
        answer = payload.response if payload is not None and isinstance(payload.response, dict) else None
        failed = call.status != "ok"
        return responses.response(
            ids.shown("resp", call_id),
            body,
            created_at=int(call.at.timestamp()),
            status="failed" if failed else "completed",
            completion=None if failed else answer,
            error=_error(answer) if failed else None,
        )

    return await to_thread.run_sync(read)


def _shown(row: HeldRow) -> Json:
    """A held response as it stands."""
    return _standing(row, row.state, row.value, row.error)


def _standing(row: HeldRow, status: str, value: Json | None = None, error: Json | None = None) -> Json:
    review = None
    if row.is_reviewed:
        review = {"review": "ended" if row.is_final else "waiting"}
        if status == row.state and row.reason:
            review["reason"] = row.reason
    return responses.response(
        ids.shown("resp", row.id),
        row.body,
        created_at=int(row.created_at.timestamp()),
        status=status,
        completion=value,
        error=error,
        reason="content_filter" if status == "incomplete" else "",
        is_background=row.kind == "background",
        review=review,
    )


def _error(value: Any) -> Json:
    """An error as a response has it: a code and a message."""
    told = value.get("error") if isinstance(value, dict) else None
    told = told if isinstance(told, dict) else {}
    return {"code": told.get("code") or "server_error", "message": str(told.get("message") or "No answer was made.")}


def _flag(body: Json, name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false.", code="invalid_type", param=name)
    return bool(value)


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"There is no response {name[:80]!r} in this key's project.", code="response_not_found", param="response_id"
    )
