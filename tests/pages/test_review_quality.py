"""The page Review quality: agreement in a sentence, a matrix that opens answers, people's figures, for leads."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from core import clock
from core.people.rules import Principal, Role
from core.review import actions, ends, gold, quality, rubrics
from core.review.rules import Lane, Said, State, Verdict
from core.review.tables import ReviewItem
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import quality_agreement, quality_people
from tests.pages import visiting
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.review.waiting import Waiting

PAGE = ROOT / "pages" / "review_quality.py"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def lead(here: Runtime) -> Principal:
    return person(here, "lena", Role.LEAD_REVIEWER)


def visit(subject: str) -> AppTest:
    page = opened(SHELL, user=claims(subject))
    page.switch_page(str(PAGE)).run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    return visiting.words(page).replace("\\", "").replace("&#58;\u200b", ":")


def reviewed(here: Runtime, lead: Principal, *, items: int = 30) -> None:
    """Two people judge every answer; the second differs on the first three, and reads nothing."""
    at = clock.now() - timedelta(days=1)
    made = Waiting(here.db, here.ids, at).fill(items, reviewers=2, gold_percent=50)
    with here.db.write() as session:
        number = rubrics.word(
            session, project_id=1, name="R", questions=[{"name": "Tone"}], reasons=[], policy_text="", by=lead, at=at
        )
        told = {"queue_id": made.queue_id, "expected_version": 1, "changes": {"rubric_id": number}}
        rubrics.change_queue(session, **told, by=lead, at=at)
    for who, seconds in ((person(here, "ann", Role.REVIEWER), 40.0), (person(here, "bob", Role.REVIEWER), 0.2)):
        dice = random.Random(1)
        for place in range(items):
            with here.db.write() as session:
                taken = actions.claim(session, queue_id=made.queue_id, by=who, at=at, chance=lambda: 1.0)
                assert taken is not None
                rejects = dice.random() < 0.4 or (place < 3 and seconds < 1)
                said = Said(
                    Verdict.REJECT if rejects else Verdict.APPROVE, comment="No.", seconds=seconds,
                    scores={"Tone": 2 if rejects else 4},
                )  # fmt: skip
                actions.decide(session, item_id=taken.item_id, said=said, by=who, at=at, ids=here.ids)
    known = released(here)[0]
    with here.db.write() as session:
        gold.declare(session, item_id=known, right=[Verdict.EDIT], by=lead, at=at)


def released(here: Runtime) -> list[int]:
    """The answers that left, once none is about to: the process itself lets go what is due, and may be first."""
    for _ in range(200):
        with here.db.write() as session:
            ends.release_due(session, at=clock.now())
        with here.db.read() as session:
            items = session.exec(select(ReviewItem).order_by(col(ReviewItem.id))).all()
        if not any(item.state == State.SETTLED for item in items):
            return [item.id for item in items if item.state == State.RELEASED]
        time.sleep(0.05)
    raise AssertionError("what was decided is still kept back")


def test_nothing_to_judge_says_what_comes(here: Runtime, lead: Principal) -> None:
    assert "There is no review queue yet." in words(visit("lena"))
    Waiting(here.db, here.ids, clock.now()).fill(1)
    assert "Nobody decided on anything here in the last 4 weeks." in words(visit("lena"))


def test_agreement_haste_and_the_answers_that_differ_are_shown(here: Runtime, lead: Principal) -> None:
    reviewed(here, lead)
    page = visit("lena")
    said = words(page)
    assert {metric.label for metric in page.metric} >= {"Judged twice or more", "Say the same", "Beyond chance, α"}
    assert next(metric.value for metric in page.metric if metric.label == "Judged twice or more") == "30"
    assert "Bob decided 100 % of answers faster than anybody reads them" in said
    assert "Ann decided" not in said
    criteria, matrix, people = (frame.value for frame in page.dataframe)
    assert list(criteria["Criterion"]) == ["Verdict", "Tone"]
    assert matrix.shape == (2, 2)
    assert matrix.iloc[0, 1] == matrix.iloc[1, 0] != ""
    assert set(people["Reviewer"]) == {"Ann", "Bob"}
    assert set(people["Known answers right"]) == {"none asked"}


def test_a_test_is_counted_for_who_took_it(here: Runtime, lead: Principal) -> None:
    reviewed(here, lead, items=6)
    cleo = person(here, "cleo", Role.REVIEWER)
    at = clock.now()
    with here.db.write() as session:
        until = at + timedelta(minutes=5)
        taken = gold.take(session, queue_id=1, reviewer=cleo.actor, until=until, at=at)
    assert taken is not None
    with here.db.write() as session:
        made = actions.decide(
            session, item_id=taken[0], said=Said(Verdict.APPROVE), by=cleo, at=at + timedelta(seconds=9), ids=here.ids
        )
    assert made.lane == Lane.GOLD
    people = visit("lena").dataframe[-1].value.set_index("Reviewer")
    assert people.loc["Cleo", "Known answers right"].startswith("0 % of 1")


def strictness(here: Runtime, lead: Principal) -> None:
    """Ann rejects nothing for weeks and then everything; each fortnight has enough verdicts to tell."""
    ann, made = person(here, "ann", Role.REVIEWER), Waiting(here.db, here.ids, clock.now() - timedelta(days=20))
    made.fill(2 * quality.ENOUGH)
    for place in range(2 * quality.ENOUGH):
        is_late = place >= quality.ENOUGH
        at = clock.now() - timedelta(days=1 if is_late else 20)
        said = Said(Verdict.REJECT if is_late else Verdict.APPROVE, comment="No.", seconds=40)
        with here.db.write() as session:
            taken = actions.claim(session, queue_id=made.queue_id, by=ann, at=at)
            assert taken is not None
            actions.decide(session, item_id=taken.item_id, said=said, by=ann, at=at, ids=here.ids)


def test_who_became_stricter_is_told_in_a_sentence_of_what_they_did(here: Runtime, lead: Principal) -> None:
    strictness(here, lead)
    page = visit("lena")
    (told,) = page.warning
    assert (
        "Ann has become stricter: of 100 answers in the last two weeks, 100 more than before were edited" in told.value
    )
    people = page.dataframe[-1].value.set_index("Reviewer")
    assert people.loc["Ann", "Stricter by"] == "+100 (+77 to +100)"


def test_one_known_answer_judged_wrongly_is_in_the_table_and_accuses_nobody_until_there_are_some(
    here: Runtime, lead: Principal
) -> None:
    strictness(here, lead)
    known = released(here)
    with here.db.write() as session:
        for number in known:
            gold.declare(session, item_id=number, right=[Verdict.EDIT], by=lead, at=clock.now())
    cleo = person(here, "cleo", Role.REVIEWER)
    for number in range(1, quality_people.FEWEST_TESTS + 1):
        at = clock.now()
        with here.db.write() as session:
            taken = gold.take(session, queue_id=1, reviewer=cleo.actor, until=at + timedelta(minutes=5), at=at)
            assert taken is not None
            actions.decide(session, item_id=taken[0], said=Said(Verdict.APPROVE), by=cleo, at=at, ids=here.ids)
        is_told = f"Cleo judged 0 of {number} known answers right." in words(visit("lena"))
        assert is_told == (number == quality_people.FEWEST_TESTS)


def test_the_answers_two_people_judge_differently_say_what_was_asked(
    here: Runtime, lead: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed(here, lead)
    assert "May I return the blue lamp?" not in words(visit("lena"))
    monkeypatch.setattr(quality_agreement, "_chosen", lambda _, who: (who[0], who[1]))  # AppTest chooses no cell
    page = visit("lena")
    assert "Ann and Bob judge" in words(page)
    assert "May I return the blue lamp?" in words(page)


def test_reviewers_do_not_see_each_others_figures(here: Runtime, lead: Principal) -> None:
    reviewed(here, lead, items=2)
    page = visit("ann")
    assert "do not open this page" in words(page)
    assert not page.dataframe
