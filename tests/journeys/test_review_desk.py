"""Two moderators in two browsers, and an application that waits: the first one's edit is what its reader gets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlmodel import select

from core import clock, vault
from core.catalog import actions as catalog
from core.guard import actions as guard
from core.people import actions as people
from core.people.rules import CLI, Principal, Role
from core.review import counting, ends, queries, rubrics
from core.review.tables import ReviewItem
from tests.guard.policies import on, rule
from tests.journeys.playing import double
from tests.journeys.test_login import Console, console, settled
from tests.pages.attacks import ATTACKS
from tests.support.browser import OURS

__all__ = ["double"]
pytestmark = [pytest.mark.browser, pytest.mark.node]


@dataclass(frozen=True, slots=True)
class Desk:
    """A running console with login, a queue that policies hold answers in, and a key of the application."""

    house: Console
    key: str
    queue_id: int
    lead: Principal

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.house.url}/v1", api_key=self.key, max_retries=0)

    def held(self, text: str) -> str:
        """Ask for an answer that a person must see; the response's id."""
        with self.client() as client:
            return client.responses.create(model="double/double-small", input=text, background=True).id

    def ended(self, page: Page, response_id: str) -> Any:
        """The response, once it has its end."""
        for _ in range(200):
            with self.client() as client:
                found = client.responses.retrieve(response_id)
            if found.status not in ("queued", "in_progress"):
                return found
            page.wait_for_timeout(100)
        raise AssertionError(f"still {found.status}")

    def waits(self, page: Page) -> None:
        """Until something waits in the queue."""
        for _ in range(100):
            with self.house.db.read() as session:
                rows = counting.board(session, project_ids=(1,), at=clock.now(), by=CLI, since=clock.now())
            if any(row.to_review for row in rows):
                return
            page.wait_for_timeout(100)

    def set(self, **changes: Any) -> None:
        """Change how the queue works."""
        with self.house.db.write() as session:
            queue = queries.queue_of(session, self.queue_id, project_ids=(1,))
            told: dict[str, Any] = {"expected_version": queue.version, "by": self.lead, "at": clock.now()}
            rubrics.change_queue(session, queue_id=self.queue_id, changes=changes, **told)

    def states(self) -> list[str]:
        with self.house.db.read() as session:
            return [item.state for item in session.exec(select(ReviewItem).order_by(ReviewItem.id))]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, double: str) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with console(folder) as house:
        told: dict[str, Any] = {"by": CLI, "at": clock.now()}
        lead = Principal("person:0", "lead", grants={None: frozenset({Role.LEAD_REVIEWER})})
        with house.db.write() as session:
            safe = vault.open_vault(folder / "data")
            catalog.add_backend(session, name="double", base_url=f"{double}/v1", vault=safe, **told)
            for name in ("double-small", "double-large"):
                catalog.add_model(session, backend="double", name=name, **told)
            _, key = people.create_key(session, project_id=1, name="app", vault=safe, **told)
            queue = rubrics.open_queue(
                session, project_id=1, name="Answers", by=lead, at=clock.now(), undo_s=2, service_level_s=3600
            )
            rules = [
                rule("hold", on("word", side="input"), deadline_s=12, fail_safe="safe text", name="soon",
                     safe_text="Please call us."),
                rule("hold", {"on": "sample", "percent": 100}, deadline_s=3600),
            ]  # fmt: skip
            number = guard.create(
                session, project_id=1, name="All", rules=rules, settings={"words": [{"term": "urgent"}]}, by=lead,
                at=clock.now(),
            )  # fmt: skip
            guard.switch(session, policy_id=number, is_on=True, by=lead, at=clock.now())
        yield Desk(house, key, queue.id or 0, lead)


FOREIGN: list[str] = []


def at_the_desk(desk: Desk, browser: Browser, subject: str) -> Page:
    """A moderator of their own browser, with the queue open."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.on("request", lambda request: None if request.url.startswith(OURS) else FOREIGN.append(request.url))
    page.on("dialog", lambda dialog: FOREIGN.append(f"dialog: {dialog.message}"))
    desk.house.enter(page, subject, "/review")
    expect(page.get_by_role("button", name="Start reviewing")).to_be_visible()
    return page


def begun(page: Page) -> None:
    page.get_by_role("button", name="Start reviewing").click()
    settled(page)


def reviewing(desk: Desk, browser: Browser, text: str) -> tuple[Page, str]:
    """A moderator with the answer to this before them, and the name its reader has for it."""
    page = at_the_desk(desk, browser, "mo")
    waiting = desk.held(text)
    desk.waits(page)
    begun(page)
    return page, waiting


def pressed(page: Page, key: str) -> None:
    """A shortcut, by somebody who has seen what it decides and types nowhere."""
    settled(page)
    page.get_by_test_id("stHeading").first.click()
    page.keyboard.press(key)


def opened_by(page: Page, key: str, what: Locator, *, in_text: bool = False) -> None:
    """Press a shortcut until it has opened something: one that falls into the moment of a redraw is not heard."""
    for _ in range(4):
        if in_text:
            page.keyboard.press(key)
        else:
            pressed(page, key)
        with contextlib.suppress(AssertionError):
            expect(what).to_be_visible(timeout=5_000)
            return
    expect(what).to_be_visible()


def emptied(desk: Desk) -> None:
    """Nothing waits that an earlier test left."""
    with desk.house.db.write() as session:
        for item in session.exec(select(ReviewItem).where(ReviewItem.state == "waiting")):
            ends.withdraw(session, item_id=item.id, at=clock.now())


def test_of_two_moderators_one_has_it_and_the_reader_gets_their_edit(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    desk.set(undo_s=2)
    mo, noa = at_the_desk(desk, chromium, "mo"), at_the_desk(desk, chromium, "noa")
    waiting = desk.held("Where is my parcel?")
    for page in (mo, noa):  # it appears without reloading
        expect(page.get_by_test_id("stMetric").first).to_contain_text("1")
    for page in (mo, noa):
        page.get_by_role("button", name="Start reviewing").click()
    nothing = "Nothing waits for you here."
    for page in (mo, noa):  # who was faster is known when both have heard
        expect(page.get_by_text(nothing).or_(page.get_by_text("echo: Where is my parcel?")).first).to_be_visible()
    page, other = (noa, mo) if mo.get_by_text(nothing).is_visible() else (mo, noa)
    expect(other.get_by_text(nothing)).to_be_visible()
    expect(page.get_by_text("echo: Where is my parcel?")).to_be_visible()

    comment = page.get_by_label("Comment")
    comment.click()
    page.keyboard.type("axe fusz")  # every letter is a key of a verdict
    page.keyboard.press("Tab")
    settled(page)
    expect(comment).to_have_value("axe fusz")
    assert desk.states()[-1] == "waiting"

    text = page.get_by_label("What the reader gets instead")
    opened_by(page, "e", text)
    text.fill("It is on its way.")
    opened_by(page, "Control+Enter", page.get_by_text("Approved with an edit."), in_text=True)
    done = desk.ended(page, waiting)
    assert (done.status, done.output_text) == ("completed", "It is on its way.")


def test_a_comment_typed_in_the_moment_of_leaving_is_in_the_draft(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    desk.set(undo_s=1)
    page, waiting = reviewing(desk, chromium, "May I pay later?")
    page.get_by_label("Comment").click()
    page.keyboard.type("ask the shop first")
    page.get_by_role("link", name="Home").first.click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.get_by_role("link", name="Review queue").first.click()
    page.get_by_role("button", name="Start reviewing").click()
    expect(page.get_by_text("echo: May I pay later?")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("ask the shop first")
    pressed(page, "a")
    assert desk.ended(page, waiting).status == "completed"


def test_a_verdict_taken_back_does_not_leave_and_a_rejection_is_incomplete(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    desk.set(undo_s=60)
    page, waiting = reviewing(desk, chromium, "May I have a refund?")
    grave, comment = page.get_by_role("radio", name="Grave"), page.get_by_label("Comment")
    grave.click()
    settled(page)
    comment.fill("It depends on the shop.")
    page.keyboard.press("Tab")
    settled(page)
    pressed(page, "a")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    pressed(page, "z")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert desk.states()[-1] == "waiting"
    expect(comment).to_have_value("It depends on the shop.")
    expect(grave).to_be_checked()
    for key in ("k", "j"):  # to what was decided before, and back
        pressed(page, key)
    expect(comment).to_have_value("It depends on the shop.")
    expect(grave).to_be_checked()
    desk.set(undo_s=0)
    comment.fill("")
    page.keyboard.press("Tab")
    pressed(page, "x")
    expect(page.get_by_text("To reject an answer, say why.")).to_be_visible()
    page.get_by_label("Comment").fill("We never promise a refund.")
    page.keyboard.press("Tab")
    settled(page)
    pressed(page, "x")
    done = desk.ended(page, waiting)
    assert (done.status, done.output_text, done.incomplete_details.reason) == ("incomplete", "", "content_filter")


def test_when_its_deadline_passes_the_reader_gets_the_fail_safe(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    page, waiting = reviewing(desk, chromium, "It is urgent!")
    expect(page.get_by_text("The reader waits")).to_be_visible()
    done = desk.ended(page, waiting)
    assert (done.status, done.output_text) == ("completed", "Please call us.")
    pressed(page, "a")
    expect(page.get_by_text("The deadline of this item has passed.")).to_be_visible()


def test_an_appeal_goes_to_a_third_person(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    desk.set(undo_s=0)
    mo = at_the_desk(desk, chromium, "mo")
    waiting = desk.held("Is it blue?")
    desk.waits(mo)
    begun(mo)
    pressed(mo, "a")
    assert desk.ended(mo, waiting).output_text == "echo: Is it blue?"

    noa = at_the_desk(desk, chromium, "noa")
    noa.get_by_role("radio", name="All verdicts").click()
    noa.get_by_role("button", name="Open").first.click()
    noa.get_by_role("button", name="Appeal").click()
    noa.get_by_label("What is wrong with the verdict?").fill("It is green.")
    noa.get_by_role("button", name="Appeal").last.click()
    expect(noa.get_by_text("The answer waits for a third person.")).to_be_visible()
    expect(mo.get_by_role("button", name="Appeals (1)")).to_have_count(0)

    lea = at_the_desk(desk, chromium, "lea")
    lea.get_by_role("button", name="Appeals (1)").click()
    expect(lea.get_by_text("It is green.")).to_be_visible()
    pressed(lea, "u")
    expect(lea.get_by_text("Nothing waits in this lane for you.")).to_be_visible()
    assert desk.ended(lea, waiting).output_text == "echo: Is it blue?"  # what was delivered stays delivered


def test_many_alike_answers_are_decided_once_a_sample_of_them_was_looked_at(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    desk.set(undo_s=1)
    names = [desk.held(f"Is shop {number} open today?") for number in range(9)]
    page = at_the_desk(desk, chromium, "lea")
    for _ in range(100):
        if desk.states()[-9:] == ["waiting"] * 9:
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Decide many").click()
    expect(page.get_by_text("9 waiting answers")).to_be_visible()
    page.get_by_role("button", name="Draw 5 to look at").click()
    page.get_by_role("button", name="Look at the first").click()
    for number in range(5):
        settled(page)
        expect(page.get_by_text(f"{number + 1} of 5").first).to_be_visible()
        page.get_by_role("button", name="Approve").click()
    page.get_by_role("button", name="Approve the other 4").click()
    expect(page.get_by_text("All of them are decided.")).to_be_visible()
    for number, name in enumerate(names):
        ended = desk.ended(page, name)
        assert (ended.status, ended.output_text) == ("completed", f"echo: Is shop {number} open today?")


def test_a_hundred_hostile_answers_do_nothing_at_the_desk(chromium: Browser, desk: Desk) -> None:
    emptied(desk)
    page = at_the_desk(desk, chromium, "mo")
    FOREIGN.clear()
    forms = ("{}", "- {}", "> {}", "so {} it is", "| {} |\n|---|", '=HYPERLINK("{}")')
    many = [form.format(attack) for form in forms for attack in ATTACKS]
    assert len(many) >= 100
    for start in range(0, len(many), 11):
        desk.held("\n\n".join(many[start : start + 11]).encode(errors="replace").decode())
    desk.waits(page)
    begun(page)
    for number in range(len(range(0, len(many), 11))):
        expect(page.get_by_role("button", name="Edit")).to_be_visible()
        if page.get_by_role("button", name="Show it").count():
            page.get_by_role("button", name="Show it").click()
            settled(page)
        if not number:
            box = page.get_by_label("What the reader gets instead")
            opened_by(page, "e", box)
            box.fill("\n".join(many[:20]))
            page.keyboard.press("Tab")
            settled(page)
        page.get_by_role("button", name="Pass").click()
        settled(page)
    assert FOREIGN == []
    assert page.evaluate("window.stolen") is None
