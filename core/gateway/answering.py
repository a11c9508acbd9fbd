"""The routes that ask a model: chat completions, embeddings, moderations."""

from __future__ import annotations

import asyncio

from anyio import to_thread

from core import clock
from core.errors import Conflict, GreenroomError, Invalid
from core.gateway import actions
from core.gateway.actions import Given
from core.gateway.checking import check
from core.gateway.exchange import Leaving, json_object, read_body, respond
from core.gateway.visit import Visit
from core.ids import shown
from core.serve.asked import Answer, Asked, Chunks

LONGEST_KEY = 255
SESSION_HEADER = "greenroom-session"
MODERATION_DEFAULT = "omni-moderation-latest"


async def answer(visit: Visit) -> int:
    """Ask, and hand the answer on as it comes."""
    assert visit.key is not None
    assert visit.route is not None
    limit = visit.runtime.settings.max_body_mb * 1024 * 1024
    raw = await read_body(visit.sent, visit.receive, limit=limit)
    body = await json_object(raw)
    path = visit.route.path
    if path == "/v1/moderations":
        body.setdefault("model", MODERATION_DEFAULT)
    check(path, body)
    session = visit.sent.get(SESSION_HEADER, "")
    asked = Asked(
        route=path,
        body=body,
        raw=raw,
        project_id=visit.key.project_id,
        actor=visit.principal.actor,
        key_id=visit.key.id,
        request_id=visit.request_id,
        tags=(("session", session[:200]),) if session else (),
    )
    key = visit.sent.get("idempotency-key")
    if key is not None:
        return await _answer_once(visit, asked, key)
    with Leaving(visit.receive) as leaving:
        try:
            answered = await visit.runtime.serve.answer(asked)
            visit.has_started = True
            await _hand_over(visit, answered)
        finally:
            visit.has_left = leaving.has_left
    return answered.status


async def _hand_over(visit: Visit, answered: Answer) -> bytes:
    """Send an answer; what was sent, where it is a stream."""
    headers = [*visit.headers(), *answered.headers]
    if answered.chunks is None:
        await respond(visit.send, answered.status, headers, answered.body or b"")
        return answered.body or b""
    return await _stream(visit, answered, headers, answered.chunks)


async def _stream(visit: Visit, answered: Answer, headers: list[tuple[str, str]], chunks: Chunks) -> bytes:
    send = visit.send
    keeps = "idempotency-key" in visit.sent
    kept, size = [], 0
    try:
        raw = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
        await send({"type": "http.response.start", "status": answered.status, "headers": raw})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if keeps and size <= actions.LARGEST_KEPT:
                kept.append(chunk)
                size += len(chunk)
        await send({"type": "http.response.body", "body": b""})
    finally:
        await chunks.aclose()
    return b"".join(kept)


async def _answer_once(visit: Visit, asked: Asked, key: str) -> int:
    """Answer under an Idempotency-Key: the first request asks, the others get what it got."""
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise Invalid(f"An Idempotency-Key is 1 to {LONGEST_KEY} printable characters.", code="invalid_idempotency_key")
    db, at = visit.runtime.db, clock.now()
    project_id = asked.project_id
    print_of = actions.fingerprint(asked.route, asked.raw)

    def claim() -> Given | None:
        with db.write() as session:
            return actions.claim(session, project_id=project_id, key=key, fingerprint=print_of, at=at)

    def finish(given: Given | None) -> None:
        with db.write() as session:
            if given is not None:
                actions.complete(session, project_id=project_id, key=key, given=given)
            else:
                actions.release(session, project_id=project_id, key=key)

    try:
        known = await to_thread.run_sync(claim)
    except Conflict as error:
        return await visit.respond(409, _body_of(error), (("retry-after", "1"),))
    if known is not None:
        headers = [*visit.headers(), ("content-type", known.content_type), ("idempotent-replayed", "true")]
        headers.append(("greenroom-call-id", shown("call", known.call_id)))
        visit.has_started = True
        await respond(visit.send, known.status, headers, known.body)
        return known.status
    given: Given | None = None
    try:
        with Leaving(visit.receive) as leaving:
            try:
                answered = await visit.runtime.serve.answer(asked)
                visit.has_started = True
                sent = await _hand_over(visit, answered)
            finally:
                visit.has_left = leaving.has_left
        complete = answered.chunks is None or sent.endswith(b"data: [DONE]\n\n")
        if answered.status < 400 and complete and len(sent) <= actions.LARGEST_KEPT:
            kind = next((value for name, value in answered.headers if name == "content-type"), "application/json")
            given = Given(answered.status, kind, sent, answered.call_id)
    finally:
        with_given = given
        await asyncio.shield(asyncio.ensure_future(to_thread.run_sync(finish, with_given)))
    return answered.status


def _body_of(error: GreenroomError) -> dict[str, object]:
    from core.serve.refusal import error_body

    return error_body(error)
