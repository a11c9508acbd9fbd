"""What a test is planned from: how each metric is now, how much one unit differs from the next, and how many come.

Pure. The variance of a unit is the one the reading of a test will see: the delta method's of the metric's ratio, so
that users with several calls are no independent draws, and a share is not p (1 − p) where calls of one user are alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from core.errors import Invalid
from core.review.rules import Verdict
from core.statistics import means, planning, sequential
from core.statistics.arms import each_level
from core.statistics.margins import Margin, Worse
from core.statistics.planning import Aim
from core.trials.against import detectable
from core.trials.comparing import ROUNDING, ratio_of
from core.trials.metrics import ABOUT, P95, Metric

FORMULA = planning.WATCHED
ENOUGH = sequential.START
"""Units from which a variance is told: as many as a test needs in its smaller arm before it says anything."""
_MOST = 1e30
"""What no variance of a unit exceeds, as it is or in differences squared: beyond it floats end."""
GUESSES = {Metric.THUMBS: 0.8, Metric.ERRORS: 0.02, Metric.UNCHANGED: 0.7, Metric.REJECTED: 0.05, Metric.FLAGGED: 0.02}
"""How often it is so in general, for shares of which nothing is on record."""


class Seen(NamedTuple):
    """A call on record: whose it is, how it ended, what it used. `cost_usd` None: nobody knows its price; `total_ms`
    None: it was refused, which says nothing of how fast answers are."""

    unit: str
    is_error: bool
    is_flagged: bool
    tokens_out: int
    cost_usd: float | None
    total_ms: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric now: its value (a share 0…1, else in the metric's unit) from `units` units with `counted` calls, ratings
    or verdicts. `variance` is of one of these units as the ratio sees it (None: of a p95 there is none), `seen` the
    share of all units read that has the metric at all.
    """

    value: float
    variance: float | None
    units: int
    counted: int
    seen: float = 1.0

    @property
    def is_enough(self) -> bool:
        """Whether a size can be told from it: enough units, and they differ."""
        return self.units >= ENOUGH and self.variance is not None and self.variance > 0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the record says of the calls a test would split: figures by metric, of so many units and calls in `days`.

    `nameless` calls named no unit and would be in no arm; with `unpriced` calls among them no cost is known.
    """

    figures: Mapping[Metric, Figure] = field(default_factory=dict)
    units: int = 0
    calls: int = 0
    days: float = 0.0
    nameless: int = 0
    unpriced: int = 0

    @property
    def per_day(self) -> int:
        """Units that came, by the days they came in, at least one: who came on several days is counted once, so it is
        about how many new ones a day bring to a test of that length, and less than came on any one day."""
        return math.ceil(self.units / max(1.0, self.days)) if self.units else 0

    def enough(self, metric: Metric) -> Figure | None:
        """The metric's figure where a size can be told from it."""
        found = self.figures.get(metric)
        return found if found is not None and found.is_enough else None

    def seen(self, metric: Metric) -> float:
        """The share of units that have the metric at all, 1 where nobody has: so few say nothing of how many will."""
        found = self.figures.get(metric)
        return found.seen if found is not None else 1.0


def baseline(
    calls: Sequence[Seen],
    said: Iterable[tuple[str, int | None, int | None]],
    verdicts: Iterable[tuple[str, str]],
    *,
    days: float,
    nameless: int = 0,
) -> Baseline:
    """Calls added up per unit. `said` are unit, thumb (1, −1) and rating of feedback, `verdicts` unit and verdict."""
    unpriced = sum(call.cost_usd is None for call in calls)
    users = _places([call.unit for call in calls])
    answered, every = [not call.is_error for call in calls], [1] * len(calls)
    said, judged = list(said), list(verdicts)
    sums: dict[Metric, Sums] = {
        Metric.ERRORS: (users, [call.is_error for call in calls], every),
        Metric.FLAGGED: (users, [call.is_flagged for call in calls], every),
        Metric.TOKENS_OUT: (users, [0 if call.is_error else call.tokens_out for call in calls], answered),
        Metric.THUMBS: _each([(unit, thumb == 1) for unit, thumb, _ in said if thumb is not None]),
        Metric.RATING: _each([(unit, rating) for unit, _, rating in said if rating is not None]),
        Metric.UNCHANGED: _each([(unit, verdict == Verdict.APPROVE) for unit, verdict in judged]),
        Metric.REJECTED: _each([(unit, verdict == Verdict.REJECT) for unit, verdict in judged]),
    }
    if not unpriced:
        sums[Metric.COST] = (users, [call.cost_usd or 0.0 for call in calls], every)
    count = len({call.unit for call in calls})
    figures = {metric: _figure(metric, *told, of=count) for metric, told in sums.items() if any(told[2])}
    if times := [call.total_ms for call in calls if call.total_ms is not None]:
        slow = float(np.quantile(times, P95, method="inverted_cdf"))
        figures[Metric.LATENCY] = Figure(slow, None, count, len(times))
    return Baseline(figures, count, len(calls), days, nameless, unpriced)


Sums = tuple[Sequence[int], Sequence[float], Sequence[float]]
"""For each thing counted: the number of its unit, what is added up above, and below."""


def _places(units: Iterable[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(unit, len(numbers)) for unit in units]


def _each(told: Sequence[tuple[str, float]]) -> Sums:
    return _places(unit for unit, _ in told), [top for _, top in told], [1] * len(told)


def _figure(
    metric: Metric, place: Sequence[int], tops: Sequence[float], bottoms: Sequence[float], *, of: int
) -> Figure:
    joint = means.joint(*(np.bincount(place, weights=np.asarray(one, float)).tolist() for one in (tops, bottoms)))
    found = ratio_of(metric, joint)
    is_spread = abs(found.value) * ROUNDING < found.standard_error < math.inf
    variance = found.standard_error**2 * joint.n if is_spread else 0.0
    return Figure(found.value, variance, joint.n, round(sum(bottoms)), joint.n / of)


def variance_at(metric: Metric, figure: Figure | None, now: float) -> float:
    """The variance of one unit if the share were `now`: as many times p (1 − p) as it is today, since how alike the
    calls of a unit are does not change with how many are hit. Without a figure a unit counts as one draw."""
    plain = now * (1 - now)
    if figure is None or figure.variance is None:
        return plain
    if not ABOUT[metric].is_share:
        return figure.variance
    if not 0 < figure.value < 1:  # nobody was hit, or everybody: as if all calls were apart
        return plain * figure.units / figure.counted
    return figure.variance * plain / (figure.value * (1 - figure.value))


@dataclass(frozen=True, slots=True)
class Split:
    """How units fall on the arms: `ratio` is how many the control gets for one of each of the `others`, among which the
    level is divided."""

    ratio: float = 1.0
    others: int = 1

    def of_all(self, pair: int) -> int:
        """Units of all arms, of which one and the control have so many."""
        return math.ceil(pair * (self.ratio + self.others) / (self.ratio + 1) - 1e-9)

    def of_pair(self, every: int) -> int:
        """Units of one arm and the control, of so many in all."""
        return math.floor(every * (self.ratio + 1) / (self.ratio + self.others))


def needed(
    variance: float,
    difference: float,
    level: float,
    *,
    split: Split = Split(),
    seen: float = 1.0,
    variance_control: float | None = None,
) -> int:
    """Units of all arms to plan for: after so many each arm's always-valid interval finds the difference with power
    0.8, and has begun.

    Raises: Invalid for what varies not or differs not, or so much that nobody could count the units.
    """
    if not 0 < variance < _MOST or not 0 < difference < _MOST or variance / difference / difference > _MOST:
        raise Invalid(
            "A plan needs a difference above 0 of a metric that varies.", param="difference",
            hint="Say how it is now, and which difference would be worth finding.",
        )  # fmt: skip
    size = planning.size_when_watched(
        variance, difference, Aim(level=each_level(level, split.others), control_per_arm=split.ratio),
        variance_control=variance_control, with_power=True, seen=seen,
    )  # fmt: skip
    return max(split.of_all(size.total), begins(split, seen=seen))


def needed_within(figure: Figure, margin: Margin, level: float, split: Split = Split()) -> int:
    """Units of all arms to know, with power 0.8, that an arm which is as the control is inside the margin.

    A relative margin c is read by Fieller's set (`sequential.watched_relative`): it holds c out where arm − (1 + c) ·
    control is beyond the reach, so the difference is c times the value now and the control's variance counts (1 + c)²
    times. Raises: Invalid for what varies not, or is 0 now and has a relative margin.
    """
    variance = figure.variance or 0.0
    if not margin.is_relative:
        return needed(variance, margin.limit, level, split=split, seen=figure.seen)
    change = 1 + (margin.limit if margin.worse is Worse.HIGHER else -margin.limit)
    return needed(
        variance, margin.limit * figure.value, level, split=split, seen=figure.seen,
        variance_control=change * change * variance,
    )  # fmt: skip


def begins(split: Split = Split(), *, seen: float = 1.0) -> int:
    """Units of all arms from which a test says anything: the smaller arm has its first `sequential.START`."""
    return split.of_all(math.ceil(sequential.START * (1 + split.ratio) / min(1.0, split.ratio) / seen))


def found_with(
    variance: float,
    units: int,
    level: float,
    split: Split = Split(),
    *,
    seen: float = 1.0,
) -> float | None:
    """The smallest difference that so many units of all arms find with power 0.8; None before a test has begun."""
    if units < begins(split, seen=seen) or not 0 < variance < _MOST:
        return None
    level = each_level(level, split.others)
    return detectable(variance, split.of_pair(units), level, control_per_arm=split.ratio, seen=seen)
