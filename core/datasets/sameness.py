"""When two examples say the same: to the letter once case and spaces are left out, or nearly. Pure.

Nearly is the resemblance of their sets of five-character shingles (Broder, "On the resemblance and containment of
documents", 1997, section 2: |A ∩ B| / |A ∪ B|). Which pairs are looked at is found with min-wise hashes in bands
(Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4), so that the cost grows with the number of
examples, not with that of pairs; each pair is then measured on all its shingles, so that a
group holds no mistake of the bands.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

LONGEST_WORDS = 4_000
"""Characters of an example that are searched and compared."""
NEAR = 0.8
"""The resemblance from which two examples are shown as near duplicates."""
MOST_COMPARED = 10_000
_SHINGLE, _BANDS, _ROWS, _MET = 5, 16, 4, 8
_RANDOM = np.random.default_rng(20_261)
_TIMES: NDArray[np.uint64] = _RANDOM.integers(1, 2**63, size=(_BANDS * _ROWS, 1), dtype=np.uint64) | np.uint64(1)
_PLUS: NDArray[np.uint64] = _RANDOM.integers(0, 2**63, size=(_BANDS * _ROWS, 1), dtype=np.uint64)
_WEIGHTS: NDArray[np.uint64] = _RANDOM.integers(1, 2**63, size=_SHINGLE, dtype=np.uint64) | np.uint64(1)


def normal(text: str) -> str:
    """The text without what a reader does not see: compatibility forms, case, runs of spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def input_hash(kind: str, input: Mapping[str, Any]) -> int:  # noqa: A002
    """The same number for inputs that say the same, whatever their case and spaces; 63 bits and a sign.

    The input of a row to fine-tune on is its conversation without the last answer, so that an item and a row made of
    one question meet in one split.
    """
    asked = dict(input)
    if kind == "tuning" and isinstance(asked.get("messages"), list):
        asked["messages"] = asked["messages"][:-1]
    return _number(orjson.dumps(_normal(asked), option=orjson.OPT_SORT_KEYS))


def content_hash(*parts: Any) -> int:
    """The same number for examples that are equal in everything a person can change."""
    return _number(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS))


def words(input: Mapping[str, Any], expected: Mapping[str, Any] | None) -> str:  # noqa: A002
    """What an example says, as it is searched: its texts in order, normalised, the first of them."""
    said = [text for part in (input, expected or {}) for text in _texts(part)]
    return normal(" ".join(said)[: LONGEST_WORDS * 2])[:LONGEST_WORDS]


def near(texts: Sequence[str], *, threshold: float = NEAR) -> list[list[int]]:
    """Groups of two or more texts of which each resembles another of its group by at least `threshold` (0…1).

    Numbers of places in `texts`, each group and the groups in ascending order. Texts shorter than a shingle, and those
    after the first `MOST_COMPARED`, are in no group. In a band a text meets at most the first few that are alike.
    """
    shingled = [_shingles(text) for text in texts[:MOST_COMPARED]]
    buckets: dict[tuple[int, bytes], list[int]] = {}
    leader = list(range(len(shingled)))
    for place, found in enumerate(shingled):
        if not len(found):
            continue
        signature = (_TIMES * found + _PLUS).min(axis=1).reshape(_BANDS, _ROWS)
        met: set[int] = set()
        for band in range(_BANDS):
            bucket = buckets.setdefault((band, signature[band].tobytes()), [])
            met.update(bucket)
            if len(bucket) < _MET:
                bucket.append(place)
        for other in sorted(met):
            if _first(leader, other) != _first(leader, place) and resemblance(found, shingled[other]) >= threshold:
                one, two = sorted((_first(leader, other), _first(leader, place)))
                leader[two] = one
    groups: dict[int, list[int]] = {}
    for place in range(len(shingled)):
        groups.setdefault(_first(leader, place), []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def resemblance(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """The shared of all shingles of two texts, 0…1."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared) if shared else 0.0


def _shingles(text: str) -> NDArray[np.uint64]:
    letters = np.frombuffer(normal(text).encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    if len(letters) < _SHINGLE:
        return np.empty(0, dtype=np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(letters, _SHINGLE)
    return np.unique((windows * _WEIGHTS).sum(axis=1, dtype=np.uint64))


def _first(leader: list[int], place: int) -> int:
    while leader[place] != place:
        leader[place] = leader[leader[place]]
        place = leader[place]
    return place


def _number(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return normal(value)
    if isinstance(value, dict):
        return {name: _normal(one) for name, one in value.items()}
    return [_normal(one) for one in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterable[str]:
    """The texts people wrote, in order: what says of itself "role" or "type" is none, nor is a picture's data."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in ("role", "type", "id", "tool_call_id", "data"):
                yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
