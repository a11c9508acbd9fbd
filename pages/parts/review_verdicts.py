"""The verdicts on an answer side by side, and the way to a third person for who sees it differently."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core import clock, runtime
from core.people import queries as people
from core.people.rules import Permission, Principal
from core.review import actions, gold
from core.review.rules import Lane, State, Verdict
from core.review.views import ItemView
from pages.parts import acting, actors, hostile, moments, reads, review_desk


def draw(item: ItemView, by: Principal, as_read: Callable[[str], str | None]) -> None:
    """What others decided on it, side by side; `as_read` gives of an edit what its reader may see, None for nothing."""
    if not item.decisions:
        return
    names = reads.fresh(people.names, [one.reviewer for one in item.decisions])
    st.markdown("**Verdicts**")
    for one in item.decisions:
        with st.container(border=True, gap="xsmall"):
            words = review_desk.WORDS.get(one.verdict, one.verdict)
            who = "you" if one.reviewer == by.actor else hostile.sentence(actors.name(one.reviewer, names))
            undone = " (taken back)" if one.undone_at is not None else ""
            undone += ", when tested with it" if one.lane == Lane.GOLD else ""
            st.markdown(f"**{words}**{undone} by {who}")
            moments.ago(one.at, clock.now())
            if one.reasons:
                st.caption("Reasons: " + ", ".join(hostile.label(reason) for reason in one.reasons))
            if one.scores:
                answers = [f"{name}: {value}" for name, value in one.scores.items()]
                st.caption(" · ".join(hostile.sentence(answer) for answer in answers))
            if one.comment:
                hostile.text(one.comment)
            edited = None if one.edited is None else as_read(one.edited)
            if edited is not None:
                with st.expander("The edited answer"):
                    hostile.text(edited)
            elif one.edited is not None:
                st.caption(":material/visibility_off: The edited answer shows with the answer.")


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


def known(item: ItemView, by: Principal) -> None:
    """Let the answer test reviewers, or no longer; for leads, where a verdict took effect."""
    if item.state != State.RELEASED or not by.may(Permission.REVIEW_LEAD, item.project_id):
        return
    if item.is_gold:
        st.caption(":material/verified: This answer tests reviewers who have not seen it.")
        if st.button("Test nobody with it", key=f"rv_gold_end_{item.id}", icon=":material/close:") and acting.done(
            gold.retire, item_id=item.id, by=by, at=clock.now()
        ):
            acting.tell("This answer tests nobody any longer.")
        return
    with (
        st.popover("Known answer", icon=":material/verified:", help="Test reviewers with it, without telling them."),
        st.form(f"rv_gold_form_{item.id}", border=False),
    ):
        st.caption("It comes among the others, once to each reviewer who has not seen it, and changes nothing.")
        right = st.multiselect(
            "Verdicts that are right", gold.RIGHT, [Verdict(item.verdict)] if item.verdict else [],
            key=f"rv_gold_{item.id}", format_func=lambda one: review_desk.WORDS.get(one, one),
        )  # fmt: skip
        made = st.form_submit_button("Test reviewers with it", key=f"rv_gold_make_{item.id}", type="primary")
    if made and acting.done(gold.declare, item_id=item.id, right=right, by=by, at=clock.now()):
        acting.tell("This answer tests reviewers from now on, in the share of turns its queue says.")
