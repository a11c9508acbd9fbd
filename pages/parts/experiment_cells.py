"""The answers of a run, example by example, or only those that failed."""

from __future__ import annotations

import streamlit as st

from core.evals.across import Side
from core.experiments import queries
from core.experiments.queries import RunView
from core.people.rules import Principal
from pages.parts import experiment_examples, hostile, reads

_PER_PAGE = 10


def draw(row: RunView, by: Principal, *, only_failed: bool) -> None:
    """A page of examples with the answers of every variant."""
    after = int(st.session_state.get("experiment_after", 0))
    found = reads.fresh(
        queries.keys, row.id, project_ids=(row.project_id,), only_failed=only_failed, after=after, limit=_PER_PAGE + 1
    )
    page = list(found[:_PER_PAGE])
    if not page:
        st.caption("None." if not after else "No more.")
    letters = [arm.letter for arm in row.arms]
    if len(letters) > 2:
        chosen = st.multiselect(
            "Variants", letters, default=letters[:2], max_selections=2, key="experiment_cells_arms",
            format_func=lambda letter: hostile.line(f"{letter}: {row.arm(letter).label}", longest=50),
        )  # fmt: skip
        letters = chosen or letters[:2]
    if page:
        experiment_examples.draw([Side(row, letter, letter) for letter in letters[:2]], page, by)
    with st.container(horizontal=True):
        if after:
            st.button("First", key="experiment_cells_first", on_click=_turn, args=(0,))
        if len(found) > _PER_PAGE:
            st.button("More", key="experiment_cells_more", on_click=_turn, args=(page[-1],))


def _turn(after: int) -> None:
    st.session_state["experiment_after"] = after
