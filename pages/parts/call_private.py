"""A call with private words: masked wherever it is shown, until a person says why they must read them."""

from __future__ import annotations

from collections.abc import Container, Sequence

import streamlit as st
from sqlmodel import Session

from core import clock
from core.calls.paging import Masked
from core.calls.views import CallView, Payload
from core.guard import queries as guard
from core.guard.findings import FAILED, Passage, passages_of_answer, passages_of_request
from core.people.rules import Principal
from core.review.reveal import reveal_call
from pages.parts import acting, hostile, reads, review_text

HIDDEN = "private, open to read"
"""What a list says instead of a text."""
REVEALED = "call_revealed"


def hidden(call_ids: Sequence[int], project_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Which of these calls are masked for this person now, with the kinds of what is private in them."""
    found = reads.fresh(guard.private, call_ids, project_ids=project_ids)
    revealed = st.session_state.get(REVEALED, frozenset())
    return {call_id: kinds for call_id, kinds in found.items() if call_id not in revealed}


def masked(project_ids: Sequence[int]) -> Masked:
    """Which calls a search for words leaves out: a person could guess a masked word, and the list would say yes."""
    revealed: frozenset[int] = st.session_state.get(REVEALED, frozenset())

    def hides(session: Session, call_ids: Sequence[int]) -> Container[int]:
        return guard.private(session, call_ids, project_ids=project_ids).keys() - revealed

    return hides


def say_not_searched(project_ids: Sequence[int]) -> None:
    """Beside a search for words: what it leaves out, and how that is found."""
    if reads.fresh(guard.has_private, project_ids=project_ids):
        st.caption(
            ":material/visibility_off: Calls with masked words are not searched for words until you reveal them. "
            "Find them by time, end user, session or tag."
        )


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
    if FAILED in kinds:
        st.caption(":material/visibility_off: A check for private words broke on this call, so all of it is masked.")
    else:
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
