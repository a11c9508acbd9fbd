"""The page Feedback: reasons counted, hostile words shown as text, complaints to review, corrections to datasets."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from core import clock
from core.calls import actions as calls
from core.calls.feedback_queries import Group, Mood
from core.people.rules import LOCAL
from core.review import actions, rubrics
from core.review.tables import ReviewItem
from core.runtime import Runtime
from tests.pages.attacks import ATTACKS
from tests.pages.visiting import made, visit, words

PAGE = "review_feedback.py"


@pytest.fixture
def queue_id(here: Runtime) -> int:
    with here.db.write() as session:
        return rubrics.open_queue(session, project_id=1, name="Answers", by=LOCAL, at=clock.now()).id or 0


def said(here: Runtime, **given: Any) -> tuple[int, int]:
    """An answer and what a reader said of it: the call's id and the feedback's."""
    call_id = made(here, said=("A question?", "An answer."))
    with here.db.write() as session:
        return call_id, calls.give(session, call_id=call_id, by=LOCAL, at=clock.now(), ids=here.ids, **given).id


def token(reason: str, mood: Mood = Mood.DOWN) -> str:
    return Group(mood=mood, reason=reason, count=1, calls=1, before=0).token


def sent(here: Runtime) -> list[ReviewItem]:
    with here.db.read() as session:
        return list(session.exec(select(ReviewItem).order_by(ReviewItem.id)))  # type: ignore[arg-type]


def opened(reason: str) -> AppTest:
    return visit(PAGE, group=token(reason))


def test_before_anybody_said_anything_the_page_says_how_to_begin(here: Runtime) -> None:
    page = visit(PAGE)
    assert "No reader has said anything yet." in words(page)
    assert "/v1/feedback" in page.code[0].value
    page.segmented_control(key="feedback_shape").set_value("Python").run()
    compile(page.code[0].value, "snippet", "exec")
    assert 'client.post("/feedback"' in page.code[0].value


def test_reasons_are_counted_and_an_opened_one_shows_what_was_said(here: Runtime) -> None:
    for _ in range(3):
        said(here, thumb=-1, reason="wrong", comment="Thirty days, not ten.")
    said(here, thumb=1)
    told = words(visit(PAGE))
    assert "Feedback: 4" in told
    assert "Unhappy, 75 %: 3" in told
    assert "3 times, 75 % · none sent to review" in told
    assert "Thirty days" not in told
    told = words(opened("wrong"))
    assert told.count("Thirty days, not ten.") == 3
    assert "A question?" in told


def test_one_answer_goes_to_review_and_then_says_so(here: Runtime, queue_id: int) -> None:
    call_id, number = said(here, thumb=-1, reason="wrong", comment="No.")
    page = opened("wrong")
    page.button(key=f"feedback_send_{number}").click().run()
    assert not page.exception
    (item,) = sent(here)
    assert (item.call_id, item.queue_id, item.source, item.reason) == (
        call_id, queue_id, "report", "Unhappy reader: wrong: No.",
    )  # fmt: skip
    told = words(opened("wrong"))
    assert "In `Answers`: waits for people." in told
    assert "All of these answers are in `Answers`." in told


def test_a_second_send_is_told_that_it_waits_there_already(here: Runtime, queue_id: int) -> None:
    call_id, number = said(here, thumb=-1, reason="wrong")
    page = opened("wrong")
    with here.db.write() as session:
        more: dict[str, Any] = {"by": LOCAL, "at": clock.now(), "ids": here.ids}
        actions.send(session, queue_id=queue_id, call_id=call_id, source="report", **more)  # type: ignore[arg-type]
    page.button(key=f"feedback_send_{number}").click().run()
    assert not page.exception
    assert len(sent(here)) == 1


def test_a_whole_reason_goes_to_review_at_once(here: Runtime, queue_id: int) -> None:
    for _ in range(3):
        said(here, thumb=-1, reason="wrong")
    said(here, thumb=-1, reason="rude")
    page = opened("wrong")
    page.button(key=f"feedback_send_all_{token('wrong')}").click().run()
    assert not page.exception
    assert [item.reason for item in sent(here)] == ["Unhappy reader: wrong"] * 3
    assert "all sent to review" in words(visit(PAGE))


@pytest.mark.parametrize(
    ("given", "right"),
    [({"thumb": -1, "correction": "Thirty days."}, "Thirty days."), ({"thumb": -1}, ""), ({"thumb": 1}, "An answer.")],
)
def test_an_example_begins_with_the_better_answer_never_with_one_found_wrong(
    here: Runtime, given: dict[str, Any], right: str
) -> None:
    call_id, number = said(here, **given)
    page = visit(PAGE, group="all")
    page.button(key=f"feedback_keep_{number}").click().run()
    assert not page.exception
    assert page.text_area(key=f"feedback_final_{number}").value == right
    assert page.button(key=f"example_keep_{call_id}").label == "Keep"


def test_what_readers_write_is_text_and_nothing_else(here: Runtime) -> None:
    for attack in ATTACKS:
        said(here, rating=1, reason=attack, comment=attack, correction=attack, end_user=attack[:150])
    page = visit(PAGE, group="all")
    told = words(page)
    assert "<script>" not in told
    assert "<img" not in told.replace("\\<img", "")
    assert "&lt;script&gt;" in told
