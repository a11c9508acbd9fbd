"""Which period and which part of the usage is shown; the URL keeps it, relative where it was chosen so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.parts import choosing, hostile

SPANS = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
WORDS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
DIMENSIONS = {"model": "Model", "backend": "Backend", "key": "Key", "tag": "Tag", "project": "Project"}
_PERIODS = {name: f"last {words}" for name, words in WORDS.items()}
_STEPS = {"hour": "hour", "day": "day"}
_PART = "usage_part"


@dataclass(frozen=True, slots=True)
class Choice:
    """A period, its steps, how it is broken down, and the one part looked at (dimension "all": everything)."""

    span: str
    start: datetime
    end: datetime
    step: str
    dimension: str = "all"
    value: str | None = None

    @property
    def length(self) -> timedelta:
        return timedelta(hours=1) if self.step == "hour" else timedelta(days=1)


def draw(now: datetime) -> Choice:
    """The widgets, bound to the URL."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        span = choosing.one("Period", _PERIODS, key="usage_span", default="7d")
        steps = ["hour", "day"] if SPANS[span] <= timedelta(days=7) else ["day"]
        default = "hour" if span == "24h" else "day"
        step = choosing.one("By", _STEPS, key="usage_step", default=default, disabled=len(steps) == 1)
    dimension, _, value = st.query_params.get(_PART, "").replace("\0", "").partition(":")
    known = dimension in DIMENSIONS and dimension != "project"
    if known:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Only {DIMENSIONS[dimension].lower()} {hostile.label(value) or 'none'}", width="content")
            st.button("Show everything", key="usage_all", icon=":material/close:", on_click=_everything)
    return Choice(
        span=span,
        start=now - SPANS[span],
        end=now,
        step=step if step in steps else steps[0],
        dimension=dimension if known else "all",
        value=value if known else None,
    )


def broken_down_by() -> str:
    """The dimension of the table, in the URL too."""
    return choosing.one("Broken down by", DIMENSIONS, key="usage_by", default="model")


def look_at(dimension: str, value: str) -> None:
    """Show one part only (a callback)."""
    st.query_params[_PART] = f"{dimension}:{value}"


def _everything() -> None:
    st.query_params.pop(_PART, None)
