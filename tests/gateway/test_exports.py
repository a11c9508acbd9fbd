"""An export's ticket: what a page granted, for minutes, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from core.audit import queries as trail
from core.calls import filters as bar
from core.db.engine import Database
from core.errors import NotAllowed
from core.gateway import exports
from core.people.rules import LOCAL, Principal, Role
from core.vault import Vault


def order(at: datetime, text: str = 'model:gpt-4o since:7d cost:>0.01 tag.team:search "two words"') -> exports.Order:
    return exports.Order("local", 1, bar.parse(text), "csv", at)


def test_a_ticket_carries_the_order_to_the_letter(vault: Vault, at: datetime) -> None:
    wanted = order(at)
    assert exports.read(vault, exports.ticket(vault, wanted, by=LOCAL), now=at) == wanted
    assert wanted.filters.cost_usd == Decimal("0.01")


def test_a_ticket_ends(vault: Vault, at: datetime) -> None:
    ticket = exports.ticket(vault, order(at), by=LOCAL)
    with pytest.raises(NotAllowed, match="ended"):
        exports.read(vault, ticket, now=at + exports.GOOD_FOR + timedelta(seconds=1))


@pytest.mark.parametrize("text", ["", "x", "gAAAAABnonsense", "é"])
def test_what_is_no_ticket_is_refused(vault: Vault, at: datetime, text: str) -> None:
    with pytest.raises(NotAllowed, match="not one Greenroom gave out"):
        exports.read(vault, text, now=at)


def test_another_secret_of_this_house_is_no_ticket(vault: Vault, at: datetime) -> None:
    with pytest.raises(NotAllowed):
        exports.read(vault, vault.encrypt('"sk-a-backends-key"').decode(), now=at)


def test_who_may_not_export_gets_no_ticket(vault: Vault, at: datetime) -> None:
    viewer = Principal("person:1", "Vera", {1: frozenset({Role.VIEWER})}, person_id=1)
    with pytest.raises(NotAllowed):
        exports.ticket(vault, order(at), by=viewer)


def test_an_export_is_in_the_trail(db: Database, at: datetime) -> None:
    with db.write() as session:
        exports.note(session, order(at), at=at)
    with db.read() as session:
        event = trail.events(session, limit=1)[0]
    assert (event.actor, event.action, event.project_id) == ("local", "calls.exported", 1)
