"""The comparisons of a project: how far each is, and the way in."""

from __future__ import annotations

import streamlit as st

from core import clock, ids
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from core.votes import queries
from core.votes.queries import ComparisonView
from pages.parts import amounts, hostile, moments, reads, states

CHOSEN, NEW = "comparison", "new"
OWN = (CHOSEN, "show", "named", "one", "other", "older")
"""What the addresses of this page carry."""


def draw(by: Principal, project: ProjectView) -> None:
    """The whole list."""
    may_change = by.may(Permission.COMPARE_CHANGE, project.id)
    title, tools = st.columns([3, 2], vertical_alignment="bottom")
    title.title("Side by side", anchor=False)
    if may_change:
        with tools, st.container(horizontal=True, horizontal_alignment="right"):
            st.button(
                "New comparison", key="compare_new", icon=":material/add:", type="primary", on_click=opened,
                args=(NEW,),
            )  # fmt: skip
    rows = reads.fresh(queries.comparisons, project_ids=(project.id,))
    if not rows:
        feeds = "Choose contestants and questions; people then say which of two answers is better, not knowing whose."
        states.empty("Nothing is compared yet.", feeds, icon=":material/compare:")
    for row in rows:
        _row(row, by)


def _row(row: ComparisonView, by: Principal) -> None:
    with st.container(border=True, key=f"compare_row_{row.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.markdown(f"**{hostile.sentence(row.name)}**", width="content")
                if not row.is_open:
                    st.badge("closed", color="gray", icon=":material/lock:")
            with st.container(horizontal=True, width="content", gap="small"):
                if row.is_open and row.admits(by.actor) and by.may(Permission.COMPARE_VOTE, row.project_id):
                    st.button(
                        "Vote", key=f"compare_vote_{row.id}", icon=":material/how_to_vote:", on_click=opened,
                        args=(str(row.id), "vote"),
                    )  # fmt: skip
                st.button(
                    "Leaderboard", key=f"compare_open_{row.id}", type="tertiary", on_click=opened,
                    args=(str(row.id), "board"),
                )  # fmt: skip
        st.caption(hostile.sentence(row.question))
        st.caption(far(row))
        with st.container(horizontal=True, gap="xsmall"):
            st.caption("Begun", width="content")
            moments.ago(row.created_at, clock.now())


def far(row: ComparisonView) -> str:
    """How far a comparison is, in a line."""
    made = row.made
    parts = [
        amounts.count(row.votes, "vote"),
        amounts.count(len(row.contestants), "contestant"),
        amounts.count(row.questions, "question"),
    ]
    if made.waiting:
        parts.append(f"{made.ready} of {made.all} answers ready")
    if made.failed:
        parts.append(f"{amounts.count(made.failed, 'answer')} failed")
    return ", ".join(parts)


def call(number: int) -> str:
    """A call as addresses name it."""
    return ids.shown("call", number)


def opened(comparison: str, view: str = "") -> None:
    """A button's callback: this comparison, or the form of a new one; "" is the list."""
    for param in OWN:
        st.query_params.pop(param, None)
    if comparison:
        st.query_params[CHOSEN] = comparison
    if view:
        st.query_params["show"] = view
