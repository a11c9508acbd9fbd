"""The page Review quality: agreement in a sentence, a matrix that opens answers, people's figures, for leads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import clock
from core.people.rules import Principal, Role
from core.review import actions, ends, gold, rubrics
from core.review.rules import Lane, Said, Verdict
from core.runtime import Runtime
from core.settings import ROOT
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
    with here.db.write() as session:
        closed = ends.release_due(session, at=clock.now())
        known = next(one.item_id for one in closed)
        gold.declare(session, item_id=known, right=[Verdict.EDIT], by=lead, at=at)


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


def test_reviewers_do_not_see_each_others_figures(here: Runtime, lead: Principal) -> None:
    reviewed(here, lead, items=2)
    page = visit("ann")
    assert "do not open this page" in words(page)
    assert not page.dataframe
