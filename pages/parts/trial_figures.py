"""The figures of a live test: the goal over time, every metric, guardrails, the split, slices, and what it can find."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from core import clock
from core.statistics import planning, verdict
from core.statistics.margins import Margin
from core.trials import metrics, queries
from core.trials.against import NOT_KNOWN
from core.trials.cards import Card
from core.trials.metrics import ABOUT, Metric
from core.trials.queries import TrialView
from core.trials.rules import Unit
from pages.parts import amounts, charts, hostile, reads
from pages.parts import trial_words as words

_HOUR = timedelta(hours=1)


def draw(row: TrialView, card: Card) -> None:
    """All figures."""
    if card.is_off:
        st.warning(
            f"{hostile.sentence(card.split)}. Until the cause is found, nothing below means anything.",
            title="The traffic did not split as planned.", icon=":material/warning:",
        )  # fmt: skip
    arm = _glance(row, card) if len(row.arms) > 2 else 1
    _over_time(row, card, arm)
    _metrics(row, card, arm)
    _guardrails(row, card)
    _health(row, card)
    if card.pieces:
        _pieces(row, card)


def name(metric: Metric) -> str:
    """A metric's name."""
    return ABOUT[metric].name


def told_margin(metric: Metric, margin: Margin) -> str:
    """A guardrail's margin in words."""
    return metrics.margin_told(metric, margin)


def _glance(row: TrialView, card: Card) -> int:
    """Every arm beside A by the goal, and the one whose figures follow."""
    st.markdown(f"**Each beside A, by {ABOUT[row.measures.goal].name}**")
    goals = {line.arm: line for line in card.lines if line.role == "goal"}
    st.table(
        {
            "Arm": [_arm(row, card, number) for number in goals],
            row.unit.many: [f"{card.units[number]:,}" for number in goals],
            "Arm − A": [line.absolute for line in goals.values()],
            "So far": [hostile.sentence("; ".join(card.of(number).reasons)) for number in goals],
        },
        border="horizontal", alt="Every arm of the test beside A, by the goal",
    )  # fmt: skip
    st.caption(
        f"{len(goals)} arms are compared with A, so each interval is at {verdict.percent(card.level)}: together they "
        f"hold with {verdict.percent(row.measures.level)} (Bonferroni)."
    )
    chosen = st.segmented_control(
        "Figures of", list(goals), default=card.promoted or card.leader, key="trial_arm", required=True,
        format_func=lambda number: _arm(row, card, number),
    )  # fmt: skip
    return chosen or card.leader


def _over_time(row: TrialView, card: Card, arm: int) -> None:
    looks = [look for look in reads.fresh(queries.looks, row.id, arm=arm) if look.low is not None]
    if len(looks) < 2:
        return
    about, name = ABOUT[row.measures.goal], hostile.sentence(row.arms[arm].name)
    st.markdown(f"**Difference in {about.name}, {name} − A**")
    scale = 100.0 if about.is_share else 1.0
    unit = "points" if about.is_share else about.unit

    def scaled(name: str) -> list[float | None]:
        return [None if (value := getattr(look, name)) is None else value * scale for look in looks]

    at = [look.hour for look in looks]
    goal = next(line for line in card.lines if line.arm == arm)
    figure = charts.band(at, scaled("value"), scaled("low"), scaled("high"), unit=unit, step=_HOUR)
    alt = (
        f"Difference in {about.name} between {name} and A, hour by hour, with its {verdict.percent(card.level)} "
        f"always-valid interval: at last {goal.absolute}. The dotted line is no difference."
    )
    charts.draw(figure, key=f"trial_chart_{row.id}_{arm}", alt=alt)
    st.caption("The band holds at every moment together: looking often makes no false discovery more likely.")


def _metrics(row: TrialView, card: Card, arm: int) -> None:
    lines, name = [line for line in card.lines if line.arm == arm], hostile.sentence(row.arms[arm].name)
    st.markdown("**Every metric**")
    st.table(
        {
            "Metric": [line.name + {"goal": " (goal)", "guardrail": " (guardrail)"}.get(line.role, "")
                       for line in lines],
            "A": [line.arms[0] for line in lines],
            name: [line.arms[1] for line in lines],
            f"{name} − A": [line.absolute for line in lines],
            "relative to A": [line.relative for line in lines],
            "p": ["" if line.p is None or line.low is None else _p(line.p) for line in lines],
        },
        border="horizontal", alt=f"Every metric of {name} beside A, with differences",
    )  # fmt: skip
    st.caption(
        f"Intervals of A and of {name} are for one look (Wilson, delta method, order statistics); those of differences "
        "and the p values hold at every look (confidence sequences), p of metrics told beside the goal adjusted by "
        "Holm." + (_of_calls(row.unit) if any(line.metric == Metric.LATENCY for line in lines) else "")
    )
    said = card.of(arm)
    for sentence in (said.at_the_end, said.before):
        if sentence:
            st.caption(hostile.sentence(sentence))


def _arm(row: TrialView, card: Card, number: int) -> str:
    name = hostile.sentence(row.arms[number].name)
    return f"{name} (closed)" if card.of(number).is_closed else name


def _of_calls(unit: Unit) -> str:
    if unit is Unit.CALL:
        return ""
    return f" A p95 is of calls; its intervals are wider where those of one {unit.value} are all slow or all fast."


def _guardrails(row: TrialView, card: Card) -> None:
    found = [line for line in card.lines if line.role == "guardrail"]
    if not found:
        return
    st.markdown("**Guardrails**")
    for place, line in enumerate(found):
        said, color = words.STANDINGS[line.standing]
        is_relative = "%" in line.margin and line.relative != NOT_KNOWN  # no percentage of 0 is known
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"trial_guardrail_{place}"):
            st.badge(said, color=color)
            arm = _arm(row, card, line.arm)
            before = "" if len(row.arms) == 2 else f"{arm}, "
            st.markdown(f"{before}{line.name}: {line.margin} than A", width="content")
            told = line.relative if is_relative else line.absolute
            st.caption(f"{hostile.sentence(row.arms[line.arm].name)} − A: {told}", width="content")


def _health(row: TrialView, card: Card) -> None:
    many, several = row.unit.many, "both arms" if len(row.arms) == 2 else "more than one arm"
    st.markdown("**Can it be trusted?**")
    shares = zip(row.arms, card.fallback_shares, strict=True)
    fallbacks = ", ".join(f"{hostile.sentence(arm.name)} {share * 100:.1f} %" for arm, share in shares)
    told = [
        f"Split: {card.split}." if card.seen else "",
        f"Seen in {several}: {amounts.share(round(card.twice_share * card.seen), card.seen)} of {many}."
        if card.seen else "",
        f"Answered by another model than the arm's: {fallbacks} of calls.",
        f"{amounts.count(card.missing, 'call')} named no {row.unit.value} and got A, in no arm."
        if card.missing else "",
        f"{amounts.count(card.unpriced, 'call')} had no price, so no cost is told. Backends and models keeps prices."
        if card.unpriced else "",
        card.of(card.leader).finds,
        _left(row, card),
    ]  # fmt: skip
    for sentence in told:
        if sentence:
            st.caption(hostile.sentence(sentence))


def _left(row: TrialView, card: Card) -> str:
    if row.started_at is None or row.ended_at is not None or not card.seen:
        return ""
    days = max((clock.now() - row.started_at) / timedelta(days=1), 1 / 24)
    per_day = card.seen / days
    left = planning.days_left(card.planned, card.seen, per_day)
    if not left:
        return "" if left is None else "The planned size is reached."
    return f"About {amounts.count(left, 'day')} left at {per_day:,.0f} {row.unit.many} a day so far."


def _pieces(row: TrialView, card: Card) -> None:
    with st.expander(f"By {hostile.label(row.slice_tag)} (exploratory)", icon=":material/call_split:"):
        st.table(
            {
                "Its value": [hostile.sentence(piece.name) for piece in card.pieces],
                **({} if len(row.arms) == 2 else {"Arm": [_arm(row, card, piece.arm) for piece in card.pieces]}),
                row.unit.many: [f"{piece.units:,}" for piece in card.pieces],
                "B − A" if len(row.arms) == 2 else "Arm − A": [piece.absolute for piece in card.pieces],
                "p": [_p(piece.p) for piece in card.pieces],
            },
            border="horizontal", alt="The goal in each slice",
        )  # fmt: skip
        st.caption("A hint where to look next, no finding: p adjusted for all of them (Benjamini and Hochberg).")


def _p(value: float) -> str:
    return "<\u00a00.001" if value < 0.001 else f"{value:.3f}"
