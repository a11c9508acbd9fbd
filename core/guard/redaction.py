"""Replace what was found by placeholders, the same value by the same one, and put the values back in the answer.

The backend reads "[EMAIL_1]" where the caller wrote an address; the caller reads the address again where the answer
says "[EMAIL_1]". A placeholder that the texts already contain is never used for something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.guard.findings import Finding, Passage, not_overlapping, passages_of_answer, with_texts

_LABEL = re.compile(r"[^A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which placeholder stands for which value, in the order of their first use."""

    values: Mapping[str, str] = field(default_factory=dict)


def redact(
    passages: Sequence[Passage], findings: Iterable[Finding], known: Redaction | None = None
) -> tuple[dict[str, str], Redaction]:
    """The changed texts by place, and what stands for what. `known` placeholders go on being used."""
    texts = {passage.place: passage.text for passage in passages}
    values = dict(known.values) if known else {}
    used = {value: placeholder for placeholder, value in values.items()}
    by_place: dict[str, list[Finding]] = {}
    for finding in not_overlapping(findings):
        by_place.setdefault(finding.place, []).append(finding)
    spoken = "\n".join(texts.values())
    counts: dict[str, int] = {}
    changed = {}
    for place, text in texts.items():
        parts, at = [], 0
        for finding in by_place.get(place, ()):
            value = text[finding.start : finding.stop]
            if value not in used:
                used[value] = _placeholder(finding.kind, counts, values, spoken)
                values[used[value]] = value
            parts += [text[at : finding.start], used[value]]
            at = finding.stop
        if parts:
            changed[place] = "".join(parts) + text[at:]
    return changed, Redaction(values)


def redact_body(
    body: Mapping[str, Any], passages: Sequence[Passage], findings: Iterable[Finding]
) -> tuple[dict[str, Any], Redaction]:
    """A request or an answer with placeholders in the place of what was found."""
    changed, made = redact(passages, findings)
    return with_texts(body, changed), made


def marked(kind: str) -> str:
    """What stands for a finding in an answer, where nothing is put back: "[EMAIL]"."""
    return f"[{label(kind)}]"


def label(kind: str) -> str:
    """A kind as it is written in a placeholder."""
    return _LABEL.sub("_", kind.upper()).strip("_") or "REDACTED"


def put_back(text: str, made: Redaction, *, in_json: bool = False) -> str:
    """The text with the values again; `in_json` writes them as the inside of a JSON string."""
    if not made.values or "[" not in text:
        return text
    form = re.compile("|".join(re.escape(one) for one in sorted(made.values, key=len, reverse=True)))
    return form.sub(lambda found: _written(made.values[found[0]], in_json=in_json), text)


def put_back_answer(completion: Mapping[str, Any], made: Redaction) -> dict[str, Any]:
    """A whole completion with the values again, in texts and in the arguments of tool calls."""
    texts = {}
    for passage in passages_of_answer(completion):
        text = put_back(passage.text, made, in_json=passage.place.endswith("arguments"))
        if text != passage.text:
            texts[passage.place] = text
    return with_texts(completion, texts)


class PuttingBack:
    """Puts values back in a stream, where a placeholder may be split over chunks; one per text."""

    def __init__(self, made: Redaction, *, in_json: bool = False) -> None:
        self._made = made
        self._in_json = in_json
        self._kept = ""
        self._beginnings = {one[:size] for one in made.values for size in range(1, len(one))}
        self._longest = max((len(one) for one in made.values), default=0)

    def feed(self, text: str) -> str:
        """What can be passed on now; what may be the beginning of a placeholder waits."""
        text = self._kept + text
        opens = text.rfind("[", max(0, len(text) - self._longest))
        self._kept = text[opens:] if opens >= 0 and text[opens:] in self._beginnings else ""
        return put_back(text[: len(text) - len(self._kept)], self._made, in_json=self._in_json)

    def end(self) -> str:
        """What was still waiting."""
        kept, self._kept = self._kept, ""
        return put_back(kept, self._made, in_json=self._in_json)


def _placeholder(kind: str, counts: dict[str, int], values: Mapping[str, str], spoken: str) -> str:
    name = label(kind)
    while True:
        counts[name] = counts.get(name, 0) + 1
        placeholder = f"[{name}_{counts[name]}]"
        if placeholder not in values and placeholder not in spoken:
            return placeholder


def _written(value: str, *, in_json: bool) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value
