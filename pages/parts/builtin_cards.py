"""What each embedded model is, knows and does not know."""

from __future__ import annotations

import streamlit as st

from core.builtin.engine import CARDS


def draw() -> None:
    """One card per model, in our own words."""
    st.caption("These run inside Greenroom: no key, no network, no cost. Ask for them by the name on each card.")
    for card in CARDS:
        with st.container(border=True):
            st.subheader(card.title, anchor=False)
            st.code(f"builtin/{card.name}", language=None, width="content")
            st.markdown(card.text)
