"""Every call that was made: find one, understand it, take them away."""

from __future__ import annotations

import streamlit as st

from core import clock, ids
from core.calls import queries
from core.people.rules import Permission
from pages.parts import (
    access,
    call_blind,
    call_export,
    call_filters,
    call_full,
    call_pages,
    call_peek,
    call_private,
    call_table,
    call_thread,
    reads,
    states,
)

reader = access.require("calls:read")
project = access.project()
now = clock.now()
mine = (project.id,)

if shown := st.query_params.get("call"):
    st.title("Call", anchor=False)
    call_full.draw(shown, project.id, now, reader)
    st.stop()
if conversation := st.query_params.get("conversation"):
    st.title("Calls", anchor=False)
    call_thread.draw(conversation, mine, now)
    st.stop()

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    st.title("Calls", anchor=False, width="content")
    tools = st.container(horizontal=True, width="content")

filters = call_filters.current()
if filters is None:
    st.stop()
call_filters.draw(filters, project_ids=mine, at=now)
before = ids.read("call", st.query_params.get("before", ""))
if filters.words:
    call_private.say_not_searched(mine)
page = reads.fresh(queries.page, filters, project_ids=mine, before=before, at=now, masked=call_private.masked(mine))

if reader.may(Permission.CALLS_EXPORT, project.id) and page.rows:
    with tools:
        call_export.draw(filters, project=project, by=reader, at=now)

blind = call_blind.hidden([row.id for row in page.rows], project.id, reader)
if rows := [row for row in page.rows if row.id not in blind]:
    call_table.draw(rows, now)
elif filters or before:
    hides = filters.leaves_out_judges and reads.fresh(queries.has_judges, project_ids=mine)
    also = " The calls of judges are not among these: Filters shows them too." if hides else ""
    states.empty(
        "No call meets these filters.", f"Widen the time, or take a condition away.{also}", icon=":material/search_off:"
    )
else:
    states.empty(
        "No call was made yet.",
        "Every answer of the playground and of your applications is recorded here.",
        button="Try a prompt",
        page="prompt_playground.py",
    )
call_pages.draw(page, before=before)

if (peeked := st.session_state.pop(call_table.PEEK, None)) and not call_blind.hidden([peeked], project.id, reader):
    call_peek.draw(peeked, mine, now)
