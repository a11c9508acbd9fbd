"""Two variants of a run beside each other: scorer by scorer, how far apart and how sure, in a sentence.

Repetitions of an example are one cluster. A cell without a score is left out and counted, never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from core.statistics import means, paired
from core.statistics.bootstrap import bootstrap
from core.statistics.compared import Compared, verdict
from core.statistics.paired import Changes, Difference, Needed
from core.statistics.passes import McNemar, Passes, mcnemar, newcombe_paired
from core.statistics.proportions import Estimate, wilson
from core.statistics.several import holm

BOOTSTRAP_UP_TO = 2_000
"""Examples up to which the bootstrap is drawn as well; beyond, the t interval says the same."""
LOWER_IS_BETTER = frozenset({"latency", "first token", "cost", "tokens"})
"""Kinds of scorers whose values are measured amounts, of which less is better."""
LIMITED = frozenset({"length"})
"""Kinds whose values are amounts of which neither more nor less is better: where there is a limit, keeping it is
compared, not the amount."""

BELOW_ZERO = frozenset({"cosine"})
"""Units of which there can be less than nothing; of all others an interval is shown from 0."""

_SHOWN = {"nano-dollars": ("USD", 1e-9)}
"""Units people read, and what one of the stored unit is of them."""

Clusters = Mapping[int, int]
"""The cluster of each example that is not alone, by key."""
ALONE: Clusters = {}
LEVEL = 0.95
Row = tuple[int, str, int, float | None, bool | None, str]
"""(example, variant, repetition, value, passed, state), as the store has it, in order."""


@dataclass(frozen=True, slots=True)
class Beside:
    """One scorer over the two variants. `keys` are the examples in order; `changes` are places among them.

    `passes` and what follows from it are there where the scorer passes or fails, every example was asked once, and all
    are independent of each other.
    """

    scorer: str
    unit: str
    higher_is_better: bool
    keys: tuple[int, ...]
    means: tuple[float | None, float | None]
    difference: Difference | None
    drawn: Estimate | None
    changes: Changes
    needed: Needed
    passes: Passes | None = None
    test: McNemar | None = None
    rate: Estimate | None = None
    adjusted_p: float | None = None
    clusters: int = 0
    """How many independent groups the examples form, where some belong together; 0: every example is its own."""
    is_neutral: bool = False
    """Neither more nor less of it is better: it is in the table, and no variant wins by it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All scorers, and what they come to in a sentence."""

    one: str
    other: str
    scorers: tuple[Beside, ...]
    sentence: str


def beside(
    scorer: str,
    kind: str,
    rows: Iterable[Row],
    *,
    one: str,
    other: str,
    unit: str = "",
    negated: bool = False,
    together: Clusters = ALONE,
) -> Beside:
    """One scorer's scores of two variants, paired by example, in the unit people read.

    `together` are the examples that belong together (`core.evals.belonging`): their errors are clustered.
    """
    unit, scale = shown(unit)
    rows = list(rows)
    if kind in LIMITED and any(ok is not None for _, _, _, _, ok, _ in rows):
        unit, scale = "", 1.0
        rows = [(*row[:3], None if row[4] is None else float(row[4]), *row[4:]) for row in rows]
    values: tuple[dict[int, list[float]], ...] = ({}, {})
    passed: tuple[dict[int, list[bool]], ...] = ({}, {})
    seen: dict[int, None] = {}
    places = {one: 0, other: 1}
    for key, arm, _, value, ok, _ in rows:
        side = places.get(arm)
        if side is None:
            continue
        seen[key] = None
        if value is not None:
            values[side].setdefault(key, []).append(value * scale)
        if ok is not None:
            passed[side].setdefault(key, []).append(ok)
    keys = tuple(sorted(seen))
    first, second = ([_mean(kept.get(key, ())) for key in keys] for kept in values)
    both = paired.pair(first, second, [together.get(key, key) for key in keys])
    is_neutral = kind in LIMITED and bool(unit)
    better = (kind not in LOWER_IS_BETTER) is not (negated and kind in LOWER_IS_BETTER)
    changes = paired.changes(first, second)
    if not better:
        changes = Changes(changes.worse, changes.better, changes.same, changes.left_out)
    found = paired.difference(both)
    is_clustered = found is not None and found.clusters < found.n
    passes = None if is_clustered else _passes(*passed)
    return Beside(
        scorer=scorer,
        unit=unit,
        higher_is_better=better,
        keys=keys,
        means=(_mean([v for v in first if v is not None]), _mean([v for v in second if v is not None])),
        difference=found,
        drawn=bootstrap(both, seed=0) if 1 < len(both.at) <= BOOTSTRAP_UP_TO else None,
        changes=changes,
        needed=paired.needed(found),
        passes=passes,
        test=mcnemar(passes) if passes else None,
        rate=newcombe_paired(passes) if passes else None,
        clusters=found.clusters if found is not None and is_clustered else 0,
        is_neutral=is_neutral,
    )


def preferences(rows: Iterable[Row], *, first: str, one: str, other: str) -> list[Row]:
    """A pairwise judge's verdicts as scores of both variants: the share each won of the comparisons, a tie half.

    The judge compares variants with the `first` one of their run only: nothing where that is neither of the two.
    """
    if first not in (one, other):
        return []
    judged = other if first == one else one
    found: list[Row] = []
    for key, arm, repeat, value, _, state in rows:
        if arm == judged:
            found += [
                (key, judged, repeat, value, None, state),
                (key, first, repeat, None if value is None else 1 - value, None, state),
            ]
    return found


@dataclass(frozen=True, slots=True)
class Arm:
    """One scorer over one variant: the mean over examples with its 95 % interval (None where it has none)."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    judged: int
    passed: int
    failed: int
    invalid: int
    not_applicable: int = 0


def shown(unit: str) -> tuple[str, float]:
    """The unit people read, and what one of the stored unit is of it."""
    return _SHOWN.get(unit, (unit, 1.0))


def by_arm(rows: Iterable[Row], letters: Sequence[str], *, unit: str = "", together: Clusters = ALONE) -> list[Arm]:
    """One scorer's scores by variant, in the order of the letters, in the unit people read.

    The interval is `interval`'s, over the examples' means; a cost of 0 is an amount, and no failure.
    """
    _, scale = shown(unit)
    is_amount = bool(unit)
    kept: dict[str, dict[int, list[float]]] = {letter: {} for letter in letters}
    counts = {letter: [0, 0, 0, 0, 0] for letter in letters}
    for key, letter, _, value, ok, state in rows:
        if letter not in kept:
            continue
        if value is not None:
            kept[letter].setdefault(key, []).append(value * scale)
        count = counts[letter]
        count[0] += ok is not None
        count[1] += bool(ok)
        count[2] += state == "failed"
        count[3] += state == "invalid"
        count[4] += state == "not applicable"
    return [_arm(kept[letter], counts[letter], is_amount=is_amount, together=together) for letter in letters]


def _arm(kept: Mapping[int, Sequence[float]], counts: Sequence[int], *, is_amount: bool, together: Clusters) -> Arm:
    if not kept:
        return Arm(0, None, None, None, *counts)
    each = {key: sum(some) / len(some) for key, some in kept.items()}
    value, low, high = interval(each, is_amount=is_amount, together=together)
    return Arm(len(each), value, low, high, *counts)


def interval(
    each: Mapping[int, float], *, is_amount: bool, together: Clusters = ALONE
) -> tuple[float, float | None, float | None]:
    """The mean over examples with its 95 % interval: by Student's law, between 0 and 1 for shares, with clustered
    errors where examples belong together. Verdicts, and shares that do not vary, have Wilson's interval; measured
    amounts that do not vary have none that is known: one without width would claim too much.
    """
    values = list(each.values())
    is_share = not is_amount and all(0 <= value <= 1 for value in values)
    grouped = clustered(each, together)
    if grouped is not None and grouped.low is not None and grouped.high is not None:
        return _within(grouped.value, grouped.low, grouped.high, is_share=is_share)
    summary = means.moments(values)
    is_flat = summary.n < 2 or summary.variance <= 0 or max(values) == min(values)
    if is_share and (is_flat or all(value in (0.0, 1.0) for value in values)):
        found = wilson(min(sum(values), len(values)), len(values))
        return found.value, found.low, found.high
    if is_flat:
        return summary.mean, None, None
    plain = means.at_one_look(means.one_mean(summary))
    return _within(plain.value, plain.low, plain.high, is_share=is_share)


def _within(value: float, low: float, high: float, *, is_share: bool) -> tuple[float, float, float]:
    return (value, max(0.0, low), min(1.0, high)) if is_share else (value, low, high)


def clustered(means_of: Mapping[int, float], together: Clusters) -> Difference | None:
    """The mean over examples with the interval of clustered errors; None where no two of them belong together."""
    clusters = [together.get(key, key) for key in means_of]
    if len(set(clusters)) == len(clusters):
        return None
    return paired.difference(paired.pair([0.0] * len(clusters), list(means_of.values()), clusters))


def compare(found: Sequence[Beside], *, one: str, other: str, failed: tuple[int, int] = (0, 0)) -> Comparison:
    """The scorers together: their p values adjusted for how many they are (Holm), and the sentence.

    `failed` are the cells without an answer in each variant.
    """
    known = [place for place, each in enumerate(found) if each.difference is not None and each.difference.p is not None]
    adjusted: Mapping[int, float] = {}
    if len(known) > 1:
        values = [p for place in known if (each := found[place].difference) is not None and (p := each.p) is not None]
        adjusted = dict(zip(known, holm(values), strict=True))
    told = tuple(_adjusted(each, adjusted.get(at)) for at, each in enumerate(found))
    sentence = verdict(
        [
            Compared(
                scorer=f"{each.scorer} ({each.unit})" if each.unit else each.scorer, difference=each.difference,
                adjusted_p=each.adjusted_p,
                higher_is_better=each.higher_is_better,
            )
            for each in told
            if not each.is_neutral
        ],
        failed_one=failed[0], failed_other=failed[1], one=one, other=other,
    )  # fmt: skip
    return Comparison(one, other, told, sentence)


def _adjusted(found: Beside, p: float | None) -> Beside:
    """With its adjusted p value, and how many examples would settle it at the level that Holm leaves it: what is not
    clear among several scorers is not settled."""
    alone = found.difference.p if found.difference is not None else None
    if p is None or not alone:
        return replace(found, adjusted_p=p)
    level = 1 - (1 - LEVEL) * min(1.0, alone / p) if p else LEVEL
    return replace(found, adjusted_p=p, needed=paired.needed(found.difference, level=level))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _passes(ours: Mapping[int, Sequence[bool]], theirs: Mapping[int, Sequence[bool]]) -> Passes | None:
    """The table of passes; None where an example was asked several times, or nothing passes or fails."""
    if any(len(some) > 1 for side in (ours, theirs) for some in side.values()):
        return None
    cells = [(some[0], theirs[key][0]) for key, some in ours.items() if key in theirs]
    if not cells:
        return None
    return Passes(*(cells.count(cell) for cell in ((True, True), (True, False), (False, True), (False, False))))
