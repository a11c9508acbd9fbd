"""One call in full: the conversation, the facts, the time, the money, how to ask it again; raw JSON last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import streamlit as st

from core import ids
from core.calls import queries
from core.calls.views import CallView, Payload
from core.errors import NotFound
from core.people.rules import Principal
from pages.parts import (
    acting,
    call_blind,
    call_private,
    call_review,
    call_table,
    call_talk,
    call_view,
    hostile,
    reads,
    snippets,
)
from pages.parts.links import PLAYGROUND

_MOST_JSON = 1_000_000


def draw(shown: str, project_id: int, now: datetime, by: Principal) -> None:
    """The call the URL names, or why it cannot be shown."""
    call_id, project_ids = ids.read("call", shown), (project_id,)
    try:
        if call_id is None:
            raise NotFound("This is not the id of a call.", hint="It looks like call_01j0… and ends every call's row.")
        call = reads.fresh(queries.call, call_id, project_ids)
        said = reads.fresh(queries.payload, call_id, project_ids)
    except NotFound as error:
        _back()
        acting.show(error)
        return
    if why := call_blind.hidden([call.id], project_id, by).get(call.id):
        _back()
        st.info(why[1], title=why[0], icon=":material/visibility_off:")
        return
    kinds = call_private.hidden([call.id], project_ids).get(call.id, ())
    _top(call, now, is_private=bool(kinds))
    call_view.numbers(call)
    if call.error and not kinds:
        st.error(hostile.sentence(call.error[:2000]), icon=":material/error:")
    left, right = st.columns([3, 2], gap="large")
    with left:
        if kinds:
            st.subheader("What was said", anchor=False)
            call_private.draw(call.id, said, project_ids)
            call_private.ask(call, kinds, by)
        else:
            _conversation(call, said)
    with right:
        st.subheader("What is known", anchor=False)
        call_view.facts(call)
        if not kinds:  # readers repeat what they were told
            _feedback(call)
        call_review.draw(call, said, by)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Where the time went", anchor=False)
        call_view.timings(call)
    with right:
        st.subheader("What it cost", anchor=False)
        call_view.price(call)
    if not kinds:
        _again(call, said)
        _raw(call, said)


def _top(call: CallView, now: datetime, *, is_private: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _back()
        _neighbour(call.id, -1, "Newer", "K", ":material/arrow_upward:")
        _neighbour(call.id, 1, "Older", "J", ":material/arrow_downward:")
        if not is_private:
            st.page_link(
                PLAYGROUND,
                label="Open in playground",
                icon=":material/play_arrow:",
                query_params={"from": call.shown_id},
            )
        if call.session:
            st.button(
                "Whole conversation",
                key="call_conversation",
                icon=":material/forum:",
                type="tertiary",
                on_click=_converse,
                args=(call.session,),
            )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        call_view.badges(call)
        call_view.when(call, now)
    st.code(call.shown_id, language=None, width="content")


def _back() -> None:
    st.button("All calls", key="call_back", icon=":material/arrow_back:", type="tertiary", on_click=_leave)


def _neighbour(call_id: int, step: int, label: str, key: str, icon: str) -> None:
    """The call before or after in the list this one was opened from, on a key that the button names."""
    shown = st.session_state.get(call_table.SHOWN, [])
    place = shown.index(call_id) + step if call_id in shown else -1
    there = 0 <= place < len(shown)
    st.button(
        label,
        key=f"call_step_{key}_{call_id}",
        icon=icon,
        shortcut=key,
        disabled=not there,
        on_click=_go,
        args=(ids.shown("call", shown[place]) if there else "",),
    )


def _converse(session: str) -> None:
    st.query_params.pop("call", None)
    st.query_params["conversation"] = session


def _leave() -> None:
    """Back to the list as it was filtered."""
    st.query_params.pop("call", None)


def _go(shown: str) -> None:
    st.query_params["call"] = shown


def _conversation(call: CallView, said: Payload) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("What was said", anchor=False, width="content")
        as_written = st.toggle("As written", key="call_as_written", help="Show the text without drawing its Markdown.")
    if not said.messages and not said.answers:
        st.caption("Nothing was kept of what was said.")
    call_talk.draw(said.messages, as_written=as_written)
    if len(said.answers) > 1:
        st.caption(f"{len(said.answers)} answers to choose from:")
    call_talk.draw(said.answers, as_written=as_written)
    if said.messages and not said.answers and call.status == "ok":
        st.caption(hostile.label(call.answered) or "The answer has no words; the raw response is below.")


def _feedback(call: CallView) -> None:
    if not call.feedback:
        return
    st.subheader("What readers said", anchor=False)
    for one in call.feedback:
        thumb = "" if one.thumb is None else f":material/thumb_{'up' if one.thumb > 0 else 'down'}:"
        rating = "" if one.rating is None else f"{one.rating} of 5"
        st.markdown(" ".join(filter(None, (thumb, rating, hostile.label(one.reason)))))
        for words in filter(None, (one.comment, one.correction)):
            hostile.text(words)


def _again(call: CallView, said: Payload) -> None:
    """The request as something to paste."""
    if not isinstance(said.request, dict):
        return
    st.subheader("Ask it again", anchor=False)
    shape = st.segmented_control(
        "As", ["curl", "Python"], key="call_snippet", default="curl", label_visibility="collapsed", required=True
    )
    route = call.route if call.route.startswith("/v1/") else "/v1/chat/completions"
    write = snippets.python if shape == "Python" else snippets.curl
    text = write(said.request, address=snippets.base_url(), route=route)
    st.code(hostile.clean(text), language=None, height=240)


def _raw(call: CallView, said: Payload) -> None:
    with st.expander("Raw JSON", icon=":material/data_object:", key="call_raw", on_change="rerun") as raw:
        if not raw.open:
            return
        request, response, explained = st.tabs(["Request", "Response", "What Greenroom noted"])
        with request:
            _json(said.request, said.raw_request)
        with response:
            _json(said.response, said.raw_response)
        with explained:
            _json(call.detail, b"")


def _json(value: Any, raw: bytes) -> None:
    text = raw.decode(errors="replace") if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    if len(text) > _MOST_JSON:
        st.caption(f"The first {_MOST_JSON:,} of {len(text):,} characters; an export has them all.")
    st.code(hostile.clean(text[:_MOST_JSON]) or "nothing was kept", language=None, height=420)
