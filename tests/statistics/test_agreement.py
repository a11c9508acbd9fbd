"""Two raters."""

from __future__ import annotations

import pytest

from core.statistics.agreement import cohen, cohen_interval


def labels(both: int, first: int, second: int, neither: int) -> list[tuple[str, str]]:
    return [("+", "+")] * both + [("+", "-")] * first + [("-", "+")] * second + [("-", "-")] * neither


def test_kappa_is_wikipedias_example() -> None:
    # Wikipedia, "Cohen's kappa", simple example: 20, 5, 10, 15 → κ = 0.4
    assert cohen(labels(20, 5, 10, 15)) == pytest.approx(0.4)


def test_its_interval_is_that_of_statsmodels() -> None:
    # oracle: statsmodels 0.15 cohens_kappa, of 20, 5, 10, 15 and of a table of three categories
    found = cohen_interval(labels(20, 5, 10, 15))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.15109229), pytest.approx(0.64890771))
    three = {"aa": 30, "ab": 4, "ac": 1, "ba": 7, "bb": 18, "bc": 5, "ca": 2, "cb": 6, "cc": 11}
    found = cohen_interval([(cell[0], cell[1]) for cell, count in three.items() for _ in range(count)])
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(0.387163986), pytest.approx(0.685274177))


def test_where_nothing_varies_there_is_no_interval() -> None:
    assert cohen([]) is None
    assert cohen(labels(9, 0, 0, 0)) is None
    assert cohen_interval(labels(9, 0, 0, 0)) is None
    assert cohen(labels(9, 0, 0, 4)) == 1
    assert cohen_interval(labels(9, 0, 0, 4)) is None
