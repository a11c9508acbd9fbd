"""The answers of a comparison, for who leads it: how far they are, which failed, which are odd."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.people.rules import Permission, Principal
from core.votes import actions, making, queries, sums
from core.votes.making import AnswerView
from core.votes.queries import ComparisonView
from core.votes.rules import State
from pages.parts import acting, amounts, compare_list, hostile, reads
from pages.parts.links import CALLS

_SHOWN = 20


def draw(row: ComparisonView, by: Principal) -> None:
    """What is under way, what failed, what is odd."""
    _progress(row.id, row.project_id)
    names = {one.id: hostile.label(one.name) for one in row.contestants}
    if row.made.failed:
        _failed(row, by, names)
    st.subheader("What is odd", anchor=False)
    flagged = reads.fresh(sums.flagged, row.id)
    odd = [one for one in flagged if one.is_constant]
    for one in odd:
        st.warning(
            f"It said one and the same to {one.same} of {amounts.count(one.ready, 'question')}.",
            title=f"{names[one.contestant_id]} is constant.", icon=":material/repeat:",
        )  # fmt: skip
    told = [one for one in flagged if one.named]
    for one in told:
        st.markdown(
            f":material/badge: {names[one.contestant_id]} named a model or a vendor in "
            f"{amounts.count(one.named, 'answer')} of {one.ready}.",
        )
    alike = reads.fresh(sums.identical, row.id)
    for (low, high), count in sorted(alike.items(), key=lambda pair: -pair[1])[:10]:
        st.markdown(
            f":material/equal: {names[low]} and {names[high]} gave the same answer to "
            f"{amounts.count(count, 'question')}: nobody is asked which is better."
        )
    if not (odd or told or alike):
        st.caption(
            "Nothing: no contestant is constant, no answer names a model, no two are the same."
            if row.made.ready
            else "What is odd is known once there are answers."
        )
    if told:
        st.caption("Pairs with these answers are still voted on; the leaderboard can leave them out.")
        for answer in reads.fresh(making.answers, comparison=row, only_named=True, limit=_SHOWN):
            _answer(answer, names, row, by, ", ".join(hostile.label(word) for word in answer.named))


def _failed(row: ComparisonView, by: Principal, names: dict[int, str]) -> None:
    st.error(
        "Nobody votes on them until they are asked again." if row.run_id is None else "Nobody votes on them.",
        title=f"{amounts.count(row.made.failed, 'answer')} failed.", icon=":material/error:",
    )  # fmt: skip
    can_ask = row.is_open and row.run_id is None
    if can_ask and st.button("Ask again", key=f"compare_retry_{row.id}", icon=":material/refresh:", type="primary"):
        again = acting.do(actions.retry, comparison_id=row.id, by=by, at=clock.now())
        if again is not None:
            runtime.current().comparing.wake()
            acting.tell(f"{amounts.count(again, 'answer')} asked again.")
    for answer in reads.fresh(making.answers, comparison=row, state=State.FAILED, limit=_SHOWN):
        _answer(answer, names, row, by, hostile.sentence(answer.error))


def _answer(answer: AnswerView, names: dict[int, str], row: ComparisonView, by: Principal, told: str) -> None:
    head = f"{names[answer.contestant_id]} · {hostile.sentence(hostile.line(answer.asked, longest=60))}"
    with st.expander(head):
        st.markdown(told)
        if answer.text:
            hostile.text(answer.text)
        if answer.call_id and by.may(Permission.CALLS_READ, row.project_id):
            params = {"call": compare_list.call(answer.call_id)}
            st.page_link(CALLS, label="Its call", icon=":material/receipt_long:", query_params=params)


@st.fragment(run_every=2)
def _progress(comparison_id: int, project_id: int) -> None:
    """How far the answers are; the page is drawn anew when they are all there."""
    row = reads.fresh(queries.comparison, comparison_id, project_ids=(project_id,))
    made, key = row.made, f"compare_waiting_{comparison_id}"
    was_waiting = st.session_state.get(key, False)
    st.session_state[key] = bool(made.waiting)
    if was_waiting and not made.waiting:
        st.rerun()
    if made.waiting and row.is_open:
        st.progress((made.ready + made.failed) / made.all, f"{made.ready} of {made.all} answers are ready.")
    else:
        st.caption(f"{made.ready} of {made.all} answers are ready.")
