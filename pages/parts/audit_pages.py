"""Newer and older events, by their number: the trail is never counted to find a page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.audit.queries import EventView
from pages.parts import moments
from pages.parts.audit_filters import BEFORE


def draw(shown: Sequence[EventView], *, before: int | None, has_more: bool) -> None:
    """Where this page stands, and the way to its neighbours."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        if shown:
            st.caption(f"{moments.short(shown[-1].at)} to {moments.short(shown[0].at)}", width="content")
        with st.container(horizontal=True, width="content"):
            if before is not None:
                st.button("Newest", key="audit_newest", icon=":material/first_page:", on_click=_to, args=(None,))
            if has_more:
                st.button(
                    "Older",
                    key="audit_older",
                    icon=":material/chevron_right:",
                    icon_position="right",
                    on_click=_to,
                    args=(shown[-1].number,),
                )


def _to(before: int | None) -> None:
    if before is None:
        st.query_params.pop(BEFORE, None)
    else:
        st.query_params[BEFORE] = str(before)
