"""What a page shows when it has nothing to show: one sentence, what feeds it, one button."""

from __future__ import annotations

from pathlib import Path

import streamlit as st


def empty(
    sentence: str,
    feeds: str,
    *,
    button: str = "",
    page: str = "",
    params: dict[str, str] | None = None,
    icon: str = ":material/inbox:",
) -> None:
    """Say that there is nothing, what would change that, and offer the page where to begin.

    `page` is a page's file name in this folder's parent, such as `prompt_playground.py`.
    """
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("small")
        st.markdown(f"{icon} **{sentence}**", text_alignment="center")
        st.caption(feeds, text_alignment="center")
        if button and page:
            st.page_link(Path(__file__).parent.parent / page, label=button, query_params=params)
        st.space("small")
