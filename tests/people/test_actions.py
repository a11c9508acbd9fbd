"""People, roles and projects: who may change what, that somebody can always administer, and the row in the trail."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.audit import queries as audit
from core.db.engine import Database
from core.errors import Conflict, GreenroomError, Invalid, NotAllowed, NotFound
from core.people import actions, queries
from core.people.rules import LOCAL, Permission, Principal, Role
from core.settings import Settings

SETTINGS = Settings(role_map={"admins": "admin", "eng": "engineer"}, admins=("ada@x.example",))


def signed_in(db: Database, at: datetime, subject: str = "mo", **more: Any) -> Principal:
    told = {"iss": "https://idp", "sub": subject, "iat": at.timestamp(), "name": subject.title(), **more}
    with db.write() as session:
        return actions.sign_in(session, claims=told, settings=SETTINGS, at=at)


def trail(db: Database) -> list[str]:
    with db.read() as session:
        return [event.action for event in reversed(audit.events(session, limit=100))]


def granted(db: Database, who: Principal, role: Role, at: datetime, project_id: int | None = None) -> int:
    assert who.person_id is not None
    with db.write() as session:
        row = actions.grant(session, person_id=who.person_id, role=role, project_id=project_id, by=LOCAL, at=at)
        assert row.id is not None
        return row.id


def test_a_first_sign_in_makes_a_person_without_rights(db: Database, at: datetime) -> None:
    mo = signed_in(db, at, groups=["everyone"])
    assert mo.name == "Mo"
    assert not mo.grants
    assert trail(db) == ["person.seen"]


def test_the_same_subject_of_another_provider_is_another_person(db: Database, at: datetime) -> None:
    assert signed_in(db, at).person_id != signed_in(db, at, iss="https://other").person_id


def test_roles_follow_the_claims_at_each_sign_in(db: Database, at: datetime) -> None:
    assert signed_in(db, at, groups=["eng"]).may(Permission.BACKEND_CHANGE)
    later = signed_in(db, at + timedelta(hours=1), groups=[])
    assert not later.may(Permission.USAGE_READ)
    assert trail(db) == ["person.seen", "roles.followed_claims", "roles.followed_claims"]


def test_an_older_cookie_brings_no_lost_role_back(db: Database, at: datetime) -> None:
    signed_in(db, at, groups=["admins"])
    signed_in(db, at + timedelta(hours=1), groups=[])
    again = signed_in(db, at, groups=["admins"])
    assert not again.may(Permission.PEOPLE_CHANGE)


def test_a_role_given_by_a_person_stays_when_claims_change(db: Database, at: datetime) -> None:
    granted(db, signed_in(db, at, groups=["eng"]), Role.VIEWER, at)
    assert signed_in(db, at + timedelta(hours=1), groups=[]).may(Permission.USAGE_READ)


def test_two_tabs_that_sign_in_at_once_are_one_person(db: Database, at: datetime) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: signed_in(db, at).person_id, range(8)))
    assert len(set(found)) == 1


def test_who_is_switched_off_stays_out_and_comes_back_when_switched_on(db: Database, at: datetime) -> None:
    mo = signed_in(db, at, groups=["eng"])
    assert mo.person_id is not None
    with db.write() as session:
        actions.set_active(session, person_id=mo.person_id, is_active=False, by=LOCAL, at=at)
    with db.read() as session:
        assert queries.principal(session, mo.person_id) is None
    with pytest.raises(NotAllowed, match="switched off"):
        signed_in(db, at + timedelta(hours=1), groups=["eng"])
    with db.write() as session:
        actions.set_active(session, person_id=mo.person_id, is_active=True, by=LOCAL, at=at)
    assert signed_in(db, at + timedelta(hours=2), groups=["eng"]).may(Permission.KEY_CHANGE)


def test_a_revoked_role_is_gone_from_the_next_read(db: Database, at: datetime) -> None:
    mo = signed_in(db, at)
    grant_id = granted(db, mo, Role.ENGINEER, at)
    with db.write() as session:
        actions.revoke_grant(session, grant_id=grant_id, by=LOCAL, at=at)
    with db.read() as session:
        now = queries.principal(session, mo.person_id or 0)
    assert now is not None
    assert not now.may(Permission.KEY_CHANGE)


def test_a_role_from_the_provider_is_taken_away_there(db: Database, at: datetime) -> None:
    mo = signed_in(db, at, groups=["eng"])
    with db.read() as session:
        grant = queries.grants(session, person_id=mo.person_id)[0]
    with db.write() as session, pytest.raises(Invalid, match="identity provider"):
        actions.revoke_grant(session, grant_id=grant.id, by=LOCAL, at=at)


def test_the_last_admin_stays(db: Database, at: datetime) -> None:
    ada = signed_in(db, at, "ada")
    grant_id = granted(db, ada, Role.ADMIN, at)
    with db.write() as session, pytest.raises(Conflict, match="last admin"):
        actions.revoke_grant(session, grant_id=grant_id, by=LOCAL, at=at)
    with db.write() as session, pytest.raises(Conflict, match="last admin"):
        actions.set_active(session, person_id=ada.person_id or 0, is_active=False, by=LOCAL, at=at)


def test_whoever_is_no_admin_can_be_switched_off_where_there_is_none(db: Database, at: datetime) -> None:
    mo = signed_in(db, at)
    with db.write() as session:
        actions.set_active(session, person_id=mo.person_id or 0, is_active=False, by=LOCAL, at=at)


def test_of_two_admins_who_remove_each_other_at_once_one_remains(db: Database, at: datetime) -> None:
    grants = [granted(db, signed_in(db, at, name), Role.ADMIN, at) for name in ("ada", "bea")]

    def remove(grant_id: int) -> bool:
        try:
            with db.write() as session:
                actions.revoke_grant(session, grant_id=grant_id, by=LOCAL, at=at)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, grants)) == [False, True]


def test_an_admin_of_one_project_gives_roles_there_and_nowhere_else(db: Database, at: datetime) -> None:
    mo = signed_in(db, at)
    with db.write() as session:
        one = actions.create_project(session, name="one", by=LOCAL, at=at)
        two = actions.create_project(session, name="two", by=LOCAL, at=at)
        chief = Principal("person:9", "Chief", {one.id: frozenset({Role.ADMIN})})
        give = {"person_id": mo.person_id, "role": Role.VIEWER, "by": chief, "at": at}
        actions.grant(session, project_id=one.id, **give)
        with pytest.raises(NotAllowed):
            actions.grant(session, project_id=two.id, **give)
        with pytest.raises(NotAllowed):
            actions.grant(session, project_id=None, **give)
        with pytest.raises(NotAllowed):
            actions.create_project(session, name="three", by=chief, at=at)


@pytest.mark.parametrize("name", ["", "Two Words", "ünï", "-x", "a" * 65, "a/b", "x\n"])
def test_a_project_needs_a_plain_name(db: Database, at: datetime, name: str) -> None:
    with db.write() as session, pytest.raises(Invalid):
        actions.create_project(session, name=name, by=LOCAL, at=at)


def test_a_project_name_is_taken_once(db: Database, at: datetime) -> None:
    with db.write() as session:
        actions.create_project(session, name="one", by=LOCAL, at=at)
        with pytest.raises(Conflict):
            actions.create_project(session, name="one", by=LOCAL, at=at)


VERBS: dict[str, Callable[..., Any]] = {
    "create_project": lambda s, by, at, vault: actions.create_project(s, name="p", by=by, at=at),
    "grant": lambda s, by, at, vault: actions.grant(s, person_id=1, role=Role.VIEWER, project_id=None, by=by, at=at),
    "set_active": lambda s, by, at, vault: actions.set_active(s, person_id=1, is_active=False, by=by, at=at),
    "create_key": lambda s, by, at, vault: actions.create_key(s, project_id=1, name="k", by=by, at=at, vault=vault),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_without_the_right_nothing_is_even_looked_up(
    db: Database, vault: Any, at: datetime, verb: str, role: Role
) -> None:
    if (verb, role) == ("create_key", Role.ENGINEER):
        return
    by = Principal("person:5", "Mo", {None: frozenset({role})})
    with db.write() as session, pytest.raises(NotAllowed):
        VERBS[verb](session, by, at, vault)


def test_what_is_not_there_is_said_so(db: Database, vault: Any, at: datetime) -> None:
    for verb in (
        lambda s: actions.grant(s, person_id=99, role=Role.VIEWER, project_id=None, by=LOCAL, at=at),
        lambda s: actions.revoke_grant(s, grant_id=99, by=LOCAL, at=at),
        lambda s: actions.set_active(s, person_id=99, is_active=True, by=LOCAL, at=at),
        lambda s: actions.create_key(s, project_id=99, name="x", by=LOCAL, at=at, vault=vault),
        lambda s: actions.revoke_key(s, key_id=99, by=LOCAL, at=at),
    ):
        with db.write() as session, pytest.raises(NotFound):
            verb(session)


def test_a_refused_action_leaves_no_row_behind(db: Database, at: datetime) -> None:
    before = trail(db)
    nobody = Principal("person:5", "Mo")
    with pytest.raises(GreenroomError), db.write() as session:
        actions.create_project(session, name="p", by=nobody, at=at)
    assert trail(db) == before
