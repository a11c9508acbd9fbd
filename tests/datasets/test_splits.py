"""Splits: a plan gives every example its place, and growing shares moves nobody."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.datasets import splits
from core.errors import Invalid

PERCENTS = st.dictionaries(st.sampled_from(["train", "dev", "test", "holdout"]), st.integers(0, 25))
HASHES = range(-4_000, 4_000)


@given(PERCENTS, PERCENTS)
def test_nobody_who_has_a_split_moves_when_shares_grow(before: dict[str, int], more: dict[str, int]) -> None:
    old = splits.regrow(splits.EMPTY, before)
    grown = {name: max(before.get(name, 0), more.get(name, 0)) for name in {*before, *more}}
    new = splits.regrow(old, grown)
    for number in HASHES[::7]:
        was = splits.of(old, number)
        assert not was or splits.of(new, number) == was


@given(PERCENTS, PERCENTS)
def test_a_plan_has_the_shares_it_was_given_and_covers_the_line(before: dict[str, int], after: dict[str, int]) -> None:
    plan = splits.regrow(splits.regrow(splits.EMPTY, before), after)
    assert sum(width for _, width in plan) == splits.PLACES
    assert splits.shares(plan) == {name: percent * 100 for name, percent in after.items() if percent}


def test_who_moves_when_one_share_shrinks_was_in_that_split() -> None:
    old = splits.regrow(splits.EMPTY, {"train": 80, "dev": 10, "test": 10})
    new = splits.regrow(old, {"train": 70, "dev": 10, "test": 20})
    moved = Counter((splits.of(old, n), splits.of(new, n)) for n in HASHES if splits.of(old, n) != splits.of(new, n))
    assert set(moved) == {("train", "test")}


def test_many_examples_fall_into_splits_by_their_shares() -> None:
    plan = splits.regrow(splits.EMPTY, {"train": 80, "dev": 10})
    counts = Counter(splits.of(plan, number) for number in HASHES)
    # 8,000 draws: five standard deviations are 179 of 6,400 and 134 of 800
    assert abs(counts["train"] - 6_400) < 179
    assert abs(counts["dev"] - 800) < 134
    assert abs(counts[""] - 800) < 134


@pytest.mark.parametrize("percents", [{"train": 101}, {"train": 60, "test": 50}, {"train": -1}, {"a,b": 1}])
def test_shares_that_cannot_be_are_refused(percents: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        splits.regrow(splits.EMPTY, percents)
