"""Quantiles of added-up hours are within one percent of the truth."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.calls import sketch
from core.calls.sketch import ACCURACY, Sketch

TIMES = st.lists(st.floats(min_value=0.01, max_value=1e7), min_size=1, max_size=200)
RANK = st.sampled_from((0.0, 0.5, 0.95, 0.99, 1.0))


def _true(values: list[float], q: float) -> float:
    return sorted(values)[math.floor(q * (len(values) - 1))]


@given(TIMES, RANK)
def test_a_quantile_is_within_one_percent_of_the_value_of_its_rank(values: list[float], q: float) -> None:
    found = Sketch(values).quantile(q)
    assert found == pytest.approx(_true(values, q), rel=ACCURACY * 1.0001)


@given(TIMES, TIMES, RANK)
def test_the_sum_of_two_sketches_is_the_sketch_of_all(one: list[float], two: list[float], q: float) -> None:
    merged = Sketch(one)
    merged.merge(Sketch(two))
    whole = Sketch(one + two)
    appended = Sketch(one).to_bytes() + Sketch(two).to_bytes()
    assert merged.counts == whole.counts == Sketch.read(appended).counts
    assert sketch.quantiles([appended], (q,)) == sketch.quantiles([whole.to_bytes()], (q,)) == (whole.quantile(q),)
    assert sketch.compact(appended) == whole.to_bytes()


@given(TIMES)
def test_bytes_bring_the_same_sketch_back(values: list[float]) -> None:
    assert Sketch.read(Sketch(values).to_bytes()).counts == Sketch(values).counts


@given(st.dictionaries(st.integers(-345, 1036), st.integers(1, 2**26), min_size=1, max_size=8))
def test_counts_of_any_size_survive_writing_and_folding(counts: dict[int, int]) -> None:
    stored = sketch.written(counts)
    assert Sketch.read(stored).counts == Sketch.read(sketch.compact(stored)).counts == counts
    assert Sketch.read(sketch.compact(stored + stored)).counts == {key: 2 * count for key, count in counts.items()}


def test_a_sketch_of_nothing_has_no_quantile() -> None:
    assert Sketch().quantile(0.5) is None
    assert sketch.quantiles([b""], (0.5, 0.99)) == (None, None)
    assert sketch.compact(b"") == b""


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e300])
def test_a_time_that_cannot_be_is_counted_at_the_nearest_end(value: float) -> None:
    found = Sketch([value])
    assert found.count == 1
    assert Sketch.read(found.to_bytes()).count == 1
