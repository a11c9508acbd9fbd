"""How well people review, from their verdicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.db.engine import Database
from core.ids import Ids
from core.review import actions, ends, gold, judgements, quality, rubrics
from core.review.agreement import Scale
from core.review.quality import VERDICT, Asked, Judgement
from core.review.rules import Said, Verdict
from tests.review.waiting import APPROVE, LEAD, Waiting, person

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANN, BOB = person("ann"), person("bob")


def said(item: int, who: str, verdict: str = "approve", **told: Any) -> Judgement:
    given = {
        "scores": {},
        "seconds": 30.0,
        "is_test": False,
        "right": None,
        "at": NOW,
        "tokens": 100,
        "call_id": item * 10,
    }
    return Judgement(decision_id=item * 10, item_id=item, reviewer=who, verdict=verdict, **given | told)


def test_agreement_is_told_per_criterion_and_leaves_tests_and_silence_out() -> None:
    judged = [
        said(1, "a", scores={"Tone": 4}), said(1, "b", scores={"Tone": 5}),
        said(2, "a", "reject", scores={"Tone": 1}), said(2, "b", "reject", scores={"Tone": 1}),
        said(3, "a"), said(3, "b", "reject"),
        said(4, "a", is_test=True), said(4, "b", "reject", is_test=True),
        said(5, "a"),
    ]  # fmt: skip
    found = quality.agree(judged, VERDICT, Scale.NOMINAL)
    assert (found.items, found.percent) == (3, pytest.approx(2 / 3))
    tone = quality.agree(judged, "Tone", Scale.ORDINAL)
    assert (tone.items, tone.percent) == (2, 0.5)
    (pair,) = quality.pairs(judged, VERDICT)
    assert (pair.one, pair.two, pair.n) == ("a", "b", 3)
    assert quality.differences(judged, VERDICT, "a", "b") == [quality.Difference(3, 30, "approve", "reject")]
    assert quality.agree([], VERDICT, Scale.NOMINAL).items == 0


def test_a_rubric_says_on_which_scale_a_question_is_compared() -> None:
    found = quality.criteria({"Tone": "scale", "Correct?": "yes or no", "Error": "choice"})
    assert found == {"Verdict": "nominal", "Tone": "ordinal", "Correct?": "nominal", "Error": "nominal"}


def test_an_answer_belongs_to_the_week_of_its_first_verdict() -> None:
    sunday, monday = NOW - timedelta(days=4), NOW - timedelta(days=3)
    judged = [said(1, "a", at=sunday), said(1, "b", at=monday), said(2, "a", at=monday), said(2, "b", "reject")]
    found = quality.weeks(judged, VERDICT, Scale.NOMINAL, zone=UTC)
    assert [(week.monday.isoformat(), week.items, week.percent) for week in found] == [
        ("2026-11-16", 1, 1.0),
        ("2026-11-23", 1, 0.0),
    ]


def test_who_decides_faster_than_anybody_reads_is_found() -> None:
    # 1,000 tokens are 750 words: 189 s at 238 words a minute, 63 s at three times that
    assert quality.is_too_fast(said(1, "a", seconds=62, tokens=1_000))
    assert not quality.is_too_fast(said(1, "a", seconds=64, tokens=1_000))
    assert quality.is_too_fast(said(1, "a", seconds=0.9, tokens=3))
    hasty = [said(n, "hasty", seconds=0.5) for n in range(20)]
    calm = [said(n, "calm") for n in range(18)] + [said(n, "calm", seconds=0.5) for n in (18, 19)]
    few = [said(n, "few", seconds=0.5) for n in range(19)]
    flags = {one.reviewer: one.is_too_fast for one in quality.reviewers([*hasty, *calm, *few], at=NOW)}
    assert flags == {"hasty": True, "calm": False, "few": False}


def test_a_reviewer_who_grew_stricter_is_found_and_one_who_varies_is_not() -> None:
    before, now = NOW - timedelta(days=30), NOW - timedelta(days=1)

    def stretch(who: str, at: datetime, strict: int, n: int = 40) -> list[Judgement]:
        return [said(k, who, "reject" if k < strict else "approve", at=at) for k in range(n)]

    judged = [
        *stretch("stricter", before, 4), *stretch("stricter", now, 20),
        *stretch("steady", before, 8), *stretch("steady", now, 10),
        *stretch("new", now, 20),
    ]  # fmt: skip
    found = {one.reviewer: one for one in quality.reviewers(judged, at=NOW)}
    assert {who: one.has_drifted for who, one in found.items()} == {"stricter": True, "steady": False, "new": False}
    assert found["stricter"].drift.value == pytest.approx(0.4)
    assert found["new"].drift is None


def test_known_answers_say_how_often_somebody_was_right() -> None:
    judged = [
        said(1, "a", "reject", is_test=True, right=("reject", "edit")),
        said(2, "a", "approve", is_test=True, right=("reject",)),
        said(3, "a", "approve", is_test=True, right=None),
        said(4, "a"),
    ]
    (found,) = quality.reviewers(judged, at=NOW)
    assert (found.tested.value, found.tested.n, found.verdicts) == (0.5, 2, 4)


def test_a_question_two_rubrics_ask_is_two_questions() -> None:
    told = [Asked(1, "Care", {"Tone": "scale", "Kind?": "yes or no"}), Asked(2, "Form", {"Tone": "yes or no"})]
    judged, questions = quality.told_apart(
        [
            said(1, "a", rubric_id=1, scores={"Tone": 4, "Kind?": "yes"}),
            said(1, "b", rubric_id=2, scores={"Tone": "yes", "Kind?": "no"}),
            said(2, "a", scores={"Tone": 3}),
        ],
        told,
    )
    assert questions == {"Tone (Care)": "scale", "Kind?": "yes or no", "Tone (Form)": "yes or no"}
    assert [one.scores for one in judged] == [{"Tone (Care)": 4, "Kind?": "yes"}, {"Tone (Form)": "yes"}, {}]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.81, 0.9, "Reliable"), (0.7, 0.9, "tentative"), (0.2, 0.6, "Not reliable"), (0.5, 0.9, "Not settled")],
)
def test_alpha_in_words_is_by_its_interval(low: float, high: float, words: str) -> None:
    from core.statistics.proportions import Estimate

    assert words in quality.in_words(quality.Agreement(VERDICT, 9, 0.9, Estimate(0.8, low, high, 9), 0.8))


def test_the_store_tells_verdicts_with_their_tests_and_questions(db: Database, ids: Ids, at: datetime) -> None:
    here = Waiting(db, ids, at).fill(3, reviewers=2, gold_percent=50)
    with db.write() as session:
        asked = [{"name": "Tone"}, {"name": "Why", "kind": "text"}, {"name": "Correct?", "kind": "yes or no"}]
        number = rubrics.word(
            session, project_id=1, name="R", questions=asked, reasons=[], policy_text="", by=LEAD, at=at
        )
        rubrics.change_queue(
            session, queue_id=here.queue_id, expected_version=1, changes={"rubric_id": number}, by=LEAD, at=at
        )
    for who, verdict in ((ANN, APPROVE), (BOB, Said(Verdict.APPROVE, scores={"Tone": 4}, seconds=12.5))):
        for _ in range(3):
            decide(here, who, verdict, chance=1.0)
    with db.write() as session:
        ends.release_due(session, at=at + timedelta(seconds=60))
        gold.declare(session, item_id=here.items[0], right=[Verdict.APPROVE], by=LEAD, at=at)
    told = {"queue_id": here.queue_id, "since": at - timedelta(days=1), "until": datetime(2100, 1, 1, tzinfo=UTC)}
    with db.read() as session:
        found = judgements.of_queue(session, **told)
        kinds = {"Tone": "scale", "Correct?": "yes or no"}
        assert judgements.questions(session, {one.rubric_id for one in found}) == (Asked(number, "R", kinds),)
        assert judgements.of_queue(session, **told | {"until": at - timedelta(hours=1)}) == ()
        assert len(judgements.of_queue(session, **told, limit=2)) == 2
    assert len(found) == 6
    assert [one.decision_id for one in found] == sorted((one.decision_id for one in found), reverse=True)
    assert (found[0].reviewer, found[0].scores, found[0].seconds) == (BOB.actor, {"Tone": 4}, 12.5)
    assert {one.item_id for one in found if one.right is not None} == {here.items[0]}
    assert not any(one.is_test for one in found)


def decide(here: Waiting, who: Any, what: Said, *, chance: float) -> None:
    with here.db.write() as session:
        taken = actions.claim(session, queue_id=here.queue_id, by=who, at=here.at, chance=lambda: chance)
        assert taken is not None
        actions.decide(session, item_id=taken.item_id, said=what, by=who, at=here.at, ids=here.ids)
