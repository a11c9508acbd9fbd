"""The form of one rule: when, where, how sure; what is done; and for a hold, until when and what else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from core.guard import figures
from core.guard.findings import Family
from core.guard.policies import WHOLE, Act
from pages.parts import hostile, policy_words

HOLDING = "A person is checking this answer. Please come back in a while."
SAFE = "Sorry, this answer could not be checked in time. Please ask again later."


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form: a rule, and the settings that its detectors need."""

    rule: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)


def draw(key: str, queues: Sequence[str]) -> Draft:
    """The form; `key` makes its widgets' keys."""
    kinds = [*policy_words.FAMILIES, *policy_words.OTHERS]
    left, right = st.columns(2)
    with left:
        kind = st.selectbox("When there is", kinds, key=f"{key}_kind", format_func=_kind)
        when, settings = _when(key, str(kind))
    with right:
        acts = [one for one in policy_words.ACTS if one is not Act.PASS and _fits(one, str(kind))]
        act = Act(
            st.radio("Then", acts, key=f"{key}_act_{kind}", format_func=lambda one: policy_words.ACTS[one].capitalize())
        )
        rule: dict[str, Any] = {"when": when, "act": str(act)}
        rule |= _texts(key, act)
        if act is Act.HOLD or queues:
            rule |= _queue(key, act, queues)
    if act is Act.HOLD:
        rule |= _hold(key)
    return Draft(rule, settings)


def _kind(kind: str) -> str:
    words = policy_words.FAMILIES.get(kind) or policy_words.OTHERS[kind]  # type: ignore[call-overload]
    return words[:1].upper() + words[1:]


def _fits(act: Act, kind: str) -> bool:
    if kind in policy_words.OTHERS:
        return act in ((Act.FLAG,) if kind in ("report", "score") else (Act.FLAG, Act.HOLD, Act.REFUSE))
    return act is not Act.REDACT or Family(kind) not in WHOLE


def _when(key: str, kind: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if kind == "sample":
        share = st.number_input("Percent of answers", 0.1, 100.0, 5.0, key=f"{key}_percent")
        return [{"on": "sample", "percent": share}], {}
    if kind == "report":
        reasons = _list(
            st.text_input("Only for these reasons", key=f"{key}_reasons", placeholder="All; or: wrong, rude")
        )
        return [{"on": "report", "reasons": reasons}], {}
    if kind == "score":
        below = st.number_input("Rating below", 1.0, 5.0, 3.0, key=f"{key}_below", help="Readers rate from 1 to 5.")
        return [{"on": "score", "name": "rating", "below": below}], {}
    if kind == "tag":
        name = st.text_input("Tag", key=f"{key}_tag", placeholder="team")
        value = st.text_input("Its value", key=f"{key}_tag_value", placeholder="legal")
        return [{"on": "tag", "name": name.strip(), "value": value.strip()}], {}
    if kind == "new version":
        days = st.number_input("Days it counts as new", 0.0, 365.0, 7.0, key=f"{key}_days")
        count = st.number_input("Or calls it counts as new", 0, 1_000_000, 0, key=f"{key}_calls")
        return [{"on": "new version", "of": "alias", "days": days, "calls": int(count)}], {}
    return _finding(key, Family(kind))


def _finding(key: str, family: Family) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    side = st.segmented_control(
        "Where",
        list(policy_words.SIDES),
        default="output",
        key=f"{key}_side",
        required=True,
        format_func=lambda one: policy_words.SIDES[one].removeprefix("in ").capitalize(),
    )
    sure = st.slider(
        "How sure", 0.1, 1.0, 0.5, 0.05, key=f"{key}_sure", help="Findings below are kept, and this rule ignores them."
    )
    condition: dict[str, Any] = {"on": "finding", "family": str(family), "confidence": sure}
    if side:
        condition["side"] = side
    figure = figures.measured().get(family)
    st.caption(
        figure.sentence if figure is not None else "No figure: how well it finds is up to the model that judges."
    )
    return [condition], _settings(key, family)


def _settings(key: str, family: Family) -> dict[str, Any]:
    if family is Family.WORD:
        words = _lines(st.text_area("Words, one a line", key=f"{key}_words", help="word* means all that begin so."))
        return {"words": [{"term": one} for one in words]}
    if family is Family.TOPIC:
        name = st.text_input("Topic", key=f"{key}_topic", placeholder="medicine")
        terms = _lines(st.text_area("Its words, one a line", key=f"{key}_terms"))
        return {"topics": [{"name": name.strip() or "topic", "terms": terms}]} if terms else {}
    if family is Family.LANGUAGE:
        given = st.text_input("Languages that are fine", key=f"{key}_languages", placeholder="en, de")
        return {"languages": _list(given)}
    if family is Family.LENGTH:
        most = st.number_input("Characters at most", 0, 1_000_000, 2_000, key=f"{key}_most", help="0: no limit.")
        fewest = st.number_input("Characters at least", 0, 1_000_000, 0, key=f"{key}_fewest")
        return {"most_characters": int(most), "fewest_characters": int(fewest)}
    if family is Family.LINK:
        return {"hosts": _list(st.text_input("Hosts that are fine", key=f"{key}_hosts", placeholder="example.org"))}
    if family is Family.JUDGE:
        return {"judge": _judge(key)}
    return {}


def _judge(key: str) -> dict[str, Any]:
    model = st.text_input("Model that judges", key=f"{key}_judge", placeholder="backend/model or an alias").strip()
    kind = st.segmented_control(
        "Asked as", ["chat", "moderation"], default="chat", key=f"{key}_judge_kind", required=True
    )
    told: dict[str, Any] = {"model": model, "kind": kind, "side": None}
    if kind == "chat":
        lines = _lines(
            st.text_area("Categories, one a line", key=f"{key}_categories", placeholder="threat: harm to a person")
        )
        pairs = [line.partition(":") for line in lines]
        told["categories"] = {name.strip(): (meaning.strip() or name.strip()) for name, _, meaning in pairs}
    return told


def _texts(key: str, act: Act) -> dict[str, Any]:
    if act is Act.REPLACE:
        text = st.text_area("The reader gets", "This answer was withheld.", key=f"{key}_replacement", height=80)
        return {"replacement": text}
    if act in (Act.REFUSE, Act.HOLD):
        told = "When it is rejected, the reader gets" if act is Act.HOLD else "The reader gets"
        return {"refusal_text": st.text_area(told, "This cannot be answered here.", key=f"{key}_refusal", height=80)}
    return {}


def _queue(key: str, act: Act, queues: Sequence[str]) -> dict[str, Any]:
    if not queues:
        st.caption(":material/warning: There is no queue yet: open one first, under Queues.")
        return {}
    options = list(queues) if act is Act.HOLD else ["", *queues]
    queue = st.selectbox(
        "Review queue", options, key=f"{key}_queue_{act}", format_func=lambda one: hostile.line(one) or "None"
    )
    if not queue:
        return {}
    severity = st.segmented_control(
        "How bad would a mistake be?", [1, 2, 3], default=2, key=f"{key}_severity", required=True,
        format_func={1: "Low", 2: "Medium", 3: "Grave"}.__getitem__, help="The graver, the sooner it is looked at.",
    )  # fmt: skip
    return {"queue": queue, "severity": severity}


def _hold(key: str) -> dict[str, Any]:
    with st.container(border=True):
        st.markdown("**While it waits**")
        left, right = st.columns(2)
        with left:
            patience = st.number_input(
                "Seconds a chat waits for people", 0, 600, 20, key=f"{key}_patience",
                help="Then the holding text is the answer, with the name under which to ask again.",
            )  # fmt: skip
            holding = st.text_area("Holding text", HOLDING, key=f"{key}_holding", height=80)
        with right:
            minutes = st.number_input("Minutes until its deadline", 1, 43_200, 60, key=f"{key}_deadline")
            fail_safe = st.selectbox(
                "If nobody has decided by then", list(policy_words.FAIL_SAFES), key=f"{key}_fail_safe",
                format_func=lambda one: policy_words.FAIL_SAFES[one].capitalize(),
            )  # fmt: skip
            safe = SAFE
            if fail_safe == "safe text":
                safe = st.text_area("That text", SAFE, key=f"{key}_safe", height=80)
    return {
        "patience_s": int(patience),
        "holding_text": holding,
        "deadline_s": int(minutes) * 60,
        "fail_safe": fail_safe,
        "safe_text": safe,
    }


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _list(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
