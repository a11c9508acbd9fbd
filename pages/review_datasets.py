"""Examples that people made of answers: what is in each dataset, and taking it away."""

from __future__ import annotations

import streamlit as st

from core import clock, ids, runtime
from core.datasets import actions, export, queries
from core.datasets.rules import Kind
from core.errors import GreenroomError
from core.people.rules import Permission
from pages.parts import access, acting, hostile, moments, numbers, reads, states, tabs

by = access.require("dataset:read")
project = access.project()
mine = (project.id,)
KINDS = {Kind.ITEM: "To test with", Kind.PREFERENCE: "Preferences", Kind.TUNING: "To fine-tune on"}


def download(dataset_id: int, kind: Kind) -> bytes:
    """The file, written when it is asked for."""
    return b"".join(export.lines(runtime.current().db, dataset_id=dataset_id, kind=kind, project_ids=mine))


def open_set(shown: str) -> None:
    """A button's callback."""
    st.query_params["dataset"] = shown


def close_set() -> None:
    """Back to the list."""
    st.query_params.pop("dataset", None)
    st.query_params.pop("before", None)


def older(number: int) -> None:
    """The page after this one."""
    st.query_params["before"] = str(number)


def listed() -> None:
    """Every dataset, and the form for a new one."""
    st.title("Datasets", anchor=False)
    rows = reads.fresh(queries.datasets, project_ids=mine)
    if not rows:
        states.empty(
            "There is no dataset yet.",
            "Keep a reviewed answer as an example, from Review queue or Calls, and it is here.",
            icon=":material/dataset:",
        )
    for row in rows:
        with (
            st.container(border=True),
            st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"),
        ):
            told = f"{row.items} to test with, {row.preferences} preferences, {row.tunings} to fine-tune on"
            st.markdown(f"**{hostile.sentence(row.name)}** · {told}", width="content")
            st.button("Open", key=f"dataset_open_{row.id}", type="tertiary", on_click=open_set, args=(str(row.id),))
    if by.may(Permission.DATASET_CHANGE, project.id):
        with st.form("dataset_new"), st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("New dataset", key="dataset_name", max_chars=64, placeholder="Refunds, approved")
            made = st.form_submit_button("Create", key="dataset_create", icon=":material/add:", type="primary")
        if made and acting.done(actions.create, project_id=project.id, name=name, by=by, at=clock.now()):
            acting.tell("The dataset is there.")


def opened(dataset_id: int) -> None:
    """One dataset, a page of examples at a time."""
    st.button("All datasets", key="dataset_back", icon=":material/arrow_back:", type="tertiary", on_click=close_set)
    st.title(hostile.sentence(reads.fresh(queries.named, dataset_id, project_ids=mine)), anchor=False)
    kind = Kind(tabs.draw("kind", {str(kind): words for kind, words in KINDS.items()}, label="Kind"))
    before = numbers.read(st.query_params.get("before", ""), numbers.MOMENT)
    page = reads.fresh(
        queries.items, dataset_id=dataset_id, project_ids=mine, kind=kind, before=before,
    )  # fmt: skip
    if not page.rows:
        states.empty("There is no example of this kind here.", "Choose the kind when you keep an answer.")
        return
    st.download_button(
        "Take away as JSON lines", lambda: download(dataset_id, kind), file_name=f"dataset-{dataset_id}-{kind}.jsonl",
        mime=export.MEDIA_TYPE, key="dataset_download", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    now = clock.now()
    for row in page.rows:
        with st.container(border=True):
            for message in row.input.get("messages", ())[-3:]:
                st.caption(hostile.label(str(message.get("role"))))
                hostile.text(str(message.get("content") or "")[:4_000])
            for name, told in (row.expected or {}).items():
                words = told if isinstance(told, str) else words_of(told)
                if name != "role":
                    st.caption(hostile.label(name.replace("_", " ")))
                    hostile.text(words[:4_000])
            moments.ago(row.made_at, now)
            if row.call_id is not None:
                st.page_link(
                    access.FOLDER / "call_list.py",
                    label="Its call",
                    query_params={"call": ids.shown("call", row.call_id)},
                )
    if page.next_at is not None:
        st.button("Older", key="dataset_older", on_click=older, args=(page.next_at,))


def words_of(told: object) -> str:
    """The words of a preference's messages."""
    messages = told if isinstance(told, list) else [told]
    return "\n".join(str(one.get("content") if isinstance(one, dict) else one) for one in messages)


chosen = numbers.read(st.query_params.get("dataset", ""))
try:
    if chosen is not None:
        opened(chosen)
    else:
        listed()
except GreenroomError as error:
    acting.show(error)
