"""Two people at once on the same person, role or project: the second hears what the first did, the trail tells once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from core.audit import queries as audit
from core.db.engine import Database
from core.errors import Conflict, NotFound
from core.people import actions, queries
from core.people.rules import LOCAL, Role
from core.settings import Settings
from tests.support.overlapping import both


@pytest.fixture
def how(at: datetime) -> dict[str, Any]:
    return {"by": LOCAL, "at": at}


@pytest.fixture
def mo(db: Database, at: datetime) -> int:
    with db.write() as session:
        actions.ensure_default_project(session, by=LOCAL, at=at)
        claims = {"iss": "https://idp", "sub": "mo", "iat": at.timestamp()}
        found = actions.sign_in(session, claims=claims, settings=Settings(), at=at).person_id
        assert found is not None
        return found


def told(db: Database, action: str) -> int:
    with db.read() as session:
        return len(audit.events(session, action=action))


def test_the_same_role_is_given_once(db: Database, mo: int, how: dict[str, Any]) -> None:
    _, second = both(db, lambda s: actions.grant(s, person_id=mo, role=Role.REVIEWER, project_id=1, **how))
    assert isinstance(second, Conflict)
    with db.read() as session:
        assert [grant.role for grant in queries.grants(session, person_id=mo)] == [Role.REVIEWER]
    assert told(db, "role.granted") == 1


def test_the_same_role_is_taken_away_once(db: Database, mo: int, how: dict[str, Any]) -> None:
    with db.write() as session:
        actions.grant(session, person_id=mo, role=Role.REVIEWER, project_id=1, **how)
    with db.read() as session:
        number = queries.grants(session, person_id=mo)[0].id
    _, second = both(db, lambda s: actions.revoke_grant(s, grant_id=number, **how))
    assert isinstance(second, NotFound)
    assert told(db, "role.revoked") == 1


def test_an_access_is_switched_off_once(db: Database, mo: int, how: dict[str, Any]) -> None:
    both(db, lambda s: actions.set_active(s, person_id=mo, is_active=False, **how))
    assert told(db, "person.deactivated") == 1


def test_a_project_is_made_once(db: Database, mo: int, how: dict[str, Any]) -> None:
    _, second = both(db, lambda s: actions.create_project(s, name="support", **how))
    assert isinstance(second, Conflict)
    assert told(db, "project.created") == 2


def test_many_processes_that_start_at_once_make_one_project(db: Database, how: dict[str, Any]) -> None:
    both(db, lambda s: actions.ensure_default_project(s, **how))
    with db.read() as session:
        assert [project.name for project in queries.projects(session)] == ["default"]


def test_a_person_in_two_tabs_is_one_person(db: Database, at: datetime) -> None:
    claims = {"iss": "https://idp", "sub": "two", "iat": at.timestamp()}
    one, two = both(db, lambda s: actions.sign_in(s, claims=claims, settings=Settings(), at=at).actor)
    assert one == two
    assert told(db, "person.seen") == 1
