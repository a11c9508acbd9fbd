"""Acting from a page: what counts is who may do it now, not who could when the page was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session

from core import clock
from core.catalog import actions as catalog
from core.errors import Conflict, GreenroomError, NotAllowed, StoreUnavailable
from core.people import actions, queries
from core.people.rules import LOCAL, Principal, Role
from core.runtime import Runtime
from pages.parts import acting
from tests.pages.signed_in import greenroom, person


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


def make_key(here: Runtime, by: Principal) -> bool:
    made = acting.do(actions.create_key, project_id=1, name="shop", by=by, at=clock.now(), vault=here.vault)
    return made is not None


def keys(here: Runtime) -> int:
    with here.db.read() as session:
        return len(queries.keys(session, project_id=1))


def test_a_page_left_open_keeps_no_right_that_was_taken_away(here: Runtime) -> None:
    eva = person(here, "eva", Role.ENGINEER)
    assert make_key(here, eva)
    with here.db.write() as session:
        (grant,) = queries.grants(session, person_id=eva.person_id)
        actions.revoke_grant(session, grant_id=grant.id, by=LOCAL, at=clock.now())
    assert not make_key(here, eva)
    assert keys(here) == 1


def test_whoever_is_switched_off_does_nothing_from_a_page_left_open(here: Runtime) -> None:
    eva = person(here, "eva", Role.ENGINEER)
    with here.db.write() as session:
        actions.set_active(session, person_id=eva.person_id or 0, is_active=False, by=LOCAL, at=clock.now())
    assert not make_key(here, eva)
    assert keys(here) == 0


def test_whoever_attempts_something_hears_why_not_and_keeps_no_right_either(here: Runtime) -> None:
    eva = person(here, "eva", Role.ENGINEER)
    by: dict[str, Any] = {"by": eva, "at": clock.now(), "vault": here.vault}
    acting.attempt(catalog.add_backend, name="one", base_url="http://127.0.0.1:1/v1", **by)
    with pytest.raises(Conflict):
        acting.attempt(catalog.add_backend, name="one", base_url="http://127.0.0.1:1/v1", **by)
    with here.db.write() as session:
        actions.set_active(session, person_id=eva.person_id or 0, is_active=False, by=LOCAL, at=clock.now())
    with pytest.raises(NotAllowed):
        acting.attempt(catalog.add_backend, name="two", base_url="http://127.0.0.1:1/v1", **by)
    assert "two" not in here.catalog.backends


def test_an_action_with_nothing_to_tell_says_whether_it_was_done(here: Runtime) -> None:
    eva = person(here, "eva", Role.ENGINEER)
    assert make_key(here, eva)
    assert acting.done(actions.revoke_key, key_id=1, by=eva, at=clock.now())
    assert not acting.done(actions.revoke_key, key_id=1, by=eva, at=clock.now())


def test_a_store_that_is_full_is_a_sentence_and_a_mistake_of_ours_is_not(
    here: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[GreenroomError] = []
    monkeypatch.setattr(acting, "show", shown.append)

    def full(_: Session) -> None:
        raise OperationalError("INSERT …", {}, Exception("database or disk is full"))

    def broken(session: Session) -> None:
        session.execute(text("INSERT INTO audit_event (number) VALUES (NULL)"))

    with pytest.raises(StoreUnavailable, match="full"):
        acting.attempt(full)
    assert acting.do(full) is None
    assert [error.message for error in shown] == ["The store cannot be used: database or disk is full."]
    with pytest.raises(IntegrityError):
        acting.do(broken)
    assert len(shown) == 1
