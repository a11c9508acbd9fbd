"""What strangers say of answers, and what they call themselves, does nothing to who reads it in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, expect

from core import clock, vault
from core.calls.writing import SqliteWriting
from core.db.engine import Database
from core.ids import first_at, shown
from core.people import actions as people
from core.people.rules import CLI, SYSTEM
from core.schema import migrate
from tests.calls.records import record
from tests.pages.attacks import ATTACKS
from tests.support.browser import ROOT, Window, opened, serving

pytestmark = pytest.mark.browser
FORMS = ("{}", "- {}", "> {}", "so {} it is", "| {} |\n|---|", '=HYPERLINK("{}")')
MANY = [form.format(attack).encode(errors="replace").decode() for form in FORMS for attack in ATTACKS]


@dataclass(frozen=True, slots=True)
class Attacked:
    """A running console whose calls have hostile end users, tags and sessions; `calls` are their ids."""

    url: str
    key: str
    calls: list[int]

    def complain(self, number: int, **said: str) -> None:
        """A reader's feedback, as an application sends it."""
        answer = httpx.post(
            f"{self.url}/v1/feedback",
            headers={"authorization": f"Bearer {self.key}"},
            json={"id": shown("call", self.calls[number]), **said},
        )
        assert answer.is_success, answer.text


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked")
    db, at = Database(f"sqlite:///{folder / 'greenroom.db'}"), clock.now() - timedelta(hours=1)
    migrate.upgrade(db)
    with db.write() as session:
        people.ensure_default_project(session, by=SYSTEM, at=at)
        _, key = people.create_key(session, project_id=1, name="app", vault=vault.open_vault(folder), by=CLI, at=at)
    hostile = [attack.encode(errors="replace").decode().replace("\0", "") for attack in ATTACKS]
    records = [
        record(first_at(at) + n, at=at, end_user=user, session=talk, tags=(("team", tag), (tag, "x")))
        for n, (user, talk, tag) in enumerate(zip(hostile[:8], hostile[8:16], hostile[16:], strict=True))
    ]
    pooled = db.writer.raw_connection()
    SqliteWriting().write(pooled.driver_connection, records)
    pooled.close()
    db.close()
    told = {"GREENROOM_DATA_DIR": str(folder), "GREENROOM_PROBE_LOCAL": "false"}
    with serving(ROOT / "app.py", folder / "server.log", **told) as url:
        yield Attacked(url, key, [one.id for one in records])


@pytest.fixture
def window(chromium: Browser) -> Iterator[Window]:
    with opened(chromium, height=2_000) as made:
        made.page.on("dialog", lambda dialog: made.outside.append(f"dialog: {dialog.message}"))
        yield made


def unharmed(window: Window) -> None:
    assert window.outside == []
    assert window.errors == []
    assert window.page.evaluate("window.stolen") is None


def test_hostile_feedback_does_nothing_where_every_reason_is_opened(attacked: Attacked, window: Window) -> None:
    reasons = MANY[: len(ATTACKS)]
    for number, words in enumerate(MANY):
        attacked.complain(
            number % len(attacked.calls), thumb="down", comment=words, correction=words,
            reason=reasons[number % len(reasons)][:64],
        )  # fmt: skip
    window.open(f"{attacked.url}/feedback")
    buttons = window.page.get_by_test_id("stMain").get_by_role("button", name="Open", exact=True)
    expect(buttons.nth(10)).to_be_visible()
    window.settled()
    groups = buttons.count()
    seen = ""
    for place in range(groups):
        buttons.nth(max(0, place - 1)).click()  # the one that is open says Close
        window.settled()
        seen += window.text()
        unharmed(window)
    assert "<script>window.stolen = 1</script>" in seen  # it was there to be read


def test_hostile_end_users_tags_and_sessions_do_nothing_in_calls(attacked: Attacked, window: Window) -> None:
    window.open(f"{attacked.url}/calls")
    unharmed(window)
    seen = ""
    for number in attacked.calls:
        window.open(f"{attacked.url}/calls?call={shown('call', number)}")
        seen += window.text()
        unharmed(window)
    assert ATTACKS[3] in seen
    window.page.get_by_role("button", name="Whole conversation").click()
    window.settled()
    unharmed(window)
