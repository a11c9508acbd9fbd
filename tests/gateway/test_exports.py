"""An export's ticket: what a page granted, for minutes, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from core.audit import queries as trail
from core.calls import export
from core.calls import filters as bar
from core.db.engine import Database
from core.errors import NotAllowed
from core.gateway import call_exports, tickets
from core.people import actions as people
from core.people import queries
from core.people.rules import LOCAL, Principal, Role
from core.settings import Settings
from core.vault import Vault


def order(
    at: datetime, text: str = 'model:gpt-4o since:7d cost:>0.01 tag.team:search "two words"'
) -> call_exports.Order:
    return call_exports.Order("local", 1, bar.parse(text), "csv", at)


def read(vault: Vault, ticket: str, at: datetime) -> call_exports.Order:
    return call_exports.order_of(tickets.opened(vault, ticket, now=at))


def test_a_ticket_carries_the_order_to_the_letter(vault: Vault, at: datetime) -> None:
    wanted = order(at)
    assert read(vault, call_exports.ticket(vault, wanted, by=LOCAL), at) == wanted
    assert wanted.filters.cost_usd == Decimal("0.01")


def test_a_ticket_ends(vault: Vault, at: datetime) -> None:
    ticket = call_exports.ticket(vault, order(at), by=LOCAL)
    with pytest.raises(NotAllowed, match="ended"):
        read(vault, ticket, at + tickets.GOOD_FOR + timedelta(seconds=1))


@pytest.mark.parametrize("text", ["", "x", "gAAAAABnonsense", "é"])
def test_what_is_no_ticket_is_refused(vault: Vault, at: datetime, text: str) -> None:
    with pytest.raises(NotAllowed, match="not one Greenroom gave out"):
        read(vault, text, at)


def test_another_secret_of_this_house_is_no_ticket(vault: Vault, at: datetime) -> None:
    with pytest.raises(NotAllowed):
        read(vault, vault.encrypt('"sk-a-backends-key"').decode(), at)


def test_who_may_not_export_gets_no_ticket(vault: Vault, at: datetime) -> None:
    viewer = Principal("person:1", "Vera", {1: frozenset({Role.VIEWER})}, person_id=1)
    with pytest.raises(NotAllowed):
        call_exports.ticket(vault, order(at), by=viewer)


def test_an_export_is_in_the_trail(db: Database, at: datetime) -> None:
    with db.write() as session:
        call_exports.note(session, order(at), at=at, has_login=False)
    with db.read() as session:
        event = trail.events(session, limit=1)[0]
    assert (event.actor, event.action, event.project_id) == ("local", "calls.exported", 1)


def test_a_ticket_carries_why_private_words_are_needed(vault: Vault, at: datetime) -> None:
    wanted = replace(order(at), why="  The court asks.\0  ")
    found = read(vault, call_exports.ticket(vault, wanted, by=LOCAL), at)
    assert (found.why.strip("\ufffd"), found.in_clear) == ("The court asks.", True)
    blank = read(vault, call_exports.ticket(vault, replace(wanted, why=" \n"), by=LOCAL), at)
    assert (blank.why, blank.in_clear) == ("", False)


@pytest.mark.parametrize("why", ["", "The court asks."])
def test_the_trail_has_the_reason_before_and_the_counts_after(db: Database, at: datetime, why: str) -> None:
    wanted = replace(order(at), why=why)
    with db.write() as session:
        call_exports.note(session, wanted, at=at, has_login=False)
        call_exports.note_end(session, wanted, export.Taken(calls=30, private=2), at=at)
    with db.read() as session:
        ended, began = trail.events(session, limit=2)
    assert began.after is not None
    assert ended.after is not None
    assert (began.after["private"], began.after.get("reason")) == (("in the clear", why) if why else ("masked", None))
    assert (ended.actor, ended.action, ended.project_id) == ("local", "calls.export_ended", 1)
    assert (ended.after["calls"], ended.after["with private words"], ended.after["complete"]) == (30, 2, False)


@pytest.fixture
def lena(db: Database, at: datetime) -> Principal:
    """A lead reviewer of the first project, who is somebody in it besides."""
    with db.write() as session:
        people.ensure_default_project(session, by=LOCAL, at=at)
        claims = {"iss": "https://idp.example", "sub": "lena", "iat": at.timestamp()}
        found = people.sign_in(session, claims=claims, settings=Settings(), at=at)
        assert found.person_id is not None
        for role in (Role.LEAD_REVIEWER, Role.REVIEWER):
            people.grant(session, person_id=found.person_id, role=role, project_id=1, by=LOCAL, at=at)
    return found


def lose(db: Database, who: Principal, how: str, at: datetime) -> None:
    """Take the role that may export, or the whole access."""
    assert who.person_id is not None
    with db.write() as session:
        if how == "the role":
            held = queries.grants(session, person_id=who.person_id)
            found = next(grant.id for grant in held if grant.role is Role.LEAD_REVIEWER)
            people.revoke_grant(session, grant_id=found, by=LOCAL, at=at)
        else:
            people.set_active(session, person_id=who.person_id, is_active=False, by=LOCAL, at=at)


@pytest.mark.parametrize("how", ["the role", "the access"])
def test_whoever_lost_the_right_takes_nothing_away_with_an_older_link(
    db: Database, at: datetime, lena: Principal, how: str
) -> None:
    wanted = replace(order(at), actor=lena.actor)
    with db.write() as session:
        call_exports.note(session, wanted, at=at, has_login=True)
    lose(db, lena, how, at)
    with pytest.raises(NotAllowed), db.write() as session:
        call_exports.note(session, wanted, at=at, has_login=True)
    with db.read() as session:
        assert len(trail.events(session, action="calls.exported")) == 1


def test_a_right_taken_away_ends_an_export_under_way(db: Database, at: datetime, lena: Principal) -> None:
    wanted = replace(order(at), actor=lena.actor)
    going = tickets.while_allowed(
        db, iter([b"1", b"2", b"3"]), wanted.actor, call_exports.RIGHT, wanted.project_id, has_login=True
    )
    assert next(going) == b"1"
    lose(db, lena, "the role", at)
    with pytest.raises(NotAllowed):
        next(going)


def test_a_link_of_the_time_without_login_ends_with_it(db: Database, at: datetime) -> None:
    with pytest.raises(NotAllowed), db.write() as session:
        call_exports.note(session, order(at), at=at, has_login=True)


@pytest.mark.parametrize("actor", ["cli", "system", "key:1", "person:", "person:999", "person:-1", "person:1x", ""])
def test_nobody_else_can_be_named_in_a_ticket(db: Database, at: datetime, actor: str) -> None:
    with pytest.raises(NotAllowed), db.write() as session:
        call_exports.note(session, replace(order(at), actor=actor), at=at, has_login=False)
