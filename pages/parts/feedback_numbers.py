"""How much readers said, how much of it was unhappy, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import streamlit as st

from core.calls.feedback_queries import Day, Mood, Summary
from pages.parts import amounts, charts
from pages.parts.charts import Series

SPANS = {"7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
PERIODS = {name: f"last {length.days} days" for name, length in SPANS.items()}
MOODS = {Mood.DOWN: "Unhappy", Mood.NEITHER: "Neither", Mood.UP: "Happy"}
ICONS = {
    Mood.DOWN: ":material/thumb_down:",
    Mood.NEITHER: ":material/thumbs_up_down:",
    Mood.UP: ":material/thumb_up:",
}
_DAY = timedelta(days=1)


def figures(said: Summary, *, beside: str) -> None:
    """Four numbers beside the period before."""
    st.caption(
        f"Changes are against {beside}. Unhappy is a thumb down or a rating of 1 or 2, happy a thumb up, 4 or 5."
    )
    with st.grid("auto", min_column_width=165, gap="small", border=True) as grid:
        with grid.cell():
            change = amounts.change(said.count, said.before)
            st.metric("Feedback", amounts.count(said.count), change, delta_color="off", delta_arrow=_arrow(change))
        with grid.cell():
            points = None
            if said.count and said.before:
                points = f"{100 * (said.down / said.count - said.down_before / said.before):+.0f} points"
            is_flat = points in {"+0 points", "-0 points"}
            st.metric(
                f"Unhappy, {amounts.share(said.down, said.count)}",
                amounts.count(said.down),
                "no change" if is_flat else points,
                delta_color="off" if is_flat else "inverse",
                delta_arrow="off" if is_flat else "auto",
                help="The change is of the share, in percentage points.",
            )
        with grid.cell():
            st.metric(f"Happy, {amounts.share(said.up, said.count)}", amounts.count(said.up))
        with grid.cell():
            st.metric(
                "Better answers",
                amounts.count(said.corrected),
                help="The reader wrote what it should be.",
            )


def chart(days: Sequence[Day], *, key: str) -> None:
    """What was said, day by day."""
    at = [day.at for day in days]
    counts = [day.down + day.neither + day.up for day in days]
    series = [
        Series(MOODS[Mood.UP].lower(), [day.up for day in days]),
        Series(MOODS[Mood.NEITHER].lower(), [day.neither for day in days], charts.QUIET),
        Series(MOODS[Mood.DOWN].lower(), [day.down for day in days], charts.TROUBLE),
    ]
    unhappy = amounts.share(sum(day.down for day in days), sum(counts))
    words = {"total": f"{sum(counts):,} ({unhappy} unhappy)", "peak": f"{max(counts, default=0):,}"}
    with st.container(border=True):
        st.markdown("**What readers said per day**")
        figure = charts.bars(at, series, unit="times", step=_DAY, hover="%{y:,}")
        charts.draw(figure, key=key, alt=charts.says("What readers said per day", at, counts, words, _DAY))


def _arrow(change: str | None) -> Literal["auto", "off"]:
    return "off" if change in {"+0 %", "-0 %"} or (change or "").startswith("×") else "auto"
