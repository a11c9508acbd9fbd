"""The verdicts on an answer side by side, and the way to a third person for who sees it differently."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.review import actions
from core.review.queries import ItemView
from core.review.rules import State
from pages.parts import acting, actors, hostile, moments, reads, review_desk


def draw(item: ItemView, by: Principal) -> None:
    """What others decided on it, side by side."""
    if not item.decisions:
        return
    names = reads.fresh(people.names, [one.reviewer for one in item.decisions])
    st.markdown("**Verdicts**")
    for one in item.decisions:
        with st.container(border=True, gap="xsmall"):
            words = review_desk.WORDS.get(one.verdict, one.verdict)
            who = hostile.sentence(actors.name(one.reviewer, names, you=by.actor))
            undone = " (taken back)" if one.undone_at is not None else ""
            st.markdown(f"**{words}**{undone} by {who}")
            moments.ago(one.at, clock.now())
            if one.reasons:
                st.caption("Reasons: " + ", ".join(hostile.label(reason) for reason in one.reasons))
            if one.comment:
                hostile.text(one.comment)
            if one.edited is not None:
                with st.expander("The edited answer"):
                    hostile.text(one.edited)


def appeal(item: ItemView, by: Principal) -> None:
    """Ask for a third person, where a verdict took effect."""
    if item.state != State.RELEASED or not by.may(Permission.REVIEW_SEND, item.project_id):
        return
    with (
        st.popover("Appeal", icon=":material/balance:", help="A person who had no part in it looks again."),
        st.form(f"rv_appeal_form_{item.id}", border=False),
    ):
        reason = st.text_area("What is wrong with the verdict?", key=f"rv_appeal_{item.id}", max_chars=5_000)
        sent = st.form_submit_button("Appeal", key=f"rv_appeal_send_{item.id}", type="primary")
    if sent and acting.done(
        actions.appeal, item_id=item.id, reason=reason, by=by, at=clock.now(), ids=runtime.current().ids
    ):
        acting.tell("The answer waits for a third person.")
