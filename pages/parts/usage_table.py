"""What usage is made of: one line per model, backend, key, tag or project, beside the period before."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.calls.views import Share
from pages.parts import amounts, figures, hostile, usage_choice
from pages.parts.usage_choice import Choice

_CLICK = "usage_click"
_VALUES = "usage_values"


def draw(now: Sequence[Share], before: Sequence[Share], choice: Choice, by: str, *, may_open: bool) -> None:
    """Dearest first; a click on a line looks at that part alone, another opens its calls."""
    if by == "tag":
        st.caption("A call counts once for each of its tags, so the lines may add up to more than the total.")
    if not now:
        st.caption("No call in this period." if by != "tag" else "No call with a tag in this period.")
        return
    earlier = {share.value: share for share in before}
    st.session_state[_VALUES] = [(by, share.value, choice.span) for share in now]
    top = float(max(share.cost_usd for share in now))
    looks = ":material/center_focus_strong: Only this"
    actions = [looks, ":material/receipt_long: Its calls"] if may_open else [looks]
    frame = pd.DataFrame(
        {
            "name": [hostile.line(_name(share, by)) for share in now],
            "calls": [share.calls for share in now],
            "change": [_change(share, earlier) for share in now],
            "errors": [amounts.share(share.errors, share.calls) for share in now],
            "cost": [figures.cost(share) for share in now],
            "part": [float(share.cost_usd) / top if top else 0.0 for share in now],
            "unpriced": [amounts.share(share.unpriced, share.calls) for share in now],
            "estimated": [amounts.share(share.estimated, share.calls) for share in now],
            "tokens_in": [share.tokens_in for share in now],
            "tokens_out": [share.tokens_out for share in now],
            "p50": [share.p50_ms for share in now],
            "p95": [share.p95_ms for share in now],
            "p99": [share.p99_ms for share in now],
            **({} if by == "project" else {"do": [actions] * len(now)}),
        }
    )
    column = st.column_config
    st.dataframe(
        frame,
        key="usage_table",
        hide_index=True,
        height="content" if len(now) <= 20 else "auto",
        placeholder="–",
        alt=f"Usage by {by}, dearest first: {hostile.line(_name(now[0], by))} leads",
        column_config={
            "name": column.TextColumn(usage_choice.DIMENSIONS[by], pinned=True, width=200),
            "calls": column.NumberColumn("Calls", format="localized"),
            "change": column.TextColumn("vs. before", alignment="right", help="Calls, beside the period before"),
            "errors": column.TextColumn("Errors", alignment="right"),
            "cost": column.TextColumn("Cost", alignment="right"),
            "part": column.ProgressColumn("", format=" ", min_value=0, max_value=1, width=90),
            "unpriced": column.TextColumn("Unpriced", alignment="right"),
            "estimated": column.TextColumn("Estimated", alignment="right"),
            "tokens_in": column.NumberColumn("Tokens in", format="localized"),
            "tokens_out": column.NumberColumn("Tokens out", format="localized"),
            "p50": column.NumberColumn("Half took", format="%,.0f ms"),
            "p95": column.NumberColumn("95 of 100", format="%,.0f ms"),
            "p99": column.NumberColumn("99 of 100", format="%,.0f ms"),
            "do": column.ButtonColumn("", type="tertiary", key=_CLICK, on_click=_clicked, width=60),
        },
    )


def opened() -> tuple[str, str, str] | None:
    """The part whose calls a click asked for: dimension, value, period. It is told once."""
    found: tuple[str, str, str] | None = st.session_state.pop("usage_open", None)
    return found


def _clicked() -> None:
    click = st.session_state.get(_CLICK)
    values = st.session_state.get(_VALUES, [])
    if click is None or not 0 <= click.row < len(values):
        return
    dimension, value, span = values[click.row]
    if "calls" in click.label:
        st.session_state["usage_open"] = (dimension, value, span)
    else:
        usage_choice.look_at(dimension, value)


def _name(share: Share, by: str) -> str:
    return share.label or {"backend": "before any backend", "model": "no model"}.get(by, "none")


def _change(share: Share, earlier: dict[str, Share]) -> str:
    before = earlier.get(share.value)
    return (amounts.change(share.calls, before.calls) if before else None) or "new"
