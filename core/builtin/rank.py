"""Ranks sentences: TextRank for what is central, BM25 for what fits a question.

TextRank: Mihalcea and Tarau 2004, on TF-IDF cosine, with a prior for early sentences; near-duplicates are avoided
by maximal marginal relevance (Carbonell and Goldstein 1998). BM25: Robertson and Zaragoza 2009, k1 1.2, b 0.75.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK = 200  # sentences compared with each other at a time
_FAINT = 0.05
_DAMPING = 0.8
_ROUNDS = 40
_SAMENESS = 0.9


def central(documents: Sequence[Sequence[str]], count: int) -> list[int]:
    """The places of the `count` most central documents (lists of terms), in their own order.

    A long text is ranked chunk by chunk and the winners against each other.
    """
    places = list(range(len(documents)))
    while len(places) > CHUNK:
        keep = max(count, CHUNK // 10)
        winners: list[int] = []
        for start in range(0, len(places), CHUNK):
            chunk = places[start : start + CHUNK]
            winners += [chunk[i] for i in _central([documents[p] for p in chunk], min(keep, len(chunk) // 2 + 1))]
        places = winners
    return [places[i] for i in _central([documents[p] for p in places], count)]


def _central(documents: Sequence[Sequence[str]], count: int) -> list[int]:
    if len(documents) <= count:
        return list(range(len(documents)))
    vectors = _weights(documents)
    likeness = vectors @ vectors.T
    links = np.where(likeness < _FAINT, 0, likeness)
    np.fill_diagonal(links, 0)
    sums = links.sum(1)
    alone = sums == 0
    links /= np.where(alone, 1, sums)[:, None]
    prior = 1 / np.sqrt(1 + np.arange(len(documents), dtype=np.float32))
    prior /= prior.sum()
    rank = prior.copy()
    for _ in range(_ROUNDS):
        rank = (1 - _DAMPING) * prior + _DAMPING * (links.T @ rank + rank[alone].sum() * prior)
    rank /= rank.max()
    chosen: list[int] = []
    nearest = np.zeros(len(documents), np.float32)
    for _ in range(count):
        score = rank - _SAMENESS * nearest
        score[chosen] = -9
        best = int(score.argmax())
        chosen.append(best)
        nearest = np.maximum(nearest, likeness[best])
    return sorted(chosen)


def _weights(documents: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """One unit vector per document: (1 + log count) · log(1 + N / documents with the term)."""
    counts = [Counter(document) for document in documents]
    frequency = Counter(term for count in counts for term in count)
    column = {term: number for number, term in enumerate(frequency)}
    matrix = np.zeros((len(documents), max(len(column), 1)), np.float32)
    for row, count in enumerate(counts):
        for term, times in count.items():
            matrix[row, column[term]] = (1 + math.log(times)) * math.log(1 + len(documents) / frequency[term])
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (matrix / np.where(length == 0, 1, length)).astype(np.float32)
    return unit


class Index:
    """BM25 over documents given as lists of terms."""

    K1, B = 1.2, 0.75

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        self.size = len(documents)
        self._lengths = [len(document) for document in documents]
        self._mean = sum(self._lengths) / self.size if self.size else 1.0
        self._places: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for place, document in enumerate(documents):
            for term, times in Counter(document).items():
                self._places[term][place] = times

    def frequency(self, term: str) -> int:
        """In how many documents `term` occurs."""
        return len(self._places.get(term, ()))

    def scores(self, query: Sequence[str]) -> dict[int, float]:
        """Place → score of every document that shares a term with `query`."""
        found: defaultdict[int, float] = defaultdict(float)
        for term in set(query):
            places = self._places.get(term, {})
            rarity = math.log(1 + (self.size - len(places) + 0.5) / (len(places) + 0.5))
            for place, times in places.items():
                share = self._lengths[place] / (self._mean or 1)
                found[place] += rarity * times * (self.K1 + 1) / (times + self.K1 * (1 - self.B + self.B * share))
        return dict(found)
