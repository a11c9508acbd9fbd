"""Take calls away through the browser: a page hands out a ticket, this route streams what the ticket names.

A ticket is an encrypted order (who, which project, which filters) that ends after minutes, so the route needs no
session of the console and nobody can ask it for more than a page has granted. Nothing is built in memory: rows go
out as they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from anyio import to_thread
from sqlmodel import Session
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from core import clock, runtime
from core.audit import actions as audit
from core.calls import export
from core.calls import filters as bar
from core.calls.filters import Filters
from core.errors import GreenroomError, Invalid, NotAllowed
from core.people.rules import Permission, Principal, require
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
    here = runtime.serving()
    try:
        order = read(here.vault, request.query_params.get("ticket", ""), now=clock.now())
        await to_thread.run_sync(_note, here, order)
        pieces = export.rows(here.db, order.filters, order.format, project_ids=[order.project_id], at=order.at)
    except GreenroomError as error:
        return PlainTextResponse(str(error), status_code=error.status)
    name = f"greenroom-calls-{order.at:%Y%m%d-%H%M%S}.{order.format}"
    return StreamingResponse(
        iterate_in_threadpool(pieces),
        media_type=export.MEDIA_TYPES[order.format],
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
    )


def _note(here: runtime.Runtime, order: Order) -> None:
    """Taking calls away is an act: it goes into the trail."""
    with here.db.write() as session:
        note(session, order, at=clock.now())


def note(session: Session, order: Order, *, at: datetime) -> None:
    """Append to the trail who took which calls away."""
    by = Principal(order.actor, order.actor)
    after = {"filters": bar.to_params(order.filters), "format": order.format}
    audit.append(
        session, by=by, at=at, action="calls.exported", target="calls", project_id=order.project_id, after=after
    )
