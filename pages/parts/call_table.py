"""The list of calls: one line each, newest first, with a button that shows more without leaving the list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from core.calls.record import JUDGES
from core.calls.views import CallRow
from pages.parts import amounts, call_private, call_view, hostile, moments

_CLICK = "calls_click"
PEEK = "calls_peek"
SHOWN = "calls_shown"
_MARK = re.compile(r"\s*</?text-\w+>\s*")


def draw(rows: Sequence[CallRow], now: datetime) -> None:
    """The rows; a click on one is in `st.session_state[PEEK]` for one run."""
    st.session_state[SHOWN] = [row.id for row in rows]
    private = call_private.hidden([row.id for row in rows], list({row.project_id for row in rows}))
    zone = moments.zone()
    frame = pd.DataFrame(
        {
            "peek": [":material/visibility:"] * len(rows),
            "when": [moments.relative(row.at, now) for row in rows],
            "ended": [call_view.status(row) for row in rows],
            "model": [hostile.line(_model(row)) for row in rows],
            "asked": [call_private.HIDDEN if row.id in private else hostile.line(_asked(row)) for row in rows],
            "answered": ["" if row.id in private else hostile.line(row.answered or row.error) for row in rows],
            "tokens": [f"{'est. ' if row.is_estimated else ''}{row.tokens_in:,} → {row.tokens_out:,}" for row in rows],
            "cost": [amounts.money(row.cost_usd, is_estimated=row.is_estimated) for row in rows],
            "took": [row.total_ms for row in rows],
            "who": [hostile.line(row.key_name or row.end_user or row.actor) for row in rows],
            "moment": [moments.exact(row.at, in_zone=zone) for row in rows],
            "id": [row.shown_id for row in rows],
        }
    )
    column = st.column_config
    st.dataframe(
        frame,
        key="calls_table",
        hide_index=True,
        height="content" if len(rows) <= 50 else "auto",
        alt=f"{amounts.count(len(rows), 'call')}, newest first",
        column_order=(
            "peek",
            "when",
            "ended",
            "model",
            "asked",
            "took",
            "cost",
            "tokens",
            "answered",
            "who",
            "moment",
            "id",
        ),
        column_config={
            "peek": column.ButtonColumn("", type="tertiary", key=_CLICK, on_click=_clicked, pinned=True, width=46),
            "when": column.TextColumn("When", width=90, help="The exact moment is at the end of the line."),
            "ended": column.TextColumn("Ended", width=98),
            "model": column.TextColumn("Answered by", width=150),
            "asked": column.TextColumn("Asked", width=196),
            "answered": column.TextColumn("Answer", width=260),
            "tokens": column.TextColumn("Tokens in → out", width=118, alignment="right"),
            "cost": column.TextColumn("Cost", width=106, alignment="right"),
            "took": column.NumberColumn("Took", format="%,.0f ms", width=86),
            "who": column.TextColumn("Asked with", width=130),
            "moment": column.TextColumn("Moment", width=240),
            "id": column.TextColumn("Call", width=190),
        },
    )


def _asked(row: CallRow) -> str:
    """What was asked; of a judge, without the marks between which its text stands."""
    return _MARK.sub("", row.asked) if row.route in JUDGES else row.asked


def _model(row: CallRow) -> str:
    return "/".join(part for part in (row.backend, row.model_served) if part) or row.model_asked


def _clicked() -> None:
    click = st.session_state.get(_CLICK)
    shown = st.session_state.get(SHOWN, [])
    if click is not None and 0 <= click.row < len(shown):
        st.session_state[PEEK] = shown[click.row]
