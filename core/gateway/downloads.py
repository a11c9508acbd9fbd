"""`GET /console/export?ticket=…`: what a page granted goes out as a file. Nothing is built in memory: pieces go out as
they are read, and the trail has who took what before the first of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anyio import CancelScope, to_thread
from sqlmodel import Session
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core import clock, runtime, settings
from core.calls import export as calls
from core.datasets import export as datasets
from core.db.engine import Database
from core.errors import GreenroomError
from core.gateway import call_exports, dataset_exports, tickets
from core.gateway.tickets import Grant
from core.people.rules import Permission


@dataclass(frozen=True, slots=True)
class _File:
    """What a ticket stands for, ready to go out; `note` before the first piece, `ended` after the last."""

    name: str
    media_type: str
    right: Permission
    pieces: Iterator[bytes]
    note: Callable[[Session, datetime, bool], None]
    ended: Callable[[Session, datetime], None] | None = None


async def download(request: Request) -> Response:
    """The file of a ticket, streamed."""
    if request.method != "GET":  # a look at the headers takes nothing away, and must not be noted as if it did
        return PlainTextResponse("Export with GET.", status_code=405, headers={"allow": "GET"})
    here, has_login = runtime.serving(), settings.login_configured()
    try:
        grant = tickets.opened(here.vault, request.query_params.get("ticket", ""), now=clock.now())
        file = await to_thread.run_sync(lambda: _begun(here.db, grant, has_login=has_login))
    except GreenroomError as error:
        return PlainTextResponse(str(error), status_code=error.status)
    going = tickets.while_allowed(here.db, file.pieces, grant.actor, file.right, grant.project_id, has_login=has_login)
    return _Told(
        lambda: _end(here.db, file),
        iterate_in_threadpool(going),
        media_type=file.media_type,
        headers={"content-disposition": f'attachment; filename="{file.name}"', "cache-control": "no-store"},
    )


class _Told(StreamingResponse):
    """A stream after which something is done, whether it was read to its end or its reader left."""

    def __init__(self, ended: Callable[[], None], *args: Any, **told: Any) -> None:
        super().__init__(*args, **told)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(self._ended)


def _begun(db: Database, grant: Grant, *, has_login: bool) -> _File:
    file = _of_calls(db, grant) if grant.what == call_exports.WHAT else _of_dataset(db, grant)
    with db.write() as session:
        file.note(session, clock.now(), has_login)
    return file


def _of_calls(db: Database, grant: Grant) -> _File:
    order, taken = call_exports.order_of(grant), calls.Taken()
    return _File(
        order.file_name,
        calls.MEDIA_TYPES[order.format],
        call_exports.RIGHT,
        call_exports.pieces(db, order, taken),
        lambda session, at, has_login: call_exports.note(session, order, at=at, has_login=has_login),
        lambda session, at: call_exports.note_end(session, order, taken, at=at),
    )


def _of_dataset(db: Database, grant: Grant) -> _File:
    order = dataset_exports.order_of(grant)
    return _File(
        order.file_name,
        datasets.MEDIA_TYPES[order.format],
        dataset_exports.RIGHT,
        dataset_exports.pieces(db, order),
        lambda session, at, has_login: dataset_exports.note(session, order, at=at, has_login=has_login),
    )


def _end(db: Database, file: _File) -> None:
    if file.ended is not None:
        with db.write() as session:
            file.ended(session, clock.now())
