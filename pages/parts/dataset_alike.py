"""Examples that say the same, or nearly: shown in groups, and all but the first removed with one click."""

from __future__ import annotations

import streamlit as st

from core.datasets import queries, sameness
from core.datasets.queries import Alike, DatasetView
from core.people.rules import Permission, Principal
from pages.parts import choosing, dataset_items, reads, states

_HOW = {"same": "The same", "near": "Nearly the same"}


def draw(dataset: DatasetView, by: Principal) -> None:
    """The groups."""
    dataset_items.undo(dataset, by)
    how = choosing.one("How alike", _HOW, key="alike", default="same")
    mine = (dataset.project_id,)
    if how == "same":
        st.caption("Questions that differ in nothing but capitals and spaces, of one kind of example.")
        groups = reads.fresh(queries.same, dataset.id, project_ids=mine)
    else:
        st.caption(
            f"Examples that share at least {sameness.NEAR:.0%} of their wording, among the first "
            f"{sameness.MOST_COMPARED:,}."
        )
        with st.spinner("Comparing…"):
            groups = reads.fresh(queries.near, dataset.id, project_ids=mine)
    if not groups:
        states.empty("No two examples are alike.", "Look again after an import.", icon=":material/done_all:")
        return
    if not by.may(Permission.DATASET_CHANGE, dataset.project_id):
        for group in groups:
            _group(group)
        return
    others = [row.key for group in groups for row in group.rows[1:]][:1_000]
    if len(groups) > 1 and st.button(
        f"Keep the first of each, remove {len(others)}", key="dataset_alike_all", icon=":material/filter_1:"
    ):
        dataset_items.remove(dataset, others, by)
    for group in groups:
        if _group(group, may_change=True):
            dataset_items.remove(dataset, [row.key for row in group.rows[1:]], by)


def _group(group: Alike, *, may_change: bool = False) -> bool:
    """One group; whether all but its first are to go."""
    with st.container(border=True, gap="xsmall"):
        pressed = False
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{len(group.rows)} alike**", width="content")
            if group.is_torn:
                st.badge("they expect different answers", color="orange")
            st.space("stretch")
            if may_change:
                pressed = st.button("Keep the first", key=f"dataset_alike_{group.rows[0].id}", type="tertiary")
        for row in group.rows[:4]:
            with st.container(gap="xsmall"):
                dataset_items.glance(row)
        if len(group.rows) > 4:
            st.caption(f"and {len(group.rows) - 4} more")
    return pressed
