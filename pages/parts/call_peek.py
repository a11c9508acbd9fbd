"""A call at a glance, in a drawer beside the list: enough to know whether to open it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core import ids
from core.calls import queries
from core.errors import NotFound
from pages.parts import acting, call_private, call_talk, call_view, hostile, reads
from pages.parts.links import CALLS, PLAYGROUND

_NEWEST = 4


@st.dialog("Call", position="right", width="medium", icon=":material/receipt_long:")
def draw(call_id: int, project_ids: Sequence[int], now: datetime) -> None:
    """The drawer; it closes with Escape."""
    shown = ids.shown("call", call_id)
    try:
        call = reads.fresh(queries.call, call_id, project_ids)
        said = reads.fresh(queries.payload, call_id, project_ids)
    except NotFound as error:
        acting.show(error)
        return
    is_private = bool(call_private.hidden([call_id], project_ids))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(CALLS, label="Open", icon=":material/open_in_full:", query_params={"call": shown})
        if not is_private:
            st.page_link(
                PLAYGROUND, label="Open in playground", icon=":material/play_arrow:", query_params={"from": shown}
            )
        call_view.when(call, now)
    call_view.badges(call)
    call_view.numbers(call)
    if call.error:
        st.error(hostile.sentence(call.error[:600]), icon=":material/error:")
    if is_private:
        call_private.draw(call_id, said, project_ids, newest=_NEWEST)
        st.caption(":material/visibility_off: Private words are masked; open the call to read them.")
    else:
        call_talk.draw(said.messages[-_NEWEST:])
        call_talk.draw(said.answers)
    st.code(shown, language=None)
