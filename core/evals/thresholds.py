"""What a run must reach for CI to let a change through: limits, and whether they are met, each in a sentence.

A limit on what was not measured is not met: nothing passes because it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from core.errors import Invalid
from core.evals.cases import Score, State
from core.evals.scorers import sentence
from core.statistics.proportions import Estimate, newcombe, wilson

MOST = 200


class _Limit(BaseModel):
    """What every limit has. It is on each variant, or on the one of this letter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: str = Field(default="", pattern="^[A-H]?$")
    scorer: str = Field(min_length=1, max_length=80)


class OnMean(_Limit):
    """The mean of the values is at least, or at most; with `surely`, the near end of its interval is."""

    on: Literal["mean"]
    least: float | None = Field(default=None, allow_inf_nan=False)
    most: float | None = Field(default=None, allow_inf_nan=False)
    surely: bool = False

    @model_validator(mode="after")
    def _has_one_end(self) -> OnMean:
        if (self.least is None) is (self.most is None):
            raise ValueError("say either the least or the most")
        return self


class OnPassShare(_Limit):
    """The share of answers that passed is at least this; with `surely`, the lower end of its interval is."""

    on: Literal["pass share"]
    least: float = Field(ge=0, le=1)
    surely: bool = False


class OnScoredShare(_Limit):
    """The share of cells that have a score, of those the scorer applies to: failed ones are in no mean."""

    on: Literal["scored share"]
    least: float = Field(ge=0, le=1)


class OnRegression(_Limit):
    """Not worse than the baseline by more than `margin`; with `surely`, the whole interval of the difference is not.
    `better` says which way is up."""

    on: Literal["regression"]
    of: Literal["mean", "pass share"] = "pass share"
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    better: Literal["higher", "lower"] = "higher"
    surely: bool = False


Limit = OnMean | OnPassShare | OnScoredShare | OnRegression
_ONE: TypeAdapter[Limit] = TypeAdapter(Annotated[Limit, Field(discriminator="on")])


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run's cells of one scorer came to.

    `mean` and `difference` (of the means, this run less the baseline) come with the intervals somebody else found;
    None: not known. `cells` are those the scorer applies to, `scored` those with a value, `judged` those that passed or
    did not. `share` and `share_difference` are the share of those that passed and how far it is from the baseline's,
    where somebody knows better than that every cell stands for itself: with repetitions, and for the same examples.
    """

    cells: int
    scored: int
    judged: int
    passed: int
    mean: Estimate | None = None
    difference: Estimate | None = None
    share: Estimate | None = None
    share_difference: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a limit is met, and why, in a sentence. `is_judged`: whether there was anything to go by; what was not
    measured is not met either."""

    limit: Limit
    met: bool
    reason: str
    is_judged: bool = True


def parse(given: object) -> tuple[Limit, ...]:
    """Limits from their JSON. Raises: Invalid naming the limit and what is wrong with it."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise Invalid("The thresholds must be a list.", code="threshold")
    if len(given) > MOST:
        raise Invalid(f"A run has at most {MOST} thresholds.", code="threshold", hint="Leave some out.")
    made: list[Limit] = []
    for number, one in enumerate(given, 1):
        try:
            made.append(_ONE.validate_python(one))
        except ValidationError as error:
            raise Invalid(sentence(f"Threshold {number}", error), code="threshold") from None
    return tuple(made)


def measured(scores: Sequence[Score], *, mean: Estimate | None = None, difference: Estimate | None = None) -> Measured:
    """The counts of a scorer's scores."""
    told = [one for one in scores if one.state is not State.NOT_APPLICABLE]
    valued = [one for one in told if one.state is State.SCORED]
    judged = [one.passed for one in valued if one.passed is not None]
    return Measured(len(told), len(valued), len(judged), sum(judged), mean, difference)


def check(
    limits: Sequence[Limit], run: Mapping[str, Measured], baseline: Mapping[str, Measured] | None = None
) -> tuple[Outcome, ...]:
    """Whether the run meets each limit, in their order. Keys are names of scorers."""
    return tuple(_checked(one, run.get(one.scorer), (baseline or {}).get(one.scorer)) for one in limits)


def _checked(limit: Limit, here: Measured | None, before: Measured | None) -> Outcome:
    if here is None or not here.cells:
        return _unknown(limit, f"“{limit.scorer}” scored nothing in this run.")
    if isinstance(limit, OnScoredShare):
        share = here.scored / here.cells
        return _outcome(limit, share >= limit.least, f"{here.scored} of {here.cells} have a score", limit.least)
    if isinstance(limit, OnPassShare):
        if not here.judged:
            return _unknown(limit, f"“{limit.scorer}” passed or failed nothing in this run.")
        found = here.share or wilson(here.passed, here.judged)
        value = found.low if limit.surely else found.value
        return _outcome(
            limit,
            value >= limit.least,
            f"{here.passed} of {here.judged} passed{_surely(limit, found)}",
            limit.least,
            here,
        )
    if isinstance(limit, OnMean):
        if here.mean is None or not here.scored:
            return _unknown(limit, f"“{limit.scorer}” has no mean in this run.")
        mean = here.mean
        said = f"the mean is {mean.value:.4g}{_surely(limit, mean)}"
        if limit.least is not None:
            value = mean.low if limit.surely else mean.value
            return _outcome(limit, value >= limit.least, said, limit.least, here)
        most = limit.most or 0.0
        value = mean.high if limit.surely else mean.value
        return _outcome(limit, value <= most, said, most, here, "at most")
    return _regression(limit, here, before)


def _regression(limit: OnRegression, here: Measured, before: Measured | None) -> Outcome:
    if before is None:
        return _unknown(limit, f"“{limit.scorer}” has no baseline to be compared with.")
    found: Estimate | None
    if limit.of == "pass share":
        both = here.judged and before.judged
        found = newcombe(here.passed, here.judged, before.passed, before.judged) if both else None
        found = here.share_difference or found
    elif here.difference is not None:
        found = here.difference
    elif here.mean is not None and before.mean is not None and not limit.surely:
        away = here.mean.value - before.mean.value
        found = Estimate(away, away, away, min(here.mean.n, before.mean.n))
    else:
        found = None
    if found is None:
        lacks = "an interval of its difference" if limit.surely else f"a {limit.of}"
        return _unknown(limit, f"“{limit.scorer}” lacks {lacks} to the baseline.")
    if limit.better == "higher":
        worst = found.low if limit.surely else found.value
        met = worst >= -limit.margin
    else:
        worst = found.high if limit.surely else found.value
        met = worst <= limit.margin
    return _outcome(
        limit,
        met,
        f"the {limit.of} changed by {found.value:+.4g}{_surely(limit, found)}",
        limit.margin,
        here,
        "a worsening of at most",
    )


def _unknown(limit: Limit, reason: str) -> Outcome:
    return Outcome(limit, False, reason, is_judged=False)


def _surely(limit: OnMean | OnPassShare | OnRegression, found: Estimate) -> str:
    return f" (surely between {found.low:.4g} and {found.high:.4g})" if limit.surely else ""


def _outcome(
    limit: Limit, met: bool, said: str, bound: float, here: Measured | None = None, wanted: str = "at least"
) -> Outcome:
    without = here.cells - here.scored if here is not None else 0
    lost = f"; {without} of {here.cells} have no score" if here is not None and without else ""
    verb = "is met" if met else "is not met"
    return Outcome(limit, met, f"“{limit.scorer}” {verb}: {said}, {wanted} {bound:g} is wanted{lost}.")
