"""Take calls away through the browser: a page hands out a ticket, this route streams what the ticket names.

A ticket is an encrypted order (who, which project, which filters) that ends after minutes, so the route needs no
session of the console and nobody can ask it for more than a page has granted. It is no right of its own: whoever it
was given to must have the right to export when the file is fetched, and for as long as rows go out. Nothing is built
in memory: rows go out as they are read. What is private is masked unless the order says why it must be read; the trail
has the order with its reason before the first row goes out, and how many calls went out when it ends, however it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from anyio import CancelScope, to_thread
from sqlmodel import Session
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from core import clock, runtime, settings
from core.audit import actions as audit
from core.calls import export
from core.calls import filters as bar
from core.calls.filters import Filters
from core.calls.rows import text
from core.db.engine import Database
from core.errors import GreenroomError, Invalid, NotAllowed
from core.guard.masking import Private
from core.people import queries as people
from core.people.rules import LOCAL, Permission, Principal, require
from core.vault import Vault

PATH = "/console/export"
GOOD_FOR = timedelta(minutes=15)
LONGEST_WHY = 500


@dataclass(frozen=True, slots=True)
class Order:
    """What a page has granted: the calls of one project that meet the filters as they were meant at `at`."""

    actor: str
    project_id: int
    filters: Filters
    format: str
    at: datetime
    why: str = ""
    """Why private words must be in the clear; "" masks them."""

    @property
    def in_clear(self) -> bool:
        return bool(self.why.strip())


def ticket(vault: Vault, order: Order, *, by: Principal) -> str:
    """The order as text for a link. Raises: NotAllowed without the right to export."""
    require(by, Permission.CALLS_EXPORT, order.project_id)
    told = {
        "actor": by.actor,
        "project_id": order.project_id,
        "filters": bar.to_params(order.filters),
        "format": order.format,
        "at": clock.micros(order.at),
        "why": text(order.why.strip())[:LONGEST_WHY],
    }
    return vault.encrypt(orjson.dumps(told).decode()).decode("ascii")


def read(vault: Vault, ticket: str, *, now: datetime) -> Order:
    """The order again. Raises: NotAllowed when it is none of ours or too old."""
    try:
        told = orjson.loads(vault.decrypt(ticket.encode()))
        order = Order(
            told["actor"],
            told["project_id"],
            bar.from_params(told["filters"]),
            told["format"],
            clock.from_micros(told["at"]),
            told["why"],
        )
    except (Invalid, ValueError, KeyError, TypeError):
        raise NotAllowed("This link is not one Greenroom gave out.", hint="Export again from Calls.") from None
    if now - order.at > GOOD_FOR:
        raise NotAllowed("This link has ended.", hint="Export again from Calls.")
    return order


async def download(request: Request) -> Response:
    """`GET /console/export?ticket=…`: the calls as a file, streamed."""
    if request.method != "GET":  # a look at the headers takes nothing away, and must not be noted as if it did
        return PlainTextResponse("Export with GET.", status_code=405, headers={"allow": "GET"})
    here, has_login = runtime.serving(), settings.login_configured()
    try:
        order = read(here.vault, request.query_params.get("ticket", ""), now=clock.now())
        mine, taken = [order.project_id], export.Taken()
        pieces = export.rows(
            here.db, order.filters, order.format,
            project_ids=mine, masks=Private(mine), in_clear=order.in_clear, taken=taken, at=order.at,
        )  # fmt: skip
        await to_thread.run_sync(lambda: _note(here.db, order, has_login=has_login))
    except GreenroomError as error:
        return PlainTextResponse(str(error), status_code=error.status)
    name = f"greenroom-calls-{order.at:%Y%m%d-%H%M%S}.{order.format}"
    return _Told(
        lambda: _note_end(here.db, order, taken),
        iterate_in_threadpool(while_allowed(here.db, order, pieces, has_login=has_login)),
        media_type=export.MEDIA_TYPES[order.format],
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
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


def allowed(session: Session, order: Order, *, has_login: bool) -> Principal:
    """Who takes the calls away, with the rights of this moment. Raises: NotAllowed."""
    kind, _, number = order.actor.partition(":")
    by = people.principal(session, int(number)) if kind == "person" and number.isdecimal() else None
    if by is None and order.actor == LOCAL.actor and not has_login:
        by = LOCAL
    if by is None:
        raise NotAllowed("Your access was switched off.", hint="Ask an admin if this is a mistake.")
    require(by, Permission.CALLS_EXPORT, order.project_id)
    return by


def while_allowed(db: Database, order: Order, pieces: Iterator[bytes], *, has_login: bool) -> Iterator[bytes]:
    """The pieces, until whoever takes them loses the right to. Raises: NotAllowed, which cuts the file short."""
    for piece in pieces:
        with db.read() as session:
            allowed(session, order, has_login=has_login)
        yield piece


def _note(db: Database, order: Order, *, has_login: bool) -> None:
    with db.write() as session:
        note(session, order, at=clock.now(), has_login=has_login)


def note(session: Session, order: Order, *, at: datetime, has_login: bool) -> None:
    """Taking calls away is an act: append to the trail who took which. Raises: NotAllowed, and nothing is told."""
    by = allowed(session, order, has_login=has_login)
    after = {"filters": bar.to_params(order.filters), "format": order.format, "private": _shown(order)}
    if order.in_clear:
        after["reason"] = order.why
    audit.append(
        session, by=by, at=at, action="calls.exported", target="calls", project_id=order.project_id, after=after
    )


def _note_end(db: Database, order: Order, taken: export.Taken) -> None:
    with db.write() as session:
        note_end(session, order, taken, at=clock.now())


def note_end(session: Session, order: Order, taken: export.Taken, *, at: datetime) -> None:
    """How much went out, told under the name of who took it, whose right may have ended meanwhile."""
    after = {"calls": taken.calls, "with private words": taken.private, "private": _shown(order)}
    audit.append(
        session,
        by=Principal(order.actor, order.actor),
        at=at,
        action="calls.export_ended",
        target="calls",
        project_id=order.project_id,
        after=after | {"complete": taken.is_whole},
    )


def _shown(order: Order) -> str:
    return "in the clear" if order.in_clear else "masked"
