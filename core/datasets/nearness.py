"""Which of many texts nearly say the same, in memory that depends on their number alone. Pure.

Two texts are near when their sets of five-character shingles resemble each other (Broder, "On the resemblance and
containment of documents", 1997, section 2: |A ∩ B| / |A ∪ B|). Of each text 64 min-wise hashes are kept, 16 bits of
each (Li and König, "b-Bit Minwise Hashing", 2010): 128 bytes. Which pairs are looked at is found by bands of four
(Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4): a pair of resemblance 0.8 shares one with
probability 0.9998. Of those, a pair whose hashes agree often enough is measured on all its shingles, so that a group
holds no mistake of the hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR = 0.8
"""The resemblance from which two examples are shown as near duplicates."""
MOST_PAIRS = 100_000
"""Pairs that are measured, at most some twenty seconds of a core; what is beyond is left out, and said."""
HASHES = 64
_SHINGLE, _BANDS = 5, 16
_LIKELY, _SURE = 0.66, 0.9
_LEADERS, _PER_BAND = 64, 2_000_000
_RANDOM = np.random.default_rng(20_261)
_TIMES: NDArray[np.uint64] = _RANDOM.integers(1, 2**63, size=(HASHES, 1), dtype=np.uint64) | np.uint64(1)
_PLUS: NDArray[np.uint64] = _RANDOM.integers(0, 2**63, size=(HASHES, 1), dtype=np.uint64)
_WEIGHTS: NDArray[np.uint64] = _RANDOM.integers(1, 2**63, size=_SHINGLE, dtype=np.uint64) | np.uint64(1)

Shingles = NDArray[np.uint64]
Signature = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Places of texts that may be near, two in a row, in order; `is_cut` where there were more of them."""

    places: NDArray[np.int64]
    is_cut: bool = False


def shingles(text: str) -> Shingles:
    """The set of a normalised text's five-character pieces, as numbers in order; of a shorter text none."""
    found = np.sort(_pieces(text))  # numpy's own unique takes three times as long on so few
    return found[np.append(True, found[1:] != found[:-1])] if len(found) else found


def _pieces(text: str) -> Shingles:
    letters = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    if len(letters) < _SHINGLE:
        return np.empty(0, dtype=np.uint64)
    count = len(letters) - _SHINGLE + 1
    found: Shingles = letters[:count] * _WEIGHTS[0]
    for place in range(1, _SHINGLE):
        found += letters[place : place + count] * _WEIGHTS[place]
    return found


def signature(text: str, alone: int) -> Signature:
    """The 64 hashes of a normalised text. One that is too short to be near any other has its number, `alone`."""
    found = _pieces(text)
    if not len(found):
        return np.full(_BANDS, alone | 1 << 63, dtype=np.uint64).view(np.uint16)
    hashed = _TIMES * found
    hashed += _PLUS
    # the lowest bits are poor, the highest of a minimum are zeros
    kept: Signature = (hashed.min(axis=1) >> np.uint64(32)).astype(np.uint16)
    return kept


def resemblance(one: Shingles, other: Shingles) -> float:
    """The shared of all shingles of two texts, 0…1."""
    if not len(one):
        return 0.0
    places = np.searchsorted(one, other)  # both are in order: a quarter of the time numpy's intersection takes
    places[places == len(one)] = 0
    shared = int(np.count_nonzero(one[places] == other))
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def pairs(
    signatures: NDArray[np.uint16], *, most: int = MOST_PAIRS, progress: Callable[[float], None] = lambda share: None
) -> Pairs:
    """Which of the texts behind these rows of 64 hashes may be near. Of many that share a band, each is held against
    the first of them. `progress` hears the share that is done, 0…1."""
    bands = np.ascontiguousarray(signatures).view(np.uint64)
    leader = np.arange(len(bands))
    found: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        for run in _runs(bands[:, band]):
            for one, others in _likely(signatures, run, leader):
                found.update((one, other) for other in others)
                if len(found) >= most:
                    return Pairs(_sorted(found)[:most], is_cut=True)
        progress((band + 1) / _BANDS)
    return Pairs(_sorted(found))


def groups(
    count: int,
    pairs: Pairs,
    read: Callable[[Sequence[int]], Sequence[str]],
    *,
    threshold: float = NEAR,
    at_once: int = 500,
    progress: Callable[[float], None] = lambda share: None,
) -> list[list[int]]:
    """Groups of two or more texts of which each resembles another of its group by at least `threshold` (0…1): places,
    each group and the groups in ascending order.

    `read` gives the texts of places, of up to twice `at_once`; `progress` hears the share that is done, 0…1.
    """
    leader = np.arange(count)
    for start in range(0, len(pairs.places), at_once):
        some = [
            (int(one), int(other))
            for one, other in pairs.places[start : start + at_once]
            if _first(leader, int(one)) != _first(leader, int(other))
        ]
        places = sorted({place for pair in some for place in pair})
        told = dict(zip(places, map(shingles, read(places)), strict=True)) if places else {}
        for one, other in some:
            first, second = sorted((_first(leader, one), _first(leader, other)))
            if first != second and resemblance(told[one], told[other]) >= threshold:
                leader[second] = first
        progress(min(1.0, (start + at_once) / len(pairs.places)))
    found: dict[int, list[int]] = {}
    for place in sorted({int(place) for place in pairs.places.ravel()}):
        found.setdefault(_first(leader, place), []).append(place)
    return [group for _, group in sorted(found.items()) if len(group) > 1]


def _runs(keys: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Places that have the same key, two or more, in order."""
    order = np.argsort(keys, kind="stable")
    there = keys[order]
    begins = np.flatnonzero(np.concatenate(([True], there[1:] != there[:-1]))) if len(keys) else np.empty(0, np.int64)
    ends = np.append(begins[1:], len(keys))
    for begin, end in zip(begins[ends - begins > 1], ends[ends - begins > 1], strict=True):
        yield order[begin:end]


def _likely(
    signatures: NDArray[np.uint16], run: NDArray[np.int64], leader: NDArray[np.int64]
) -> Iterator[tuple[int, list[int]]]:
    """Of texts that share a band: one of them, and those later ones that are probably near. Those that surely are need
    not be held against each other again."""
    for place in range(min(len(run) - 1, max(_LEADERS, _PER_BAND // len(run)))):
        one, mine = run[place], _roots(leader, run[place : place + 1])
        later = run[place + 1 :]
        roots = _roots(leader, later)
        apart = roots != mine
        if not apart.any():
            if not place:
                return  # all of them are one group
            continue
        others = later[apart]
        agree = (signatures[others] == signatures[one]).mean(axis=1)
        sure = np.append(roots[apart][agree >= _SURE], mine)
        leader[sure] = sure.min()
        if len(likely := others[agree >= _LIKELY]):
            yield int(one), likely.tolist()


def _sorted(found: set[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _roots(leader: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """What `_first` says of many."""
    roots = leader[places]
    while (above := leader[roots] != roots).any():
        roots = np.where(above, leader[roots], roots)
    return roots


def _first(leader: NDArray[np.int64], place: int) -> int:
    while (above := int(leader[place])) != place:
        leader[place] = leader[above]
        place = above
    return place
