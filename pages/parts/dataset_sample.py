"""Examples from production: some of the calls that meet a filter, drawn so that the same can be drawn again."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.calls import filters as bar
from core.datasets import actions, sampling
from core.datasets.queries import DatasetView
from core.datasets.rules import Kind
from core.datasets.sampling import Sample
from core.errors import GreenroomError
from core.guard import queries as guard
from core.people.rules import Permission, Principal
from pages.parts import acting, amounts, call_private, dataset_items, dataset_list, hostile, reads

_DRAWN = "dataset_drawn"
_KINDS = (Kind.ITEM, Kind.TUNING)


def draw(dataset: DatasetView, by: Principal) -> None:
    """The choice, what was drawn, and taking it."""
    needed = (Permission.DATASET_CHANGE, Permission.CALLS_READ)
    if not all(by.may(permission, dataset.project_id) for permission in needed):
        st.caption("Your roles read datasets; who may change them takes examples from calls.")
        return
    with st.form("dataset_sample"):
        text = st.text_input(
            "Which calls", "since:7d status:ok", key="dataset_sample_bar", icon=":material/search:",
            help="As in Calls: words, or model:gpt-4o since:24h tag.team:search cost:>0.01",
        )  # fmt: skip
        with st.container(horizontal=True):
            count = st.number_input("How many", 1, sampling.MOST, 50, key="dataset_sample_count", width=140)
            seed = st.text_input(
                "Seed", "1", key="dataset_sample_seed", max_chars=40, width=140,
                help="The same seed draws the same calls again.",
            )  # fmt: skip
            kind = st.selectbox(
                "As", _KINDS, key="dataset_sample_kind", format_func=dataset_list.KINDS.__getitem__, width=170
            )
        pressed = st.form_submit_button("Draw", key="dataset_sample_go", icon=":material/casino:", type="primary")
    if pressed:
        try:
            filters = bar.parse(text)
            if filters.words:
                call_private.say_not_searched((dataset.project_id,))
            sample = reads.fresh(
                sampling.draw, filters, kind=Kind(kind), count=int(count), seed=seed,
                project_ids=(dataset.project_id,), at=clock.now(), private=guard.private,
                revealed=st.session_state.get(call_private.REVEALED, frozenset()),
            )  # fmt: skip
        except GreenroomError as error:
            acting.show(error)
            return
        st.session_state[_DRAWN] = (dataset.id, sample, f"calls {text}, {count} with seed {seed}")
    dataset_id, sample, origin = st.session_state.get(_DRAWN, (0, None, ""))
    if sample is not None and dataset_id == dataset.id:
        _shown(dataset, sample, origin, by)


def _shown(dataset: DatasetView, sample: Sample, origin: str, by: Principal) -> None:
    least = "the newest " if sample.is_cut else ""
    st.markdown(f"**{len(sample.picks)} drawn** of {least}{amounts.count(sample.seen, 'call')}.")
    passed = (
        (sample.without_body, "had no body kept"),
        (sample.private, "have private words that you did not reveal"),
        (sample.unusable, "make no example: an error, no conversation, or no text in the answer"),
    )
    for count, why in passed:
        if count:
            st.caption(f"Passed over: {amounts.count(count, 'call')} {why}.")
    for _, entry in sample.picks[:3]:
        with st.container(border=True, gap="xsmall"):
            message = entry.example.input["messages"][-1]
            hostile.text(hostile.line(str(message.get("content")), longest=240))
            if entry.example.expected:
                dataset_items.answer(str(entry.example.expected.get("content")))
    if not sample.picks:
        return
    label = f"Add {amounts.count(len(sample.picks), 'example')}"
    if st.button(label, key="dataset_sample_take", icon=":material/add:", type="primary"):
        refused = acting.do(
            actions.take, dataset_id=dataset.id, entries=sample.picks, origin=origin,
            calls={call_id: call_id for call_id, _ in sample.picks}, by=by, at=clock.now(), ids=runtime.current().ids,
        )  # fmt: skip
        if refused is not None:
            st.session_state.pop(_DRAWN)
            there = f", {len(refused)} were here already" if refused else ""
            acting.tell(f"{amounts.count(len(sample.picks) - len(refused), 'example')} added{there}.")
