"""What sums are read as: by the statistics that are named, in one sentence, and nothing where nothing is known."""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import orjson
import pytest

from core.calls.sketch import Sketch
from core.statistics import means, proportions, quantiles, sequential
from core.statistics.cuped import Arm as BeforeArm
from core.statistics.means import Joint
from core.statistics.sequential import Plan
from core.trials import against, cards, comparing, metrics, reading
from core.trials.cards import Card
from core.trials.comparing import Latencies
from core.trials.metrics import Measures, Metric, offered
from core.trials.rules import Arm, Unit
from core.trials.sums import ArmSums, Counted

ARMS = (Arm("A"), Arm("B", model="x"))


def arm(tops: list[float], bottoms: list[float], metric: Metric = Metric.ERRORS, **told: object) -> ArmSums:
    return ArmSums(len(tops), round(sum(bottoms)), 0, {metric: means.joint(tops, bottoms)}, **told)  # type: ignore[arg-type]


def test_the_values_of_a_sketch_are_as_sorted_as_if_they_were_written_out() -> None:
    dice = np.random.default_rng(1)
    values = np.sort(dice.lognormal(6, 1, 500))
    found = Latencies(Sketch(values.tolist()))
    assert len(found) == 500
    assert list(found) == sorted(found)
    for place in (0, 17, 250, 474, 499, -1):
        assert found[place] == pytest.approx(values[place], rel=0.0101)
    exact = quantiles.quantile(values.tolist(), 0.95)
    near = comparing.of_arm(Metric.LATENCY, ArmSums(latencies=Sketch(values.tolist())), Unit.CALL, 0.95)
    assert near is not None
    assert near.low <= exact.low
    assert near.high >= exact.high
    assert near.low == pytest.approx(exact.low, rel=0.03)


def test_a_share_per_call_is_wilsons_and_its_difference_at_the_end_newcombes() -> None:
    one, two = arm([1] * 30 + [0] * 70, [1] * 100), arm([1] * 10 + [0] * 90, [1] * 100)
    assert comparing.of_arm(Metric.ERRORS, one, Unit.CALL, 0.95) == proportions.wilson(30, 100)
    found = comparing.at_the_end(Metric.ERRORS, one, two, Unit.CALL, 0.95)
    assert found == proportions.newcombe(30, 100, 10, 100)


def test_a_mean_per_call_at_the_end_is_welchs_and_a_ratio_per_user_the_delta_methods() -> None:
    dice = np.random.default_rng(2)
    x, y = dice.normal(5, 2, 80).tolist(), dice.normal(4, 1, 60).tolist()
    one, two = arm(x, [1.0] * 80, Metric.COST), arm(y, [1.0] * 60, Metric.COST)
    welch = means.at_one_look(means.difference(means.moments(x), means.moments(y)))
    found = comparing.at_the_end(Metric.COST, one, two, Unit.CALL, 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    per_user = comparing.at_the_end(Metric.COST, one, two, Unit.USER, 0.95)
    delta = means.at_one_look(
        means.apart(means.ratio(means.joint(x, [1.0] * 80)), means.ratio(means.joint(y, [1.0] * 60)))
    )
    assert per_user == delta


def test_nothing_hit_is_no_certainty() -> None:
    """With no error in either arm a delta-method interval would have no width; the claim is as wide as 1 of 202."""
    clean = arm([0] * 200, [1] * 200)
    found = comparing.compare(Metric.ERRORS, clean, clean, Plan(400))
    assert found.absolute.value == 0
    assert found.absolute.high > sequential.share(0, 200).standard_error
    assert found.p == 1


def test_equal_costs_are_equal_however_they_were_added_up() -> None:
    """A store's sums of 0.00001335 and of as many times as each user called are not quite what they stand for."""
    arms = []
    for seed in (3, 4):
        count = np.random.default_rng(seed).integers(1, 5, 1_100).astype(float)
        x = count * 0.00001335
        sums = (x.sum(), (x * x).sum(), count.sum(), (count * count).sum(), (x * count).sum())
        joint = means.joint_of_sums(1_100, *(float(one) for one in sums))
        arms.append(ArmSums(1_100, int(count.sum()), 0, {Metric.COST: joint}))
    found = comparing.compare(Metric.COST, *arms, Plan(3_000))
    assert arms[0].joints[Metric.COST] != arms[1].joints[Metric.COST]
    assert (found.absolute.low, found.absolute.high, found.relative.value, found.p) == (0, 0, 0, 1)
    told = card(*arms, goal=Metric.COST, guardrails={}, planned=3_000)
    assert (told.outcome, told.lines[0].absolute, told.said[0].finds) == ("running", against.ALL_THE_SAME, "")
    assert told.sentence == "Everybody had the same figure of cost per call, with B as with A."
    assert "so far both can be" not in " ".join(told.changes)
    ended = card(*arms, goal=Metric.COST, guardrails={}, planned=2_000, is_final=True)
    assert (ended.outcome, ended.reasons) == ("inconclusive", ("the goal was the same for everybody",))
    assert (ended.lines[0].relative, ended.said[0].at_the_end) == (against.ALL_THE_SAME, "")
    assert ended.changes == ("Anybody with another figure of cost per call; if nobody is to have one, another goal.",)


def test_both_intervals_of_a_card_agree_about_no_difference() -> None:
    """Over random tables, many of them with rare hits and a small arm, where a symmetric interval would not."""
    dice = np.random.default_rng(6)
    decided = open_ = 0
    for _ in range(1_500):
        plan = Plan(int(dice.integers(200, 3_000)), float(dice.choice([0.9, 0.95, 0.99])))
        pair = []
        for _ in range(2):
            n, share = int(dice.integers(50, 800)), dice.uniform(0.02, 0.5)
            calls = dice.integers(1, 5, n)
            pair.append(arm(dice.binomial(calls, share).tolist(), calls.tolist()))
        found = comparing.compare(Metric.ERRORS, *pair, plan)
        if not math.isfinite(found.relative.low):
            continue
        is_open = found.absolute.low <= 0 <= found.absolute.high
        assert (found.relative.low <= 0 <= found.relative.high) is is_open
        open_, decided = open_ + is_open, decided + (not is_open)
    assert min(open_, decided) > 300


def test_nothing_becomes_less_than_none() -> None:
    found = comparing.compare(Metric.ERRORS, both(12, 0), both(20, 0), Plan(600)).relative
    assert found.low == -1
    assert found.high > 0


def test_before_the_start_and_without_any_verdict_nothing_is_claimed() -> None:
    few = arm([1] * 40, [1] * 40)
    none = ArmSums()
    for one, two in ((few, few), (none, none), (few, none)):
        found = comparing.compare(Metric.ERRORS, one, two, Plan(400))
        assert math.isinf(found.absolute.low)
        assert found.p == 1
    assert math.isinf(comparing.compare(Metric.LATENCY, none, none, Plan(400)).absolute.high)


def card(one: ArmSums, two: ArmSums, *, is_final: bool = False, **told: object) -> Card:
    given = {"planned": 400, "goal": Metric.ERRORS, "guardrails": offered(Metric.FLAGGED)} | told
    measures = Measures(given["goal"], (), given["guardrails"])  # type: ignore[arg-type]
    design = reading.Design(ARMS, Unit.USER, measures, given["planned"])  # type: ignore[arg-type]
    return reading.card(design, Counted((two, one)), is_final=is_final)


def both(failed: int, flagged: int, n: int = 300) -> ArmSums:
    """Failures and flags of so many users of two calls each."""
    told = {
        Metric.ERRORS: means.joint([1] * failed + [0] * (n - failed), [2] * n),
        Metric.FLAGGED: means.joint([1] * flagged + [0] * (n - flagged), [2] * n),
    }
    return ArmSums(n, 2 * n, 0, told)


def test_a_better_goal_ships_only_with_its_guardrails_held() -> None:
    margin = {Metric.FLAGGED: dataclasses.replace(metrics.ABOUT[Metric.FLAGGED].margin, limit=0.05)}
    assert card(both(10, 0), both(120, 0), guardrails=margin).outcome == "ship"
    assert card(both(10, 20), both(120, 0), guardrails=margin).outcome == "inconclusive"
    found = card(both(10, 200), both(120, 0), guardrails=margin)
    assert (found.outcome, found.broken(1)) == ("keep", ("flagged by policies",))
    assert found.sentence.startswith("B is beyond the limit for flagged by policies (")
    assert card(both(120, 0), both(10, 0), guardrails=margin).outcome == "keep"


def test_a_split_that_is_off_hides_the_verdict() -> None:
    found = card(both(10, 0, 300), both(120, 0, 500))
    assert found.is_off
    assert found.outcome == "unhealthy"
    assert "did not split as planned" in found.sentence
    assert "sequential multinomial" in found.split
    assert "chi-square" in card(both(10, 0, 300), both(120, 0, 500), is_final=True).split


def test_a_card_survives_its_json() -> None:
    found = card(both(10, 0), both(120, 3), is_final=True)
    assert found.said[0].at_the_end.startswith(
        "Looked at only once, after the planned size, the difference in errors would be "
    )
    assert "so the one above decides" in found.said[0].at_the_end
    assert cards.card_in(orjson.loads(orjson.dumps(cards.told(found)))) == found


def test_a_report_frozen_when_there_was_one_arm_only_is_read_as_it_was() -> None:
    now = cards.told(card(both(10, 0), both(120, 3), is_final=True))
    (said,) = now.pop("said")
    before = {name: one for name, one in now.items() if name not in ("leader", "level", "between", "promoted")}
    before |= {name: said[name] for name in ("goal", "before", "finds", "at_the_end")}
    before["lines"] = [{name: one for name, one in line.items() if name != "arm"} for line in now["lines"]]
    assert cards.card_in(before) == card(both(10, 0), both(120, 3), is_final=True)


def test_what_the_planned_size_finds_counts_only_who_says_something() -> None:
    """Of ten times as many units a tenth tell: what is found is more than if all did, as the sequence reaches then."""
    told = {Metric.THUMBS: means.joint([1] * 60 + [0] * 40, [1] * 100)}
    values = []
    for units in (100, 1_000):
        arms = (ArmSums(units, units, 0, told),) * 2
        finds = card(*arms, goal=Metric.THUMBS, guardrails={}, planned=20_000).said[0].finds
        values.append(float(re.search(r"about ([\d.]+) points", finds)[1]))  # type: ignore[index]
    reach = sequential.both_sides(0.1, sequential.tuned(1, 0.05), 0.05)
    assert values[1] / values[0] == pytest.approx(math.sqrt(10) * (reach + 0.8416) / (3.03 + 0.8416), rel=0.05)


def test_what_users_did_before_is_told_as_a_difference_per_user_and_what_it_explains() -> None:
    dice = np.random.default_rng(5)
    before = dice.lognormal(0, 0.5, (2, 200))
    now = before * [[1.0], [0.8]] * dice.uniform(0.9, 1.1, (2, 200))
    known = tuple(BeforeArm(known=means.joint(x.tolist(), y.tolist())) for x, y in zip(now, before, strict=True))
    design = reading.Design(ARMS, Unit.USER, Measures(Metric.COST), 400)
    found = reading.card(design, Counted((ArmSums(), ArmSums()), before=known)).said[0].before
    assert found.startswith(
        "Adjusted by what users did in the 14 days before (CUPED, 400 of them known from then), B − A is −0.2"
    )
    assert re.search(r" USD per user \(−0\.\d+ to −0\.\d+\); that explains 9\d % of the variance\.$", found)


def test_guardrails_share_the_level_among_them() -> None:
    """Bonferroni: five at 99 % are wrong no more often than one at 95 %."""
    measures = Measures(Metric.THUMBS, (), offered())
    assert measures.guardrail_level == pytest.approx(0.99)
    assert Measures(Metric.THUMBS).guardrail_level == 0.95


def test_users_who_come_back_do_not_make_a_test_find_what_is_not_there() -> None:
    """A/A tests looked at thirty times, users with rates and habits of their own who return: at most 5 % find
    something at any look (of 200 tests 18 or more would be chance in one of 100)."""
    dice = np.random.default_rng(11)
    users, looks, found = 600, 30, 0
    for _ in range(200):
        arms = dice.integers(0, 2, users)
        habit, rate = dice.beta(1, 9, users), dice.gamma(0.7, 1.0, users)
        calls, failed = np.zeros(users), np.zeros(users)
        plan = Plan(users)
        for _ in range(looks):
            more = dice.poisson(rate / 3)
            calls += more
            failed += dice.binomial(more, habit)
            sums = [_sums(failed[(arms == one) & (calls > 0)], calls[(arms == one) & (calls > 0)]) for one in (0, 1)]
            interval = comparing.compare(Metric.ERRORS, sums[1], sums[0], plan).absolute
            if interval.low > 0 or interval.high < 0:
                found += 1
                break
    assert found < 18


def _sums(failed: np.ndarray, calls: np.ndarray) -> ArmSums:
    n = len(calls)
    joint = (
        means.joint_of_sums(n, failed.sum(), (failed**2).sum(), calls.sum(), (calls**2).sum(), (failed * calls).sum())
        if n
        else Joint()
    )
    return ArmSums(n, int(calls.sum()), 0, {Metric.ERRORS: joint})
