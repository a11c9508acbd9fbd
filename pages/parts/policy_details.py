"""What a rule's sentence leaves open: the words it looks for, the model that judges, what its reader gets instead.

All of it is plain text that strangers may have written: whoever shows it disarms it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.guard.findings import Family
from core.guard.policies import Act, Rule
from pages.parts import amounts, hostile

MOST = 20  # words of a list that a card shows
_LONGEST = 300
_TEXTS = {
    Act.REPLACE: {"replacement": "The reader gets"},
    Act.REFUSE: {"refusal_text": "The reader gets"},
    Act.HOLD: {"holding_text": "While it waits, the reader gets", "refusal_text": "When it is rejected"},
}


def of(rule: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Lines below a rule's sentence."""
    families = dict.fromkeys(one["family"] for one in rule.get("when") or () if one.get("on") == "finding")
    lines = [line for family in families for line in _looked_for(family, settings)]
    sure = {one.get("confidence", 0.5) for one in rule.get("when") or () if one.get("family") == Family.JUDGE}
    lines += [f"It counts when the judge is at least {amounts.percent(share)} sure." for share in sorted(sure)]
    texts = dict(_TEXTS.get(Act(rule["act"]), {}))
    if rule["act"] == Act.HOLD and rule.get("fail_safe") == "safe text":
        texts["safe_text"] = "When nobody decides in time"
    for name, told in texts.items():
        text = rule.get(name, Rule.model_fields[name].default)
        lines.append(f"{told}: “{hostile.line(str(text), longest=_LONGEST)}”")
    return lines


def _looked_for(family: str, settings: Mapping[str, Any]) -> list[str]:
    match family:
        case Family.WORD:
            return _some("Blocked", [one["term"] for one in settings.get("words") or ()])
        case Family.TOPIC:
            return [
                line
                for one in settings.get("topics") or ()
                for line in _some(f"Words of {hostile.line(one['name'])}", one["terms"])
            ]
        case Family.PERSONAL:
            return _some("Only", settings.get("personal_kinds") or ())
        case Family.LANGUAGE:
            return _some("Fine are", settings.get("languages") or ())
        case Family.LINK:
            return _some("Fine are", settings.get("hosts") or ())
        case Family.LENGTH:
            bounds = {"at most": settings.get("most_characters"), "at least": settings.get("fewest_characters")}
            given = [f"{told} {amounts.count(count, 'character')}" for told, count in bounds.items() if count]
            return [f"Fine: {' and '.join(given)}."] if given else []
        case Family.JUDGE if settings.get("judge"):
            return _judge(settings["judge"])
    return []


def _judge(wish: Mapping[str, Any]) -> list[str]:
    categories = [
        hostile.line(name) + (f" ({hostile.line(meaning)})" if meaning and meaning != name else "")
        for name, meaning in (wish.get("categories") or {}).items()
    ]
    model = hostile.line(str(wish["model"]))
    if wish.get("kind") != "moderation":
        return _some(f"{model} is asked whether it is", categories)
    return _some(f"{model} moderates for", categories) or [f"{model} moderates, for every category it knows."]


def _some(told: str, words: Sequence[str]) -> list[str]:
    if not words:
        return []
    more = f" and {amounts.count(len(words) - MOST)} more" if len(words) > MOST else ""
    return [f"{told}: {', '.join(hostile.line(one) for one in words[:MOST])}{more}."]
