"""Charts of the console: Plotly in the theme's own colours, each with a sentence that says what the data says.

Figures are made here and drawn here, so that no page has a chart without its `alt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import plotly.graph_objects as go
import streamlit as st

from pages.parts import amounts, moments

TROUBLE = "#d9622b"  # stands out from both pages, and from the palette's green for every kind of eye
QUIET = "rgba(128,140,134,.55)"
_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_HEIGHT = 260
_UNTITLED = {"title": {"text": ""}}


@dataclass(frozen=True, slots=True)
class Series:
    """One row of bars or one line: a name and a value (None: no data) for each moment of the chart."""

    name: str
    values: Sequence[float | None]
    color: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a call's time, from its start in milliseconds."""

    name: str
    start_ms: float
    length_ms: float
    note: str = ""
    is_trouble: bool = False


def bars(at: Sequence[datetime], series: Sequence[Series], *, unit: str, step: timedelta, hover: str) -> go.Figure:
    """Stacked bars over time, one group per `step`."""
    zone = moments.zone()
    data = [
        go.Bar(
            **_over_time(at, one, step, zone, hover),
            marker={"color": one.color} if one.color else None,
            width=step / timedelta(milliseconds=1) * 0.86,
        )
        for one in series
    ]
    return go.Figure(data, _layout(unit=unit, is_many=len(series) > 1, at=at, step=step, zone=zone))


def lines(at: Sequence[datetime], series: Sequence[Series], *, unit: str, step: timedelta, hover: str) -> go.Figure:
    """Lines over time; a stretch without data is a gap, a lonely value a dot."""
    zone = moments.zone()
    data = [
        go.Scatter(
            **_over_time(at, one, step, zone, hover),
            mode="lines+markers",
            marker={"size": 5},
            line={"width": 2, "color": one.color} if one.color else {"width": 2},
        )
        for one in series
    ]
    return go.Figure(data, _layout(unit=unit, is_many=len(series) > 1, at=at, step=step, zone=zone))


def band(
    at: Sequence[datetime], value: Sequence[float | None], low: Sequence[float | None], high: Sequence[float | None],
    *, unit: str, step: timedelta,
) -> go.Figure:  # fmt: skip
    """A value over time within its interval, and the line where there is no difference."""
    zone = moments.zone()
    edge = {"mode": "lines", "line": {"width": 1, "color": QUIET}}
    data = [
        go.Scatter(**_over_time(at, Series("from", low), step, zone, "%{y:,.4~g}"), **edge),
        go.Scatter(
            **_over_time(at, Series("to", high), step, zone, "%{y:,.4~g}"), **edge, fill="tonexty",
            fillcolor="rgba(128,140,134,.22)",
        ),
        go.Scatter(
            **_over_time(at, Series("difference", value), step, zone, "%{y:,.4~g}"), mode="lines+markers",
            marker={"size": 5}, line={"width": 2},
        ),
    ]  # fmt: skip
    figure = go.Figure(data, _layout(unit=unit, is_many=True, at=at, step=step, zone=zone))
    figure.layout.yaxis.rangemode = "normal"
    figure.layout.yaxis.exponentformat = "none"  # 0.0005 USD, not 500 μ
    figure.add_hline(y=0, line={"width": 1, "dash": "dot", "color": TROUBLE})
    return figure


def waterfall(parts: Sequence[Part]) -> go.Figure:
    """Where the time of one call went, each stretch from where it began."""
    longest = max((part.start_ms + part.length_ms for part in parts), default=1) or 1
    return go.Figure(
        go.Bar(
            y=[part.name for part in parts],
            x=[part.length_ms for part in parts],
            base=[part.start_ms for part in parts],
            orientation="h",
            text=[amounts.duration(part.length_ms) for part in parts],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [TROUBLE if part.is_trouble else None for part in parts]}
            if any(part.is_trouble for part in parts)
            else None,
            customdata=[[part.note or part.name, amounts.duration(part.start_ms)] for part in parts],
            hovertemplate="%{customdata[0]}<br>began after %{customdata[1]}, took %{text}<extra></extra>",
        ),
        {
            "height": 84 + 34 * len(parts),
            "margin": {"l": 8, "r": 8, "t": 8, "b": 48},
            "showlegend": False,
            "bargap": 0.35,
            "xaxis": {
                "title": {"text": "milliseconds"},
                "range": [0, longest * 1.3],
                "rangemode": "tozero",
            },
            "yaxis": {"autorange": "reversed", "automargin": True},
        },
    )


def draw(figure: go.Figure, *, key: str, alt: str, picks: bool = False) -> list[Any]:
    """Show a figure; with `picks` the points a person clicked, by their place in the chart."""
    if not picks:
        st.plotly_chart(figure, theme="streamlit", key=key, alt=alt, config=_CONFIG)
        return []
    event = st.plotly_chart(
        figure, theme="streamlit", key=key, alt=alt, config=_CONFIG, on_select="rerun", selection_mode="points"
    )
    return [point["point_index"] for point in event["selection"]["points"]]


def says(
    what: str, at: Sequence[datetime], values: Sequence[float | None], shown: Mapping[str, str], step: timedelta
) -> str:
    """A chart's `alt`: its total or its range in words, and where it peaks.

    `shown` has the words ready: `total` for a sum, `peak` for the highest value.
    """
    known = [(value, moment) for value, moment in zip(values, at, strict=True) if value]
    if not known:
        return f"{what}: nothing in this period."
    peak = max(known)[1]
    total = f" {shown['total']} in all," if "total" in shown else ""
    return f"{what}:{total} highest {shown['peak']} at {_when(peak, step, moments.zone())}."


def _over_time(at: Sequence[datetime], one: Series, step: timedelta, zone: ZoneInfo, hover: str) -> dict[str, Any]:
    """A series with its words; each value stands in the middle of its stretch, by the reader's clock."""
    return {
        "x": [(moment + step / 2).astimezone(zone).replace(tzinfo=None) for moment in at],
        "y": list(one.values),
        "name": one.name,
        "customdata": [_when(moment, step, zone) for moment in at],
        "hovertemplate": f"%{{customdata}}<br>{hover}<extra>{one.name}</extra>",
    }


def _when(moment: datetime, step: timedelta, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%a %-d %b}" if step >= timedelta(days=1) else f"{local:%a %-d %b, %H:%M}"


def _layout(*, unit: str, is_many: bool, at: Sequence[datetime], step: timedelta, zone: ZoneInfo) -> dict[str, Any]:
    """The frame of a chart over time, for the figure to be made with: `update_layout` costs several times as much."""
    ends = [at[0], at[-1] + step] if at else []
    return {
        "height": _HEIGHT,
        "barmode": "stack",
        "hovermode": "x unified" if is_many else "closest",
        "showlegend": is_many,
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "title": {"text": ""},
            "traceorder": "normal",
        },
        "margin": {"l": 8, "r": 8, "t": 28 if is_many else 8, "b": 8},
        "xaxis": {
            "type": "date",
            "range": [moment.astimezone(zone).replace(tzinfo=None) for moment in ends] or None,
            "fixedrange": True,
            "hoverformat": "%a %-d %b, %H:%M",
        },
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero", "fixedrange": True, "automargin": True},
    }
