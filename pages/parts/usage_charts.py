"""Usage over time in four charts; a click on a bar of calls opens the calls of that hour or day."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.calls.filters import Filters
from core.calls.views import Point
from pages.parts import amounts, call_filters, charts
from pages.parts.charts import Series
from pages.parts.links import CALLS
from pages.parts.usage_choice import Choice


def draw(points: Sequence[Point], choice: Choice, *, may_open: bool) -> None:
    """Calls and errors, cost, tokens, latency."""
    left, right = st.columns(2)
    with left:
        with st.container(border=True):
            _calls(points, choice, may_open=may_open)
        with st.container(border=True):
            _tokens(points, choice)
    with right:
        with st.container(border=True):
            _cost(points, choice)
        with st.container(border=True):
            _latency(points, choice)


def _calls(points: Sequence[Point], choice: Choice, *, may_open: bool) -> None:
    st.markdown(f"**Calls per {choice.step}**")
    at = [point.at for point in points]
    counts = [point.calls for point in points]
    figure = charts.bars(
        at,
        [
            Series("answered", [point.calls - point.errors for point in points]),
            Series("failed or refused", [point.errors for point in points], charts.TROUBLE),
        ],
        unit="calls",
        step=choice.length,
        hover="%{y:,} calls",
    )
    shown = {
        "total": f"{amounts.count(sum(counts), 'call')} ({amounts.count(sum(p.errors for p in points))} failed)",
        "peak": amounts.count(max(counts, default=0), "call"),
    }
    alt = charts.says(f"Calls per {choice.step}", at, counts, shown, choice.length)
    picked = charts.draw(figure, key=f"usage_calls_{choice.span}_{choice.step}", alt=alt, picks=may_open)
    if picked and 0 <= picked[0] < len(points):
        _open(points[picked[0]], choice)
    if may_open:
        st.caption("Click a bar to see its calls.")


def _open(point: Point, choice: Choice) -> None:
    since, until = point.at, point.at + choice.length
    between = Filters(until=until.isoformat())
    params = call_filters.of_part(choice.dimension, choice.value or "", since.isoformat(), base=between)
    st.switch_page(CALLS, query_params=params)


def _cost(points: Sequence[Point], choice: Choice) -> None:
    st.markdown(f"**Cost per {choice.step}**")
    at = [point.at for point in points]
    costs = [float(point.cost_usd) for point in points]
    total, peak = sum(p.cost_usd for p in points), max((p.cost_usd for p in points), default=None)
    figure = charts.bars(at, [Series("cost", costs)], unit="US dollars", step=choice.length, hover="$%{y:,.4~f}")
    shown = {"total": amounts.money(total or None), "peak": amounts.money(peak)}
    alt = charts.says(f"Cost per {choice.step}", at, costs, shown, choice.length)
    charts.draw(figure, key=f"usage_cost_{choice.span}_{choice.step}", alt=alt)
    st.caption("Without unpriced calls.")


def _tokens(points: Sequence[Point], choice: Choice) -> None:
    st.markdown(f"**Tokens per {choice.step}**")
    at = [point.at for point in points]
    sums = [point.tokens_in + point.tokens_out for point in points]
    figure = charts.bars(
        at,
        [Series("in", [point.tokens_in for point in points]), Series("out", [point.tokens_out for point in points])],
        unit="tokens",
        step=choice.length,
        hover="%{y:,} tokens",
    )
    shown = {"total": amounts.tokens(sum(sums)), "peak": amounts.tokens(max(sums, default=0))}
    alt = charts.says(f"Tokens per {choice.step}", at, sums, shown, choice.length)
    charts.draw(figure, key=f"usage_tokens_{choice.span}_{choice.step}", alt=alt)


def _latency(points: Sequence[Point], choice: Choice) -> None:
    st.markdown("**How long calls took**")
    at = [point.at for point in points]
    rows = {
        "half": [point.p50_ms for point in points],
        "95 of 100": [point.p95_ms for point in points],
        "99 of 100": [point.p99_ms for point in points],
    }
    series = [Series(name, [None if ms is None else ms / 1000 for ms in values]) for name, values in rows.items()]
    figure = charts.lines(at, series, unit="seconds at most", step=choice.length, hover="%{y:.3~g} s")
    slowest = max((ms for ms in rows["95 of 100"] if ms is not None), default=None)
    shown = {"peak": amounts.duration(slowest)}
    alt = charts.says("What 95 of 100 calls took at most", at, rows["95 of 100"], shown, choice.length)
    charts.draw(figure, key=f"usage_latency_{choice.span}_{choice.step}", alt=alt)
