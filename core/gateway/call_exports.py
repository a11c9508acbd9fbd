"""Calls taken away through the browser: which, by whom, and what the trail has of it.

What is private is masked unless the order says why it must be read; the trail has the order with its reason before the
first row goes out, and how many calls went out when it ends, however it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.audit import actions as audit
from core.calls import export
from core.calls import filters as bar
from core.calls.filters import Filters
from core.calls.rows import text
from core.db.engine import Database
from core.errors import NotAllowed
from core.gateway import tickets
from core.gateway.tickets import Grant
from core.guard.masking import Private
from core.people.rules import Permission, Principal, require
from core.vault import Vault

WHAT = "calls"
RIGHT = Permission.CALLS_EXPORT
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

    @property
    def file_name(self) -> str:
        return f"greenroom-calls-{self.at:%Y%m%d-%H%M%S}.{self.format}"


def ticket(vault: Vault, order: Order, *, by: Principal) -> str:
    """The order as text for a link. Raises: NotAllowed without the right to export."""
    require(by, RIGHT, order.project_id)
    why = text(order.why.strip())[:LONGEST_WHY]
    told = {"filters": bar.to_params(order.filters), "format": order.format, "why": why}
    return tickets.sealed(vault, Grant(WHAT, by.actor, order.project_id, order.at, told))


def order_of(grant: Grant) -> Order:
    """The order of a ticket. Raises: NotAllowed when it is for something else."""
    if grant.what != WHAT:
        raise NotAllowed("This link is for something else.", hint="Export again from Calls.")
    filters = bar.from_params(grant.told["filters"])
    return Order(grant.actor, grant.project_id, filters, grant.told["format"], grant.at, grant.told["why"])


def pieces(db: Database, order: Order, taken: export.Taken) -> Iterator[bytes]:
    """The file, as it is read; `taken` counts what went out."""
    mine = [order.project_id]
    return export.rows(
        db, order.filters, order.format,
        project_ids=mine, masks=Private(mine), in_clear=order.in_clear, taken=taken, at=order.at,
    )  # fmt: skip


def note(session: Session, order: Order, *, at: datetime, has_login: bool) -> None:
    """Taking calls away is an act: append to the trail who took which. Raises: NotAllowed, and nothing is told."""
    by = tickets.taker(session, order.actor, RIGHT, order.project_id, has_login=has_login)
    after = {"filters": bar.to_params(order.filters), "format": order.format, "private": _shown(order)}
    if order.in_clear:
        after["reason"] = order.why
    audit.append(
        session, by=by, at=at, action="calls.exported", target="calls", project_id=order.project_id, after=after
    )


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
