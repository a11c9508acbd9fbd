"""The projects: each with its own keys, calls and roles; backends and people are shared."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.people import actions, queries
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from pages.parts import access, acting, hostile, moments, reads


def draw(by: Principal, current: ProjectView) -> None:
    """Those one has a role in, and the form for another."""
    st.caption("A project keeps keys, calls and roles apart. Backends, models and people are shared by all.")
    for project in access.projects():
        _row(project, by, is_current=project.id == current.id)
    if by.may(Permission.PROJECT_CHANGE):
        _form(by)


def _row(project: ProjectView, by: Principal, *, is_current: bool) -> None:
    now = clock.now()
    with st.container(border=True):
        about, tools = st.columns([4, 1], vertical_alignment="center")
        with about, st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{hostile.sentence(project.name)}**", width="content")
                if is_current:
                    st.badge("you work here", color="green")
            facts = [f"Made {moments.relative(project.created_at, now)}"]
            if by.may(Permission.KEY_READ, project.id):
                facts.append(_keys(project))
            st.caption(" · ".join(facts), help=moments.exact(project.created_at))
        with tools, st.container(horizontal=True, horizontal_alignment="right"):
            if not is_current and st.button(
                "Work here", key=f"project_open_{project.id}", icon=":material/arrow_forward:", type="tertiary"
            ):
                st.query_params[access.PROJECT] = project.name
                st.rerun()


def _keys(project: ProjectView) -> str:
    now = clock.now()
    rows = reads.fresh(queries.keys, project_id=project.id)
    working = sum(row.revoked_at is None and (row.expires_at is None or row.expires_at > now) for row in rows)
    return f"{working or 'no'} working {'key' if working == 1 else 'keys'}"


def _form(by: Principal) -> None:
    unique = st.session_state.get("project_round", 0)
    with (
        st.container(border=True),
        st.form(f"project_form_{unique}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.text_input(
            "New project",
            key=f"project_name_{unique}",
            max_chars=64,
            placeholder="support-bot",
            help="Small letters, digits, dots, dashes and underscores; it stands in addresses and exports.",
        )
        made = st.form_submit_button(
            "Create project", key=f"project_create_{unique}", icon=":material/create_new_folder:", type="primary"
        )
    if made and acting.done(actions.create_project, name=name.strip(), by=by, at=clock.now()):
        st.session_state["project_round"] = unique + 1
        st.query_params[access.PROJECT] = name.strip()
        acting.tell("The project is ready.")
