"""Agreement as published: the worked examples come out to the printed digit."""

from __future__ import annotations

import random
import time

import pytest

from core.review import agreement
from core.review.agreement import Ratings, Scale


def table(*raters: str) -> Ratings:
    """One line per rater, one letter per item; a star is no rating."""
    return [
        {f"r{number}": row[place] for number, row in enumerate(raters) if row[place] != "*"}
        for place in range(len(raters[0]))
    ]


def two_by_two(both: int, first: int, second: int, neither: int) -> Ratings:
    votes = [("+", "+")] * both + [("+", "-")] * first + [("-", "+")] * second + [("-", "-")] * neither
    return [{"a": one, "b": two} for one, two in votes]


def test_alpha_is_krippendorffs_own_example_of_two_observers() -> None:
    # section A of the same paper: binary data, two observers, ten units, α = 0.095
    assert agreement.alpha(table("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)


def test_alpha_is_krippendorffs_own_example_with_missing_ratings() -> None:
    # section C: four observers, twelve units, missing ratings, α = 0.743
    ratings = table("123321412***", "1233224125*3", "*3332342251*", "12332441251*")
    assert agreement.alpha(ratings) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_wikipedias_example() -> None:
    # Wikipedia, "Krippendorff's alpha": three coders, fifteen units, nominal α = 0.691
    ratings = table("*****34121133*3", "1*213343*******", "**21344*21133*4")
    assert agreement.alpha(ratings) == pytest.approx(0.691, abs=5e-4)


def numbers(*raters: str) -> Ratings:
    return [{rater: int(str(value)) for rater, value in item.items()} for item in table(*raters)]


def test_alpha_of_scales_is_krippendorffs_own_example() -> None:
    # section D of the same paper: the data of section C as ranks α = 0.815, as distances α = 0.849
    ratings = numbers("123321412***", "1233224125*3", "*3332342251*", "12332441251*")
    assert agreement.alpha(ratings, Scale.ORDINAL) == pytest.approx(0.815, abs=5e-4)
    assert agreement.alpha(ratings, Scale.INTERVAL) == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_distances_is_wikipedias_example() -> None:
    # Wikipedia, "Krippendorff's alpha": the same three coders, interval α = 0.811
    ratings = numbers("*****34121133*3", "1*213343*******", "**21344*21133*4")
    assert agreement.alpha(ratings, Scale.INTERVAL) == pytest.approx(0.811, abs=5e-4)


def test_ten_thousand_items_have_their_interval_in_a_moment() -> None:
    dice = random.Random(4)
    ratings = [{"a": (one := dice.randint(1, 5)), "b": one if dice.random() < 0.7 else 3} for _ in range(10_000)]
    began = time.process_time()
    found = agreement.interval(ratings, Scale.ORDINAL)
    assert found is not None
    assert found.low < found.value < found.high
    assert time.process_time() - began < 5


def test_kappa_is_wikipedias_example() -> None:
    # Wikipedia, "Cohen's kappa", simple example: 20, 5, 10, 15 → κ = 0.4
    (pair,) = agreement.pairs(two_by_two(20, 5, 10, 15))
    assert (pair.n, pair.agreement, pair.kappa) == (50, pytest.approx(0.7), pytest.approx(0.4))


def test_ac1_holds_where_kappa_falls_below_chance() -> None:
    # K. L. Gwet, "Kappa statistic is not satisfactory …" (2002): 118, 5, 2, 0 → agreement 0.944, κ −0.0234, AC1 0.9408
    ratings = two_by_two(118, 5, 2, 0)
    (pair,) = agreement.pairs(ratings)
    assert agreement.percent(ratings) == pytest.approx(0.944)
    assert pair.kappa == pytest.approx(-0.0234, abs=5e-5)
    assert agreement.ac1(ratings) == pytest.approx(0.9408, abs=5e-5)


def test_perfect_agreement_is_one_and_a_single_category_is_not_defined() -> None:
    same = two_by_two(3, 0, 0, 4)
    assert agreement.alpha(same) == agreement.ac1(same) == agreement.percent(same) == 1
    only = two_by_two(5, 0, 0, 0)
    assert agreement.alpha(only) is agreement.ac1(only) is None
    assert agreement.pairs(only)[0].kappa is None


def test_nothing_rated_twice_says_nothing() -> None:
    assert agreement.alpha([{"a": 1}, {"b": 2}, {}]) is agreement.percent([]) is None
    assert agreement.interval([{"a": 1}]) is None


def test_the_interval_holds_the_value_and_narrows_with_more_items() -> None:
    few, many = (agreement.interval(two_by_two(4 * k, k, k, 4 * k)) for k in (3, 30))
    assert few is not None
    assert many is not None
    assert few.low < few.value < few.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert (few.n, many.n) == (30, 300)
