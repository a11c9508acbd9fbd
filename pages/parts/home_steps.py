"""The first ten minutes in three steps, each done when the store says so: a backend, a prompt, an application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core import clock, runtime
from core.calls import queries
from core.calls.filters import Filters
from core.catalog.rules import BUILTIN
from core.gateway.looking import listed
from core.people import actions
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from pages.parts import acting, backend_add, hostile, reads, snippets
from pages.parts.links import BACKENDS, CALLS, PLAYGROUND

_KEY = "home_key"
_ROUTES = ("/v1/chat/completions", "/v1/embeddings", "/v1/moderations")


@dataclass(frozen=True, slots=True)
class Done:
    """Which steps the store shows as done."""

    backend: bool
    prompt: bool
    app: bool

    @property
    def all(self) -> bool:
        return self.backend and self.prompt and self.app


def done(project_ids: Sequence[int]) -> Done:
    """What has happened so far in these projects."""
    backends = runtime.current().catalog.backends.values()
    return Done(
        backend=any(backend.is_enabled and backend.kind != BUILTIN for backend in backends),
        prompt=_has_call("playground", project_ids),
        app=any(_has_call(route, project_ids) for route in _ROUTES),
    )


def _has_call(route: str, project_ids: Sequence[int]) -> bool:
    return bool(reads.fresh(queries.page, Filters(route=route), project_ids=project_ids, limit=1).rows)


def draw(so_far: Done, by: Principal, project: ProjectView) -> None:
    """The three steps as cards, and the snippets below."""
    first, second, third = st.columns(3)
    with first, st.container(border=True, height="stretch"):
        _title("1", "Connect a backend", so_far.backend)
        st.caption(
            "A server that speaks the OpenAI protocol, on this machine or elsewhere. "
            "Until then the embedded models answer, with no key and no network."
        )
        if by.may(Permission.BACKEND_CHANGE):
            _found(by)
        st.page_link(BACKENDS, label="Backends and models", icon=":material/dns:")
    with second, st.container(border=True, height="stretch"):
        _title("2", "Try a prompt", so_far.prompt)
        st.caption("Ask one model or four side by side; see tokens, price and time of each answer.")
        if by.may(Permission.PLAYGROUND_USE, project.id):
            st.page_link(PLAYGROUND, label="Open the playground", icon=":material/science:")
    with third, st.container(border=True, height="stretch"):
        _title("3", "Point your app here", so_far.app)
        st.caption("Change your application's base URL and key; nothing else. Every answer is then recorded.")
        if so_far.app and by.may(Permission.CALLS_READ, project.id):
            st.page_link(CALLS, label="See its calls", icon=":material/receipt_long:")
        st.code(snippets.base_url(), language=None)
    snippet(by, project)


@st.fragment(parallel=True)
def _found(by: Principal) -> None:
    """Servers that run on this machine; looked for beside the page, so that nobody waits for a port that is silent."""
    with st.skeleton(height=24):
        backend_add.offer_local(by)


def snippet(by: Principal, project: ProjectView) -> None:
    """A key made in place, and a request that works with it as it stands."""
    with st.container(border=True):
        st.markdown("**A first request from your application**")
        key = st.session_state.get(_KEY, {}).get(project.id, "")
        names = [row["id"] for row in listed(runtime.current().catalog)]
        with st.container(horizontal=True, vertical_alignment="bottom"):
            model = st.selectbox(
                "Model",
                names,
                index=names.index(snippets.EXAMPLE_MODEL) if snippets.EXAMPLE_MODEL in names else 0,
                key="home_model",
                width=260,
            )
            shape = st.segmented_control("As", ["curl", "Python"], key="home_shape", default="curl", required=True)
            if by.may(Permission.KEY_CHANGE, project.id):
                _maker(key, by, project)
        if key:
            st.warning(
                "It is in the snippet below and is shown only now. Copy it before you leave this page.",
                title="This is your key",
                icon=":material/key:",
            )
            st.code(key, language=None)
        elif not by.may(Permission.KEY_CHANGE, project.id):
            st.caption(f"Ask an engineer for a key of {hostile.label(project.name)}.")
        write = snippets.python if shape == "Python" else snippets.curl
        text = write(snippets.example(model or snippets.EXAMPLE_MODEL), address=snippets.base_url(), key=key)
        st.code(text, language=None)


def _maker(key: str, by: Principal, project: ProjectView) -> None:
    if key:
        st.button("I have copied it", key="home_key_copied", icon=":material/check:", on_click=_forget)
        return
    name = st.text_input("Name of the key", value="my first app", key="home_key_name", max_chars=100, width=220)
    if st.button("Create a key", key="home_key_create", type="primary", icon=":material/key:"):
        vault = runtime.current().vault
        made = acting.do(actions.create_key, project_id=project.id, name=name, by=by, at=clock.now(), vault=vault)
        if made is not None:
            st.session_state[_KEY] = {project.id: made[1]}
            st.rerun()


def _forget() -> None:
    st.session_state.pop(_KEY, None)


def _title(number: str, words: str, is_done: bool) -> None:
    icon = ":green[:material/check_circle:]" if is_done else ":gray[:material/radio_button_unchecked:]"
    st.markdown(f"{icon} **{number}. {words}**")
