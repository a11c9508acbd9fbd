"""Lists of words, compiled once: whole words, beginnings ("kill*"), phrases, and words of scripts without spaces.

Found through disguises: capitals, accents, look-alike letters, digits for letters, stretched or spelt-out words and
stars for letters. One pass over the words of a text, whatever the list's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from core.guard import folding

MOST_STARRED = 200  # words with stars of one text that are looked at: each is compared with the whole list

_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_STARRED = re.compile(r"(?<![\w*#])[^\W\d_][^\W\d_*#]{0,10}[*#][^\W\d_*#]{0,12}[*#]?[^\W\d_*#]{0,12}(?![\w*#])")
_STARS = re.compile(r"[*#]")
_STRETCHED = re.compile(r"(.)\1{2,}")
_DOUBLED = re.compile(r"(.)\1+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


@dataclass(frozen=True, slots=True)
class Found:
    """A term that occurs: which, where in the original, and how plainly (1 as written, less when disguised)."""

    term: str
    start: int
    stop: int
    plainness: float


class Terms:
    """A compiled list; `allowed` names words that are never found ("Scunthorpe")."""

    def __init__(self, terms: Iterable[str], *, allowed: Iterable[str] = ()) -> None:
        self._words: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._unspaced: dict[str, str] = {}
        self._allowed = frozenset(_folded(word) for word in allowed)
        for term in terms:
            folded = " ".join(_folded(term).split())
            if not folded.strip("*"):
                continue
            if _UNSPACED.search(folded):
                self._unspaced[folded.strip("*")] = term
            elif " " in folded or "-" in folded:
                words = tuple(_WORDS.findall(folded))
                if words:
                    self._phrases.setdefault(words[0], []).append((words, term))
            elif folded.endswith("*"):
                self._stems[folded[:-1]] = term
            else:
                self._words[folded] = term
        self._lengths = sorted({len(stem) for stem in self._stems}, reverse=True)

    def find(self, text: str) -> list[Found]:
        """Every occurrence, in no particular order; one place may be found twice."""
        folded = folding.fold(text)
        plain = folded.text
        meant = folding.unleet(plain)
        found = list(self._among(meant, plain, folded))
        found += self._disguised(plain, folded)
        for term, whole in self._unspaced.items():
            place = plain.find(term)
            while place >= 0:
                found.append(Found(whole, *folded.span(place, place + len(term)), 1.0))
                place = plain.find(term, place + len(term))
        return found

    def _among(self, meant: str, plain: str, folded: folding.Folded) -> Iterator[Found]:
        words = [(match[0], match.start(), match.end()) for match in _WORDS.finditer(meant)]
        for number, (word, start, stop) in enumerate(words):
            if word in self._allowed:
                continue
            term, plainness = self._term(word)
            if term is not None:
                if meant is not plain and meant[start:stop] != plain[start:stop]:
                    plainness *= 0.9
                yield Found(term, *folded.span(start, stop), plainness)
            for phrase, whole in self._phrases.get(word, ()):
                following = words[number : number + len(phrase)]
                if tuple(part[0] for part in following) == phrase:
                    yield Found(whole, *folded.span(start, following[-1][2]), 1.0)

    def _term(self, word: str) -> tuple[str | None, float]:
        """The term a word is, and how plainly."""
        found = self._exact(word)
        if found is not None:
            return found, 1.0
        if _STRETCHED.search(word):
            for shorter in (_STRETCHED.sub(r"\1", word), _STRETCHED.sub(r"\1\1", word), _DOUBLED.sub(r"\1", word)):
                if (found := self._exact(shorter)) is not None and shorter not in self._allowed:
                    return found, 0.9
        return None, 0.0

    def _starred(self, token: str) -> str | None:
        """The term a word with stars for letters can be; of a beginning, what follows it does not matter. More than
        half of the letters must show."""
        if 2 * len(_STARS.sub("", token)) <= len(token):
            return None
        for stem, term in self._stems.items():
            if stem[0] == token[0] and _hidden(token[: len(stem)]).fullmatch(stem):
                return term
        pattern = _hidden(token)
        return next((term for word, term in self._words.items() if pattern.fullmatch(word)), None)

    def _exact(self, word: str) -> str | None:
        found = self._words.get(word)
        if found is None and "'" in word:
            found = self._words.get(word.partition("'")[0])
        if found is None:
            for length in self._lengths:
                if len(word) >= length and (found := self._stems.get(word[:length])) is not None:
                    return found
        return found

    def _disguised(self, plain: str, folded: folding.Folded) -> Iterator[Found]:
        for word, start, stop in folding.spelt(plain):
            if (term := self._exact(word)) is not None:
                yield Found(term, *folded.span(start, stop), 0.8)
        if "*" in plain or "#" in plain:
            for match in islice(_STARRED.finditer(plain), MOST_STARRED):
                term = self._starred(match[0])
                if term is not None:
                    yield Found(term, *folded.span(match.start(), match.end()), 0.8)


@lru_cache(maxsize=1_000)
def _hidden(token: str) -> re.Pattern[str]:
    """What a word with stars can be."""
    return re.compile(_STARS.sub(r"[^\\W\\d_]", token))


def _folded(text: str) -> str:
    return folding.fold(text.strip()).text
