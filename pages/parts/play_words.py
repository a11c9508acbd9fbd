"""A stranger's sentence inside a caption or alert of ours, where Markdown is read: every mark is escaped."""

from __future__ import annotations

import re

from pages.parts import hostile

_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def escaped(text: str, *, longest: int = 600) -> str:
    """The beginning of the text on one line, reading as it was written: no link, picture, formula or icon.

    CommonMark, section 2.4: any ASCII punctuation may be escaped.
    """
    return _MARKS.sub(r"\\\1", hostile.line(text, longest=longest))
