"""How many users a live test takes, from what the record says of the name it tries, and what could be found anyway."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from core import clock
from core.errors import GreenroomError
from core.statistics import planning
from core.statistics.margins import Margin
from core.trials import baseline, metrics, plans, sizing
from core.trials.metrics import ABOUT, Measures, Metric, Source
from core.trials.rules import ALL, Condition, Unit
from core.trials.sizing import Baseline, Figure, Split
from pages.parts import acting, amounts, hostile, reads

_KEPT, _FRESH = "trial_baseline", timedelta(minutes=10)
_WEEKS = (1, 2, 4)
_WITHOUT_SIZE = 1_000
"""What is planned for where no size can be told."""
_MANY_NAMELESS = 0.05
_OF_THE_SLOWEST = "its limits come from how the slowest calls lie, not from how much one differs from the next"


@dataclass(frozen=True, slots=True)
class Tried:
    """What a test would split: the calls of a name that meet the conditions, by unit; `share` is the part of the units
    that its layer and the holdout leave to it."""

    project_id: int
    target: str
    unit: Unit
    conditions: tuple[Condition, ...] = ()
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Aim:
    """What is looked for: a difference, in the metric's unit, between units of this variance; `seen` as in `Figure`."""

    variance: float
    difference: float
    seen: float


def draw(tried: Tried, measures: Measures, split: Split) -> int:
    """The box, and how many units of all arms are planned for."""
    goal, many = measures.goal, tried.unit.many
    with st.container(border=True, key="trial_planning", gap="small"):
        st.markdown("**How many does it take?**")
        now = _now(tried)
        mark = f"{zlib.crc32(repr(tried).encode('utf-8', 'replace')):08x}_{'now' if now.enough(goal) else 'guess'}"
        st.caption(_source(goal, now, tried))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            aim = _aim(goal, now, f"{goal}_{mark}")
            per_day = st.number_input(
                f"{many.capitalize()} a day", 0, 100_000_000, math.ceil(now.per_day * tried.share),
                key=f"trial_per_day_{mark}", width=160,
                help=f"How many {many} a day come who were not there before: the {many} on record by its days.",
            )  # fmt: skip
        least = max(plans.LEAST_PLANNED, sizing.begins(split))
        try:
            size = 0 if aim is None else sizing.needed(
                aim.variance, aim.difference, measures.level, split=split, seen=aim.seen
            )  # fmt: skip
        except GreenroomError as error:
            acting.show(error)
            return least
        if aim is not None:
            takes = f" At {per_day:,} a day: {_days(size, per_day)}." if per_day else ""
            st.markdown(f"**{size:,} {many}** find it four times in five, whenever you look.{takes}")
            _found(goal, aim, per_day, measures.level, split, many)
        else:
            st.markdown(f"No size can be told for {ABOUT[goal].name}: {_OF_THE_SLOWEST}.")
        limits = _limits(measures, now, split)
        least = max(least, size, *limits.values(), _WITHOUT_SIZE if aim is None else 0)
        planned = st.number_input(
            f"Plan for so many {many}, {'all arms' if split.others > 1 else 'A and B'} together",
            plans.LEAST_PLANNED,
            plans.MOST_PLANNED,
            min(least, plans.MOST_PLANNED),
            key=f"trial_planned_{goal}_{least}",
            width=300,
            help="After these the test is decided, or nothing is shown. It cannot change once the test has run.",
        )
        if limits and max(limits.values()) > size:
            most = max(limits, key=lambda metric: limits[metric])
            long = f", {_days(limits[most], per_day)}" if per_day else ""
            st.caption(
                f"Most is needed to know that the limit on {ABOUT[most].name} holds: {limits[most]:,} {many}{long}. "
                "With fewer planned, that may still be open at the end."
            )
        _reckoned(measures, limits, now, tried)
        return int(planned)


def _days(units: int, per_day: int) -> str:
    return amounts.count(planning.days_left(units, 0, per_day) or 0, "day")


def _now(tried: Tried) -> Baseline:
    """The record, read once for each question and not at every stroke."""
    at = clock.now()
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != tried or at - kept[1] > _FRESH:
        found = reads.fresh(
            baseline.read, project_id=tried.project_id, target=tried.target, unit=tried.unit, at=at,
            conditions=tried.conditions,
        )  # fmt: skip
        kept = st.session_state[_KEPT] = (tried, at, found)
    return kept[2]


def _source(goal: Metric, now: Baseline, tried: Tried) -> str:
    """Where the figures come from, or that they are a guess."""
    many, about, figure = tried.unit.many, ABOUT[goal], now.figures.get(goal)
    named = "any name" if tried.target == ALL else hostile.label(tried.target)
    nameless = now.nameless / max(1, now.nameless + now.calls)
    said = (
        f" {now.nameless:,} calls named no {tried.unit.value} and would be in no arm."
        if nameless > _MANY_NAMELESS
        else ""
    )
    guess = "" if goal is Metric.LATENCY else "The figures below are a guess: put yours in their place."
    if now.units == 0:
        told = said or f"No call that asked for {named} is on record in the last {baseline.SPAN.days} days."
        return f"{told.strip()} {guess}".strip()
    whole = f"{now.units:,} {many} of the last {_span(now.days)}"
    whole += f" ({now.calls:,} calls)" if tried.unit is not Unit.CALL else ""
    if goal is Metric.COST and now.unpriced:
        return f"{now.unpriced:,} of {now.calls:,} calls have no price, so nobody knows the cost. {guess}{said}"
    if goal is Metric.LATENCY and figure is not None:
        return f"From {whole}: {metrics.shown(goal, figure.value)} ms now.{said}"
    if figure is None or figure.units < sizing.ENOUGH:
        few = f"only {figure.units} tell" if figure is not None and figure.units else "none tells"
        return f"Of {whole} {few} of {about.name}. {guess}{said}"
    if not figure.is_enough:
        return f"All of {whole} had the same {about.name}. {guess}{said}"
    part = (
        f"the {figure.units:,} of whom it is known, among " if about.source in (Source.FEEDBACK, Source.REVIEW) else ""
    )
    value = "" if about.is_share else f": {metrics.shown(goal, figure.value)} now"
    return f"From {part}{whole}{value}. Change what you know better.{said}"


def _span(days: float) -> str:
    """A time in days, or hours where it is short."""
    if days >= 1.5:
        return amounts.count(round(days), "day")
    hours = math.ceil(days * 24)
    return "hour" if hours <= 1 else amounts.count(hours, "hour")


def _aim(goal: Metric, now: Baseline, mark: str) -> Aim | None:
    """What is asked of the goal; None where no size can be told."""
    about, figure = ABOUT[goal], now.enough(goal)
    seen = now.seen(goal)
    if about.source is Source.SKETCH:
        return None
    if about.is_share:
        share = figure.value if figure else sizing.GUESSES[goal]
        value = st.number_input(
            "It is now (%)", 0.1, 99.9, _near(min(99.9, max(0.1, share * 100))), format="%.4g",
            key=f"trial_now_{mark}", width=140,
        )  # fmt: skip
        worth = min(2.0, max(0.1, 50 * min(share, 1 - share))) if figure else 2.0
        found = st.number_input(
            "Worth finding (points)", 0.1, 50.0, _near(worth), format="%.4g", key=f"trial_effect_{mark}", width=180
        )
        return Aim(sizing.variance_at(goal, figure, value / 100), found / 100, seen)
    spread, worth = (math.sqrt(figure.variance or 0.0), figure.value / 10) if figure else (1.0, 0.1)
    spread, worth = _near(spread), _near(worth)
    differs = st.number_input(
        f"Differs between them by ({about.unit})", 0.0, None, spread, step=spread / 10, key=f"trial_spread_{mark}",
        format="%.6g", width=200, help="The standard deviation between one and the next.",
    )  # fmt: skip
    found = st.number_input(
        f"Worth finding ({about.unit})", 0.0, None, worth, step=worth / 10, key=f"trial_effect_{mark}", format="%.6g",
        width=180,
    )  # fmt: skip
    return Aim(differs * differs, found, seen)


def _found(goal: Metric, aim: Aim, per_day: int, level: float, split: Split, many: str) -> None:
    """What could be found with what comes in one, two and four weeks."""
    unit = "points" if ABOUT[goal].is_share else ABOUT[goal].unit
    told: list[str] = []
    for weeks in _WEEKS:
        units = 7 * weeks * per_day
        found = sizing.found_with(aim.variance, units, level, split, seen=aim.seen)
        if found is not None:
            shown = _two_digits(found * 100 if ABOUT[goal].is_share else found)
            first = ("it finds ", f" {unit}") if not told else ("", "")
            told.append(f"in {amounts.count(weeks, 'week')} ({units:,} {many}) {first[0]}{shown}{first[1]}")
    if told:
        said = ", ".join(told)
        st.caption(f"{said[0].upper()}{said[1:]}. A long test meets fewer new {many} a day.")


def _limits(measures: Measures, now: Baseline, split: Split) -> dict[Metric, int]:
    """How many it takes to know of each guardrail that it is inside its margin; of shares with nothing on record, from
    how often it is so in general."""
    found = {}
    for metric, margin in measures.margins.items():
        figure = _figure(metric, margin, now)
        if figure is not None:
            found[metric] = sizing.needed_within(figure, margin, measures.guardrail_level, split)
    return found


def _figure(metric: Metric, margin: Margin, now: Baseline) -> Figure | None:
    """What a guardrail is planned from; None where nothing is known of it."""
    figure = now.enough(metric)
    if figure is None and ABOUT[metric].is_share:
        share = sizing.GUESSES[metric]
        figure = Figure(share, sizing.variance_at(metric, None, share), 0, 0, now.seen(metric))
    return figure if figure is not None and margin.limit * (figure.value if margin.is_relative else 1) > 0 else None


def _reckoned(measures: Measures, limits: Mapping[Metric, int], now: Baseline, tried: Tried) -> None:
    """Each guardrail with what it is planned from, why others are not, and the formula."""
    many = tried.unit.many
    with st.expander("Each guardrail, and how this is reckoned", icon=":material/calculate:"):
        if limits:
            told = [_told_figure(metric, now.enough(metric), many) for metric in limits]
            st.table(
                {
                    "Guardrail": [
                        f"{ABOUT[one].name}, {metrics.margin_told(one, measures.margins[one])}" for one in limits
                    ],
                    "Now": [value for value, _ in told],
                    "From": [source for _, source in told],
                    "Takes": [f"{size:,}" for size in limits.values()],
                },
                border="horizontal", alt=f"Each guardrail, how it is now, and how many {many} it takes",
            )  # fmt: skip
        for metric in measures.margins:
            if metric not in limits:
                st.caption(_why_not(metric, now, many))
        st.caption(_formula(measures, limits, now, tried.unit))


def _told_figure(metric: Metric, figure: Figure | None, many: str) -> tuple[str, str]:
    """A value, and where it comes from."""
    if figure is None:
        return f"{sizing.GUESSES[metric] * 100:g} %", "a guess"
    return metrics.shown(metric, figure.value), f"{figure.units:,} {many}"


def _why_not(metric: Metric, now: Baseline, many: str) -> str:
    """Why nothing is planned for a metric."""
    name, figure = ABOUT[metric].name, now.figures.get(metric)
    if metric is Metric.LATENCY:
        value = f" ({metrics.shown(metric, figure.value)} ms now)" if figure else ""
        return f"Not planned for: {name}{value}; {_OF_THE_SLOWEST}."
    if metric is Metric.COST and now.unpriced:
        return (
            f"Not planned for: {name}. {now.unpriced:,} of {now.calls:,} calls have no price, and a test would not "
            "know it either."
        )
    if figure is not None and figure.units >= sizing.ENOUGH:
        return f"Not planned for: {name}. It was the same for everybody."
    return (
        f"Not planned for: {name}. Too little is on record of how much it varies between {many}, so at the planned "
        "size its limit may still be not yet known."
    )


def _formula(measures: Measures, limits: Iterable[Metric], now: Baseline, unit: Unit) -> str:
    is_measured = any(now.enough(metric) for metric in (measures.goal, *limits))
    how = f"how much one {unit.value} differs from the next by the delta method"
    how = how if is_measured else f"a {unit.value} counts as one draw"
    within = "; a limit in % is that part of the value now"
    within = within if any(measures.margins[metric].is_relative for metric in limits) else ""
    return f"Formula: {hostile.sentence(sizing.FORMULA)}{f'; {how}' if unit is not Unit.CALL else ''}{within}."


def _two_digits(value: float) -> str:
    """Two digits that say something, written out."""
    places = max(0, 1 - math.floor(math.log10(value)))
    return f"{value:,.{places}f}"


def _near(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")
