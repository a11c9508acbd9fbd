"""Cuts a text into sentences, forgiving about Markdown, lists and abbreviations.

Works line by line, each line at most 2,000 characters at a time: no pattern ever sees a megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PIECE = 2_000
_LINK = re.compile(r"!?\[([^\]\[]{0,300})\]\([^)(\s]{0,500}\)")
_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>")
_LEAD = re.compile(r"^(?:[#>*+\-|\s•]+|\d{1,3}[.)]\s+)+")
_ITEM = re.compile(r"^\s*(?:[-*+>#|•]|\d{1,3}[.)]\s)")
_END = re.compile(r"[.!?]{1,4}[\"'”’)\]]{0,3}\s+(?=[\"'“‘(\[]?[A-Z0-9À-ÞА-Я])|(?<=[。！？])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|dr|mr|mrs|ms|vs|no|fig|etc|inc|ltd|u\.s|st|prof|approx|bzw|z\.b|ca)|\b[A-Z])\.\s*$", re.I
)
_FENCE = "```"


def sentences(text: str) -> list[str]:
    """The sentences of `text` in order; headings and list items count as one each, code blocks are left out."""
    found: list[str] = []
    for block in _blocks(text):
        found += _split(block)
    return found


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs as single lines: broken lines joined, list items and headings on their own."""
    lines: list[str] = []
    size = 0
    is_code = False
    for line in text.splitlines():
        if line.lstrip()[:3] == _FENCE:
            is_code = not is_code
            continue
        if is_code:
            continue
        is_heading = line[:1] == "#"
        if lines and (not line.strip() or _ITEM.match(line[:80]) or size > PIECE):
            yield " ".join(lines)
            lines, size = [], 0
        if line.strip():
            lines.append(line.strip())
            size += len(line)
        if is_heading and lines:
            yield " ".join(lines)
            lines, size = [], 0
    if lines:
        yield " ".join(lines)


def _split(block: str) -> Iterator[str]:
    for start in range(0, len(block), PIECE):
        piece = _TAG.sub(" ", _LINK.sub(r"\1", block[start : start + PIECE]))
        piece = _LEAD.sub("", " ".join(piece.split())).replace("**", "").replace("`", "").rstrip(" |")
        begin = 0
        for end in _END.finditer(piece):
            if end.group()[:1] == "." and _ABBREVIATED.search(piece[max(0, end.start() - 12) : end.start() + 1]):
                continue
            if sentence := piece[begin : end.end()].strip():
                yield sentence
            begin = end.end()
        if rest := piece[begin:].strip():
            yield rest
