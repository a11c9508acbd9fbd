"""What each family finds on texts of our own, held a little below what was reached, on texts nobody adjusted to."""

from __future__ import annotations

import pytest

from core.guard import figures
from core.guard.detecting import VERSIONS
from core.guard.findings import Family
from tests.guard.corpora import FIND, measure

# (least recall, most false alarms) on the fresh texts
FLOORS = {
    Family.PERSONAL: (0.85, 0.04),
    Family.SECRET: (0.8, 0.05),
    Family.INJECTION: (0.85, 0.07),
    Family.WORD: (0.95, 0.0),
    Family.TOPIC: (0.95, 0.0),
    Family.PROFANITY: (0.85, 0.1),
    Family.LEAKAGE: (0.8, 0.0),
    Family.SHAPE: (0.95, 0.0),
    Family.LANGUAGE: (0.9, 0.05),
    Family.LENGTH: (0.95, 0.0),
    Family.LINK: (0.9, 0.0),
}


def test_every_family_but_the_judge_is_measured() -> None:
    assert set(FLOORS) == set(FIND) == set(VERSIONS) == set(Family) - {Family.JUDGE}


@pytest.mark.parametrize("family", FLOORS, ids=str)
def test_a_family_finds_what_it_found_and_spares_what_it_spared(family: Family) -> None:
    made = measure("fresh", family)
    print(f"{family}: {made.line()}")
    least, most = FLOORS[family]
    assert made.recall >= least, made.missed
    assert made.false_alarms <= most, made.mistaken


@pytest.mark.parametrize("family", FLOORS, ids=str)
def test_a_family_does_what_it_was_adjusted_to(family: Family) -> None:
    made = measure("development", family)
    assert (made.missed, made.mistaken) == ([], [])


@pytest.mark.parametrize("family", FLOORS, ids=str)
def test_the_figures_people_see_are_those_of_these_detectors(family: Family) -> None:
    shown, made = figures.measured()[family], measure("fresh", family)
    assert shown.detector == VERSIONS[family], "run `uv run python -m tests.guard.corpora`"
    counted = (made.found, made.wanted, made.alarms, made.spared)
    assert (shown.found, shown.wanted, shown.false_alarms, shown.spared) == counted


def test_a_figure_is_a_sentence_that_promises_nothing() -> None:
    for figure in figures.measured().values():
        assert "safe" not in figure.sentence
        assert "Expect less" in figure.sentence
        assert 0 <= figure.alarm_rate <= figure.recall <= 1
