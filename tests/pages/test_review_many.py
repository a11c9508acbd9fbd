"""The page Review queue: many decided at once after a sample, and what is a reviewer's own at the desk."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from core import clock, ids
from core.guard.tables import CallFinding
from core.people.rules import Principal, Role
from core.review import actions, bulk, habits, queries
from core.review.habits import Habit
from core.review.rules import Lane, Said, Verdict
from core.review.tables import ReviewDecision, ReviewDraft, ReviewItem
from core.runtime import Runtime
from tests.pages.desk import (
    MAIL,
    focus,
    here,
    lead,
    masked,
    mia,
    press,
    queue_id,
    sent,
    state,
    visit,
    words,
)
from tests.pages.signed_in import person

__all__ = ["here", "lead", "mia", "queue_id"]


def fill(here: Runtime, queue_id: int, by: Principal, count: int = 8, **told: Any) -> list[int]:
    return [sent(here, queue_id, by, f"Answer {number}.", **told) for number in range(count)]


def many(subject: str, queue_id: int) -> AppTest:
    return visit(subject, many=str(queue_id))


def run_until(page: AppTest, said: str) -> AppTest:
    """A page that draws itself anew at its end."""
    for _ in range(3):
        if said in words(page):
            return page
        page.run()
    raise AssertionError(words(page))


def harmful_question(here: Runtime, item_id: int) -> None:
    """A judge finds the question harmful, without pointing at any of its words."""
    with here.db.write() as session:
        item = session.get_one(ReviewItem, item_id)
        session.add(
            CallFinding(
                call_id=item.call_id, number=7, project_id=1, side="input", place="messages.0.content", family="judge",
                kind="violence", start=0, stop=0, confidence=0.9, detector="judge/1",
            )
        )  # fmt: skip


def test_a_lead_decides_many_after_looking_at_the_sample_one_by_one(
    here: Runtime, lead: Principal, queue_id: int
) -> None:
    items = fill(here, queue_id, lead)
    page = press(visit("lena"), "Decide many")
    assert "8 waiting answers meet this. You look at 5" in words(page).replace("*", "")
    page = press(page, "Draw 5 to look at")
    page = press(page, "Look at the first")
    for number in range(1, 6):
        assert f"{number} of 5 of the sample" in words(page)
        press(page, "Approve")
    assert "All 5 that you looked at were approved" in words(page)
    page = press(page, "Approve the other 3")
    assert {state(here, one).state for one in items} == {"settled"}
    with here.db.read() as session:
        assert bulk.begun(session, by=lead, project_ids=(1,)) is None
        assert len([one for one in session.exec(select(ReviewDecision.bulk_id)) if one]) == 3
    assert [one.proto.title for one in page.success] == ["All of them are decided."]


def test_one_seen_differently_ends_the_sample_and_says_what_to_do(
    here: Runtime, lead: Principal, queue_id: int
) -> None:
    fill(here, queue_id, lead)
    page = press(press(many("lena", queue_id), "Draw 5 to look at"), "Look at the first")
    press(page, "Unreviewable")
    assert "One of the sample was marked as unreviewable" in words(page)
    assert not [one for one in page.button if one.label.startswith(("Approve the", "Look at"))]
    press(page, "End it here")
    assert "You look at" in words(page)


def test_what_was_begun_waits_for_its_lead_and_a_taken_back_look_is_asked_again(
    here: Runtime, lead: Principal, queue_id: int
) -> None:
    fill(here, queue_id, lead)
    page = press(press(many("lena", queue_id), "Draw 5 to look at"), "Look at the first")
    press(page, "Approve")
    page = many("lena", queue_id)  # another session
    assert "1 of 5 of the sample looked at" in words(page) or page.get("progress")
    press(page, "Look at the next")
    assert "2 of 5 of the sample" in words(page)
    press(page, "Approve")
    next(one for one in page.button if one.label.startswith("Undo")).click()
    page.run()
    assert "2 of 5 of the sample" in words(run_until(page, "2 of 5"))


def test_many_are_rejected_with_one_reason(here: Runtime, lead: Principal, queue_id: int) -> None:
    items = fill(here, queue_id, lead)
    page = many("lena", queue_id)
    page.segmented_control(key="rv_many_verdict").select(Verdict.REJECT).run()
    page = press(press(page, "Draw 5 to look at"), "Look at the first")
    for _ in range(5):
        box = next(one for one in page.multiselect if one.label == "Reasons")
        box.select(box.options[0])
        press(page, "Reject")
    assert next(one for one in page.button if one.label == "Reject the other 3").disabled
    next(one for one in page.text_input if one.label.startswith("Why")).input("A wrong price.").run()
    press(page, "Reject the other 3")
    assert {state(here, one).verdict for one in items} == {"reject"}


def test_many_are_rejected_with_the_reasons_of_the_queues_rubric(here: Runtime, lead: Principal, queue_id: int) -> None:
    items = fill(here, queue_id, lead)
    page = many("lena", queue_id)
    page.segmented_control(key="rv_many_verdict").select(Verdict.REJECT).run()
    page = press(press(page, "Draw 5 to look at"), "Look at the first")
    for _ in range(5):
        box = next(one for one in page.multiselect if one.label == "Reasons")
        box.select(box.options[0])
        press(page, "Reject")
    offered = next(one for one in page.multiselect if one.label == "Reasons")
    offered.select(offered.options[0]).run()
    press(page, "Reject the other 3")
    assert {state(here, one).verdict for one in items} == {"reject"}
    with here.db.read() as session:
        together = session.exec(select(ReviewDecision).where(ReviewDecision.bulk_id != None)).all()  # noqa: E711
    assert [(one.reasons, one.comment) for one in together] == [(["wrong"], "")] * 3


def test_only_a_lead_is_offered_it(here: Runtime, mia: Principal, lead: Principal, queue_id: int) -> None:
    fill(here, queue_id, lead)
    person(here, "pam", Role.PRODUCT_MANAGER)
    for subject in ("mia", "pam"):
        for page in (visit(subject), many(subject, queue_id)):
            assert not [one for one in page.button if one.label.startswith(("Decide many", "Draw"))]


def test_few_are_decided_one_by_one(here: Runtime, lead: Principal, queue_id: int) -> None:
    fill(here, queue_id, lead, 3)
    page = many("lena", queue_id)
    assert "decide them one by one" in words(page)
    assert next(one for one in page.button if one.label.startswith("Draw")).disabled


def test_how_somebody_works_is_kept_across_sessions(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    first, second = fill(here, queue_id, lead, 2)
    page = focus("mia", queue_id)
    page.toggle(key="rv_auto_switch").set_value(False).run()
    with here.db.read() as session:
        assert habits.habit(session, by=mia) == Habit(blurs=True, auto_next=False)
    page = focus("mia", queue_id)
    assert page.toggle(key="rv_auto_switch").value is False
    press(page, "Approve")
    assert "Nothing is in your hands" in words(page)
    assert state(here, first).state == "settled"
    press(page, "Take the next")
    press(page, "Approve")
    assert state(here, second).state == "settled"


def test_harmful_text_counts_when_it_is_shown_and_once(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    answer = f"Words, {MAIL}, words."
    item_id = sent(here, queue_id, lead, answer)
    masked(here, item_id, answer, family="profanity", kind="coarse")
    page = focus("mia", queue_id)
    assert "You have looked at no harmful text today" in words(page)
    press(page, "Show it")
    assert "You have looked at 1 harmful text today" in words(page)
    page = focus("mia", queue_id)  # in another session it is hidden again, and counted already
    press(page, "Always show")
    assert "You have looked at 1 harmful text today" in words(page)
    assert "Words," in words(focus("mia", queue_id))
    with here.db.read() as session:
        assert habits.habit(session, by=mia).blurs is False


def test_a_grave_answer_counts_as_soon_as_it_is_open(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    sent(here, queue_id, lead, severity=3)
    assert "You have looked at 1 harmful text today" in words(focus("mia", queue_id))


def test_a_question_that_is_harmful_as_a_whole_is_hidden_with_its_answer(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    item_id = sent(here, queue_id, lead, "An answer.")
    harmful_question(here, item_id)
    page = focus("mia", queue_id)
    assert "A question?" not in words(page)
    press(page, "Show it")
    assert "A question?" in words(page)


@pytest.mark.parametrize("family", ["personal", "profanity"])
def test_an_edit_shows_no_more_than_the_answer_does(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int, family: str
) -> None:
    answer = f"Write to {MAIL}."
    item_id = sent(here, queue_id, lead, answer)
    masked(here, item_id, answer, family=family)
    with here.db.write() as session:
        actions.claim(session, queue_id=queue_id, by=mia, at=clock.now())
        draft = {"text": f"Please write to {MAIL}.", "editing": True}  # typed where it was revealed
        actions.keep_draft(session, item_id=item_id, state=draft, by=mia, at=clock.now())
    page = focus("mia", queue_id)
    assert MAIL not in words(page)
    if family == "personal":
        assert page.text_area(key=f"rv_text_{item_id}").value == "Please write to [EMAIL]."
        assert "<ins" in words(page)
    with here.db.write() as session:
        said = Said(Verdict.EDIT, edited=f"Please write to {MAIL}.")
        actions.decide(session, item_id=item_id, said=said, by=mia, at=clock.now(), ids=here.ids)
    with here.db.read() as session:
        assert session.get_one(ReviewItem, item_id).state == "settled"
    page = visit("lena", show="all", item=ids.shown("item", item_id))
    assert "Approved with an edit" in words(page)
    assert MAIL not in words(page)


def test_who_is_too_late_reads_what_they_had_typed_then_and_later(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    item_id = sent(here, queue_id, lead)
    page = press(focus("mia", queue_id), "Edit")
    page.text_area(key=f"rv_text_{item_id}").input("A far better answer.").run()
    later = clock.now().replace(year=clock.now().year + 1)
    with here.db.write() as session:
        assert actions.claim(session, queue_id=queue_id, by=lead, at=later) is not None
        actions.decide(session, item_id=item_id, said=Said(Verdict.APPROVE), by=lead, at=later, ids=here.ids)
    press(page, "Approve with edit")
    assert "A far better answer." in words(page)
    with here.db.read() as session:
        assert session.get_one(ReviewDraft, (item_id, mia.actor)).state["text"] == "A far better answer."
        assert queries.item(session, item_id, by=mia, at=clock.now()).lane == Lane.REVIEW
    page = press(page, "Open that answer")
    assert "A far better answer." in words(page)
    assert "Approved" in words(page)
