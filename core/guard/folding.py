"""Text as it is meant, not as it is disguised: lower case, no accents, no invisible characters, look-alikes replaced.

A folded text remembers which character of the original each of its own came from, so that what is found in it can be
marked in the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\U000e0000-\U000e0fff]"
)
# Cyrillic and Greek letters that look like Latin ones, from Unicode TR 39 (confusables), the lower-case letters
_ALIKE = dict(
    zip(
        "абвгдеёзіїјкмнорстухѕԁԛԝɡαβεικνορτυχγı",
        "abbrdeeziijkmhopctyxsdqwgabeikvoptuxyi",
        strict=True,
    )
)
_LEET = str.maketrans("0134578@$!|", "oieastbasil")
_MIXED = re.compile(r"(?<![a-z0-9@$!|])[a-z0-9@$!|]{3,40}(?![a-z0-9@$!|])")
_SPELT = re.compile(r"(?<![^\W_])[^\W\d_](?:[ .*_\-]{1,2}[^\W\d_]){2,30}(?![^\W_])")


@dataclass(frozen=True, slots=True)
class Folded:
    """`text` folded; `places[i]` is where its character i begins in the original (None: the same place)."""

    text: str
    places: Sequence[int] | None
    length: int

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The characters of the original that these characters came from."""
        if self.places is None:
            return start, stop
        return self.places[start], (self.places[stop - 1] + 1) if stop > start else self.places[start]


@lru_cache(maxsize=20_000)
def _fold(letter: str) -> str:
    if INVISIBLE.match(letter):
        return ""
    if letter >= "\u0370":  # marks of other scripts make other letters: й is not и, が not か
        return unicodedata.normalize("NFKC", letter).casefold()
    parts = unicodedata.normalize("NFKD", letter).casefold()
    return "".join(part for part in parts if not unicodedata.combining(part))


def fold(text: str, *, alike: bool = True) -> Folded:
    """Lower case without accents and invisible characters; with `alike`, look-alike letters in Latin words replaced."""
    if text.isascii():
        return Folded(text.lower(), None, len(text))
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        made = letter.lower() if letter < "\x80" else _fold(letter)
        if len(made) == 1:
            letters.append(made)
            places.append(place)
        else:
            for part in made:
                letters.append(part)
                places.append(place)
    folded = "".join(letters)
    if alike:
        folded = _latin(folded)
    return Folded(folded, places, len(text))


_WORD = re.compile(r"[^\W\d_]+")
_HAS_ALIKE = re.compile("[" + "".join(_ALIKE) + "]")


def _latin(folded: str) -> str:
    """Words that mix Latin letters with look-alikes of another script become Latin; honest words of it stay."""
    if not _HAS_ALIKE.search(folded):
        return folded

    def word(found: re.Match[str]) -> str:
        given = found[0]
        if given.isascii() or not any("a" <= letter <= "z" for letter in given):
            return given
        return "".join(_ALIKE.get(letter, letter) for letter in given)

    return _WORD.sub(word, folded)


def unleet(folded: str) -> str:
    """`5h1t` and `p@$$` as letters, of the same length; numbers and words of up to three characters stay."""
    if not any(sign in folded for sign in "0134578@$!|"):
        return folded

    def word(found: re.Match[str]) -> str:
        given = found[0]
        body = given.rstrip("!|")
        letters = sum("a" <= letter <= "z" for letter in body)
        if len(body) < 4 or not letters or letters == len(body) or (body[0].isdigit() and letters < 2):
            return given
        return body.translate(_LEET) + given[len(body) :]

    return _MIXED.sub(word, folded)


def spelt(folded: str) -> list[tuple[str, int, int]]:
    """Words spelt with something between their letters ("i g n o r e"), and where in the folded text."""
    return [
        ("".join(letter for letter in found[0] if letter.isalpha()), found.start(), found.end())
        for found in _SPELT.finditer(folded)
    ]
