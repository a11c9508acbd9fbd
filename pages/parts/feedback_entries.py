"""What one reader said, beside what was asked and answered; to review or to a dataset from here. All of it hostile."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import clock, ids, runtime
from core.calls import queries
from core.calls.feedback_queries import Entry, Mood
from core.datasets import rules as datasets
from core.errors import NotFound
from core.people.rules import Permission, Principal
from core.review import actions, reported
from core.review.reported import Place
from core.review.rules import Source
from core.review.tables import ReviewQueue
from pages.parts import acting, call_private, call_review, feedback_numbers, hostile, moments, reads, to_dataset
from pages.parts.links import CALLS, REVIEW

_LONG = 1_500
_SHOWN = 200
"""Characters of question and answer that a list has; the call has the rest."""
_THUMBS = {-1: "Thumb down", 1: "Thumb up"}


def draw(
    rows: Sequence[Entry],
    queue: ReviewQueue | None,
    *,
    by: Principal,
    project_ids: Sequence[int],
    has_reason: bool,
) -> None:
    """The entries; `has_reason`: each says its reason, as they differ."""
    places = reads.fresh(reported.places, [row.call_id for row in rows], project_ids=project_ids)
    private = call_private.hidden([row.call_id for row in rows], project_ids)
    now = clock.now()
    for row in rows:
        with st.container(border=True, key=f"feedback_entry_{row.id}"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"{feedback_numbers.ICONS[row.mood]} **{_verdict(row)}**", width="content")
                if has_reason and row.reason:
                    st.markdown(hostile.sentence(hostile.line(row.reason)), width="content")
                if row.end_user:
                    st.caption(f"by {hostile.sentence(hostile.line(row.end_user, longest=40))}", width="content")
                moments.ago(row.at, now)
            left, right = st.columns(2, gap="medium")
            with left:
                _said(row)
            with right:
                if row.call_id in private:
                    st.caption(f"Asked and answered: {call_private.HIDDEN}.")
                else:
                    _part("Asked", row.asked, _SHOWN)
                    _part("Answered", row.answered, _SHOWN)
                if not row.asked and not row.answered:
                    st.caption("Nothing was kept of what was asked and answered.")
            _next(row, places.get(row.call_id, ()), queue, by=by, project_id=project_ids[0])


def why(mood: Mood, reason: str, comment: str = "") -> str:
    """Why an answer goes to review, for who looks at it there."""
    return ": ".join(filter(None, (f"{feedback_numbers.MOODS[mood]} reader", reason, comment)))


def _verdict(row: Entry) -> str:
    rating = "" if row.rating is None else f"{row.rating} of 5"
    return ", ".join(filter(None, (_THUMBS.get(row.thumb or 0, ""), rating))) or "In words"


def _said(row: Entry) -> None:
    _part("Comment", row.comment, _LONG)
    _part("The better answer", row.correction, _LONG)
    if len(row.reason) > 150:
        _part("Reason", row.reason, _LONG)
    if not row.comment and not row.correction:
        st.caption("No comment.")


def _part(name: str, text: str, longest: int) -> None:
    if not text:
        return
    with st.container(gap="xxsmall"):
        st.caption(name)
        hostile.text(text if len(text) < longest else f"{text[:longest]}…")


def _next(row: Entry, places: Sequence[Place], queue: ReviewQueue | None, *, by: Principal, project_id: int) -> None:
    """What can be done now."""
    sent = False
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for place in places:
            words = call_review.stands(place.state, place.verdict)
            st.caption(f"In {hostile.label(place.queue_name)}: {words}.", width="content")
            st.page_link(
                REVIEW, label="Open", icon=":material/open_in_full:",
                query_params={"show": "all", "item": ids.shown("item", place.item_id)},
            )  # fmt: skip
        if queue is not None and all(place.queue_id != queue.id for place in places):
            sent = st.button("Send to review", key=f"feedback_send_{row.id}", icon=":material/rate_review:")
        if by.may(Permission.DATASET_CHANGE, project_id) and st.button(
            "Keep as example", key=f"feedback_keep_{row.id}", icon=":material/dataset:"
        ):
            _keep(row, by, project_id)
        shown = ids.shown("call", row.call_id)
        st.page_link(CALLS, label="The call", icon=":material/receipt_long:", query_params={"call": shown})
    if sent and queue is not None and queue.id is not None:
        _send(row, queue.id, queue.name, by)


def _send(row: Entry, queue_id: int, name: str, by: Principal) -> None:
    if acting.done(
        actions.send, queue_id=queue_id, call_id=row.call_id, source=Source.REPORT, by=by, at=clock.now(),
        ids=runtime.current().ids, reason=why(row.mood, row.reason, row.comment),
    ):  # fmt: skip
        acting.tell(f"It waits in {hostile.label(name)}.")


@st.dialog("Keep as example", icon=":material/dataset:")
def _keep(row: Entry, by: Principal, project_id: int) -> None:
    """The answer as it should be, then where it is kept."""
    try:
        said = reads.fresh(queries.payload, row.call_id, (project_id,))
    except NotFound as error:
        acting.show(error)
        return
    if not isinstance(said.request, dict) or not datasets.asked(said.request)[0]:
        st.caption("Nothing was kept of what was asked, so there is no example to make of it.")
        return
    answer = "\n".join(message.text for message in said.answers)
    if call_private.hidden([row.call_id], (project_id,)):
        st.caption("This call has private words that are masked: reveal them on the call first.")
        return
    final = st.text_area(
        "The answer that is right",
        hostile.clean(row.correction or (answer if row.mood is Mood.UP else "")),
        key=f"feedback_final_{row.id}",
        height=160,
        help="The reader's better answer where there is one. Change it as you like.",
    )
    if not final.strip():
        st.caption("The reader wrote no better answer: write what it should have said.")
    to_dataset.choose(said, project_id=project_id, by=by, original=answer, final=final)
