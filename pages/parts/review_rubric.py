"""What a reviewer is asked beside the verdict: the policy, the rubric's questions, reasons, severity, a comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.people.rules import Principal
from core.review.views import ItemView
from pages.parts import hostile, review_desk

SEVERITIES = {1: "Low", 2: "Medium", 3: "Grave"}


def draw(item: ItemView, by: Principal) -> None:
    """Everything that explains a verdict; what is typed is kept at once."""
    kept: dict[str, Any] = {"on_change": review_desk.keep_draft, "args": (item.id, by)}
    if item.reasons:
        meanings = {str(one["code"]): str(one.get("meaning") or "") for one in item.reasons}
        reasons(meanings, key=review_desk.key(item.id, "reasons"), help="Why you reject, escalate or edit it.", **kept)
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


def reasons(meanings: Mapping[str, str], *, key: str, **given: Any) -> list[str]:
    """The codes of a rubric's reasons that were chosen; each is offered with what it means."""
    return st.multiselect(
        "Reasons", list(meanings), key=key, **given,
        format_func=lambda code: hostile.line(f"{code}: {meanings[code]}" if meanings[code] else code),
    )  # fmt: skip


def _question(item_id: int, question: Mapping[str, Any], kept: dict[str, Any]) -> None:
    name, kind = str(question["name"]), question.get("kind")
    key = review_desk.key(item_id, f"q_{name}")
    given: dict[str, Any] = {
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
            key=key, **given,
        )  # fmt: skip
    elif kind == "yes or no":
        st.segmented_control(label, ["yes", "no"], format_func=str.capitalize, key=key, **given)
    elif kind == "choice":
        st.selectbox(
            label,
            [str(one) for one in question.get("options") or ()],
            index=None,
            placeholder="Choose",
            key=key,
            **given,
        )
    else:
        st.text_input(label, max_chars=2_000, key=key, **given)
