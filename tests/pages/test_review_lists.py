"""The lists of the page Review queue: verdicts, one's own and all, and what becomes of them."""

from __future__ import annotations

from typing import Any

from core import clock, ids
from core.people.rules import Principal, Role
from core.review import actions, ends, queries, rubrics
from core.review.rules import Lane, Said, Verdict
from core.runtime import Runtime
from tests.pages.desk import MAIL, focus, here, lead, masked, mia, press, queue_id, sent, state, visit, words
from tests.pages.signed_in import person

__all__ = ["here", "lead", "mia", "queue_id"]


def test_a_disagreement_goes_to_a_lead_who_reads_both_and_an_appeal_to_a_third(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    noah = person(here, "noah", Role.REVIEWER)
    third = person(here, "tom", Role.LEAD_REVIEWER)
    with here.db.write() as session:
        queue = queries.queue_of(session, queue_id, project_ids=(1,))
        told: dict[str, Any] = {"by": lead, "at": clock.now(), "expected_version": queue.version}
        changes = {"reviewers": 2, "most_reviewers": 2, "undo_s": 0}
        rubrics.change_queue(session, queue_id=queue_id, changes=changes, **told)
    item_id = sent(here, queue_id, lead)
    for who, verdict, tone in ((mia, "Approve", 5), (noah, "Unreviewable", 1)):
        page = focus(who.name.lower(), queue_id)
        page.segmented_control(key=f"rv_q_Tone_{item_id}").select(tone).run()
        press(page, verdict)
    assert state(here, item_id).lane == Lane.ADJUDICATION
    assert "Nothing waits" in words(focus("noah", queue_id))
    page = visit("lena")
    page = press(page, "Disagreements (1)")
    assert "Approved" in words(page)
    assert "Marked as unreviewable" in words(page)
    for answer in ("Tone: 5", "Tone: 1"):  # what each answered to the questions
        assert answer in words(page).replace("\u200b", "").replace("&#58;", ":")
    press(page, "Approve")
    with here.db.write() as session:
        ends.release_due(session, at=clock.now())  # unless the console, which looks every second, was first
    assert state(here, item_id).state == "released"
    page = visit("mia", show="all", item=ids.shown("item", item_id))
    page.text_area(key=f"rv_appeal_{item_id}").input("It is wrong.")
    next(one for one in page.button if one.key == f"rv_appeal_send_{item_id}").click()
    page.run()
    assert state(here, item_id).lane == Lane.APPEAL
    assert "Nothing waits" in words(focus("lena", queue_id, Lane.APPEAL))
    page = focus("tom", queue_id, Lane.APPEAL)
    assert "It is wrong." in words(page)
    press(page, "Approve")
    assert state(here, item_id).decided_by == third.actor


def test_a_list_of_verdicts_says_what_each_answer_was_asked_and_not_what_is_private(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    told = f"Write to {MAIL}."
    item_id = sent(here, queue_id, lead, told)
    sent(here, queue_id, lead, "One.")
    for _ in range(2):
        with here.db.write() as session:
            taken = actions.claim(session, queue_id=queue_id, by=mia, at=clock.now())
            assert taken is not None
            said = Said(Verdict.APPROVE)
            actions.decide(session, item_id=taken.item_id, said=said, by=mia, at=clock.now(), ids=here.ids)
    page = visit("mia", show="mine")
    assert words(page).count("A question?") == 2
    masked(here, item_id, told)
    page = visit("mia", show="mine")
    assert words(page).count("A question?") == 1
