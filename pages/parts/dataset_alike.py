"""Examples that say the same, or nearly: shown in groups, and all but the first removed with one click."""

from __future__ import annotations

import streamlit as st

from core import runtime
from core.datasets import nearness, pairing, queries
from core.datasets.pairing import Near
from core.datasets.queries import Alike, DatasetView
from core.people.rules import Permission, Principal
from pages.parts import amounts, choosing, dataset_items, numbers, reads, states

START = "from_group"
_HOW = {"same": "The same", "near": "Nearly the same"}
_FOUND, _UNWANTED = "dataset_near", "dataset_alike_unwanted"
_PER_PAGE = 20
_QUICK = 3_000
"""Of so many examples it is looked anew after each change: that takes less than half a second, unless very many are
somewhat alike."""


def draw(dataset: DatasetView, by: Principal) -> None:
    """The groups."""
    if unwanted := st.session_state.pop(_UNWANTED, None):
        dataset_items.remove(dataset, unwanted, by)
    dataset_items.undo(dataset, by)
    how = choosing.one("How alike", _HOW, key="alike", default="same")
    start = numbers.read(st.query_params.get(START, "")) or 0
    if how == "same":
        st.caption("Questions that differ in nothing but capitals and spaces, of one kind of example.")
        groups, count = reads.fresh(queries.same, dataset.id, project_ids=(dataset.project_id,), start=start)
    else:
        groups, count = _near(dataset, start)
    if not groups and start:
        _to(0)
        st.rerun()
    if not groups:
        states.empty("No two examples are alike.", "Look again after an import.", icon=":material/done_all:")
        return
    if count > _PER_PAGE:
        _paged(start, len(groups), count)
    may_change = by.may(Permission.DATASET_CHANGE, dataset.project_id)
    others = [row.key for group in groups for row in group.rows[1:]][:1_000]
    if may_change and len(groups) > 1:
        st.button(
            f"Keep the first of each, remove {amounts.count(len(others))}", key="dataset_alike_all",
            icon=":material/filter_1:", on_click=_chosen, args=(others,),
        )  # fmt: skip
    for group in groups:
        _group(group, may_change=may_change)


def _near(dataset: DatasetView, start: int) -> tuple[tuple[Alike, ...], int]:
    """Groups of those that nearly say the same, as they were found and are still there, and of how many."""
    found: Near | None = st.session_state.get(_FOUND)
    is_old = found is not None and found.changed_at != dataset.changed_at
    if found is None or found.dataset_id != dataset.id or (is_old and dataset.count <= _QUICK and not found.is_cut):
        found, is_old = _look(dataset), False
    st.caption(
        f"Examples that share at least {nearness.NEAR:.0%} of their wording. "
        f"{amounts.count(found.compared, 'example was', plural='examples were')} compared."
        + (" Very many are somewhat alike: not every pair was measured." if found.is_cut else "")
        + (f" The {len(found.groups):,} largest of {found.count:,} groups:" if found.count > len(found.groups) else "")
    )
    if is_old:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("The dataset has changed since.", width="content")
            if st.button("Look again", key="dataset_alike_again", icon=":material/refresh:", type="tertiary"):
                st.session_state.pop(_FOUND)
                st.rerun()
    mine, count = (dataset.project_id,), len(found.groups)
    for begin in range(start, count, _PER_PAGE):  # a page of groups whose duplicates are gone is passed over
        some = found.groups[begin : begin + _PER_PAGE]
        if groups := reads.fresh(queries.alike, dataset.id, some, project_ids=mine):
            return groups, count
    return (), count


def _look(dataset: DatasetView) -> Near:
    words = f"Comparing {amounts.count(dataset.count, 'example')}…"
    bar = st.progress(0.0, words)

    def told(share: float) -> None:
        bar.progress(share, words)

    mine = (dataset.project_id,)
    found = pairing.near(runtime.current().db, dataset.id, project_ids=mine, progress=told)
    bar.empty()
    st.session_state[_FOUND] = found
    return found


def _paged(start: int, shown: int, count: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Groups {start + 1:,} to {start + shown:,} of {count:,}, the largest first.", width="content")
        if start:
            st.button("First", key="dataset_alike_first", type="tertiary", on_click=_to, args=(0,))
        if start + _PER_PAGE < count:
            st.button("Next", key="dataset_alike_next", type="tertiary", on_click=_to, args=(start + _PER_PAGE,))


def _chosen(keys: list[int]) -> None:
    """A button's callback: these are to go, as they were seen, whatever came in since."""
    st.session_state[_UNWANTED] = keys


def _group(group: Alike, *, may_change: bool = False) -> None:
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{len(group.rows)} alike**", width="content")
            if group.is_torn:
                st.badge("they expect different answers", color="orange")
            st.space("stretch")
            if may_change:
                st.button(
                    "Keep the first", key=f"dataset_alike_{group.rows[0].id}", type="tertiary", on_click=_chosen,
                    args=([row.key for row in group.rows[1:]],),
                )  # fmt: skip
        for row in group.rows[:4]:
            with st.container(gap="xsmall"):
                dataset_items.glance(row)
        if len(group.rows) > 4:
            st.caption(f"and {len(group.rows) - 4} more")


def _to(start: int) -> None:
    if start:
        st.query_params[START] = str(start)
    else:
        st.query_params.pop(START, None)
