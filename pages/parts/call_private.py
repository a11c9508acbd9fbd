"""A call with private words: masked wherever it is shown, until a person says why they must read them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core import clock
from core.calls.views import CallView, Payload
from core.guard import queries as guard
from core.guard.findings import Passage, passages_of_answer, passages_of_request
from core.people.rules import Principal
from core.review.reveal import reveal_call
from pages.parts import acting, hostile, reads, review_text

HIDDEN = "private, open the call to read it"
"""What a list says instead of a text."""
REVEALED = "call_revealed"


def hidden(call_ids: Sequence[int], project_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Which of these calls are masked for this person now, with the kinds of what is private in them."""
    found = reads.fresh(guard.private, call_ids, project_ids=project_ids)
    revealed = st.session_state.get(REVEALED, frozenset())
    return {call_id: kinds for call_id, kinds in found.items() if call_id not in revealed}


def draw(call_id: int, said: Payload, project_ids: Sequence[int], *, newest: int | None = None) -> None:
    """What was said, masked."""
    findings = reads.fresh(guard.findings, call_id, project_ids=project_ids)
    asked, answered = _passages(said)
    for passage in asked[-newest:] if newest else asked:
        st.caption(hostile.label(passage.role or "user"))
        review_text.draw(passage, findings, is_revealed=False)
    for passage in answered:
        st.caption(hostile.label(passage.role or "assistant"))
        with st.container(border=True):
            review_text.draw(passage, findings, is_revealed=False)


def ask(call: CallView, kinds: Sequence[str], by: Principal) -> None:
    """The way to read it: a reason, which goes into the trail."""
    told = ", ".join(hostile.label(kind) for kind in kinds[:6])
    st.caption(f":material/visibility_off: A policy found private words here ({told}), so they are masked.")
    with st.popover("Reveal what is masked", icon=":material/visibility:"), st.form("call_reveal", border=False):
        reason = st.text_input(
            "Why do you need to read it?", key=f"call_reveal_why_{call.id}", max_chars=200,
            help="It goes into the audit trail with your name.",
        )  # fmt: skip
        pressed = st.form_submit_button("Reveal", key="call_reveal_go", type="primary")
    if pressed and acting.done(
        reveal_call, call_id=call.id, project_id=call.project_id, reason=reason, by=by, at=clock.now()
    ):
        st.session_state[REVEALED] = frozenset({*st.session_state.get(REVEALED, ()), call.id})
        st.rerun()


def _passages(said: Payload) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
    asked = tuple(passages_of_request(said.request)) if isinstance(said.request, dict) else ()
    return asked, tuple(passages_of_answer(said.response)) if isinstance(said.response, dict) else ()
