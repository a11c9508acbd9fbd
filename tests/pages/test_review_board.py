"""The board of the page Review queue: what waits, who is at work, who may see what of it."""

from __future__ import annotations

from typing import Any

from core import clock, ids
from core.people.rules import Principal, Role
from core.review import actions, queries, rubrics
from core.review.rules import Lane, Said, Verdict
from core.review.tables import ReviewItem
from core.runtime import Runtime
from pages.parts import review_board
from tests.pages.desk import PAGE, focus, here, lead, mia, press, queue_id, sent, visit, words
from tests.pages.signed_in import SHELL, claims, opened, person
from tests.pages.visiting import made

__all__ = ["here", "lead", "mia", "queue_id"]


def test_the_board_says_what_waits_and_who_is_at_work(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    for _ in range(2):
        sent(here, queue_id, lead)
    with here.db.write() as session:
        actions.claim(session, queue_id=queue_id, by=lead, at=clock.now())
    page = visit("mia")
    assert {(one.label, one.value) for one in page.metric} >= {("To review", "1"), ("Decided today", "0")}
    assert "In review by Lena" in words(page)
    assert "Too few decisions" in words(page)


def test_a_queue_that_cannot_keep_its_promise_says_how_many_people_would(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    def decided(seconds: float) -> None:
        for _ in range(review_board.ENOUGH):
            sent(here, queue_id, lead)
            with here.db.write() as session:
                taken = actions.claim(session, queue_id=queue_id, by=mia, at=clock.now())
                assert taken is not None
                said = Said(Verdict.APPROVE, seconds=seconds)
                actions.decide(session, item_id=taken.item_id, said=said, by=mia, at=clock.now(), ids=here.ids)

    decided(60)
    assert "1 reviewer keeps the promise for 100 % of new answers." in words(visit("mia"))
    decided(24 * 3600)
    unstable = (
        "Unstable: more comes in than 1 reviewer can decide, so waits grow without end. 10 would keep it for 95 %."
    )
    assert unstable in words(visit("mia"))


def test_who_judges_blindly_does_not_learn_the_model_from_the_call_until_they_decided(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    item_id = sent(here, queue_id, lead)
    with here.db.read() as session:
        call_id = session.get_one(ReviewItem, item_id).call_id

    def sees(who: str) -> tuple[bool, bool]:
        """In the list, and in full."""
        listed, whole = (
            opened(SHELL, user=claims(who)),
            opened(SHELL, user=claims(who), call=ids.shown("call", call_id)),
        )
        for page in (listed, whole):
            page.switch_page(str(PAGE.with_name("call_list.py"))).run()
            assert not page.exception
        is_hidden = "You are judging this answer without knowing which model gave it." in words(whole)
        assert is_hidden != ("An answer." in words(whole))
        return not listed.dataframe[0].value.empty if listed.dataframe else False, not is_hidden

    assert sees("mia") == (True, True)
    with here.db.write() as session:
        actions.claim(session, queue_id=queue_id, by=mia, at=clock.now())
    assert sees("mia") == (False, False)
    assert sees("lena") == (True, True)
    with here.db.write() as session:
        actions.decide(session, item_id=item_id, said=Said(Verdict.APPROVE), by=mia, at=clock.now(), ids=here.ids)
    assert sees("mia") == (True, True)


def test_what_a_judge_was_asked_about_an_answer_is_hidden_with_its_call(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    item_id = sent(here, queue_id, lead)
    with here.db.read() as session:
        call = ids.shown("call", session.get_one(ReviewItem, item_id).call_id)
    judge_id = made(here, said=("Grade it: An answer.", '{"rude": 0.97}'), route="judge", tags=(("judges", call),))

    def sees(**params: str) -> str:
        page = opened(SHELL, user=claims("mia"), **params)
        page.switch_page(str(PAGE.with_name("call_list.py"))).run()
        assert not page.exception
        asked = list(page.dataframe[0].value["asked"]) if page.dataframe else []
        return f"{asked} {words(page)}"

    whole, listed = {"call": ids.shown("call", judge_id)}, {"judges": "yes"}
    assert "0.97" in sees(**whole)
    assert "Grade it" in sees(**listed)
    with here.db.write() as session:
        actions.claim(session, queue_id=queue_id, by=mia, at=clock.now())
    assert "0.97" not in sees(**whole)
    assert "You are judging this answer" in sees(**whole)
    assert "Grade it" not in sees(**listed)
    with here.db.write() as session:
        actions.decide(session, item_id=item_id, said=Said(Verdict.APPROVE), by=mia, at=clock.now(), ids=here.ids)
    assert "0.97" in sees(**whole)


def test_a_viewer_and_a_stranger_do_not_get_in_and_a_product_manager_sees_no_verdict_buttons(
    here: Runtime, queue_id: int, lead: Principal
) -> None:
    sent(here, queue_id, lead)
    person(here, "vic", Role.VIEWER)
    person(here, "pam", Role.PRODUCT_MANAGER)
    page = opened(SHELL, user=claims("vic"))
    page.switch_page(str(PAGE)).run()
    assert "Your roles do not open this page" in words(page)
    for params in ({}, {"queue": str(queue_id), "lane": "review"}):
        page = visit("pam", **params)
        assert not [one for one in page.button if one.label in ("Start reviewing", "Approve", "Reject")]


def test_another_projects_queue_is_not_there(here: Runtime, mia: Principal, lead: Principal) -> None:
    assert "There is no such queue" in words(focus("mia", 99))


def test_who_passes_is_told_and_the_days_count_is_of_this_queue(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    for answer in ("One.", "Two."):
        sent(here, queue_id, lead, answer)
    page = focus("mia", queue_id)
    assert "0 of 2 today" in words(page)
    page = press(page, "Pass")
    assert [one.value for one in page.toast] == ["Passed: others have it now."]
    page = press(page, "Approve")
    assert "1 of 1 today" in words(page)  # the other is not offered to them again


def test_what_is_done_is_counted_against_what_waits_for_oneself(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    with here.db.write() as session:
        told: dict[str, Any] = {"by": lead, "at": clock.now(), "changes": {"reviewers": 2, "most_reviewers": 2}}
        version = queries.queue_of(session, queue_id, project_ids=(1,)).version
        rubrics.change_queue(session, queue_id=queue_id, expected_version=version, **told)
    for _ in range(2):
        sent(here, queue_id, lead)
    page = focus("mia", queue_id)
    assert "0 of 2 today" in words(page)  # each has room for another person too, who is not Mia
    for done in ("1 of 2 today", "2 of 2 today"):
        press(page, "Approve")
        assert done in words(page)
    assert "Nothing waits for you here" in words(page)
    assert "0 of 0 today" in words(focus("lena", queue_id, Lane.ADJUDICATION))
    assert "0 of 2 today" in words(focus("lena", queue_id))
