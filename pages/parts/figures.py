"""The headline of a period: calls, errors, cost with its unknown share, tokens, latency; beside the period before."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.calls.views import Totals
from pages.parts import amounts
from pages.parts.links import CALLS


def draw(now: Totals, before: Totals, *, beside: str, links: Mapping[str, dict[str, str]]) -> None:
    """Five cards. `links` has the query parameters of the calls behind `calls` and `errors`."""
    st.caption(f"Changes are against {beside}.")
    with st.grid("auto", min_column_width=150, gap="small", border=True) as grid:
        with grid.cell():
            _metric("Calls", amounts.count(now.calls), amounts.change(now.calls, before.calls), color="off")
            _behind("calls", "See them", links)
        with grid.cell():
            share = amounts.share(now.errors, now.calls)
            change = _points(now.error_share, before.error_share) if before.calls and now.calls else None
            _metric(f"Errors, {share}", amounts.count(now.errors), change, color="inverse")
            _behind("errors", "See them", links)
        with grid.cell():
            change = amounts.change(float(now.cost_usd), float(before.cost_usd))
            _metric("Cost", cost(now), change, color="off")
            st.caption(unknown(now))
        with grid.cell():
            sums = now.tokens_in + now.tokens_out
            change = amounts.change(sums, before.tokens_in + before.tokens_out)
            _metric("Tokens", amounts.count(sums), change, color="off")
            st.caption(f"{amounts.count(now.tokens_in)} in, {amounts.count(now.tokens_out)} out")
        with grid.cell():
            change = amounts.change(now.p95_ms or 0, before.p95_ms or 0)
            _metric("Time, 95 % within", amounts.duration(now.p95_ms), change, color="inverse")
            st.caption(f"half {amounts.duration(now.p50_ms)}, 99 % {amounts.duration(now.p99_ms)}")


def cost(sums: Totals) -> str:
    """The cost that is known; "unpriced" when no call's is."""
    return amounts.money(None if sums.calls and sums.unpriced == sums.calls else sums.cost_usd)


def unknown(sums: Totals) -> str:
    """How much of the cost is not known, or only estimated: part of every headline about money."""
    parts = []
    if sums.unpriced:
        parts.append(f":orange[{amounts.share(sums.unpriced, sums.calls)} of calls unpriced]")
    if sums.estimated:
        parts.append(f"{amounts.share(sums.estimated, sums.calls)} estimated")
    return ", ".join(parts) or "every call priced"


def _metric(label: str, value: str, change: str | None, *, color: str) -> None:
    flat = change in {"+0 %", "-0 %"}
    st.metric(
        label,
        value,
        0 if flat else change,
        delta_color="off" if color == "off" or flat else "inverse",
        delta_arrow="off" if flat or (change or "").startswith("×") else "auto",
    )


def _points(now: float, before: float) -> str:
    """The change of a share in percentage points."""
    return f"{100 * (now - before):+.1f} pp"


def _behind(name: str, label: str, links: Mapping[str, dict[str, str]]) -> None:
    if name in links:
        st.page_link(CALLS, label=label, icon=":material/arrow_forward:", query_params=links[name])
