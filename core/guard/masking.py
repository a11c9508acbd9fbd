"""What of a recorded call may be shown to who has not said why they must read all of it.

Private comes first and swallows what it overlaps, so that no character of it is shown. Of a call with more findings
than are kept, or where a detector of private words broke under a strict rule, the whole text is private. What no
detector looks at (pictures, sounds, fields nobody knows) is not part of a masked call at all.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session

from core.calls.views import Message, Payload
from core.errors import Invalid
from core.guard import queries
from core.guard.findings import FAILED, PRIVATE, Family, Passage, passages_of_answer, passages_of_request
from core.guard.queries import FoundRow
from core.guard.redaction import marked
from core.guard.rows import MOST

_MARK = re.compile(r"\[[A-Z0-9_]+\]")
_PER_READ = 20  # calls whose findings are read at once: at most 400 of each


@dataclass(frozen=True, slots=True)
class Private:
    """The masks over the calls of these projects."""

    project_ids: Sequence[int]

    def kinds(self, session: Session, call_ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Which of these calls have something private, and of which kinds."""
        return queries.private(session, call_ids, project_ids=self.project_ids) if call_ids else {}

    def masked(self, session: Session, payloads: Mapping[int, Payload]) -> dict[int, Payload]:
        """What was said in these calls as it may be shown: texts alone, a mark in the place of what is private."""
        numbers, made = list(payloads), {}
        for start in range(0, len(numbers), _PER_READ):
            some = numbers[start : start + _PER_READ]
            found = queries.findings_of(session, some, project_ids=self.project_ids)
            made.update({number: _masked(payloads[number], found.get(number, ())) for number in some})
        return made


def found_in(passage: Passage, findings: Sequence[FoundRow]) -> list[FoundRow]:
    """The findings of one text that point at some of its characters, in order, none overlapping another."""
    here = [one for one in findings if (one.place, one.side) == (passage.place, passage.side)]
    mine = [one for one in here if one.stop > one.start and not one.is_doubtful]
    whole = len(passage.text)
    inside = [one for one in mine if one.stop <= whole]
    clipped = [replace(one, stop=min(one.stop, whole)) for one in mine if one.start < whole]
    private = sorted((one for one in clipped if Family(one.family) in PRIVATE), key=lambda one: (one.start, -one.stop))
    if (some := _hides_all(findings)) is not None:
        return [
            replace(
                some,
                kind="not checked" if some.kind == FAILED else some.kind,
                side=passage.side,
                place=passage.place,
                start=0,
                stop=whole,
            )
        ]
    kept: list[FoundRow] = []
    for one in private:
        if kept and one.start < kept[-1].stop:
            kept[-1] = replace(kept[-1], stop=max(one.stop, kept[-1].stop))
        else:
            kept.append(one)
    for one in sorted(inside, key=lambda one: (one.start, -one.stop)):
        if all(one.stop <= other.start or one.start >= other.stop for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.start)


def text(passage: Passage, findings: Sequence[FoundRow]) -> str:
    """One text with a mark ("[EMAIL]") in the place of everything private."""
    parts, at = [], 0
    for one in found_in(passage, findings):
        if Family(one.family) in PRIVATE:
            parts += [passage.text[at : one.start], marked(one.kind)]
            at = one.stop
    return "".join(parts) + passage.text[at:]


def unmasked(words: str, passages: Sequence[Passage], findings: Sequence[FoundRow]) -> str:
    """An edit of masked texts, with what their marks hid in the marks' places again; a mark taken out stays out.

    Raises: Invalid when there are more marks of a kind than before, or fewer and they hid several things.
    """
    stood: dict[str, list[str]] = {}
    for passage in passages:
        at = 0
        for one in (*(one for one in found_in(passage, findings) if Family(one.family) in PRIVATE), None):
            for written in _MARK.findall(passage.text[at : None if one is None else one.start]):
                stood.setdefault(written, []).append(written)
            if one is not None:
                stood.setdefault(marked(one.kind), []).append(passage.text[one.start : one.stop])
                at = one.stop
    counts = Counter(_MARK.findall(words))
    for mark, hid in stood.items():
        if counts[mark] > len(hid) or (counts[mark] not in (0, len(hid)) and len(set(hid)) > 1):
            raise Invalid(
                f"The answer has {mark} {len(hid)} times, the edit {counts[mark]} times: which is which is not clear.",
                hint="Put the marks back, take all of them out, or reveal what is hidden and edit that.",
            )
    turns = {mark: iter(hid) for mark, hid in stood.items()}
    return _MARK.sub(lambda found: next(turns.get(found[0], iter(())), found[0]), words)


def _hides_all(findings: Sequence[FoundRow]) -> FoundRow | None:
    """The finding for which no word of a call may be shown: nobody knows what else is private in it."""
    private = [one for one in findings if Family(one.family) in PRIVATE]
    broken = next((one for one in private if one.kind == FAILED and one.act != "pass"), None)
    return broken or (private[0] if private and len(findings) >= MOST else None)


def _masked(said: Payload, findings: Sequence[FoundRow]) -> Payload:
    asked = passages_of_request(said.request) if isinstance(said.request, dict) else ()
    answered = passages_of_answer(said.response) if isinstance(said.response, dict) else ()
    return Payload(
        call_id=said.call_id,
        messages=_messages(asked, findings, "user"),
        answers=_messages(answered, findings, "assistant"),
        request=None,
        response=None,
        raw_request=b"",
        raw_response=b"",
    )


def _messages(passages: Iterable[Passage], findings: Sequence[FoundRow], role: str) -> tuple[Message, ...]:
    return tuple(Message(one.role or role, text(one, findings)) for one in passages)
