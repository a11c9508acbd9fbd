"""Is a judge to be trusted? Against people, on the same answers; and against itself, with the sides swapped.

"Positive" is a pass. The people's label counts as the truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.statistics.agreement import cohen, cohen_interval
from core.statistics.proportions import Estimate, quantile, wilson


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often the judge passed what people passed (`hits`), failed it (`misses`), passed what people failed
    (`false_alarms`) and failed that too (`rejections`). Rates are None without an answer to count."""

    hits: int
    misses: int
    false_alarms: int
    rejections: int

    @classmethod
    def of(cls, labels: Iterable[tuple[bool, bool]]) -> Confusion:
        """From (people's label, judge's label), each whether it passed."""
        counted = list(labels)
        return cls(*(counted.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))))

    @property
    def n(self) -> int:
        return self.hits + self.misses + self.false_alarms + self.rejections

    @property
    def labels(self) -> list[tuple[bool, bool]]:
        return (
            [(True, True)] * self.hits
            + [(True, False)] * self.misses
            + [(False, True)] * self.false_alarms
            + [(False, False)] * self.rejections
        )


@dataclass(frozen=True, slots=True)
class Trust:
    """A judge against people: true positive and true negative rate, share of agreement, each with Wilson's interval;
    Cohen's κ, and its interval where it has one."""

    tpr: Estimate | None
    tnr: Estimate | None
    agreement: Estimate | None
    kappa: float | None
    kappa_interval: Estimate | None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The pass rate a judge reported, and what it would be had the judge been right; `corrected` is None where that
    cannot be told, and `sentence` says why, or what was done."""

    observed: Estimate
    corrected: Estimate | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Swapped:
    """A judge asked twice, sides swapped: share of verdicts that changed, and how: for whoever stood `first` both
    times, for whoever stood `second`, or between a tie and a winner."""

    flips: Estimate
    first: int
    second: int
    to_tie: int


def trust(confusion: Confusion, *, level: float = 0.95) -> Trust:
    """How far a judge and people agree."""

    def share(hits: int, n: int) -> Estimate | None:
        return wilson(hits, n, level=level) if n else None

    return Trust(
        share(confusion.hits, confusion.hits + confusion.misses),
        share(confusion.rejections, confusion.rejections + confusion.false_alarms),
        share(confusion.hits + confusion.rejections, confusion.n),
        cohen(confusion.labels),
        cohen_interval(confusion.labels, level=level),
    )


def correct(passed: int, n: int, confusion: Confusion, *, level: float = 0.95) -> Corrected:
    """The pass rate of `n` answers corrected for the judge's mistakes, n > 0.

    p = (observed + TNR − 1) / (TPR + TNR − 1), kept within 0…1. Source: W. J. Rogan, B. Gladen, "Estimating prevalence
    from the results of a screening test", American Journal of Epidemiology 107 (1978). Its interval allows for what is
    not known of TPR and TNR: with z²/2 added to passes and failures and one to each cell of the confusion, p' + d ±
    z √(q'(1 − q')/n' + p'² TPR'(1 − TPR')/n₁' + (1 − p')² TNR'(1 − TNR')/n₀') / (TPR' + TNR' − 1), d = 2z² (p' TPR'(1 −
    TPR')/n₁' − (1 − p') TNR'(1 − TNR')/n₀'). Source: Z. Lang, J. Reiczigel, "Confidence limits for prevalence of
    disease adjusted for estimated sensitivity and specificity", Preventive Veterinary Medicine 113 (2014). Where the
    estimate lies outside, the interval is widened to hold it.
    """
    observed = wilson(passed, n, level=level)
    passes, fails = confusion.hits + confusion.misses, confusion.rejections + confusion.false_alarms
    if not passes or not fails:
        missing = "passed" if not passes else "failed"
        return Corrected(
            observed, None, f"Cannot be corrected: people {missing} none of the answers that were compared."
        )
    youden = confusion.hits / passes + confusion.rejections / fails - 1
    z = quantile(level)
    q, tpr, tnr = (
        (passed + z * z / 2) / (n + z * z),
        (confusion.hits + 1) / (passes + 2),
        (confusion.rejections + 1) / (fails + 2),
    )
    if youden <= 0 or tpr + tnr <= 1:
        return Corrected(
            observed, None, "Cannot be corrected: the judge tells passes from failures no better than chance."
        )
    raw = (observed.value + confusion.rejections / fails - 1) / youden
    value = min(1.0, max(0.0, raw))
    p = (q + tnr - 1) / (tpr + tnr - 1)
    doubt_pass, doubt_fail = tpr * (1 - tpr) / (passes + 2), tnr * (1 - tnr) / (fails + 2)
    spread = q * (1 - q) / (n + z * z) + p * p * doubt_pass + (1 - p) ** 2 * doubt_fail
    middle = p + 2 * z * z * (p * doubt_pass - (1 - p) * doubt_fail)
    half = z * math.sqrt(spread) / (tpr + tnr - 1)
    low, high = (min(1.0, max(0.0, limit)) for limit in (middle - half, middle + half))
    sentence = (
        f"Corrected for a judge that passes {confusion.hits} of {passes} answers people passed "
        f"and fails {confusion.rejections} of {fails} they failed."
    )
    return Corrected(observed, Estimate(value, min(low, value), max(high, value), n), sentence)


def swapped(verdicts: Sequence[tuple[str | None, str | None]], *, one: str, level: float = 0.95) -> Swapped | None:
    """How often a verdict changed with the sides; None without verdicts.

    Each entry is who won with `one` standing first, then with `one` second; None is a tie. The interval is Wilson's.
    Source of the measure: L. Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", NeurIPS (2023),
    position bias.
    """
    if not verdicts:
        return None
    changed = [(before, after) for before, after in verdicts if before != after]
    winners = [before for before, after in changed if before is not None and after is not None]
    first = winners.count(one)
    return Swapped(
        wilson(len(changed), len(verdicts), level=level), first, len(winners) - first, len(changed) - len(winners)
    )
