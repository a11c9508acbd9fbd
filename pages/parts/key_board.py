"""The API keys of a project: make one and see it once, see which are in use, end one."""

from __future__ import annotations

from datetime import date, datetime, time

import streamlit as st

from core import clock, runtime
from core.people import actions, queries
from core.people.queries import KeyView, ProjectView
from core.people.rules import KeyScope, Permission, Principal
from pages.parts import acting, actors, amounts, hostile, links, moments, reads, snippets, states

SCOPES = {KeyScope.APPLICATION: "an application", KeyScope.REPOSITORY: "a repository of prompts"}


def draw(by: Principal, project: ProjectView) -> None:
    """The form for a new key, then those that open the door, then those that no longer do."""
    may_change = by.may(Permission.KEY_CHANGE, project.id)
    st.caption(
        f"An application sends a key with every request. A key opens the project {hostile.label(project.name)} "
        "and nothing else. Greenroom keeps only a keyed hash of it."
    )
    if may_change:
        _form(by, project)
    now = clock.now()
    rows = reads.fresh(queries.keys, project_id=project.id)
    names = reads.fresh(queries.names, {row.created_by for row in rows})
    usable = [row for row in rows if _ended(row, now) is None]
    ended = [row for row in rows if _ended(row, now) is not None]
    if not usable:
        states.empty(
            "No key opens this project.",
            "Make one above, and give it to one application." if may_change else "An engineer or admin makes keys.",
            icon=":material/key_off:",
        )
    for row in usable:
        _row(row, names, by, now, may_change=may_change)
    if ended:
        with st.expander(f"{amounts.count(len(ended), 'key')} that no longer {'opens' if len(ended) == 1 else 'open'}"):
            for row in ended:
                _row(row, names, by, now, may_change=False)


def _form(by: Principal, project: ProjectView) -> None:
    unique = f"{project.id}_{st.session_state.get('key_round', 0)}"
    with (
        st.container(border=True),
        st.form(f"key_form_{unique}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.text_input(
            "New key",
            key=f"key_name_{unique}",
            max_chars=100,
            placeholder="The application that will use it",
            help="One key for each application: you see who called, and can end one without the others.",
        )
        scope = st.selectbox(
            "It is for",
            list(SCOPES),
            key=f"key_scope_{unique}",
            format_func=SCOPES.__getitem__,
            width=200,
            help="An application asks models with it. A repository writes and reads the project's prompts as files, "
            "from another machine, and nothing else.",
        )
        last_day = st.date_input(
            "Ends after",
            value=None,
            key=f"key_last_day_{unique}",
            min_value=clock.now().astimezone(moments.zone()).date(),
            width=160,
            help="The last day it works. Leave empty for a key without an end.",
        )
        made = st.form_submit_button("Create key", key=f"key_create_{unique}", icon=":material/add:", type="primary")
    if not made:
        return
    pair = acting.do(
        actions.create_key,
        project_id=project.id,
        name=name,
        by=by,
        at=clock.now(),
        vault=runtime.current().vault,
        expires_at=_end_of(last_day) if isinstance(last_day, date) else None,
        scope=scope,
    )
    if pair is not None:
        st.session_state["key_round"] = st.session_state.get("key_round", 0) + 1
        _shown_once(pair[0].name, pair[1], KeyScope(pair[0].scope))


@st.dialog("Copy the key now", width="medium", on_dismiss="rerun", icon=":material/key:")
def _shown_once(name: str, plain: str, scope: KeyScope) -> None:
    """The only time anybody sees the key: it is in no session state, no log and no page after this one."""
    st.markdown(f"{hostile.label(name)} is ready. It is shown this one time; whoever loses it makes a new one.")
    st.code(plain, language=None, wrap_lines=True)
    if scope is KeyScope.REPOSITORY:
        st.caption("In the repository, where Greenroom is installed:")
        st.code(
            f"export GREENROOM_SERVER={snippets.base_url().removesuffix('/v1')}\n"
            f"export {snippets.KEY_VARIABLE}={plain}\ngreenroom prompt pull --all",
            language=None,
        )
    else:
        st.caption("For most applications these two variables are all it takes:")
        st.code(f"export OPENAI_BASE_URL={snippets.base_url()}\nexport OPENAI_API_KEY={plain}", language=None)
    if st.button("I have copied it", key="key_copied", type="primary", icon=":material/check:"):
        st.rerun()


def _row(row: KeyView, names: dict[str, str], by: Principal, now: datetime, *, may_change: bool) -> None:
    with st.container(border=True):
        about, tools = st.columns([3, 1], vertical_alignment="center")
        with about, st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(f"**{hostile.sentence(row.name)}**", width="content")
                st.markdown(f"`{row.prefix}…`", width="content")
                _state(row, now)
                if row.scope == KeyScope.REPOSITORY:
                    st.badge("prompts only", icon=":material/folder_data:", color="blue")
            maker = actors.name(row.created_by, names, you=by.actor)
            made = f"{hostile.sentence(maker)} made it {moments.relative(row.created_at, now)}"
            st.caption(made + _until(row), help=moments.exact(row.created_at))
        with tools, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            if by.may(Permission.CALLS_READ, row.project_id):
                params = {"key": row.name}
                st.page_link(links.CALLS, label="Calls", query_params=params, icon=":material/receipt_long:")
            if may_change:
                _revoke(row, by)


def _revoke(row: KeyView, by: Principal) -> None:
    with st.popover("Revoke", icon=":material/block:", key=f"key_end_{row.id}"):
        st.markdown(
            "Every application that uses it is refused within a second, for good. A new key can be made, this one "
            "never works again."
        )
        wanted = st.button("Revoke this key", key=f"key_revoke_{row.id}", type="primary", icon=":material/block:")
    if wanted and acting.done(actions.revoke_key, key_id=row.id, by=by, at=clock.now()):
        acting.tell(f"{hostile.label(row.name)} is revoked.", icon=":material/block:")


def _ended(row: KeyView, now: datetime) -> datetime | None:
    if row.revoked_at is not None:
        return row.revoked_at
    return row.expires_at if row.expires_at is not None and row.expires_at <= now else None


def _state(row: KeyView, now: datetime) -> None:
    if row.revoked_at is not None:
        st.badge(f"revoked {moments.relative(row.revoked_at, now)}", color="gray")
    elif row.expires_at is None:
        st.badge("works", color="green")
    elif row.expires_at <= now:
        st.badge(f"ended {moments.relative(row.expires_at, now)}", color="gray")
    else:
        is_soon = (row.expires_at - now).days < 7
        st.badge(f"ends {moments.relative(row.expires_at, now)}", color="orange" if is_soon else "green")


def _until(row: KeyView) -> str:
    return "" if row.expires_at is None else f" · until {moments.short(row.expires_at)}"


def _end_of(day: date) -> datetime:
    """The last moment of the reader's day."""
    return datetime.combine(day, time(23, 59, 59), moments.zone())
