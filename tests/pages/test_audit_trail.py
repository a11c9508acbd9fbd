"""The page Audit: sentences newest first, filters in the address, and a verdict on the whole trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from core import clock
from core.people import actions
from core.people.rules import CLI, LOCAL, Role
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import audit_words, choosing
from tests.pages.signed_in import claims, greenroom, opened, person, said

PAGE = ROOT / "pages" / "audit_trail.py"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console on this computer, without login."""
    with greenroom(tmp_path / "data", store_url, secrets="") as running:
        yield running


def make_keys(here: Runtime, *names: str) -> None:
    with here.db.write() as session:
        for name in names:
            actions.create_key(session, project_id=1, name=name, by=CLI, at=clock.now(), vault=here.vault)


def visit(**params: str) -> AppTest:
    page = opened(PAGE, None, **params)
    assert not page.exception
    return page


def sentences(page: AppTest) -> list[str]:
    return [row.label for row in page.expander]


def test_the_newest_event_is_a_sentence_at_the_top(here: Runtime) -> None:
    make_keys(here, "shop")
    assert sentences(visit())[0].startswith("**The command line** created the key `shop`")


def test_older_events_follow_page_by_page_without_a_gap(here: Runtime) -> None:
    make_keys(here, *(f"key-{number}" for number in range(60)))
    page = visit()
    first = sentences(page)
    page.button(key="audit_older").click().run()
    second = sentences(page)
    assert len(first) == 50
    assert "`key-59`" in first[0]
    assert "`key-10`" in first[-1]
    assert "`key-9`" in second[0]
    page.button(key="audit_newest").click().run()
    assert sentences(page) == first


def test_filters_come_from_the_address(here: Runtime) -> None:
    make_keys(here, "shop")
    page = visit(actor="cli", did="key.created")
    assert len(sentences(page)) == 1
    page = visit(actor="cli", did="project.created")
    assert sentences(page) == []
    assert "Nothing of that kind happened." in said(page)


def test_choosing_who_writes_the_address(here: Runtime) -> None:
    make_keys(here, "shop")
    page = visit()
    page.selectbox(key="audit_actor").set_value("cli").run()
    assert page.query_params["actor"] in ("cli", ["cli"])
    assert len(sentences(page)) == 1


def test_a_whole_trail_is_called_whole(here: Runtime) -> None:
    make_keys(here, "shop")
    page = visit()
    page.button(key="audit_verify").click().run()
    assert "The trail is whole." in str(page.success[0].proto)


def test_a_row_changed_behind_greenrooms_back_is_named(here: Runtime) -> None:
    make_keys(here, "shop", "bot")
    with here.db.writer.begin() as connection:
        if here.db.is_sqlite:
            for (name,) in connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'")
            ).all():
                connection.execute(text(f'DROP TRIGGER "{name}"'))
        else:
            connection.execute(text("ALTER TABLE audit_event DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE audit_event SET actor = 'person:1' WHERE number = 3"))
    page = visit()
    page.button(key="audit_verify").click().run()
    assert "The trail was tampered with." in said(page)
    assert "Row 3" in said(page)


def test_an_auditor_of_one_project_sees_that_project_only(store_url: str, tmp_path: Path) -> None:
    with greenroom(tmp_path / "data", store_url) as here:
        with here.db.write() as session:
            other = actions.create_project(session, name="support-bot", by=LOCAL, at=clock.now())
            for project_id, name in ((1, "secret"), (other.id or 0, "theirs")):
                actions.create_key(session, project_id=project_id, name=name, by=CLI, at=clock.now(), vault=here.vault)
        person(here, "aud", Role.AUDITOR, project_id=other.id)
        page = opened(PAGE, user=claims("aud"))
        assert not page.exception
        assert any("`theirs`" in sentence for sentence in sentences(page))
        assert not any("secret" in sentence for sentence in sentences(page))
        assert "audit_verify" not in {button.key for button in page.button}


def test_what_changed_is_told_line_by_line_and_never_as_json() -> None:
    before = {"name": "shop", "limits": {"per_day": 5}, "is_active": True, "roles": []}
    after = {
        "name": "shop",
        "limits": {"per_day": 9},
        "is_active": False,
        "roles": ["admin", "viewer"],
        "project_id": 1,
    }
    assert audit_words.lines(before, after, {1: "default"}) == [
        ("limits: per day", "5", "9"),
        ("is active", "yes", "no"),
        ("roles", "nothing", "admin, viewer"),
        ("project", "", "default"),
    ]


def test_every_kind_of_event_reads_as_words() -> None:
    assert audit_words.did("key.created") == "created the key"
    assert audit_words.did("backend.key_set") == "changed the key of the backend"
    assert audit_words.did("role.granted", {"role": "viewer"}) == "gave the role viewer to"
    assert audit_words.did("something_new.came_up") == "came up the something new"


def test_who_has_anothers_name_is_not_taken_for_them() -> None:
    told = choosing.apart({"person:1": "Ann", "person:2": " Ann ", "person:3": "Ann (person:2)", "person:4": "Ben"})
    assert len(set(told.values())) == 4
    assert (told["person:2"], told["person:4"]) == ("Ann  (person:2)", "Ben")
