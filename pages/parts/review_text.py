"""The texts of an answer under review: what was found is marked, what is private is masked, an edit is a diff.

All of it is hostile: every character is escaped before a mark is put around it.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator, Sequence

import streamlit as st

from core.guard import masking
from core.guard.findings import FAILED, PRIVATE, Family, Passage
from core.guard.queries import FoundRow
from core.guard.redaction import marked
from pages.parts import prose

HARM = frozenset({Family.PROFANITY, Family.TOPIC, Family.WORD, Family.JUDGE})
_FRAME = '<div dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;line-height:1.6">'
_MARK = "background:color-mix(in srgb,#f5a524 30%,transparent);color:inherit;border-radius:.25rem;padding:.05rem .2rem"
_KIND = "font-size:.72em;font-weight:600;margin-left:.35em;opacity:.8"
_WORDS = re.compile(r"\s+|[^\s\w]|\w+")
_MOST_WORDS = 4_000


def draw(passage: Passage, findings: Sequence[FoundRow], *, is_revealed: bool, is_hidden: bool = False) -> None:
    """One text with marks."""
    st.html(marked_html(passage, findings, is_revealed=is_revealed, is_hidden=is_hidden))


def marked_html(passage: Passage, findings: Sequence[FoundRow], *, is_revealed: bool, is_hidden: bool = False) -> str:
    """The HTML of a text whose findings are marked. Private ones are dots until they are revealed, upsetting ones a
    blur while they are hidden."""
    if is_hidden and _is_harmful_as_a_whole(passage, findings):
        return f'{_FRAME}<span style="filter:blur(.35em)">{"•" * 24}</span></div>'
    parts, at = [], 0
    for one in masking.found_in(passage, findings):
        words = passage.text[one.start : one.stop]
        if Family(one.family) in PRIVATE and not is_revealed:
            words = "•" * min(len(words), 12)
        is_blurred = is_hidden and Family(one.family) in HARM
        shown = f'<span style="filter:blur(.35em)">{"•" * 6}</span>' if is_blurred else _escaped(words)
        parts.append(_escaped(passage.text[at : one.start]))
        parts.append(
            f'<mark style="{_MARK}" title="{html.escape(one.family)}">{shown}'
            f'<span style="{_KIND}">{html.escape(one.kind)}</span></mark>'
        )
        at = one.stop
    return f"{_FRAME}{''.join(parts)}{_escaped(passage.text[at:])}</div>"


def _is_harmful_as_a_whole(passage: Passage, findings: Sequence[FoundRow]) -> bool:
    """Whether something is said against a text that points at none of its characters."""
    pointed = masking.found_in(passage, findings)
    return any(
        Family(one.family) in HARM
        and one.kind != FAILED
        and not one.is_doubtful
        and (one.place, one.side) == (passage.place, passage.side)
        and one not in pointed
        for one in findings
    )


def is_masked(passages: Sequence[Passage], findings: Sequence[FoundRow]) -> bool:
    """Whether anything in these texts is private."""
    return any(Family(one.family) in PRIVATE for text in passages for one in masking.found_in(text, findings))


def to_edit(passage: Passage, findings: Sequence[FoundRow], *, is_revealed: bool) -> str:
    """The text as it may be edited: a mark in the place of what its reader may not see."""
    return passage.text if is_revealed else masking.text(passage, findings)


def masked(words: str, passages: Sequence[Passage], findings: Sequence[FoundRow]) -> str:
    """Another text, such as an edit, with no more of what is private in it than these passages show."""
    private = {
        text.text[one.start : one.stop]: one.kind
        for text in passages
        for one in (*masking.found_in(text, findings), *findings)
        if Family(one.family) in PRIVATE and (one.place, one.side) == (text.place, text.side)
    }
    for one in sorted(filter(str.strip, private), key=len, reverse=True):
        words = words.replace(one, marked(private[one]))
    return words


def answer_to_edit(answered: Sequence[Passage], findings: Sequence[FoundRow], *, is_revealed: bool) -> str:
    """The whole answer as it may be edited."""
    return "\n".join(to_edit(one, findings, is_revealed=is_revealed) for one in answered)


def diff(before: str, after: str) -> None:
    """What an edit takes away and puts in, word by word."""
    st.html(diff_html(before, after))


def diff_html(before: str, after: str) -> str:
    """The HTML of a diff. Very long texts are compared line by line."""
    parts = [same or f"{_gone(gone)}{_come(come)}" for same, gone, come in _steps(before, after)]
    return f"{_FRAME}{''.join(parts)}</div>"


def sides_html(before: str, after: str) -> tuple[str, str]:
    """The HTML of both texts, to stand beside each other: marked in the first what is gone, in the second what came."""
    steps = list(_steps(before, after))
    first = "".join(same or _gone(gone) for same, gone, _ in steps)
    second = "".join(same or _come(come) for same, _, come in steps)
    return f"{_FRAME}{first}</div>", f"{_FRAME}{second}</div>"


def _steps(before: str, after: str) -> Iterator[tuple[str, str, str]]:
    """The texts in order, escaped: what is the same, or what is gone and what came."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(old), len(new)) > _MOST_WORDS:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        gone, come = _escaped("".join(old[a:b])), _escaped("".join(new[c:d]))
        yield (gone, "", "") if kind == "equal" else ("", gone, come)


def _gone(words: str) -> str:
    style = "background:color-mix(in srgb,#e5484d 22%,transparent);border-radius:.2rem"
    return f'<del style="{style}">{words}</del>' if words else ""


def _come(words: str) -> str:
    style = "background:color-mix(in srgb,#30a46c 26%,transparent);border-radius:.2rem;text-decoration:none"
    return f'<ins style="{style}">{words}</ins>' if words else ""


def _escaped(text: str) -> str:
    return html.escape(prose.clean(text)).replace("\n", "&#10;")
