"""Login from end to end: a real OpenID provider, a real browser, the whole console."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from core.db.engine import Database
from core.people import actions, queries
from core.people.queries import PersonView
from core.people.rules import CLI, Role
from core.settings import ROOT
from tests.support import oidc
from tests.support.browser import IDLE, _await_health, free_port, opened

pytestmark = [pytest.mark.browser, pytest.mark.node]

SECRETS = """
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "for-tests-only-0123456789abcdef0123456789abcdef"
client_id = "greenroom"
client_secret = "{secret}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
expose_tokens = ["access"]
client_kwargs = {{ prompt = "login", scope = "openid email profile" }}

[greenroom]
probe_local = false
role_map = {{ admins = "admin", moderators = "reviewer", leads = "lead reviewer" }}
"""


@dataclass(frozen=True, slots=True)
class Console:
    """A running console behind a provider, and its store."""

    url: str
    db: Database

    def person(self, subject: str) -> PersonView:
        with self.db.read() as session:
            return next(found for found in queries.persons(session) if found.email == f"{subject}@example.test")

    def switch(self, subject: str, *, is_active: bool) -> None:
        """Switch somebody's access off or on, as the command line would."""
        with self.db.write() as session:
            person_id = self.person(subject).id
            actions.set_active(session, person_id=person_id, is_active=is_active, by=CLI, at=clock.now())

    def enter(self, page: Page, subject: str, path: str = "/") -> None:
        """Open a page, sign in there, and wait for what is shown after it."""
        page.goto(self.url + path)
        page.get_by_role("button", name="Sign in").click()
        page.locator("input[name=login]").fill(subject)
        page.locator("input[name=password]").fill("any")
        page.locator("button[type=submit]").click()
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url(f"{self.url}/**")
        settled(page)


@contextmanager
def console(folder: Path, *, only_userinfo: bool = False) -> Iterator[Console]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (folder / ".streamlit").mkdir()
    with oidc.provider(f"{url}/oauth2callback", folder / "provider.log", only_userinfo=only_userinfo) as issuer:
        secrets = SECRETS.format(url=url, issuer=issuer, secret=oidc.CLIENT_SECRET)
        (folder / ".streamlit" / "secrets.toml").write_text(secrets)
        log, variables = folder / "console.log", {"GREENROOM_DATA_DIR": str(folder / "data")}
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), f"--server.port={port}"]
        with log.open("wb") as out:
            process = subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}, stdout=out, stderr=out)
            try:
                _await_health(process, f"{url}/_stcore/health", log)
                db = Database(f"sqlite:///{folder / 'data' / 'greenroom.db'}")
                yield Console(url, db)
                db.close()
            finally:
                process.terminate()
                process.wait(60)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("login")) as running:
        yield running


def settled(page: Page) -> None:
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)
    page.wait_for_selector(IDLE)


def navigation(page: Page) -> set[str]:
    """What the sidebar offers."""
    return set(page.get_by_test_id("stSidebarNavLink").all_inner_texts())


def go(page: Page, name: str) -> None:
    """Click a page of the sidebar."""
    page.get_by_test_id("stSidebarNavItems").get_by_role("link", name=name).click()
    settled(page)


def words(page: Page) -> str:
    return page.locator("[data-testid=stMain]").inner_text()


def says(page: Page, text: str) -> None:
    """Wait until the page says it: a slow machine draws it piece by piece."""
    expect(page.get_by_test_id("stMain")).to_contain_text(text)


def offers(page: Page, *names: str) -> None:
    """Wait until the sidebar offers these pages."""
    for name in names:
        link = page.get_by_test_id("stSidebarNavItems").get_by_role("link", name=name)
        expect(link).to_be_visible()


def test_nobody_sees_a_page_before_signing_in(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        for path in ("/", "/calls", "/people", "/audit"):
            window.open(house.url + path)
            says(window.page, "Sign in")
            assert navigation(window.page) == set()


def test_two_people_with_different_roles_see_different_pages(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        house.enter(window.page, "mo")
        offers(window.page, "Home", "Playground", "Calls")
        seen = navigation(window.page)
        assert not {"People and keys", "Audit"} & {text.split("\n")[-1] for text in seen}
        window.open(f"{house.url}/people")
        says(window.page, "do not open this page")
        assert "Create key" not in words(window.page)
    with opened(chromium) as window:
        house.enter(window.page, "ada")
        offers(window.page, "People and keys", "Audit")
        window.open(f"{house.url}/people?view=people")
        says(window.page, "Mo Moderator")


def test_a_deep_link_survives_the_login(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        house.enter(window.page, "ada", "/people?view=projects")
        assert window.page.url.startswith(f"{house.url}/people?")
        assert "view=projects" in window.page.url
        says(window.page, "New project")


def test_a_role_given_and_taken_counts_from_the_next_click(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        house.enter(window.page, "gus")
        says(window.page, "no role here yet")
        guest = house.person("gus")
        with house.db.write() as session:
            grant = actions.grant(
                session, person_id=guest.id, role=Role.VIEWER, project_id=None, by=CLI, at=clock.now()
            )
        window.page.get_by_role("button", name="Try again").click()
        settled(window.page)
        go(window.page, "Usage and cost")
        says(window.page, "Usage and cost")
        with house.db.write() as session:
            actions.revoke_grant(session, grant_id=grant.id or 0, by=CLI, at=clock.now())
        go(window.page, "Home")
        says(window.page, "no role here yet")
        assert navigation(window.page) == set()


def test_whoever_is_switched_off_is_out_at_the_next_click(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        house.enter(window.page, "mo")
        house.switch("mo", is_active=False)
        go(window.page, "Calls")
        says(window.page, "switched off")
        house.switch("mo", is_active=True)


def test_signing_out_ends_the_session(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        house.enter(window.page, "ada")
        window.page.get_by_role("button", name="Ada Admin").click()
        window.page.get_by_role("button", name="Sign out").click()
        window.page.wait_for_url(lambda address: not address.startswith(house.url))
        window.open(f"{house.url}/audit")
        says(window.page, "Sign in")
        assert navigation(window.page) == set()


def test_roles_follow_groups_that_only_the_userinfo_endpoint_tells(tmp_path: Path, chromium: Browser) -> None:
    with console(tmp_path, only_userinfo=True) as house, opened(chromium) as window:
        house.enter(window.page, "mo")
        offers(window.page, "Playground")
        seen = {text.split("\n")[-1] for text in navigation(window.page)}
        assert "Audit" not in seen
        assert house.person("mo").name == "Mo Moderator"
