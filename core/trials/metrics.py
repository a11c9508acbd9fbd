"""What a live test is measured by, each a ratio of two sums per unit, and the margins a guardrail is offered with.

A metric is told per call (errors per call, dollars per call), while units were randomised: so it is the sum of a
unit's tops over the sum of its bottoms, and its standard error is the delta method's (`statistics.means.ratio`). The
p95 latency alone is of calls: it is read from the hourly sketches, and how alike calls of one unit are widens it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.errors import Invalid
from core.statistics.margins import Margin, Worse

MOST_SECONDARY, MOST_GUARDRAILS = 6, 8


class Metric(StrEnum):
    """Everything a test can be about."""

    THUMBS = "thumbs"
    RATING = "rating"
    ERRORS = "errors"
    COST = "cost"
    LATENCY = "latency"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    TOKENS_OUT = "tokens_out"
    FLAGGED = "flagged"


class Source(StrEnum):
    """Where a metric's sums come from: the units' own rows, feedback, verdicts of reviews, or latency sketches."""

    UNIT = "unit"
    FEEDBACK = "feedback"
    REVIEW = "review"
    SKETCH = "sketch"


@dataclass(frozen=True, slots=True)
class About:
    """A metric in words. `margin` is the guardrail it is offered as: a share's in points (0.02), else relative."""

    metric: Metric
    name: str
    source: Source
    worse: Worse
    is_share: bool
    unit: str
    better: str
    worse_words: str
    margin: Margin


_H, _L = Worse.HIGHER, Worse.LOWER
ABOUT: Mapping[Metric, About] = {
    one.metric: one
    for one in (
        About(
            Metric.THUMBS, "thumbs up", Source.FEEDBACK, _L, True, "", "is liked better", "is liked less",
            Margin(0.05, _L),
        ),
        About(
            Metric.RATING, "rating", Source.FEEDBACK, _L, False, "stars", "is rated better", "is rated worse",
            Margin(0.05, _L, is_relative=True),
        ),
        About(
            Metric.ERRORS, "errors", Source.UNIT, _H, True, "", "fails less often", "fails more often",
            Margin(0.01, _H),
        ),
        About(
            Metric.COST, "cost per call", Source.UNIT, _H, False, "USD", "is cheaper", "is dearer",
            Margin(0.1, _H, is_relative=True),
        ),
        About(
            Metric.LATENCY, "p95 latency", Source.SKETCH, _H, False, "ms", "is faster", "is slower",
            Margin(0.1, _H, is_relative=True),
        ),
        About(
            Metric.UNCHANGED, "approved unchanged", Source.REVIEW, _L, True, "", "is approved unchanged more often",
            "is approved unchanged less often", Margin(0.05, _L),
        ),
        About(
            Metric.REJECTED, "rejected in review", Source.REVIEW, _H, True, "", "is rejected less often",
            "is rejected more often", Margin(0.05, _H),
        ),
        About(
            Metric.TOKENS_OUT, "tokens per answer", Source.UNIT, _H, False, "tokens", "answers shorter",
            "answers longer", Margin(0.2, _H, is_relative=True),
        ),
        About(
            Metric.FLAGGED, "flagged by policies", Source.UNIT, _H, True, "", "is flagged less often",
            "is flagged more often", Margin(0.01, _H),
        ),
    )
}  # fmt: skip
P95 = 0.95
DEFAULT_GUARDRAILS = (Metric.ERRORS, Metric.LATENCY, Metric.COST, Metric.FLAGGED, Metric.REJECTED)


@dataclass(frozen=True, slots=True)
class Measures:
    """What a test is decided by: one goal, metrics that are told beside it, and guardrails with their margins."""

    goal: Metric
    secondary: tuple[Metric, ...] = ()
    guardrails: Mapping[Metric, Margin] | None = None
    level: float = 0.95

    @property
    def margins(self) -> Mapping[Metric, Margin]:
        """The guardrails, none where there are none."""
        return self.guardrails or {}

    @property
    def guardrail_level(self) -> float:
        """The level of each guardrail's interval: 1 − α / k (Bonferroni), so that k guardrails together are called
        broken by chance no more often than one at the test's level."""
        return 1 - (1 - self.level) / max(1, len(self.margins))

    @property
    def every(self) -> tuple[Metric, ...]:
        """The goal, the others and the guardrails, each once."""
        return tuple(dict.fromkeys((self.goal, *self.secondary, *self.margins)))


def offered(*metrics: Metric) -> dict[Metric, Margin]:
    """Guardrails with the margins they are offered with."""
    return {metric: ABOUT[metric].margin for metric in metrics or DEFAULT_GUARDRAILS}


def check(measures: Measures) -> Measures:
    """Raises: Invalid for what cannot be decided by."""
    if measures.goal in measures.margins or measures.goal in measures.secondary:
        raise Invalid(
            f"{ABOUT[measures.goal].name!r} is the goal already.", param="goal", hint="Take it from the other lists."
        )
    if len(set(measures.secondary)) > MOST_SECONDARY:
        raise Invalid(f"At most {MOST_SECONDARY} metrics are told beside the goal.", param="secondary")
    if len(measures.margins) > MOST_GUARDRAILS:
        raise Invalid(f"A test has at most {MOST_GUARDRAILS} guardrails.", param="guardrails")
    if not 0.8 <= measures.level < 1:
        raise Invalid("The level lies between 80 and 99.9 %.", param="level")
    for metric, margin in measures.margins.items():
        if margin.worse is not ABOUT[metric].worse:
            raise Invalid(f"A higher {ABOUT[metric].name} is not what is bad.", param="guardrails")
    return measures


def measures_out(measures: Measures) -> dict[str, Any]:
    """As JSON."""
    return {
        "goal": measures.goal.value,
        "secondary": [metric.value for metric in measures.secondary],
        "guardrails": {metric.value: [one.limit, one.is_relative] for metric, one in measures.margins.items()},
        "level": measures.level,
    }


def measures_in(told: Mapping[str, Any]) -> Measures:
    """From JSON."""
    guardrails = {
        Metric(name): Margin(limit, ABOUT[Metric(name)].worse, is_relative)
        for name, (limit, is_relative) in told["guardrails"].items()
    }
    secondary: Iterable[str] = told["secondary"]
    return Measures(Metric(told["goal"]), tuple(Metric(one) for one in secondary), guardrails, told["level"])


def margin_told(metric: Metric, margin: Margin) -> str:
    """A margin in words: at most so much worse."""
    about = ABOUT[metric]
    direction = "more" if margin.worse is Worse.HIGHER else "less"
    if margin.is_relative:
        return f"at most {margin.limit * 100:g} % {direction}"
    if about.is_share:
        return f"at most {margin.limit * 100:g} point{'' if margin.limit == 0.01 else 's'} {direction}"
    return f"at most {margin.limit:g} {about.unit} {direction}"


def shown(metric: Metric, value: float) -> str:
    """A value with its unit."""
    about = ABOUT[metric]
    if not math.isfinite(value):
        return "–"
    if about.is_share:
        return f"{value * 100:.1f} %"
    if metric is Metric.COST:
        return f"${value:.6f}" if value < 0.01 else f"${value:.4f}"
    return f"{value:,.2f}" if metric is Metric.RATING else f"{value:,.0f}"
