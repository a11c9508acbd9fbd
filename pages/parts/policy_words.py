"""Rules of policies in words: what a product manager reads and chooses instead of their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.guard.findings import Family
from core.guard.policies import Act
from pages.parts import hostile

FAMILIES = {
    Family.PERSONAL: "personal data",
    Family.SECRET: "keys and passwords",
    Family.INJECTION: "attempts to take over the model",
    Family.TOPIC: "a topic",
    Family.WORD: "blocked words",
    Family.PROFANITY: "rude words",
    Family.LEAKAGE: "leaked instructions",
    Family.SHAPE: "an answer that is not the JSON asked for",
    Family.LANGUAGE: "another language",
    Family.LENGTH: "a text that is too long or too short",
    Family.LINK: "links and pictures to other hosts",
    Family.JUDGE: "what a model that judges finds",
}
OTHERS = {
    "sample": "a share of all answers",
    "report": "a reader's report",
    "score": "a low rating by a reader",
    "tag": "a tag",
    "new version": "a new version of an alias",
}
ACTS = {
    Act.FLAG: "deliver it, and look at it later",
    Act.REDACT: "hide what was found",
    Act.REPLACE: "say another text instead",
    Act.HOLD: "hold it until a person decides",
    Act.REFUSE: "refuse it",
    Act.PASS: "let it pass",
}
SIDES = {"": "in questions and answers", "input": "in questions", "output": "in answers"}
FAIL_SAFES = {
    "refuse": "refuse it",
    "safe text": "say a text you write",
    "rule-based answer": "answer by the rules of the embedded backend",
    "pass": "deliver it unseen",
}


def rule(given: Mapping[str, Any]) -> str:
    """A rule as a sentence."""
    when = " and ".join(condition(one) for one in given.get("when") or ())
    what = ACTS[Act(given["act"])]
    told = f"On {when}: {what}"
    if given.get("queue"):
        told += f", in the queue {given['queue']}"
    if given["act"] == Act.HOLD:
        fail_safe = FAIL_SAFES[given.get("fail_safe", "refuse")]
        told += f"; after {seconds(given.get('deadline_s', 3600))} without a verdict: {fail_safe}"
    return f"{told}."


def condition(given: Mapping[str, Any]) -> str:
    """A condition as a phrase."""
    kind = given.get("on")
    if kind == "finding":
        words = FAMILIES[Family(given["family"])]
        if given.get("kinds"):
            words += f" ({', '.join(given['kinds'])})"
        return f"{words} {SIDES[given.get('side') or '']}"
    if kind == "sample":
        return f"{given['percent']:g} % of all answers"
    if kind == "report":
        return "a reader's report" + (f" ({', '.join(given['reasons'])})" if given.get("reasons") else "")
    if kind == "score":
        return f"a rating below {given['below']:g}"
    if kind == "tag":
        return f"the tag {given['name']} = {given['value']}"
    days, count = given.get("days"), given.get("calls")
    parts = [f"{days:g} days"] if days else []
    parts += [f"{count} calls"] if count else []
    return f"the first {' or '.join(parts)} of a new version of an alias"


def seconds(count: float) -> str:
    """`45 s`, `20 min`, `1 h`, `3 days`."""
    if count < 60:
        return f"{count:g} s"
    if count < 3600:
        return f"{count / 60:g} min"
    return f"{count / 3600:g} h" if count < 48 * 3600 else f"{count / 86400:g} days"


def broken(family: str, detector: str) -> str:
    """That a detector gave no result, which a strict rule takes for the worst."""
    if family != Family.JUDGE:
        return f"A detector broke here: {hostile.label(detector)}."
    model = hostile.label(detector.partition(":")[2])
    return f"The model that judges ({model}) gave no verdict, so nobody knows what it would have found."
