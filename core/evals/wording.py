"""Texts made comparable: one Unicode form, and no case, blanks or punctuation where these do not matter.

Every step is linear in the text, whatever it contains.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

import regex

Blanks = Literal["as they are", "trimmed", "collapsed"]

# Putting marks in order takes time that grows with the square of their number. No language stacks more than these:
# Unicode Standard Annex 15, "Stream-Safe Text Format".
_MOST_MARKS = 30
_STACKED = regex.compile(rf"(\p{{M}}{{{_MOST_MARKS + 1},}}+)")
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]++")
_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}--\p{Han}--\p{Hiragana}--\p{Katakana}]++", regex.V1
)


def composed(text: str) -> str:
    """Normalization Form C (Unicode Standard Annex 15); stacks of more than 30 marks stay as they are."""
    if text.isascii():
        return text
    parts = _STACKED.split(text)
    return "".join(part if place % 2 else unicodedata.normalize("NFC", part) for place, part in enumerate(parts))


def plain(text: str, *, case_matters: bool, blanks: Blanks = "as they are", punctuation_matters: bool = True) -> str:
    """The text without what does not matter."""
    made = composed(text)
    if not case_matters:
        made = composed(made.casefold())
    if not punctuation_matters:
        made = _PUNCTUATION.sub("", made)
    if blanks == "collapsed":
        return " ".join(made.split())
    return made.strip() if blanks == "trimmed" else made


def words(text: str) -> list[str]:
    """Runs of letters and digits in lower case; of Chinese and Japanese, which put no blanks, each character."""
    return list(_WORD.findall(composed(text).lower()))
