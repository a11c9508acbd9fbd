"""What a test is planned from, against what a test of the same users then is: widths, powers, and when it begins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.statistics import means, planning, sequential
from core.statistics.margins import Margin, Standing, Worse, standing
from core.statistics.planning import Aim
from core.statistics.sequential import Plan
from core.trials import comparing, sizing
from core.trials.metrics import ABOUT, Metric
from core.trials.sizing import Figure, Seen, Split
from core.trials.sums import ArmSums

Dice = np.random.Generator


def users(dice: Dice, count: int) -> list[list[Seen]]:
    """Users of one to some calls; those of one user fail, cost and answer alike."""
    made = []
    for number in range(count):
        fails, size = dice.beta(0.4, 3.6), dice.lognormal(0, 0.6)
        made.append(
            [
                Seen(
                    f"u{number}", is_error=bool(dice.random() < fails), is_flagged=False,
                    tokens_out=round(100 * size), cost_usd=size * dice.lognormal(0, 0.3) / 1_000, total_ms=500 * size,
                )
                for _ in range(1 + dice.poisson(3))
            ]
        )  # fmt: skip
    return made


def rated(dice: Dice, of: list[list[Seen]], share: float = 0.1, likes: float = 0.7) -> list[tuple[str, int, None]]:
    """Thumbs of a part of the users, of all calls of each."""
    return [
        (call.unit, 1 if dice.random() < likes else -1, None) for calls in of if dice.random() < share for call in calls
    ]


def arms(dice: Dice, metric: Metric, total: int, **told: float) -> list[ArmSums]:
    """Two arms of the same users, as a test would count them."""
    found = []
    for _ in range(2):
        of = users(dice, total // 2)
        if metric is Metric.THUMBS:
            by: dict[str, list[int]] = {}
            for unit, thumb, _ in rated(dice, of, **told):
                by.setdefault(unit, []).append(thumb)
            pairs = [(sum(one == 1 for one in some), len(some)) for some in by.values()]
        elif metric is Metric.COST:
            pairs = [(sum(call.cost_usd or 0.0 for call in calls), len(calls)) for calls in of]
        else:
            pairs = [(sum(call.is_error for call in calls), len(calls)) for calls in of]
        joint = means.joint([float(top) for top, _ in pairs], [float(bottom) for _, bottom in pairs])
        found.append(ArmSums(len(of), round(joint.second.mean * joint.n), 0, {metric: joint}))
    return found


def record(dice: Dice, count: int) -> sizing.Baseline:
    of = users(dice, count)
    return sizing.baseline([call for calls in of for call in calls], rated(dice, of), [], days=14)


@pytest.mark.parametrize(
    ("metric", "difference"), [(Metric.ERRORS, 0.025), (Metric.COST, 0.0001), (Metric.THUMBS, 0.09)]
)
def test_a_test_of_the_planned_size_is_as_wide_as_was_foretold(metric: Metric, difference: float) -> None:
    """The record of some users foretells the interval of a test of others, drawn alike, within 15 %."""
    dice = np.random.default_rng(8)
    figure = record(dice, 3_000).enough(metric)
    assert figure is not None
    assert figure.variance is not None
    total = sizing.needed(figure.variance, difference, 0.95, seen=figure.seen)
    widths = []
    for _ in range(3):
        pair = arms(dice, metric, total)
        interval = comparing.compare(metric, *pair, Plan(total)).absolute
        widths.append((interval.high - interval.low) / 2)
    # the size is for the reach and for the power: of the difference the interval takes the first part
    reach = sequential.both_sides(figure.seen, sequential.tuned(1, 0.05), 0.05)
    assert np.mean(widths) == pytest.approx(difference * reach / (reach + Aim().z_power), rel=0.15)


def test_calls_of_one_user_are_no_independent_draws() -> None:
    dice = np.random.default_rng(3)
    figure = record(dice, 3_000).figures[Metric.ERRORS]
    each = figure.counted / figure.units
    plain = figure.value * (1 - figure.value) / each
    assert figure.variance is not None
    assert figure.variance > 1.2 * plain
    # and a user's draw of several calls tells more than one call would
    assert figure.variance < 0.8 * figure.value * (1 - figure.value)


@pytest.mark.parametrize("change", [0.1, 0.2])
def test_a_relative_margin_is_known_to_hold_about_as_often_as_planned(change: float) -> None:
    dice = np.random.default_rng(5)
    figure = record(dice, 4_000).enough(Metric.COST)
    assert figure is not None
    margin, level, runs, held = Margin(change, Worse.HIGHER, is_relative=True), 0.99, 60, 0
    total = sizing.needed_within(figure, margin, level)
    for _ in range(runs):
        pair = arms(dice, Metric.COST, total)
        found = comparing.compare(Metric.COST, *pair, Plan(total, level)).relative
        held += standing(found, margin) is Standing.HELD
    assert 0.65 <= held / runs <= 0.95


def test_a_relative_margin_of_a_lower_limit_counts_the_control_less() -> None:
    figure = Figure(4.0, 1.0, 500, 500)
    lower, higher = (
        sizing.needed_within(figure, Margin(0.05, worse, is_relative=True), 0.95)
        for worse in (Worse.LOWER, Worse.HIGHER)
    )
    assert lower < sizing.needed(1.0, 0.2, 0.95) < higher


@given(st.floats(0.02, 1), st.floats(0.8, 0.995))
def test_fewer_who_tell_take_more_units_and_a_sequence_that_reaches_further(seen: float, level: float) -> None:
    all_, some = (
        planning.size_when_watched(1, 0.1, Aim(level), with_power=True, seen=one).total for one in (1.0, seen)
    )
    assert some >= all_ / seen - 2 / seen
    reach = sequential.both_sides(seen * 10_000, sequential.tuned(10_000, 1 - level), 1 - level)
    assert planning.size_when_watched(1, 0.1, Aim(level), seen=seen).arm == pytest.approx(200 * reach**2 / seen, abs=2)


def test_a_share_of_whom_the_metric_is_known_lies_in_0_to_1() -> None:
    for seen in (0.0, 1.5):
        with pytest.raises(ValueError, match="share of units"):
            planning.size_when_watched(1, 1, Aim(), seen=seen)


def test_what_can_be_found_is_what_the_size_was_planned_for() -> None:
    for ratio, seen in ((1.0, 1.0), (9.0, 0.2)):
        total = sizing.needed(0.1, 0.02, 0.95, split=Split(ratio), seen=seen)
        assert sizing.found_with(0.1, total, 0.95, split=Split(ratio), seen=seen) == pytest.approx(0.02, rel=0.01)


def test_no_test_is_planned_that_would_end_before_it_begins() -> None:
    assert sizing.needed(0.01, 0.9, 0.95) == sizing.begins() == 100
    assert sizing.begins(Split(9), seen=0.1) == 5_000


def test_several_arms_take_more_units_for_each_has_less_of_the_level_and_a_part_of_the_units() -> None:
    one, three = (sizing.needed(0.1, 0.02, 0.95, split=Split(1, others)) for others in (1, 3))
    pair = sizing.needed(0.1, 0.02, 1 - 0.05 / 3, split=Split())
    assert (one < pair, three) == (True, 2 * pair)
    assert sizing.found_with(0.1, three, 0.95, Split(1, 3)) == pytest.approx(0.02, rel=0.01)
    assert Split(9, 3).of_pair(Split(9, 3).of_all(1_000)) in (1_000, 1_001)
    assert sizing.found_with(0.01, 99, 0.95) is None
    assert sizing.found_with(0.0, 500, 0.95) is None
    for variance, difference in ((0.0, 1.0), (1.0, 0.0)):
        with pytest.raises(Invalid):
            sizing.needed(variance, difference, 0.95)


def test_another_share_keeps_how_alike_the_calls_of_a_user_are() -> None:
    figure = Figure(0.2, 0.08, 100, 300)  # half of p (1 − p)
    assert sizing.variance_at(Metric.ERRORS, figure, 0.2) == pytest.approx(0.08)
    assert sizing.variance_at(Metric.ERRORS, figure, 0.5) == pytest.approx(0.125)
    assert sizing.variance_at(Metric.COST, figure, 0.5) == 0.08
    assert sizing.variance_at(Metric.ERRORS, None, 0.5) == 0.25
    nobody = Figure(0.0, 1e-5, 100, 400)  # nothing was hit: four calls of a user count as four
    assert sizing.variance_at(Metric.ERRORS, nobody, 0.2) == pytest.approx(0.04)


def test_what_is_not_there_is_no_figure() -> None:
    empty = sizing.baseline([], [], [], days=0)
    assert (empty.figures, empty.per_day) == ({}, 0)
    call = Seen("u", is_error=True, is_flagged=False, tokens_out=0, cost_usd=None, total_ms=None)
    told = sizing.baseline([call, call._replace(cost_usd=1.0)], [("u", None, 4)], [], days=0.1)
    assert set(told.figures) == {Metric.ERRORS, Metric.FLAGGED, Metric.RATING}
    assert (told.unpriced, told.units, told.calls, told.per_day) == (1, 1, 2, 1)
    assert not any(told.enough(metric) for metric in Metric)


def test_of_a_p95_only_the_value_is_known() -> None:
    calls = [Seen(f"u{n}", False, False, 5, 0.1, float(n)) for n in range(1, 101)]
    told = sizing.baseline(calls, [], [], days=2)
    figure = told.figures[Metric.LATENCY]
    assert (figure.value, figure.variance, told.enough(Metric.LATENCY)) == (95, None, None)
    assert told.figures[Metric.COST].variance == 0  # all the same: nothing to plan with
    assert told.enough(Metric.COST) is None
    assert told.per_day == 50


def test_every_share_has_a_guess() -> None:
    assert set(sizing.GUESSES) == {metric for metric in Metric if ABOUT[metric].is_share}
    assert all(0 < share < 1 and math.isfinite(share) for share in sizing.GUESSES.values())


@pytest.mark.parametrize(("variance", "difference"), [(1.0, 1e-160), (1e300, 1.0), (math.inf, 1.0), (1e308, 1e308)])
def test_numbers_beyond_all_counting_are_refused_in_words(variance: float, difference: float) -> None:
    with pytest.raises(Invalid):
        sizing.needed(variance, difference, 0.95)
    assert sizing.found_with(math.inf, 10_000, 0.95) is None
