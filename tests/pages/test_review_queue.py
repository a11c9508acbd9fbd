"""The page Review queue: the board, one answer at a time, masks that stay, nobody does more than they may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from core import clock, ids
from core.audit import queries as trail
from core.calls import actions as calls
from core.guard.tables import CallFinding
from core.people.rules import Principal, Role
from core.review import actions, ends, queries, rubrics
from core.review.rules import Lane, Said, Source, Verdict
from core.review.tables import ReviewDecision, ReviewDraft, ReviewItem
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import review_board, review_text
from tests.pages import visiting
from tests.pages.attacks import ATTACKS
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.pages.visiting import made

PAGE = ROOT / "pages" / "review_queue.py"
MAIL = "mia@example.org"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def mia(here: Runtime) -> Principal:
    return person(here, "mia", Role.REVIEWER)


@pytest.fixture
def lead(here: Runtime) -> Principal:
    return person(here, "lena", Role.LEAD_REVIEWER)


@pytest.fixture
def queue_id(here: Runtime, lead: Principal) -> int:
    with here.db.write() as session:
        queue = rubrics.open_queue(session, project_id=1, name="Answers", by=lead, at=clock.now())
        told: dict[str, Any] = {"by": lead, "at": clock.now()}
        number = rubrics.word(
            session,
            project_id=1,
            name="Care",
            questions=[{"name": "Correct", "kind": "yes or no"}, {"name": "Tone", "low": "rude", "high": "kind"}],
            reasons=[{"code": "wrong", "meaning": "states something false"}],
            policy_text="Never promise a refund.",
            **told,
        )
        told |= {"expected_version": queue.version, "changes": {"rubric_id": number}}
        rubrics.change_queue(session, queue_id=queue.id or 0, **told)
        return queue.id or 0


def sent(here: Runtime, queue_id: int, by: Principal, answer: str = "An answer.", **told: Any) -> int:
    """A recorded answer in the queue; the item's id."""
    call_id = made(here, said=("A question?", answer))
    with here.db.write() as session:
        given = {"source": Source.MANUAL, "by": by, "at": clock.now(), "ids": here.ids, **told}
        return actions.send(session, queue_id=queue_id, call_id=call_id, **given).id


def masked(
    here: Runtime,
    item_id: int,
    answer: str,
    family: str = "personal",
    kind: str = "email",
    confidence: float = 0.9,
    detector: str = "personal/1",
    act: str = "",
) -> None:
    """Note a finding over the address in the answer of an item."""
    start = answer.index(MAIL)
    with here.db.write() as session:
        item = session.get(ReviewItem, item_id)
        assert item is not None
        session.add(
            CallFinding(
                call_id=item.call_id, number=0, project_id=1, side="output", place="choices.0.message.content",
                family=family, kind=kind, start=start, stop=start + len(MAIL), confidence=confidence, detector=detector,
                act=act,
            )
        )  # fmt: skip


def visit(subject: str, **params: str) -> AppTest:
    page = opened(SHELL, user=claims(subject), **params)
    page.switch_page(str(PAGE)).run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    return visiting.words(page).replace("\\", "")


def press(page: AppTest, label: str) -> AppTest:
    """Press the button with this label."""
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


def state(here: Runtime, item_id: int) -> ReviewItem:
    with here.db.read() as session:
        found = session.get(ReviewItem, item_id)
        assert found is not None
        return found


def focus(subject: str, queue_id: int, lane: Lane = Lane.REVIEW) -> AppTest:
    return visit(subject, queue=str(queue_id), lane=str(lane))


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
    masked(here, sent(here, queue_id, lead, answer), answer, "judge", "failed", 0.0, "judge/1:judge/grader")
    page = focus("mia", queue_id)
    assert "The model that judges (`judge/grader`) gave no verdict" in words(page)


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
