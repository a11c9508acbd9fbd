"""The page People and keys: a key is seen once, roles are given and taken, nobody does more than they may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import clock
from core.errors import NotSignedIn
from core.people import actions, queries
from core.people.queries import PersonView
from core.people.rules import LOCAL, KeyScope, Permission, Principal, Role
from core.runtime import Runtime
from core.settings import ROOT
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person, said

PAGE = ROOT / "pages" / "people_keys.py"
WHOLE_KEY = re.compile(r"gr_[\w-]{32}")


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def ada(here: Runtime) -> Principal:
    return person(here, "ada", Role.ADMIN)


def everything(page: AppTest) -> str:
    """Words, code blocks and badges."""
    return "\n".join([words(page), *(str(block.value) for block in page.code)])


def words(page: AppTest) -> str:
    """What is said, without the backslashes that keep it from being Markdown."""
    return said(page).replace("\\", "")


def visit(subject: str, view: str = "keys", **params: str) -> AppTest:
    page = opened(SHELL, user=claims(subject), view=view, **params)
    page.switch_page(str(PAGE)).run()
    assert not page.exception
    return page


def known(here: Runtime, name: str) -> PersonView:
    with here.db.read() as session:
        return next(found for found in queries.persons(session) if found.name == name)


def roles(here: Runtime, name: str) -> list[tuple[Role, str]]:
    with here.db.read() as session:
        found = queries.grants(session, person_id=known(here, name).id)
    return [(grant.role, grant.project) for grant in found]


def create(page: AppTest, name: str) -> AppTest:
    page.text_input(key="key_name_1_0").set_value(name)
    next(button for button in page.button if button.label == "Create key").click()
    return page.run()


def test_a_new_key_is_shown_once_and_opens_the_door(here: Runtime, ada: Principal) -> None:
    page = create(visit("ada"), "web shop")
    assert not page.exception
    shown = set(WHOLE_KEY.findall(everything(page)))
    assert len(shown) == 1
    row = here.keyring.find(f"Bearer {shown.pop()}", clock.now())
    assert (row.name, row.project) == ("web shop", "default")
    page.run()
    assert not WHOLE_KEY.findall(everything(page))
    assert "web shop" in everything(page)
    assert not WHOLE_KEY.search(repr(page.session_state._state.filtered_state))


def test_a_key_for_a_repository_opens_the_prompts_and_says_how(here: Runtime, ada: Principal) -> None:
    page = visit("ada")
    page.selectbox(key="key_scope_1_0").set_value(KeyScope.REPOSITORY)
    page = create(page, "prompts of the shop")
    assert not page.exception
    text = everything(page)
    assert "greenroom prompt pull --all" in text
    assert "OPENAI_API_KEY" not in text
    (plain,) = set(WHOLE_KEY.findall(text))
    by = here.keyring.find(f"Bearer {plain}", clock.now()).principal
    assert by.may(Permission.PROMPT_CHANGE, 1)
    assert not by.may(Permission.GATEWAY_CALL, 1)
    assert not by.may(Permission.PROMPT_READ, 2)
    assert "prompts only" in everything(visit("ada"))


def test_a_key_without_a_name_is_refused_in_a_sentence(here: Runtime, ada: Principal) -> None:
    page = create(visit("ada"), "   ")
    assert "A key needs a name" in words(page)


def test_a_revoked_key_is_refused_and_moves_to_those_that_no_longer_open(here: Runtime, ada: Principal) -> None:
    with here.db.write() as session:
        key, plain = actions.create_key(
            session, project_id=1, name="old app", by=LOCAL, at=clock.now(), vault=here.vault
        )
    here.refresh()
    page = visit("ada")
    page.button(key=f"key_revoke_{key.id}").click().run()
    assert not page.exception
    assert page.expander[0].label == "1 key that no longer opens"
    with pytest.raises(NotSignedIn):
        here.keyring.find(f"Bearer {plain}", clock.now())


def test_the_name_of_a_key_is_text_and_nothing_else(here: Runtime, ada: Principal) -> None:
    create(visit("ada"), "![x](https://evil.example/a.png) :red[**boo**]")
    text = said(visit("ada"))
    assert "](https" not in text
    assert ":red[" not in text


def test_an_auditor_reads_keys_and_people_and_changes_nothing(here: Runtime, ada: Principal) -> None:
    person(here, "aud", Role.AUDITOR)
    with here.db.write() as session:
        actions.create_key(session, project_id=1, name="shop", by=LOCAL, at=clock.now(), vault=here.vault)
    keys, people = visit("aud"), visit("aud", "people", person=str(known(here, "Ada").id))
    assert "shop" in words(keys)
    assert "Ada" in words(people)
    labels = {button.label for page in (keys, people) for button in page.button}
    assert not labels & {"Create key", "Revoke this key", "Give role", "Take away", "Switch off access"}


def test_an_engineer_makes_keys_and_does_not_see_who_else_is_there(here: Runtime, ada: Principal) -> None:
    person(here, "eng", Role.ENGINEER)
    page = visit("eng", "people")
    assert "Create key" in {button.label for button in page.button}
    assert "Ada" not in words(page)


def test_a_role_is_given_in_the_project_at_hand_and_taken_again(here: Runtime, ada: Principal) -> None:
    mo = person(here, "mo")
    page = visit("ada", "people", person=str(mo.person_id))
    page.selectbox(key=f"grant_role_{mo.person_id}_0").set_value(Role.REVIEWER)
    next(button for button in page.button if button.label == "Give role").click()
    page.run()
    assert not page.exception
    assert roles(here, "Mo") == [(Role.REVIEWER, "default")]
    next(button for button in page.button if button.label == "Take away").click()
    page.run()
    assert roles(here, "Mo") == []


def test_the_last_admin_cannot_be_switched_off(here: Runtime, ada: Principal) -> None:
    page = visit("ada", "people", person=str(ada.person_id))
    page.button(key=f"person_switch_{ada.person_id}").click().run()
    assert "This is the last admin." in words(page)
    assert known(here, "Ada").is_active


def test_an_admin_of_one_project_gives_roles_there_only(here: Runtime, ada: Principal) -> None:
    with here.db.write() as session:
        other = actions.create_project(session, name="support-bot", by=LOCAL, at=clock.now())
    person(here, "pia", Role.ADMIN, project_id=other.id)
    mo = person(here, "mo")
    page = visit("pia", "people", person=str(mo.person_id))
    where = page.selectbox(key=f"grant_where_{mo.person_id}_0")
    assert where.options == ["support-bot"]
    assert f"person_switch_{mo.person_id}" not in {button.key for button in page.button}


def test_a_project_is_made_and_then_worked_in(here: Runtime, ada: Principal) -> None:
    page = visit("ada", "projects")
    page.text_input(key="project_name_0").set_value("support-bot")
    next(button for button in page.button if button.label == "Create project").click()
    page.run()
    assert not page.exception
    assert page.query_params["project"] in ("support-bot", ["support-bot"])
    with here.db.read() as session:
        assert [project.name for project in queries.projects(session)] == ["default", "support-bot"]


def test_an_expired_key_no_longer_opens(here: Runtime, ada: Principal) -> None:
    begun = clock.now() - timedelta(days=3)
    ended = begun + timedelta(days=1)
    with here.db.write() as session:
        actions.create_key(session, project_id=1, name="trial", by=LOCAL, at=begun, vault=here.vault, expires_at=ended)
    page = visit("ada")
    assert page.expander[0].label == "1 key that no longer opens"
    assert "No key opens this project." in words(page)


def test_without_login_the_people_view_says_how_to_let_others_in(store_url: str, tmp_path: Path) -> None:
    with greenroom(tmp_path / "data", store_url, secrets=""):
        page = opened(PAGE, view="people")
        assert not page.exception
        assert "It is only you, on this computer." in words(page)
