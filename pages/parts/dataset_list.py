"""Every dataset of the project with what is in it, and the form for a new one."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.datasets import actions, queries
from core.datasets.queries import DatasetView
from core.datasets.rules import Kind
from core.people import queries as people
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from pages.parts import acting, actors, amounts, hostile, moments, reads, states

OPEN = "dataset"
KINDS = {Kind.ITEM: "To test with", Kind.PREFERENCE: "Preferences", Kind.TUNING: "To fine-tune on"}
_OF_ONE = (
    OPEN, "view", "before", "kind", "split", "tag", "q", "item", "new", "old", "upto", "after", "back", "alike",
    "from_group",
)  # fmt: skip


def draw(by: Principal, project: ProjectView) -> None:
    """The list."""
    st.title("Datasets", anchor=False)
    rows = reads.fresh(queries.datasets, project_ids=(project.id,))
    may_change = by.may(Permission.DATASET_CHANGE, project.id)
    if not rows:
        states.empty(
            "There is no dataset yet.",
            "Keep a reviewed answer as an example, from Review queue or Calls, and it is here. Or make one, and import "
            "a file." if may_change else "Who may change datasets makes one here, or keeps a reviewed answer as one.",
            icon=":material/dataset:",
        )  # fmt: skip
    names = reads.fresh(people.names, [row.changed_by for row in rows])
    for row in rows:
        _row(row, by, actors.name(row.changed_by, names, you=by.actor) if row.changed_by else "")
    if may_change:
        with st.form("dataset_new"), st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("New dataset", key="dataset_name", max_chars=64, placeholder="Refunds, approved")
            made = st.form_submit_button("Create", key="dataset_create", icon=":material/add:", type="primary")
        if made:
            new = acting.do(actions.create, project_id=project.id, name=name, by=by, at=clock.now())
            if new is not None:
                _open(str(new.id))
                acting.tell("The dataset is there.")


def back() -> None:
    """The way from one dataset to all of them."""
    st.button("All datasets", key="dataset_back", icon=":material/arrow_back:", type="tertiary", on_click=_close)


def counted(row: DatasetView) -> str:
    """What is in a dataset, in words."""
    found = (
        f"{amounts.count(row.items)} to test with" if row.items else "",
        amounts.count(row.preferences, "preference") if row.preferences else "",
        f"{amounts.count(row.tunings)} to fine-tune on" if row.tunings else "",
    )
    return ", ".join(filter(None, found)) or "empty"


def _row(row: DatasetView, by: Principal, who: str) -> None:
    with st.container(border=True), st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap="xsmall"):
            st.markdown(f"**{hostile.sentence(row.name)}**")
            kept = amounts.count(row.version, "version") if row.version else "no version yet"
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.caption(f"{counted(row)} · {kept}", width="content")
                if row.card.sensitivity:
                    st.badge(str(row.card.sensitivity), color="orange" if row.card.sensitivity != "public" else "gray")
                if row.changed_at is not None:
                    told = "you" if row.changed_by == by.actor else who
                    st.caption(f"changed by {hostile.sentence(told)}", width="content")
                    moments.ago(row.changed_at, clock.now())
        st.button("Open", key=f"dataset_open_{row.id}", type="tertiary", on_click=_open, args=(str(row.id),))


def _open(shown: str) -> None:
    st.query_params[OPEN] = shown


def _close() -> None:
    for name in _OF_ONE:
        st.query_params.pop(name, None)
