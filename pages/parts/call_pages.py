"""Newer and older: pages of calls without ever counting them."""

from __future__ import annotations

import streamlit as st

from core import ids
from core.calls.views import Page
from pages.parts import moments

_TRAIL = "calls_trail"


def draw(page: Page, *, before: int | None) -> None:
    """Where this page stands, and the way to its neighbours."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(_says(page, before=before), width="content")
        with st.container(horizontal=True, width="content"):
            if before is not None:
                st.button("Newest", key="calls_newest", icon=":material/first_page:", on_click=_newest)
                if st.session_state.get(_TRAIL):
                    st.button("Newer", key="calls_newer", icon=":material/chevron_left:", on_click=_newer)
            if page.next_before is not None:
                st.button(
                    "Older" if page.searched_to is None else "Look further back",
                    key="calls_older",
                    icon=":material/chevron_right:",
                    icon_position="right",
                    on_click=_older,
                    args=(ids.shown("call", page.next_before), st.query_params.get("before", "")),
                )


def _says(page: Page, *, before: int | None) -> str:
    if page.searched_to is not None:
        return f"Looked back to {moments.exact(page.searched_to)}; there may be more before."
    if not page.rows:
        return ""
    span = f"{moments.short(page.rows[-1].at)} to {moments.short(page.rows[0].at)}"
    if before is None and page.next_before is None:
        return f"All {len(page.rows)}, {span}." if len(page.rows) > 1 else "The only one."
    return f"{'The newest' if before is None else 'Older'} {len(page.rows)}, {span}."


def _older(following: str, here: str) -> None:
    st.session_state[_TRAIL] = [*st.session_state.get(_TRAIL, []), here]
    st.query_params["before"] = following


def _newer() -> None:
    *rest, previous = st.session_state.get(_TRAIL) or [""]
    st.session_state[_TRAIL] = rest
    if previous:
        st.query_params["before"] = previous
    else:
        st.query_params.pop("before", None)


def _newest() -> None:
    st.session_state[_TRAIL] = []
    st.query_params.pop("before", None)
