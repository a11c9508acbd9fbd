"""Two runs in one sentence, which never says more than the intervals do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from core.statistics.connected import listed
from core.statistics.paired import Difference

PLACES = 2
MOST_PLACES = 6
MOST_IN_FULL = 4
"""Scorers up to which the sentence has every figure; of more it names those that differ and counts the others."""


class _Found(Enum):
    BETTER = auto()
    UNCLEAR = auto()
    NO_DIFFERENCE = auto()
    THE_SAME = auto()
    NOTHING_IN_BOTH = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One scorer's difference (second run minus first; None: no item in common), and the p value once the number of
    scorers is allowed for (None: it was the only one)."""

    scorer: str
    difference: Difference | None
    adjusted_p: float | None = None
    higher_is_better: bool = True


def verdict(
    compared: Sequence[Compared],
    *,
    failed_one: int = 0,
    failed_other: int = 0,
    one: str = "A",
    other: str = "B",
    level: float = 0.95,
) -> str:
    """What two runs show, scorer by scorer, and what was left out.

    A run is called better only where the interval lies on one side of zero, or all items differ alike and the sign test
    is below 1 − `level`; and the adjusted p value, if any, is below it too. `failed_one` and `failed_other` count items
    without an answer in that run.
    """
    short = len(compared) > MOST_IN_FULL
    said = (_in_short if short else _in_full)(compared, one, other, level)
    said.extend(
        f"{count} {'item' if count == 1 else 'items'} failed in {run} and {'was' if count == 1 else 'were'} left out"
        for run, count in ((one, failed_one), (other, failed_other))
        if count
    )
    text = "; ".join(said)
    return (text[0].upper() + text[1:] if text.startswith(("no ", "the ")) else text) + "."


def _in_full(compared: Sequence[Compared], one: str, other: str, level: float) -> list[str]:
    said: list[str] = []
    nothing: list[str] = []
    apart: list[str] = []
    alike: list[str] = []
    for each in compared:
        found, what = each.difference, _found(each, level)
        if found is None:
            apart.append(each.scorer)
        elif what is _Found.THE_SAME:
            alike.append(each.scorer)
        elif what is _Found.NO_DIFFERENCE:
            nothing.append(each.scorer)
        elif what is _Found.BETTER:
            said.append(
                f"{other if _is_gain(each, found) else one} is better on {each.scorer}: {_figures(each, level)}"
            )
        else:
            said.append(f"{each.scorer} {_unclear(each, found, level)}")
    if nothing:
        said.append(f"no difference seen on {listed(nothing)}")
    if alike:
        said.append(f"the same scores throughout on {listed(alike)}")
    if apart:
        said.append(f"no item was scored in both on {listed(apart)}")
    if not compared:
        said.append("no scorer was compared")
    return said


def _in_short(compared: Sequence[Compared], one: str, other: str, level: float) -> list[str]:
    """The scorers that differ, and the first one whatever it says; how many the others are."""
    found = [_found(each, level) for each in compared]
    said: list[str] = []
    for run, is_gain in ((other, True), (one, False)):
        named = [
            f"{each.scorer} {_signed(gap.value, gap.value)}"
            for each, what in zip(compared, found, strict=True)
            if what is _Found.BETTER and (gap := each.difference) is not None and _is_gain(each, gap) is is_gain
        ]
        if named:
            said.append(f"{run} is better on {listed(named)}")
    if found[0] is not _Found.BETTER:
        said += _in_full(compared[:1], one, other, level)
    for kinds, of_one, of_several in (
        ((_Found.UNCLEAR,), "other is not clear", "others are not clear"),
        ((_Found.NO_DIFFERENCE, _Found.THE_SAME), "other shows no difference", "others show no difference"),
        ((_Found.NOTHING_IN_BOTH,), "other scored no item in both", "others scored no item in both"),
    ):
        count = sum(what in kinds for what in found[1:])
        if count:
            said.append(f"{count} {of_one if count == 1 else of_several}")
    return said


def _found(each: Compared, level: float) -> _Found:
    found = each.difference
    if found is None:
        return _Found.NOTHING_IN_BOTH
    has_interval = found.low is not None and found.high is not None
    if not has_interval and found.value == 0:
        return _Found.THE_SAME
    if has_interval and not found.is_seen:
        return _Found.NO_DIFFERENCE
    p = each.adjusted_p if each.adjusted_p is not None else None if has_interval else found.p
    is_sure = p < 1 - level if p is not None else has_interval
    return _Found.BETTER if is_sure else _Found.UNCLEAR


def _is_gain(each: Compared, found: Difference) -> bool:
    return (found.value > 0) == each.higher_is_better


def _unclear(each: Compared, found: Difference, level: float) -> str:
    if found.low is None and found.p is None:
        value = _signed(found.value, found.value)
        return f"changed by {value} on {_items(found)}, which do not vary enough to say how sure that is"
    if found.low is None and found.p is not None and found.p >= 1 - level:
        return f"{_figures(each, level)}, too few to be sure"
    return f"{_figures(each, level)} is not clear once the number of scorers is allowed for"


def _figures(each: Compared, level: float) -> str:
    found = each.difference
    assert found is not None
    p = "" if each.adjusted_p is None else f"adjusted p {_probability(each.adjusted_p)}"
    if found.low is None or found.high is None:
        assert found.p is not None
        p = p or f"p {_probability(found.p)}"
        return f"{_signed(found.value, found.value)} on every one of {_items(found)} ({p} by the sign test)"
    nearest = min(abs(found.low), abs(found.high))
    low, high = _signed(found.low, nearest), _signed(found.high, nearest)
    told = [f"{100 * level:g} % {low} to {high}", _items(found), *([p] if p else ())]
    return f"{_signed(found.value, nearest)} ({', '.join(told)})"


def _items(found: Difference) -> str:
    clusters = "" if found.clusters == found.n else f" in {found.clusters} clusters"
    return f"{found.n} {'item' if found.n == 1 else 'items'}{clusters}"


def _signed(value: float, smallest: float) -> str:
    """With as many places as keep the `smallest` figure beside it from looking like zero."""
    places = PLACES
    while places < MOST_PLACES and round(abs(smallest), places) == 0:
        places += 1
    return f"{value:+.{places}f}".replace("-", "−")


def _probability(p: float) -> str:
    if p < 0.001:
        return "below 0.001"
    return f"{p:.3f}" if p < 0.01 or 0.045 <= p < 0.055 else f"{p:.2f}"
