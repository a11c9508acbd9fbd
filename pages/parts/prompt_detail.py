"""One prompt: its versions, what is different between two, its labels, and how applications ask for it."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.people.rules import Permission, Principal
from core.prompts import actions
from core.prompts.views import PromptView
from pages.parts import acting, hostile, prompt_compare, prompt_labels, prompt_list, prompt_use, prompt_versions, tabs
from pages.parts import prompt_words as words

VIEWS = {"versions": "Versions", "compare": "Compare", "labels": "Labels", "use": "Use it"}


def draw(row: PromptView, by: Principal) -> None:
    """The whole prompt."""
    st.button("All prompts", key="prompt_back", icon=":material/arrow_back:", type="tertiary", on_click=_back)
    title, tools = st.columns([3, 2], vertical_alignment="bottom")
    with title:
        st.title(hostile.label(row.name, longest=130), anchor=False)
    if by.may(Permission.PROMPT_CHANGE, row.project_id):
        with tools, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            _describe(row, by)
    if row.archived_at is not None:
        st.warning("It answers nobody. Bring it back under “About”.", title="This prompt is out of use.")
    if row.description:
        st.markdown(hostile.sentence(row.description))
    with st.container(horizontal=True, gap="small"):
        for label, number in row.labels.items():
            st.badge(f"{label}: version {number}", color=words.color(label))
        for tag in row.tags:
            st.badge(hostile.line(tag, longest=40), color="gray", icon=":material/sell:")
    view = tabs.draw("view", VIEWS, label="View")
    {
        "versions": prompt_versions.draw, "compare": prompt_compare.draw, "labels": prompt_labels.draw,
        "use": prompt_use.draw,
    }[view](row, by)  # fmt: skip


def _describe(row: PromptView, by: Principal) -> None:
    with st.popover("About", icon=":material/edit:", key="prompt_about"):
        with st.form(f"prompt_describe_{row.id}", border=False):
            description = st.text_area("What it is for", row.description, key=f"prompt_text_{row.id}", max_chars=2_000)
            tags = st.text_input("Tags, separated by commas", ", ".join(row.tags), key=f"prompt_tags_{row.id}")
            saved = st.form_submit_button("Save", key=f"prompt_described_{row.id}", type="primary")
        if saved and acting.done(
            actions.describe, prompt_id=row.id, description=description, tags=tags.split(","), by=by, at=clock.now()
        ):
            acting.tell("Saved.")
        if by.may(Permission.PROMPT_RELEASE, row.project_id):
            is_out = row.archived_at is not None
            pressed = st.button(
                "Bring it back" if is_out else "Take it out of use", key=f"prompt_archive_{row.id}_{is_out}",
                help="Applications that ask for it are answered again." if is_out else
                "Applications that ask for it get an error. Nothing is lost, and it can be brought back.",
            )  # fmt: skip
            if pressed and acting.done(
                actions.archive, prompt_id=row.id, is_archived=not is_out, by=by, at=clock.now()
            ):
                acting.tell("It is in use again." if is_out else "It is out of use.")


def _back() -> None:
    for name in (prompt_list.CHOSEN, "view", "version", "beside"):
        st.query_params.pop(name, None)
