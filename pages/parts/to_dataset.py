"""Keep a reviewed answer as an example: to test with, to prefer one answer over another, or to fine-tune on."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.calls.views import Payload
from core.datasets import actions, queries, rules
from core.datasets.rules import Kind
from core.people.rules import Permission, Principal
from pages.parts import acting, call_private, hostile, reads, review_desk

KINDS = {
    Kind.ITEM: "To test with: the question and the answer that is right",
    Kind.PREFERENCE: "A preference: the edit over the original",
    Kind.TUNING: "To fine-tune on: the conversation with its answer",
}


def draw(
    said: Payload, *, project_id: int, by: Principal, original: str, final: str, review_item_id: int | None = None
) -> None:
    """The button and its choice; nothing for who may not change datasets, or where there is no conversation."""
    if by.may(Permission.DATASET_CHANGE, project_id) and isinstance(said.request, dict) and final:
        with st.popover("Keep as example", icon=":material/dataset:"):
            choose(said, project_id=project_id, by=by, original=original, final=final, review_item_id=review_item_id)


def choose(
    said: Payload, *, project_id: int, by: Principal, original: str, final: str, review_item_id: int | None = None
) -> None:
    """Which dataset and what for; then it is kept. What is masked is not kept unseen."""
    is_revealed = review_item_id in st.session_state.get(review_desk.REVEALED, ())
    if not is_revealed and call_private.hidden([said.call_id], (project_id,)):
        st.caption("It has private words that are masked: reveal them first, so that you know what you keep.")
        return
    known = reads.fresh(queries.datasets, project_ids=(project_id,))
    call_id = said.call_id
    kinds = [kind for kind in KINDS if kind is not Kind.PREFERENCE or final != original]
    names = {row.id: row.name for row in known}
    chosen = None
    if names:
        chosen = st.selectbox(
            "Dataset", list(names), key=f"example_set_{call_id}", format_func=lambda one: hostile.line(names[one])
        )
    new = st.text_input(
        "Or a new dataset" if names else "New dataset", key=f"example_new_{call_id}", max_chars=64,
        placeholder="Refunds, approved",
    )  # fmt: skip
    kind = st.radio("As", kinds, key=f"example_kind_{call_id}", format_func=KINDS.__getitem__)
    if not st.button("Keep", key=f"example_keep_{call_id}", type="primary"):
        return
    dataset_id = chosen
    if new.strip():
        made = acting.do(actions.create, project_id=project_id, name=new, by=by, at=clock.now())
        dataset_id = made.id if made is not None else None
    if dataset_id is None:
        return
    messages, tools = rules.asked(said.request)
    kept = acting.done(
        actions.add, dataset_id=dataset_id, kind=Kind(kind), messages=messages, tools=tools, original=original,
        final=final, call_id=call_id, review_item_id=review_item_id, by=by, at=clock.now(),
        ids=runtime.current().ids,
    )  # fmt: skip
    if kept:
        acting.tell("Kept as an example.")
