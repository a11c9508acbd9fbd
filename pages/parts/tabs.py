"""The views of one page as a row of buttons; the URL says which is open."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def draw(name: str, views: Mapping[str, str], *, label: str, first: str = "") -> str:
    """The chosen one of `views` (word in the URL → what the button says); without a valid word `first`, or the first of
    all."""
    first = first or next(iter(views))
    stated = st.query_params.get(name, first)
    key = f"{name}_tabs"
    st.session_state[key] = stated if stated in views else first
    chosen = st.segmented_control(
        label,
        list(views),
        key=key,
        required=True,
        format_func=views.__getitem__,
        label_visibility="collapsed",
        on_change=_chosen,
        args=(name, key),
    )
    return str(chosen or first)


def _chosen(name: str, key: str) -> None:
    st.query_params[name] = st.session_state[key]
