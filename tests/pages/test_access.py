"""Coming in: signed out, too long ago, without a role, switched off; rights that end bite on the next run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.errors import UpstreamTimeout
from core.people import actions, queries, userinfo
from core.people.rules import LOCAL, Role
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import boundary, signing
from tests.pages.signed_in import AUTH, claims, greenroom, opened, person, said

EXPOSED = AUTH.replace("[auth]", '[auth]\nexpose_tokens = ["access"]')


@pytest.fixture
def here(sqlite_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A Greenroom with login."""
    with greenroom(tmp_path / "data", sqlite_url) as started:
        yield started


def test_without_login_this_computers_person_may_do_everything(sqlite_url: str, tmp_path: Path) -> None:
    with greenroom(tmp_path / "data", sqlite_url, secrets=""):
        page = opened()
        assert page.title[0].value == "Home"
        assert "This computer only" in said(page)


def test_whoever_is_signed_out_sees_the_way_in_and_nothing_else(here: Runtime) -> None:
    page = opened()
    assert [button.label for button in page.button] == ["Sign in"]
    assert "Home" not in said(page)


def test_each_provider_has_its_button(sqlite_url: str, tmp_path: Path) -> None:
    two = AUTH.split("client_id")[0] + '[auth.google]\nclient_id = "a"\n[auth.okta]\nclient_id = "b"\n'
    with greenroom(tmp_path / "data", sqlite_url, secrets=two):
        assert [button.label for button in opened().button] == ["Sign in with google", "Sign in with okta"]


def test_a_person_without_a_role_hears_whom_to_ask(here: Runtime) -> None:
    page = opened(user=claims("mo"))
    assert "You are signed in as Mo, and have no role here yet" in said(page)
    assert "Ask an admin" in said(page)
    assert not page.title
    with here.db.read() as session:
        assert [found.name for found in queries.persons(session)] == ["Mo"]


def test_a_sign_in_of_yesterday_does_not_count(here: Runtime) -> None:
    person(here, "ada", Role.ADMIN)
    old = int(clock.now().timestamp()) - 13 * 3600
    page = opened(user=claims("ada", iat=old))
    assert "more than 12 hours ago" in said(page)
    assert [button.label for button in page.button] == ["Sign in"]


def test_a_header_that_says_not_logged_in_lets_nobody_in(here: Runtime) -> None:
    person(here, "ada", Role.ADMIN)
    assert [button.label for button in opened(user=claims("ada", is_logged_in="False")).button] == ["Sign in"]


def test_a_role_that_was_taken_away_is_gone_on_the_next_run(here: Runtime) -> None:
    eva = person(here, "eva", Role.ENGINEER)
    page = opened(user=claims("eva")).switch_page("people_keys.py").run()
    assert page.title[0].value == "People and keys"
    with here.db.write() as session:
        grant = queries.grants(session, person_id=eva.person_id)[0]
        actions.revoke_grant(session, grant_id=grant.id, by=LOCAL, at=clock.now())
        actions.grant(session, person_id=grant.person_id, role=Role.VIEWER, project_id=None, by=LOCAL, at=clock.now())
    page.run()
    assert "do not open this page" in said(page)
    assert not page.title


def test_who_was_switched_off_is_out_on_the_next_run(here: Runtime) -> None:
    eva = person(here, "eva", Role.ENGINEER)
    page = opened(user=claims("eva"))
    assert page.title[0].value == "Home"
    with here.db.write() as session:
        actions.set_active(session, person_id=eva.person_id or 0, is_active=False, by=LOCAL, at=clock.now())
    page.run()
    assert "Your access was switched off" in said(page)
    assert not page.title


def test_the_mapping_gives_roles_at_the_first_sign_in(sqlite_url: str, tmp_path: Path) -> None:
    variables = {"ROLE_MAP": '{"gr-audit": "auditor"}', "ADMINS": '["ada@x.example"]'}
    with greenroom(tmp_path / "data", sqlite_url, **variables):
        auditor = opened(user=claims("mo", groups=["gr-audit"])).switch_page("audit_trail.py").run()
        assert auditor.title[0].value.startswith("Audit")
        ada = opened(user=claims("ada", email="ada@x.example", email_verified=True))
        assert ada.switch_page("people_keys.py").run().title[0].value == "People and keys"
        eve = opened(user=claims("eve", email="ada@x.example", email_verified=False))
        assert "no role here yet" in said(eve)


def test_a_role_in_one_project_shows_that_project_only(here: Runtime) -> None:
    with here.db.write() as session:
        bot = actions.create_project(session, name="bot", by=LOCAL, at=clock.now())
        actions.create_project(session, name="secret", by=LOCAL, at=clock.now())
    person(here, "eva", Role.ENGINEER, project_id=bot.id)
    person(here, "eva", Role.VIEWER, project_id=1)
    keys = opened(ROOT / "pages" / "people_keys.py", claims("eva"), project="bot")
    assert keys.title[0].value == "People and keys"
    assert "do not open this page" in said(opened(ROOT / "pages" / "people_keys.py", claims("eva"), project="default"))
    hidden = said(opened(ROOT / "pages" / "people_keys.py", claims("eva"), project="secret"))
    unknown = said(opened(ROOT / "pages" / "people_keys.py", claims("eva"), project="nowhere"))
    assert "no project" in hidden
    assert hidden.replace("secret", "nowhere") == unknown


def test_the_project_stands_in_the_address_and_is_remembered(here: Runtime) -> None:
    with here.db.write() as session:
        actions.create_project(session, name="bot", by=LOCAL, at=clock.now())
    person(here, "ada", Role.ADMIN)
    page = opened(user=claims("ada"))
    assert page.query_params["project"] in ("default", ["default"])
    page.selectbox(key="shell_project_default").select("bot").run()
    assert page.query_params["project"] in ("bot", ["bot"])
    page.switch_page("usage_cost.py").run()
    assert page.query_params["project"] in ("bot", ["bot"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the userinfo endpoint was asked; it answers with a group."""
    found: list[dict[str, Any]] = []

    async def ask(_client: object, **told: Any) -> dict[str, Any]:
        found.append(told)
        return {"sub": told["subject"], "groups": ["gr-eng"], "name": "Not the token's"}

    monkeypatch.setattr(userinfo, "ask", ask)
    monkeypatch.setattr(signing, "_access_token", lambda: "the-token")
    return found


def test_groups_that_are_not_in_the_token_are_asked_for_once_per_sign_in(
    sqlite_url: str, tmp_path: Path, asked: list[dict[str, Any]]
) -> None:
    with greenroom(tmp_path / "data", sqlite_url, secrets=EXPOSED, ROLE_MAP='{"gr-eng": "engineer"}'):
        told = claims("eva", provider="default")
        page = opened(user=told)
        page.switch_page("people_keys.py").run()
        assert page.title[0].value == "People and keys"
        opened(user=told)
    assert len(asked) == 1
    assert asked[0]["subject"] == "eva"
    assert asked[0]["access_token"] == "the-token"
    assert asked[0]["metadata_url"] == "https://idp.example/.well-known/openid-configuration"


def test_a_provider_that_does_not_answer_costs_nobody_a_role(
    sqlite_url: str, tmp_path: Path, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with greenroom(tmp_path / "data", sqlite_url, secrets=EXPOSED, ROLE_MAP='{"gr-eng": "engineer"}') as here:
        opened(user=claims("eva", iat=int(clock.now().timestamp()) - 60))

        async def silent(_client: object, **_told: Any) -> dict[str, Any]:
            raise UpstreamTimeout("too slow")

        monkeypatch.setattr(userinfo, "ask", silent)
        page = opened(user=claims("eva"))
        assert "could not be asked" in said(page)
        with here.db.read() as session:
            found = queries.persons(session)[0]
            held = queries.principal(session, found.id)
        assert held is not None
        assert held.grants


def test_an_unexpected_error_shows_a_number_and_no_stack(
    here: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "broken.py"
    script.write_text(
        "from pages.parts import boundary\n"
        "try:\n    raise RuntimeError('the secret detail')\n"
        "except RuntimeError as error:\n    assert boundary.on_script_error(error)\n"
    )
    with caplog.at_level("ERROR", logger=boundary.log.name):
        page = opened(script)
    assert "Something went wrong on this page" in said(page)
    assert "err_" in said(page)
    assert "secret detail" not in said(page)
