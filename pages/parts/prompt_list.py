"""The prompts of a project: found by folder, tag and words; what waits for a second person; new ones from a file."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.errors import GreenroomError
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from core.prompts import actions, files, queries
from core.prompts.views import PromptView
from pages.parts import acting, hostile, moments, prompt_words, reads, states
from pages.parts.links import PLAYGROUND

CHOSEN, FOLDER, TAG, WORDS, AFTER, ARCHIVED = "prompt", "folder", "tag", "find", "after", "archived"
_SHOWN = 30


def draw(by: Principal, project: ProjectView) -> None:
    """The whole list."""
    title, tools = st.columns([3, 2], vertical_alignment="bottom")
    title.title("Prompts", anchor=False)
    may_change = by.may(Permission.PROMPT_CHANGE, project.id)
    if may_change:
        with (
            tools,
            st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"),
        ):
            st.page_link(PLAYGROUND, label="New in the playground", icon=":material/science:")
            _from_file(by, project)
    _waiting(project)
    params = st.query_params
    folder, tag, words, after = (params.get(name, "") for name in (FOLDER, TAG, WORDS, AFTER))
    is_archived = params.get(ARCHIVED) == "yes"
    rows = reads.fresh(
        queries.prompts, project_ids=(project.id,), folder=folder, tag=tag, words=words, archived=is_archived,
        after=after, limit=_SHOWN + 1,
    )  # fmt: skip
    if not rows and not (folder or tag or words or after or is_archived):
        states.empty(
            "There is no prompt yet.",
            "Try one on the playground and save it there, or bring a file. Applications then ask for it by name, and "
            "a change needs no new release of them.",
            button="Open the playground" if may_change else "",
            page="prompt_playground.py",
            icon=":material/description:",
        )
        return
    _choice(project)
    if not rows:
        st.info("No prompt is like this. Choose less above.", icon=":material/search_off:")
    for row in rows[:_SHOWN]:
        _row(row)
    if after or len(rows) > _SHOWN:
        with st.container(horizontal=True):
            if after:
                st.button("First page", key="prompt_first", on_click=_go, args=("",))
            if len(rows) > _SHOWN:
                st.button("More", key="prompt_more", on_click=_go, args=(rows[_SHOWN - 1].name,))


def _choice(project: ProjectView) -> None:
    folders, tags = reads.fresh(queries.folders_and_tags, project_ids=(project.id,))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "Find", key="prompt_find", value=st.query_params.get(WORDS, ""), placeholder="Words of its name or purpose",
            on_change=_found, args=("prompt_find", WORDS), width=260,
        )  # fmt: skip
        if folders:
            _select("Folder", FOLDER, folders)
        if tags:
            _select("Tag", TAG, tags)
        st.toggle(
            "Out of use", key="prompt_archived", value=st.query_params.get(ARCHIVED) == "yes", on_change=_archived,
            help="Prompts that were taken out of use. Nothing of them is lost.",
        )  # fmt: skip


def _select(label: str, name: str, options: tuple[str, ...]) -> None:
    now = st.query_params.get(name, "")
    known = ["", *options]
    st.selectbox(
        label, known, index=known.index(now) if now in known else 0, key=f"prompt_{name}", on_change=_found,
        args=(f"prompt_{name}", name), format_func=lambda one: hostile.line(one) or "All", width=200,
    )  # fmt: skip


def _row(row: PromptView) -> None:
    with st.container(border=True, key=f"prompt_row_{row.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.markdown(f"**{hostile.label(row.name, longest=130)}**", width="content")
                for label, number in row.labels.items():
                    st.badge(f"{label} {number}", color=prompt_words.color(label))
                for tag in row.tags:
                    st.badge(hostile.line(tag, longest=40), color="gray", icon=":material/sell:")
            st.button("Open", key=f"prompt_open_{row.id}", type="tertiary", on_click=opened, args=(row.name,))
        if row.description:
            st.caption(hostile.sentence(row.description[:300]))
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption(f"{prompt_words.versions(row.newest)}, changed", width="content")
            moments.ago(row.changed_at, clock.now())


def _waiting(project: ProjectView) -> None:
    rows = reads.fresh(queries.requests, project_ids=(project.id,), state="open", limit=20)
    for row in rows:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"prompt_asked_{row.id}"):
            st.markdown(
                f":material/how_to_reg: **{hostile.label(row.prompt)}**: version {row.after} waits for a second person "
                f"to become {hostile.label(row.label)}.",
                width="stretch",
            )
            st.button("Look at it", key=f"prompt_look_{row.id}", on_click=opened, args=(row.prompt, "labels"))


def _from_file(by: Principal, project: ProjectView) -> None:
    with st.popover("From a file", icon=":material/upload_file:", key="prompt_file_door"):
        st.caption("A file as “Take away” gives it: YAML or JSON. What is there already becomes a new version of it.")
        file = st.file_uploader("Prompt file", type=["yaml", "yml", "json"], key="prompt_file", max_upload_size=2)
        if file is None:
            return
        try:
            read = files.read(file.getvalue().decode("utf-8-sig"))
        except UnicodeDecodeError:
            st.error("Save it as UTF-8 and choose it again.", title="This file is not UTF-8 text.")
            return
        except GreenroomError as error:
            acting.show(error)
            return
        st.markdown(f"**{hostile.label(read.name, longest=130)}**, {hostile.label(read.content.model)}")
        if st.button("Keep it", key="prompt_file_keep", type="primary"):
            saved = acting.do(actions.push, project_id=project.id, file=read, by=by, at=clock.now())
            if saved is not None:
                opened(read.name)
                acting.tell("Kept." if saved.is_new else "It was there already, word for word.")


def opened(name: str, view: str = "") -> None:
    """A button's callback: this prompt."""
    for param in (FOLDER, TAG, WORDS, AFTER, ARCHIVED, "view", "version", "beside"):
        st.query_params.pop(param, None)
    st.query_params[CHOSEN] = name
    if view:
        st.query_params["view"] = view


def _found(key: str, name: str) -> None:
    value = st.session_state[key]
    st.query_params.pop(AFTER, None)
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _archived() -> None:
    st.query_params.pop(AFTER, None)
    if st.session_state["prompt_archived"]:
        st.query_params[ARCHIVED] = "yes"
    else:
        st.query_params.pop(ARCHIVED, None)


def _go(after: str) -> None:
    if after:
        st.query_params[AFTER] = after
    else:
        st.query_params.pop(AFTER, None)
