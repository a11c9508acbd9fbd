"""A p95 of calls whose users were randomised: what calls of one user have in common, counted and not forgotten."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from core.calls.sketch import Sketch
from core.statistics import means
from core.statistics.sequential import Plan
from core.trials import comparing, counting, slow
from core.trials.metrics import Measures, Metric, offered
from core.trials.rules import Unit
from core.trials.sums import ArmSums
from tests.trials.lab import Lab, design, plan

TIMED = plan(measures=Measures(Metric.TOKENS_OUT, (), offered(Metric.LATENCY)), planned=400)


def test_slow_calls_are_counted_per_unit_and_arm(lab: Lab) -> None:
    trial = lab.started(planned=TIMED)
    dice = np.random.default_rng(3)
    made, units = [], defaultdict(list)
    for number in range(600):
        arm, user = number % 2, f"{number % 2}-{dice.integers(80)}"
        took = float(dice.lognormal(5 + arm, 1))
        units[(arm, user)].append(took)
        made.append(lab.call(trial, user, arm, total_ms=took))
    made.append(lab.call(trial, "0-1", 0, total_ms=1e6, status="refused"))  # was not timed
    lab.write(made)
    with lab.db.read() as session:
        arms = counting.counted(session, lab.view(trial)).arms
    for number, arm in enumerate(arms):
        mine = [times for (its, _), times in units.items() if its == number]
        every = sorted(one for times in mine for one in times)
        found = arm.joints[Metric.LATENCY]
        slower = round(found.first.mean * found.n)
        limit = every[len(every) - slower - 1]
        wanted = means.joint([sum(one > limit for one in times) for times in mine], [len(times) for times in mine])
        assert slower == pytest.approx(15, abs=2)
        assert (found.first.squares, found.products) == pytest.approx((wanted.first.squares, wanted.products))


def test_only_the_newest_calls_are_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "NEWEST", 10)
    trial = lab.started(planned=TIMED)
    lab.write([lab.call(trial, f"u{number // 4}", number // 4 % 2) for number in range(40)])
    with lab.db.read() as session:
        arms = counting.counted(session, lab.view(trial)).arms
    assert sum(round(arm.joints[Metric.LATENCY].second.mean * arm.joints[Metric.LATENCY].n) for arm in arms) == 10
    assert sum(arm.calls for arm in arms) == 40


def test_a_test_by_calls_reads_no_units_of_calls(lab: Lab) -> None:
    trial = lab.started(design(unit=Unit.CALL), TIMED)
    lab.write([lab.call(trial, str(number), number % 2) for number in range(6)])
    with lab.db.read() as session:
        arms = counting.counted(session, lab.view(trial)).arms
    assert all(Metric.LATENCY not in arm.joints for arm in arms)
    assert comparing.design_effect(arms[0], *arms) == 1


def arm_of(users: np.ndarray, times: np.ndarray, *, knows_units: bool = True) -> ArmSums:
    """What is counted of these calls."""
    calls = np.bincount(users)
    hits = np.bincount(users, weights=times > np.quantile(times, 0.95, method="inverted_cdf"))[calls > 0]
    calls = calls[calls > 0].astype(float)
    joints = {Metric.ERRORS: means.joint([0.0] * len(calls), calls.tolist())}
    joints[Metric.LATENCY] = means.joint(hits.tolist(), calls.tolist())
    return ArmSums(len(calls) if knows_units else len(times), len(times), 0, joints, Sketch(times.tolist()))


def test_before_enough_users_came_no_number_of_calls_says_anything() -> None:
    dice = np.random.default_rng(1)
    arms = [arm_of(dice.integers(0, 20, 2_000), dice.lognormal(6, 1, 2_000)) for _ in range(2)]
    assert math.isinf(comparing.compare(Metric.LATENCY, *arms, Plan(400)).absolute.high)
    of_calls = [arm_of(np.arange(2_000), dice.lognormal(6, 1, 2_000)) for _ in range(2)]
    assert math.isfinite(comparing.compare(Metric.LATENCY, *of_calls, Plan(400)).absolute.high)


def test_of_one_arm_the_interval_for_one_look_is_wider_where_users_are_slow_or_fast() -> None:
    dice = np.random.default_rng(2)
    users = np.repeat(np.arange(200), 10)
    alike = np.exp(6 + dice.normal(0, 1, 200)[users] + dice.normal(0, 0.2, 2_000))
    wide, narrow = (
        comparing.of_arm(Metric.LATENCY, arm_of(users, alike, knows_units=knows), Unit.USER, 0.95)
        for knows in (True, False)
    )
    assert wide is not None
    assert narrow is not None
    assert wide.value == narrow.value
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def differs_by(arms: list[tuple[np.ndarray, np.ndarray]], n: int, *, knows_units: bool) -> bool:
    """Whether the p95 of the first n calls of both is called different."""
    counted = [arm_of(users[:n], times[:n], knows_units=knows_units) for users, times in arms]
    found = comparing.compare(Metric.LATENCY, *counted, Plan(300)).absolute
    return found.low > 0 or found.high < 0


@pytest.mark.parametrize(("each", "slow_users"), [(20, None), (30, 0.05)])
def test_of_watched_tests_of_nothing_at_most_one_in_twenty_finds_a_slower_p95(
    each: int, slow_users: float | None
) -> None:
    """Users who differ, or one in twenty of whom is always slow; calls taken for independent find it far too often."""
    dice, runs, found, naive = np.random.default_rng(12), 80, 0, 0
    for _ in range(runs):
        arms = []
        for _ in range(2):
            own = dice.normal(0, 1.5, 150) if slow_users is None else 2.0 * (dice.random(150) < slow_users)
            users = dice.permutation(np.repeat(np.arange(150), each))
            arms.append((users, np.exp(6 + own[users] + dice.normal(0, 0.5, len(users)))))
        looks = np.geomspace(200, 150 * each, 12).astype(int)
        differs = [[differs_by(arms, n, knows_units=knows) for n in looks] for knows in (True, False)]
        ours, theirs = (any(row) for row in differs)
        found, naive = found + ours, naive + theirs
    assert found <= 0.05 * runs
    assert naive > 0.1 * runs


def test_a_p95_that_is_slower_for_every_user_is_found() -> None:
    dice = np.random.default_rng(4)
    users = np.repeat(np.arange(1_000), 4)
    own = dice.normal(0, 0.3, (2, 1_000))
    fast, slower = (np.exp(6 + plus + own[n][users] + dice.normal(0, 0.3, 4_000)) for n, plus in ((0, 0), (1, 0.5)))
    assert comparing.compare(Metric.LATENCY, arm_of(users, slower), arm_of(users, fast), Plan(2_000)).relative.low > 0.1
