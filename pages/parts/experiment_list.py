"""The runs of a project, newest first, and the way to a new one."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core import clock, ids
from core.experiments import queries
from core.experiments.queries import RunView
from core.experiments.rules import State
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from pages.parts import amounts, hostile, moments, reads, states

CHOSEN, NEW, BEFORE = "experiment", "new", "before"
Color = Literal["gray", "blue", "orange", "green"]
COLORS: dict[State, Color] = {
    State.READY: "gray", State.RUNNING: "blue", State.STOPPED: "orange", State.DONE: "green",
}  # fmt: skip
_SHOWN = 20
_OWN = ("with", "one", "other", "scorer", "list", "view")
"""What the address of one run carries besides."""


def draw(by: Principal, project: ProjectView) -> None:
    """The list."""
    title, tools = st.columns([3, 2], vertical_alignment="bottom")
    title.title("Experiments", anchor=False)
    may_run = by.may(Permission.EXPERIMENT_RUN, project.id)
    before = st.query_params.get(BEFORE, "")
    rows = reads.fresh(
        queries.runs, project_ids=(project.id,), before=ids.read("exp", before) if before else None, limit=_SHOWN + 1
    )
    if may_run:
        with tools, st.container(horizontal=True, horizontal_alignment="right"):
            st.button(
                "New experiment", key="experiment_new", icon=":material/add:", type="primary", on_click=opened,
                args=(NEW,),
            )  # fmt: skip
    if not rows and not before:
        states.empty(
            "There is no experiment yet.",
            "Choose a dataset, one or more prompts or models, and what makes an answer good. Every example is asked, "
            "every answer scored, and a sentence says which variant is better and how sure that is.",
            icon=":material/labs:",
        )
        return
    for row in rows[:_SHOWN]:
        _row(row)
    with st.container(horizontal=True):
        if before:
            st.button("Newest", key="experiment_newest", on_click=_page, args=("",))
        if len(rows) > _SHOWN:
            st.button("Older", key="experiment_older", on_click=_page, args=(ids.shown("exp", rows[_SHOWN - 1].id),))


def _row(row: RunView) -> None:
    with st.container(border=True, key=f"experiment_row_{row.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.markdown(f"**{hostile.sentence(row.name)}**", width="content")
                badge(row)
            st.button(
                "Open", key=f"experiment_open_{row.id}", type="tertiary", on_click=opened,
                args=(ids.shown("exp", row.id),),
            )  # fmt: skip
        told = [f"{arm.letter}: {arm.label}" for arm in row.arms]
        st.caption(hostile.sentence(" · ".join(told)))
        with st.container(horizontal=True, gap="xsmall"):
            st.caption(progress(row), width="content")
            moments.ago(row.created_at, clock.now())


def badge(row: RunView) -> None:
    """Where a run stands."""
    st.badge(str(row.state), color=COLORS[row.state])


def progress(row: RunView) -> str:
    """`38 of 100 answered, 2 failed, $0.12, 3 calls unpriced`."""
    parts = [f"{amounts.count(row.done)} of {amounts.count(row.cells)} answered"]
    parts += [f"{amounts.count(row.failed)} failed"] if row.failed else []
    if row.done:
        unknown = f", {amounts.count(row.unpriced, 'call')} unpriced" if row.unpriced else ""
        parts.append(f"{amounts.money(row.spent_usd)}{unknown}".replace("$", "\\$"))
    return ", ".join(parts)


def opened(shown: str) -> None:
    """A button's callback: this run, or the form for a new one."""
    for name in (BEFORE, *_OWN):
        st.query_params.pop(name, None)
    st.query_params[CHOSEN] = shown


def closed() -> None:
    """Back to the list."""
    for name in (CHOSEN, *_OWN):
        st.query_params.pop(name, None)


def _page(before: str) -> None:
    if before:
        st.query_params[BEFORE] = before
    else:
        st.query_params.pop(BEFORE, None)
