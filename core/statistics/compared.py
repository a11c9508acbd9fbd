"""Two runs in one sentence, which never says more than the intervals do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.statistics.connected import listed
from core.statistics.paired import Difference

PLACES = 2
MOST_PLACES = 6


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
    said: list[str] = []
    nothing: list[str] = []
    apart: list[str] = []
    alike: list[str] = []
    for each in compared:
        found = each.difference
        if found is None:
            apart.append(each.scorer)
        elif found.low is None or found.high is None:
            if found.value == 0:
                alike.append(each.scorer)
            else:
                said.append(_alike(each, found, level, better=other if _is_gain(each, found) else one))
        elif not found.is_seen:
            nothing.append(each.scorer)
        elif each.adjusted_p is not None and each.adjusted_p >= 1 - level:
            figures = _figures(each, found, level)
            said.append(f"{each.scorer} {figures} is not clear once the number of scorers is allowed for")
        else:
            better = other if _is_gain(each, found) else one
            said.append(f"{better} is better on {each.scorer}: {_figures(each, found, level)}")
    if nothing:
        said.append(f"no difference seen on {listed(nothing)}")
    if alike:
        said.append(f"the same scores throughout on {listed(alike)}")
    if apart:
        said.append(f"no item was scored in both on {listed(apart)}")
    if not compared:
        said.append("no scorer was compared")
    said.extend(
        f"{count} {'item' if count == 1 else 'items'} failed in {run} and {'was' if count == 1 else 'were'} left out"
        for run, count in ((one, failed_one), (other, failed_other))
        if count
    )
    text = "; ".join(said)
    return (text[0].upper() + text[1:] if text.startswith(("no ", "the ")) else text) + "."


def _is_gain(each: Compared, found: Difference) -> bool:
    return (found.value > 0) == each.higher_is_better


def _alike(each: Compared, found: Difference, level: float, *, better: str) -> str:
    """What can be said without an interval."""
    value = _signed(found.value, found.value)
    if found.p is None:
        return f"{each.scorer} changed by {value} on {_items(found)}, which do not vary enough to say how sure that is"
    p, name = (found.p, "p") if each.adjusted_p is None else (each.adjusted_p, "adjusted p")
    figures = f"{value} on every one of {_items(found)} ({name} {_probability(p)} by the sign test)"
    if p < 1 - level:
        return f"{better} is better on {each.scorer}: {figures}"
    if found.p < 1 - level:
        return f"{each.scorer} {figures} is not clear once the number of scorers is allowed for"
    return f"{each.scorer} {figures}, too few to be sure"


def _figures(each: Compared, found: Difference, level: float) -> str:
    assert found.low is not None
    assert found.high is not None
    nearest = min(abs(found.low), abs(found.high))
    low, high = _signed(found.low, nearest), _signed(found.high, nearest)
    p = "" if each.adjusted_p is None else f", adjusted p {_probability(each.adjusted_p)}"
    return f"{_signed(found.value, nearest)} ({100 * level:g} % {low} to {high}, {_items(found)}{p})"


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
