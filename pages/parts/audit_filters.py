"""Which part of the trail is shown; the URL says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pages.parts import actors, audit_words, choosing

ACTOR, ACTION, BEFORE = "actor", "did", "before"


def before() -> int | None:
    """The number of the event before which this page begins; None on the newest page."""
    stated = st.query_params.get(BEFORE, "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 16 else None


def draw(known_actors: Sequence[str], known_actions: Sequence[str], names: Mapping[str, str], *, you: str) -> None:
    """Who and what; a change begins at the newest again."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _one_of(
            ACTOR, "Who", "Everybody", {mark: actors.name(mark, names, you=you) for mark in known_actors}, width=260
        )
        _one_of(
            ACTION, "Did what", "Everything", {action: audit_words.did(action) for action in known_actions}, width=320
        )
        if chosen(ACTOR) or chosen(ACTION):
            st.button("Clear", key="audit_clear", icon=":material/close:", on_click=_clear)


def chosen(name: str) -> str:
    """What the URL asks for; "" for all."""
    return st.query_params.get(name, "").replace("\0", "")


def _one_of(name: str, label: str, everything: str, options: Mapping[str, str], *, width: int) -> None:
    values = sorted(options, key=lambda value: options[value].casefold())
    if chosen(name) and chosen(name) not in options:
        values.append(chosen(name))
    key, told = f"audit_{name}", choosing.apart({value: options.get(value, value) for value in values})
    st.session_state[key] = chosen(name) or None
    st.selectbox(
        label,
        values,
        index=None,
        key=key,
        format_func=lambda value: told.get(value, value),
        placeholder=everything,
        on_change=_changed,
        args=(name,),
        width=width,
    )


def _changed(name: str) -> None:
    value = st.session_state[f"audit_{name}"]
    st.query_params.pop(BEFORE, None)
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _clear() -> None:
    for name in (ACTOR, ACTION, BEFORE):
        st.query_params.pop(name, None)
