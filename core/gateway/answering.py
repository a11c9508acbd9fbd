"""The routes that ask a model: chat completions, embeddings, moderations."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from anyio import to_thread

from core import clock
from core.errors import Conflict, Invalid
from core.gateway import actions
from core.gateway.actions import Given
from core.gateway.checking import check
from core.gateway.exchange import Leaving, json_object, raw_headers, read_body, respond
from core.gateway.visit import Visit
from core.ids import shown
from core.serve.asked import MODERATIONS, Answer, Asked, Chunks
from core.serve.refusal import error_body
from core.wire.openai import DONE

LONGEST_KEY = 255
MEGABYTE = 1024 * 1024
RAISE = "Send less, or ask your operator to raise GREENROOM_MAX_BODY_MB."
SESSION_HEADER = "greenroom-session"
MODERATION_DEFAULT = "omni-moderation-latest"


async def answer(visit: Visit) -> int:
    """Ask, and hand the answer on as it comes; a request that cannot be asked is answered and recorded too."""
    assert visit.route is not None
    path, limit = visit.route.path, visit.runtime.settings.max_body_mb * MEGABYTE
    raw, body = b"", {}
    try:
        raw = await read_body(visit.sent, visit.receive, limit=limit, hint=RAISE)
        body = await json_object(raw)
        if path == MODERATIONS:
            body.setdefault("model", MODERATION_DEFAULT)
        check(path, body)
    except Invalid as error:
        return await refuse(visit, asked_of(visit, body, raw), error)
    asked = asked_of(visit, body, raw)
    key = visit.sent.get("idempotency-key")

    async def work(keep: Keep | None) -> int:
        return await _answer(visit, asked, keep)

    return await (work(None) if key is None else once(visit, asked, raw, key, work))


async def refuse(visit: Visit, asked: Asked, error: Invalid) -> int:
    """Answer a request that cannot be asked; recorded like any other."""
    refused = await visit.runtime.serve.refuse(asked, error)
    await hand_over(visit, refused)
    return refused.status


def asked_of(visit: Visit, body: dict[str, Any], raw: bytes) -> Asked:
    """The request as far as it is known."""
    assert visit.key is not None
    assert visit.route is not None
    session = visit.sent.get(SESSION_HEADER, "")
    return Asked(
        route=visit.route.path,
        body=body,
        raw=raw,
        project_id=visit.key.project_id,
        actor=visit.principal.actor,
        key_id=visit.key.id,
        request_id=visit.request_id,
        tags=(("session", session[:200]),) if session else (),
    )


Keep = Callable[[Answer, bytes], Awaitable[None]]
"""Called with an answer and everything it consists of, before its last byte leaves; b"" when it did not end well."""


async def _answer(visit: Visit, asked: Asked, keep: Keep | None = None) -> int:
    """Ask for as long as the caller waits, and send what comes."""
    with Leaving(visit.receive) as leaving:
        try:
            answered = await visit.runtime.serve.answer(asked)
            await hand_over(visit, answered, keep)
        finally:
            visit.has_left = leaving.has_left
    return answered.status


async def hand_over(visit: Visit, answered: Answer, keep: Keep | None = None) -> None:
    """Send an answer."""
    headers = [*visit.headers(), *answered.headers]
    if answered.chunks is not None:
        await _stream(visit, answered, headers, answered.chunks, keep)
        return
    body = answered.body or b""
    if keep is not None:
        await keep(answered, body)
    visit.has_started = True
    await respond(visit.send, answered.status, headers, body)


async def _stream(
    visit: Visit, answered: Answer, headers: list[tuple[str, str]], chunks: Chunks, keep: Keep | None
) -> None:
    send = visit.send
    kept: list[bytes] = []
    try:
        visit.has_started = True
        await send({"type": "http.response.start", "status": answered.status, "headers": raw_headers(headers)})
        is_kept = False
        async for chunk in chunks:
            if keep is not None:
                kept.append(chunk)
                if chunk.endswith(DONE):
                    is_kept = True
                    await keep(answered, b"".join(kept))
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if keep is not None and not is_kept:
            await keep(answered, b"")
        await send({"type": "http.response.body", "body": b""})
    finally:
        await chunks.aclose()


def check_key(key: str) -> None:
    """Raises: Invalid for what cannot be an Idempotency-Key."""
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        text = f"An Idempotency-Key is 1 to {LONGEST_KEY} printable characters."
        raise Invalid(text, code="invalid_idempotency_key")


async def once(visit: Visit, asked: Asked, raw: bytes, key: str, work: Callable[[Keep | None], Awaitable[int]]) -> int:
    """Answer under an Idempotency-Key: the first request (its body is `raw`) does the work, the others get what it
    got."""
    try:
        check_key(key)
    except Invalid as error:
        return await refuse(visit, asked, error)
    db, at = visit.runtime.db, clock.now()
    project_id = asked.project_id
    print_of = actions.fingerprint(asked.route, raw)

    def claim() -> Given | None:
        with db.write() as session:
            return actions.claim(session, project_id=project_id, key=key, fingerprint=print_of, at=at)

    def complete(given: Given) -> None:
        with db.write() as session:
            actions.complete(session, project_id=project_id, key=key, given=given)

    def release() -> None:
        with db.write() as session:
            actions.release(session, project_id=project_id, key=key)

    try:
        known = await to_thread.run_sync(claim)
    except Invalid as error:
        return await refuse(visit, asked, error)
    except Conflict as error:  # no call of its own: it will be sent again until the first one's answer is there
        return await visit.respond(409, error_body(error), (("retry-after", "1"),))
    if known is not None:
        headers = [*visit.headers(), ("content-type", known.content_type), ("idempotent-replayed", "true")]
        headers.append(("greenroom-call-id", shown("call", known.call_id)))
        visit.has_started = True
        await respond(visit.send, known.status, headers, known.body)
        return known.status

    async def keep(answered: Answer, body: bytes) -> None:
        if answered.status >= 400 or not 0 < len(body) <= actions.LARGEST_KEPT:
            await to_thread.run_sync(release)  # before its caller can ask again
        else:
            kind = next((v for name, v in answered.headers if name == "content-type"), "application/json")
            await to_thread.run_sync(complete, Given(answered.status, kind, body, answered.call_id))

    try:
        return await work(keep)
    finally:
        await asyncio.shield(asyncio.ensure_future(to_thread.run_sync(release)))
