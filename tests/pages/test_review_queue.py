"""The desk of the page Review queue: one answer at a time, masks that stay, nobody does more than they may."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from core import clock
from core.audit import queries as trail
from core.calls import actions as calls
from core.people.rules import Principal
from core.review import actions, ends, queries
from core.review.rules import Said, Source, Verdict
from core.review.tables import ReviewDecision, ReviewDraft, ReviewItem
from core.runtime import Runtime
from pages.parts import review_text
from tests.pages.attacks import ATTACKS
from tests.pages.desk import MAIL, focus, here, lead, masked, mia, press, queue_id, sent, state, words
from tests.pages.visiting import made

__all__ = ["here", "lead", "mia", "queue_id"]


def test_an_answer_is_approved_with_everything_that_explains_it(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    first, second = sent(here, queue_id, lead, "The first."), sent(here, queue_id, lead, "The second.")
    page = focus("mia", queue_id)
    assert "The first." in words(page)
    assert "Never promise a refund." in words(page)
    next(one for one in page.text_area if one.label == "Comment").input("Fine by me.").run()
    page.segmented_control(key=f"rv_q_Correct_{first}").select("yes").run()
    press(page, "Approve")
    assert "The second." in words(page)
    assert state(here, first).state == "settled"
    with here.db.read() as session:
        ((decision, _),) = queries.decided_by(session, project_ids=(1,), by=mia)
    assert (decision.verdict, decision.comment) == ("approve", "Fine by me.")
    assert state(here, second).state == "waiting"


def test_an_edit_goes_out_and_undo_brings_it_back_as_it_was_typed(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    item_id = sent(here, queue_id, lead, "An answer.")
    page = press(focus("mia", queue_id), "Edit")
    page.text_area(key=f"rv_text_{item_id}").input("A better answer.").run()
    assert "<ins" in words(page)
    press(page, "Approve with edit")
    assert state(here, item_id).verdict == "edit"
    assert "Nothing waits for you here" in words(page)
    next(one for one in page.button if one.label.startswith("Undo")).click()
    page.run()
    page.run()
    assert state(here, item_id).state == "waiting"
    assert page.text_area(key=f"rv_text_{item_id}").value == "A better answer."
    assert page.button(key="rv_k").disabled  # what was taken back was not decided before


def test_a_rejection_wants_a_reason_and_says_so(here: Runtime, mia: Principal, lead: Principal, queue_id: int) -> None:
    item_id = sent(here, queue_id, lead)
    page = press(focus("mia", queue_id), "Reject")
    assert "To reject an answer, say why" in words(page)
    page.multiselect(key=f"rv_reasons_{item_id}").select("wrong").run()
    press(page, "Reject")
    assert state(here, item_id).verdict == "reject"


def test_who_is_too_late_reads_who_decided_and_keeps_the_draft(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    item_id = sent(here, queue_id, lead)
    page = focus("mia", queue_id)
    next(one for one in page.text_area if one.label == "Comment").input("I was about to…").run()
    with here.db.write() as session:  # Mia's lease runs out, and Lena decides
        later = clock.now().replace(year=clock.now().year + 1)
        assert actions.claim(session, queue_id=queue_id, by=lead, at=later) is not None
        actions.decide(session, item_id=item_id, said=Said(Verdict.APPROVE), by=lead, at=later, ids=here.ids)
    press(page, "Approve")
    assert f"Decided by {lead.name} at" in words(page).replace("\u200b", "")
    with here.db.read() as session:
        draft = session.get(ReviewDraft, (item_id, mia.actor))
    assert draft is not None
    assert draft.state["comment"] == "I was about to…"


def test_what_is_private_is_dots_until_a_reason_is_given(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    answer = f"Write to {MAIL}."
    item_id = sent(here, queue_id, lead, answer)
    masked(here, item_id, answer)
    page = focus("mia", queue_id)
    assert MAIL not in words(page)
    press(page, "Edit")
    assert page.text_area(key=f"rv_text_{item_id}").value == "Write to [EMAIL]."
    press(page, "Reveal")
    assert "Say why" in words(page)
    page.text_input(key=f"rv_why_{item_id}").input("To see whether it is ours.").run()
    press(page, "Reveal")
    assert MAIL in words(page)
    with here.db.read() as session:
        told = [event for event in trail.events(session, limit=20) if event.action == "review.revealed"]
    assert [(one.actor, one.after["reason"]) for one in told] == [(mia.actor, "To see whether it is ours.")]  # type: ignore[index]


def test_what_is_revealed_stands_in_the_text_that_is_edited_too(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    answer = f"Write to {MAIL}."
    item_id = sent(here, queue_id, lead, answer)
    masked(here, item_id, answer)
    page = press(focus("mia", queue_id), "Edit")
    page.text_area(key=f"rv_text_{item_id}").input("Please write to [EMAIL].").run()
    page.text_input(key=f"rv_why_{item_id}").input("To see whether it is ours.").run()
    press(page, "Reveal")
    assert page.text_area(key=f"rv_text_{item_id}").value == f"Please write to {MAIL}."
    press(page, "Approve with edit")
    with here.db.read() as session:
        decision = session.exec(select(ReviewDecision).where(ReviewDecision.item_id == item_id)).one()
    assert decision.edited == f"Please write to {MAIL}."


def test_an_edit_of_a_masked_answer_goes_out_with_what_the_mask_hides(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    answer = f"Write to {MAIL}."
    item_id = sent(here, queue_id, lead, answer)
    masked(here, item_id, answer)
    page = press(focus("mia", queue_id), "Edit")
    assert "goes out as what it hides" in words(page)
    page.text_area(key=f"rv_text_{item_id}").input("Write to [EMAIL] or [EMAIL].").run()
    page = press(page, "Approve with edit")
    assert "which is which is not clear" in words(page)
    assert page.text_area(key=f"rv_text_{item_id}").value == "Write to [EMAIL] or [EMAIL]."
    page.text_area(key=f"rv_text_{item_id}").input("Please write to [EMAIL]!").run()
    page = press(page, "Approve with edit")
    assert MAIL not in words(page)
    with here.db.read() as session:
        decision = session.exec(select(ReviewDecision).where(ReviewDecision.item_id == item_id)).one()
    assert decision.edited == f"Please write to {MAIL}!"


def test_an_upsetting_answer_is_hidden_until_asked_for(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    answer = f"Words, {MAIL}, words."
    item_id = sent(here, queue_id, lead, answer)
    masked(here, item_id, answer, family="profanity", kind="coarse")
    page = focus("mia", queue_id)
    assert "Words," not in words(page)
    press(page, "Show it")
    assert "Words," in words(page)


@pytest.mark.parametrize(("confidence", "is_found"), [(0.02, False), (0.93, True)])
def test_a_grade_that_says_no_hides_and_marks_nothing(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int, confidence: float, *, is_found: bool
) -> None:
    answer = f"Words, {MAIL}, words."
    masked(
        here, sent(here, queue_id, lead, answer), answer, "judge", "threat", confidence, "judge/1:judge/grader", "pass"
    )
    page = focus("mia", queue_id)
    assert ("Words," not in words(page)) == is_found
    if is_found:
        press(page, "Show it")
    assert f"Judge: threat in the answer, {confidence * 100:.0f} % sure." in words(page).replace("&#58;\u200b", ":")


@pytest.mark.parametrize(
    ("act", "got"),
    [("replace", "The reader got another text"), ("refuse", "The reader got a refusal"), ("flag", "Delivered")],
)
def test_the_desk_says_what_the_reader_got_of_an_answer_that_was_not_held(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int, act: str, got: str
) -> None:
    call_id = made(here, said=("A question?", "An answer."), detail={"guard": {"act": act}})
    with here.db.write() as session:
        told = {"source": Source.POLICY, "by": lead, "at": clock.now(), "ids": here.ids}
        actions.send(session, queue_id=queue_id, call_id=call_id, **told)
    assert got in words(focus("mia", queue_id))


def test_a_judge_that_gave_no_verdict_is_told_in_a_sentence(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    answer = f"Words, {MAIL}, words."
    item_id = sent(here, queue_id, lead, answer)
    for number in range(2):  # neither of the question nor of the answer
        masked(here, item_id, answer, "judge", "failed", 0.0, "judge/1:judge/grader", number=number)
    assert words(focus("mia", queue_id)).count("The model that judges (`judge/grader`) gave no verdict") == 1


@pytest.mark.parametrize("attack", ATTACKS[:12])
def test_hostile_words_stay_words(here: Runtime, mia: Principal, lead: Principal, queue_id: int, attack: str) -> None:
    item_id = sent(here, queue_id, lead, attack, reason=attack)
    page = press(focus("mia", queue_id), "Edit")
    page.text_area(key=f"rv_text_{item_id}").input(f"{attack} edited").run()
    for block in page.get("html"):
        body = str(getattr(block, "value", "") or block.proto.body)
        for sign in ("<script", "<img", "<iframe", "javascript:", "onerror="):
            assert sign not in body.replace("&lt;", "").lower() or sign in ("javascript:", "onerror=")


def test_a_diff_escapes_both_sides() -> None:
    told = review_text.diff_html("<b>old</b> & same", "<script>new</script> & same")
    assert "<script>" not in told
    assert "<b>" not in told
    assert "&lt;" in told
    for side in review_text.sides_html("<b>old</b> & same", "<script>new</script> & same"):
        assert "<script>" not in side
        assert "<b>" not in side
        assert "same" in side


def test_when_the_time_is_over_the_desk_says_so_and_offers_the_next(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    first = sent(here, queue_id, lead, "One.")
    sent(here, queue_id, lead, "Two.")
    page = focus("mia", queue_id)
    with here.db.write() as session:
        item = session.get_one(ReviewItem, first)
        item.deadline_at = clock.now() - timedelta(seconds=1)
        session.add(item)
        session.flush()
        assert ends.expire_due(session, at=clock.now())
    page.run()
    assert [one.proto.title for one in page.warning] == ["The time for this answer is over."]
    page = press(page, "Take the next")
    assert "Two." in words(page)


def test_what_a_reader_said_stands_beside_the_answer_they_reported_and_is_masked_like_it(
    here: Runtime, mia: Principal, lead: Principal, queue_id: int
) -> None:
    told = f"Write to {MAIL}."
    item_id = sent(here, queue_id, lead, told, source=Source.REPORT)
    masked(here, item_id, told)
    with here.db.write() as session:
        calls.give(
            session, call_id=state(here, item_id).call_id, by=lead, at=clock.now(), ids=here.ids, thumb=-1,
            comment=f"I never wrote to {MAIL}, and <b>nobody</b> answers.",
        )  # fmt: skip
    said = words(focus("mia", queue_id))
    assert "A reader said" in said
    assert "I never wrote to" in said
    assert MAIL not in said
    assert "<b>" not in said
