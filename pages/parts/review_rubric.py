"""What a reviewer is asked beside the verdict: the policy, the rubric's questions, reasons, severity, a comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import clock, runtime
from core.people.rules import Permission, Principal
from core.review import actions
from core.review.queries import ItemView
from core.review.rules import State
from pages.parts import acting, hostile, review_desk

SEVERITIES = {1: "Low", 2: "Medium", 3: "Grave"}


def draw(item: ItemView, by: Principal) -> None:
    """Everything that explains a verdict; what is typed is kept at once."""
    kept: dict[str, Any] = {"on_change": review_desk.keep_draft, "args": (item.id, by)}
    if item.reasons:
        meanings = {str(one["code"]): str(one.get("meaning") or "") for one in item.reasons}
        st.multiselect(
            "Reasons", list(meanings), key=review_desk.key(item.id, "reasons"), **kept,
            format_func=lambda code: hostile.line(f"{code}: {meanings[code]}" if meanings[code] else code),
            help="Why you reject, escalate or edit it.",
        )  # fmt: skip
    st.text_area(
        "Comment", key=review_desk.key(item.id, "comment"), height=80, max_chars=20_000, **kept,
        placeholder="Why; needed to reject or escalate" + (" unless you choose a reason." if item.reasons else "."),
    )  # fmt: skip
    for question in item.questions:
        _question(item.id, question, kept)
    st.segmented_control(
        "How bad would it be, if it were wrong?", list(SEVERITIES), key=review_desk.key(item.id, "severity"),
        format_func=SEVERITIES.__getitem__, required=True, **kept,
    )  # fmt: skip
    if item.policy_text:
        with st.expander("Policy", icon=":material/menu_book:", expanded=True):
            hostile.markdown(item.policy_text)


def _question(item_id: int, question: Mapping[str, Any], kept: dict[str, Any]) -> None:
    name, kind = str(question["name"]), question.get("kind")
    given: dict[str, Any] = {
        "key": review_desk.key(item_id, f"q_{name}"),
        "help": hostile.sentence(str(question.get("hint") or "")) or None,
        **kept,
    }
    label = hostile.sentence(name)
    if kind == "scale":
        steps = int(question.get("steps") or 5)
        ends = {1: str(question.get("low") or ""), steps: str(question.get("high") or "")}
        st.segmented_control(
            label, list(range(1, steps + 1)),
            format_func=lambda step: f"{step} {hostile.line(ends[step], longest=40)}" if ends.get(step) else str(step),
            **given,
        )  # fmt: skip
    elif kind == "yes or no":
        st.segmented_control(label, ["yes", "no"], format_func=str.capitalize, **given)
    elif kind == "choice":
        st.selectbox(
            label, [str(one) for one in question.get("options") or ()], index=None, placeholder="Choose", **given
        )
    else:
        st.text_input(label, max_chars=2_000, **given)


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
