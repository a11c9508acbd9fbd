"""The calls of one session as the conversation they were, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import streamlit as st

from core.calls import queries
from pages.parts import amounts, call_private, call_talk, call_view, hostile, moments, reads, states

_MOST = 50


def draw(name: str, project_ids: Sequence[int], now: datetime) -> None:
    """What was newly said in each call, with a link to each; what a call repeats of earlier turns is left out."""
    rows = reads.fresh(queries.session_calls, name, project_ids=project_ids, limit=_MOST)
    st.button("All calls", key="thread_back", icon=":material/arrow_back:", type="tertiary", on_click=_leave)
    st.subheader(f"Conversation {hostile.label(name)}", anchor=False)
    if not rows:
        states.empty("No call has this session.", "An application names it in `metadata.session_id`.")
        return
    cost = sum((row.cost_usd for row in rows if row.cost_usd is not None), Decimal(0))
    unpriced = sum(row.cost_usd is None for row in rows)
    st.caption(
        f"{amounts.count(len(rows), 'call')}, {amounts.money(cost)}"
        + (f" and {amounts.count(unpriced, 'unpriced call')}" if unpriced else "")
        + f", from {moments.exact(rows[0].at)} to {moments.exact(rows[-1].at)}."
        + (f" Only the newest {_MOST} are shown." if len(rows) == _MOST else "")
    )
    payloads = reads.fresh(queries.payloads, [row.id for row in rows], project_ids)
    private = call_private.hidden([row.id for row in rows], project_ids)
    said_before = 0
    for row in rows:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            call_view.badges(row)
            call_view.when(row, now)
            st.button(
                "Open",
                key=f"thread_open_{row.id}",
                icon=":material/open_in_full:",
                type="tertiary",
                on_click=_open,
                args=(row.shown_id,),
            )
        said = payloads.get(row.id)
        if said is None:
            continue
        # a client sends the whole conversation with every turn; a shorter one has begun anew
        known = said_before if said_before < len(said.messages) else 0
        if row.id in private:
            call_private.draw(row.id, said, project_ids, newest=max(1, len(said.messages) - known))
        else:
            call_talk.draw(said.messages[known:])
            call_talk.draw(said.answers)
        said_before = len(said.messages) + len(said.answers[:1])


def _open(shown: str) -> None:
    st.query_params["call"] = shown


def _leave() -> None:
    st.query_params.pop("conversation", None)
