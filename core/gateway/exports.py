"""Take calls away through the browser: a page hands out a ticket, this route streams what the ticket names.

A ticket is an encrypted order (who, which project, which filters) that ends after minutes, so the route needs no
session of the console and nobody can ask it for more than a page has granted. It is no right of its own: whoever it
was given to must have the right to export when the file is fetched, and for as long as rows go out. Nothing is built
in memory: rows go out as they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from anyio import to_thread
from sqlmodel import Session
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from core import clock, runtime, settings
from core.audit import actions as audit
from core.calls import export
from core.calls import filters as bar
from core.calls.filters import Filters
from core.db.engine import Database
from core.errors import GreenroomError, Invalid, NotAllowed
from core.people import queries as people
from core.people.rules import LOCAL, Permission, Principal, require
from core.vault import Vault

PATH = "/console/export"
GOOD_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Order:
    """What a page has granted: the calls of one project that meet the filters as they were meant at `at`."""

    actor: str
    project_id: int
    filters: Filters
    format: str
    at: datetime


def ticket(vault: Vault, order: Order, *, by: Principal) -> str:
    """The order as text for a link. Raises: NotAllowed without the right to export."""
    require(by, Permission.CALLS_EXPORT, order.project_id)
    told = {
        "actor": by.actor,
        "project_id": order.project_id,
        "filters": bar.to_params(order.filters),
        "format": order.format,
        "at": clock.micros(order.at),
    }
    return vault.encrypt(orjson.dumps(told).decode()).decode("ascii")


def read(vault: Vault, text: str, *, now: datetime) -> Order:
    """The order again. Raises: NotAllowed when it is none of ours or too old."""
    try:
        told = orjson.loads(vault.decrypt(text.encode()))
        order = Order(
            told["actor"],
            told["project_id"],
            bar.from_params(told["filters"]),
            told["format"],
            clock.from_micros(told["at"]),
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
        pieces = export.rows(here.db, order.filters, order.format, project_ids=[order.project_id], at=order.at)
        await to_thread.run_sync(lambda: _note(here.db, order, has_login=has_login))
    except GreenroomError as error:
        return PlainTextResponse(str(error), status_code=error.status)
    name = f"greenroom-calls-{order.at:%Y%m%d-%H%M%S}.{order.format}"
    return StreamingResponse(
        iterate_in_threadpool(while_allowed(here.db, order, pieces, has_login=has_login)),
        media_type=export.MEDIA_TYPES[order.format],
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
    )


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
    after = {"filters": bar.to_params(order.filters), "format": order.format}
    audit.append(
        session, by=by, at=at, action="calls.exported", target="calls", project_id=order.project_id, after=after
    )
