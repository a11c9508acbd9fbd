"""What was decided: one's own verdicts, and every answer whose verdict took effect; a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import clock, ids
from core.calls import queries as calls
from core.errors import GreenroomError
from core.people import queries as people
from core.people.queries import ProjectView
from core.people.rules import Principal
from core.review import queries
from core.review.views import ListRow
from pages.parts import acting, actors, call_private, hostile, moments, reads, review_desk, review_focus, states

BEFORE, OPEN = "before", "item"
ENDS = {"released": "", "expired": "Nobody decided in time", "withdrawn": "The application withdrew it"}


def mine(by: Principal, project: ProjectView) -> None:
    """One's own verdicts, newest first."""
    if _opened(by, project):
        return
    before = ids.read("decision", st.query_params.get(BEFORE, ""))
    found = reads.fresh(queries.decided_by, project_ids=(project.id,), by=by, before=before)
    if not found:
        states.empty("You have decided nothing here yet.", "Your verdicts are kept here, to look at again.")
        return
    now = clock.now()
    asked = questions([item.call_id for _, item in found], project)
    for decision, item in found:
        words = review_desk.WORDS.get(decision.verdict, decision.verdict)
        with _row(item, f"{words}{' (taken back)' if decision.undone_at else ''}", decision.id, asked):
            moments.ago(decision.at, now)
    _older([decision.id for decision, _ in found], "decision")


def everything(by: Principal, project: ProjectView) -> None:
    """Every answer that has its end, newest first."""
    if _opened(by, project):
        return
    before = ids.read("item", st.query_params.get(BEFORE, ""))
    found = reads.fresh(queries.closed, project_ids=(project.id,), before=before)
    if not found:
        states.empty("No answer has a verdict yet.", "Released, expired and withdrawn answers are listed here.")
        return
    names = reads.fresh(people.names, {item.decided_by for item in found})
    asked = questions([item.call_id for item in found], project)
    for item in found:
        who = "you" if item.decided_by == by.actor else hostile.sentence(actors.name(item.decided_by, names))
        words = ENDS.get(item.state) or f"{review_desk.WORDS.get(item.verdict, item.verdict)} by {who}"
        with _row(item, words, item.id, asked):
            if item.closed_at is not None:
                moments.ago(item.closed_at, clock.now())
    _older([item.id for item in found], "item")


def _opened(by: Principal, project: ProjectView) -> bool:
    item_id = ids.read("item", st.query_params.get(OPEN, ""))
    if item_id is None:
        return False
    st.button("Back to the list", key="rv_list_back", icon=":material/arrow_back:", type="tertiary", on_click=_close)
    try:
        review_focus.before(by, project, item_id)
    except GreenroomError as error:
        acting.show(error)
    return True


def questions(call_ids: Sequence[int], project: ProjectView) -> dict[int, str]:
    """What each answer was asked, as a list may show it: private ones are not told apart."""
    mine = (project.id,)
    private = call_private.hidden(call_ids, mine)
    found = reads.fresh(calls.asked, call_ids, project_ids=mine)
    return {number: call_private.HIDDEN if number in private else text for number, text in found.items()}


def question(asked: str) -> None:
    """What an answer was asked, as one line of a list."""
    if asked:
        st.caption(hostile.sentence(hostile.line(asked, longest=90)), width="content")


def _row(item: ListRow, words: str, number: int, asked: Mapping[int, str]) -> DeltaGenerator:
    """One line of the list; the place in it for when that was."""
    line = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", border=True)
    with line:
        told = st.container(horizontal=True, vertical_alignment="center", width="content", gap="small")
        with told.container(gap=None, width="content"):
            st.markdown(f"{words} · {hostile.sentence(item.queue_name)}", width="content")
            question(asked.get(item.call_id, ""))
        st.button(
            "Open", key=f"rv_list_{number}", icon=":material/open_in_full:", type="tertiary", on_click=_open,
            args=(ids.shown("item", item.id),),
        )  # fmt: skip
    return told


def _older(numbers: Sequence[int], prefix: str) -> None:
    if len(numbers) >= 50:
        st.button("Older", key="rv_older", on_click=_go, args=(ids.shown(prefix, numbers[-1]),))


def _go(shown: str) -> None:
    st.query_params[BEFORE] = shown


def _open(shown: str) -> None:
    st.query_params[OPEN] = shown


def _close() -> None:
    st.query_params.pop(OPEN, None)
