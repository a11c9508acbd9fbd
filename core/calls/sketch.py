"""How long calls took, as quantiles that can be added up: p95 of a month from the hours it consists of.

DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
VLDB 2019): a value falls into bucket ⌈log_γ(value)⌉ with γ = (1+α)/(1−α), so that any quantile read from the
buckets is within α = 1 % of a value of that rank. Only buckets that hold something are kept.

As bytes a sketch is a run of 32-bit words, little endian: the bucket above the lowest one in the upper 12 bits, its
count in the lower 20 (a greater count takes several words). Two sketches written one after the other are their sum:
the store adds by appending, `compact` folds now and then.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_PER_LOG = 1 / math.log(GAMMA)
SMALLEST, LARGEST = 1e-3, 1e9  # milliseconds: a microsecond, eleven days
WORD_BYTES = 4
_BITS = 20
_MOST = (1 << _BITS) - 1  # counts in one word
_WORDS = "<u4"


def bucket(value: float) -> int:
    """The bucket a value falls into; values outside [SMALLEST, LARGEST] go to the nearest end."""
    if value > SMALLEST:
        return math.ceil(math.log(value if value < LARGEST else LARGEST) * _PER_LOG)
    return _LOWEST


_LOWEST = math.ceil(math.log(SMALLEST) * _PER_LOG)


def written(counts: Mapping[int, int]) -> bytes:
    """The bytes of a sketch with so many values per bucket."""
    words = []
    for key, count in counts.items():
        head = key - _LOWEST << _BITS
        while count > _MOST:
            words.append(head | _MOST)
            count -= _MOST
        words.append(head | count)
    return struct.pack(f"<{len(words)}I", *words)


class Sketch:
    """Counts per bucket; made of values or of stored bytes, one or many."""

    __slots__ = ("counts",)

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.counts: Counter[int] = Counter(bucket(value) for value in values)

    @classmethod
    def read(cls, *parts: bytes) -> Sketch:
        """The sum of stored sketches."""
        sketch = cls()
        buckets, counts = _added(parts)
        sketch.counts.update(dict(zip(buckets.tolist(), counts.tolist(), strict=True)))
        return sketch

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def add(self, value: float) -> None:
        self.counts[bucket(value)] += 1

    def merge(self, other: Sketch) -> None:
        self.counts.update(other.counts)

    def quantile(self, q: float) -> float | None:
        """The value at rank q of 0…1 within 1 %; None when there is no value."""
        buckets = np.array(sorted(self.counts), dtype=np.int64)
        return _quantiles(buckets, np.array([self.counts[int(key)] for key in buckets], dtype=np.int64), (q,))[0]

    def to_bytes(self) -> bytes:
        return written(dict(sorted(self.counts.items())))


def quantiles(parts: Iterable[bytes], at: tuple[float, ...]) -> tuple[float | None, ...]:
    """Quantiles of the sum of stored sketches, in one pass over their bytes."""
    return _quantiles(*_added(parts), at)


def compact(stored: bytes) -> bytes:
    """The same sketch with as few words as it needs, in the buckets' order."""
    buckets, counts = _added((stored,))
    heads = buckets - _LOWEST << _BITS
    full, rest = np.divmod(counts, _MOST)
    words = np.concatenate((np.repeat(heads, full) | _MOST, (heads | rest)[rest > 0]))
    return np.sort(words).astype(_WORDS).tobytes()


def _added(parts: Iterable[bytes]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Buckets that hold something, ascending, and their counts."""
    words: npt.NDArray[np.uint32] = np.frombuffer(b"".join(parts), dtype=_WORDS)
    if not len(words):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    totals = np.bincount(words >> _BITS, weights=words & _MOST)
    filled = np.flatnonzero(totals)
    return filled + _LOWEST, totals[filled].astype(np.int64)


def _quantiles(
    buckets: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], at: tuple[float, ...]
) -> tuple[float | None, ...]:
    if not len(buckets):
        return (None,) * len(at)
    below = np.cumsum(counts)
    ranks = np.asarray(at) * (below[-1] - 1)
    found = buckets[np.searchsorted(below, ranks, side="right")]
    return tuple(float(2 * GAMMA**key / (GAMMA + 1)) for key in found.tolist())
