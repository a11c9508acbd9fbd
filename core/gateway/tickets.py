"""What a page grants to take away: an encrypted order that ends after minutes, for the route that streams it.

The route needs no session of the console, and nobody can ask it for more than a page has granted. A ticket is no right
of its own: whoever it was given to must have the right when the file is fetched, and for as long as pieces go out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from sqlmodel import Session

from core import clock
from core.db.engine import Database
from core.errors import Invalid, NotAllowed
from core.people import queries as people
from core.people.rules import LOCAL, Permission, Principal, require
from core.vault import Vault

PATH = "/console/export"
GOOD_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted to whom, and when: `what` says what sort of thing, `told` which of them (JSON)."""

    what: str
    actor: str
    project_id: int
    at: datetime
    told: Mapping[str, Any]


def sealed(vault: Vault, grant: Grant) -> str:
    """The grant as text for a link."""
    told = {
        "what": grant.what,
        "actor": grant.actor,
        "project_id": grant.project_id,
        "at": clock.micros(grant.at),
        "told": dict(grant.told),
    }
    return vault.encrypt(orjson.dumps(told).decode()).decode("ascii")


def link(ticket: str) -> str:
    """The address that hands out what a ticket names."""
    return f"{PATH}?{urlencode({'ticket': ticket})}"


def opened(vault: Vault, ticket: str, *, now: datetime) -> Grant:
    """The grant again. Raises: NotAllowed when it is none of ours or too old."""
    try:
        told = orjson.loads(vault.decrypt(ticket.encode()))
        grant = Grant(
            told["what"], told["actor"], told["project_id"], clock.from_micros(told["at"]), dict(told["told"])
        )
    except (Invalid, ValueError, KeyError, TypeError):
        raise NotAllowed("This link is not one Greenroom gave out.", hint="Export again from the page.") from None
    if now - grant.at > GOOD_FOR:
        raise NotAllowed("This link has ended.", hint="Export again from the page.")
    return grant


def taker(session: Session, actor: str, permission: Permission, project_id: int, *, has_login: bool) -> Principal:
    """Who takes something away, with the rights of this moment. Raises: NotAllowed."""
    kind, _, number = actor.partition(":")
    by = people.principal(session, int(number)) if kind == "person" and number.isdecimal() else None
    if by is None and actor == LOCAL.actor and not has_login:
        by = LOCAL
    if by is None:
        raise NotAllowed("Your access was switched off.", hint="Ask an admin if this is a mistake.")
    require(by, permission, project_id)
    return by


def while_allowed(
    db: Database, pieces: Iterator[bytes], actor: str, permission: Permission, project_id: int, *, has_login: bool
) -> Iterator[bytes]:
    """The pieces, until whoever takes them loses the right to. Raises: NotAllowed, which cuts the file short."""
    for piece in pieces:
        with db.read() as session:
            taker(session, actor, permission, project_id, has_login=has_login)
        yield piece
