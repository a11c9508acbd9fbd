"""Look for near duplicates among all examples of a draft: read once, a page at a time, in memory that a few hundred
bytes per example bound (`core.datasets.nearness`). Nothing stays open between pages.

It takes seconds where there are many: whoever asks says how far it is, and keeps what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from core.datasets import nearness, queries
from core.db.engine import Database

MOST_GROUPS = 1_000
_PER_READ = 1_000
_READING, _SORTING = 0.6, 0.1  # of the whole, as it is told


@dataclass(frozen=True, slots=True)
class Near:
    """Groups of keys, the largest first, and of how many there are; `changed_at` is when the dataset last changed
    before. `is_cut`: so many examples are somewhat alike that not all pairs were measured."""

    dataset_id: int
    changed_at: datetime | None
    compared: int
    groups: tuple[tuple[int, ...], ...]
    count: int
    is_cut: bool


def near(
    db: Database,
    dataset_id: int,
    *,
    project_ids: Sequence[int],
    progress: Callable[[float], None] = lambda share: None,
) -> Near:
    """Every group of examples that nearly say the same. `progress` hears the share that is done, 0…1. Raises: NotFound.

    What others change meanwhile may or may not be seen.
    """
    with db.read() as session:
        dataset = queries.dataset(session, dataset_id, project_ids=project_ids)
    keys: list[int] = []
    signatures = bytearray()
    after = 0
    while True:
        with db.read() as session:
            page = queries.said(session, dataset_id, project_ids=project_ids, after=after, limit=_PER_READ)
        for key, words in page:
            signatures += nearness.signature(words, len(keys)).tobytes()
            keys.append(key)
        progress(_READING * min(1.0, len(keys) / max(1, dataset.count)))
        if len(page) < _PER_READ:
            break
        after = keys[-1]
    gathered = np.frombuffer(signatures, np.uint16).reshape(-1, nearness.HASHES)
    pairs = nearness.pairs(gathered, progress=lambda share: progress(_READING + _SORTING * share))

    def read(places: Sequence[int]) -> list[str]:
        wanted = [keys[place] for place in places]
        with db.read() as session:
            found = queries.words_of(session, dataset_id, wanted)
        return [found.get(key, "") for key in wanted]

    def told(share: float) -> None:
        done = _READING + _SORTING
        progress(done + (1 - done) * share)

    groups = sorted(nearness.groups(len(keys), pairs, read, progress=told), key=len, reverse=True)
    chosen = tuple(tuple(keys[place] for place in group) for group in groups[:MOST_GROUPS])
    return Near(dataset.id, dataset.changed_at, len(keys), chosen, len(groups), pairs.is_cut)
