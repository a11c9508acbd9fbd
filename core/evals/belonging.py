"""Which examples belong together: turns of one conversation, those that ask the same, groups that people name by a tag.

What belongs together is alike, and counts as one when it is said how sure a mean is: E. Miller, "Adding Error Bars to
Evals", arXiv:2411.00640 (2024), on clustered standard errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sqlmodel import Session

from core.datasets import versions
from core.evals.comparing import Clusters
from core.experiments.queries import RunView


def clusters(session: Session, run: RunView, *, project_ids: Sequence[int]) -> Clusters:
    """The examples of a run that belong together; empty where every one stands for itself. Raises: NotFound."""
    return together(versions.turns(session, run.dataset_id, run.dataset_version, project_ids=project_ids))


def together(examples: Iterable[tuple[int, Sequence[Mapping[str, Any]], Sequence[str]]]) -> dict[int, int]:
    """From (key, messages, marks): an example goes with one whose messages are the beginning of its own (a later turn
    of one conversation), and with those that share a mark. The cluster of each that is not alone, by key: the key of
    its first example. Turns whose beginning is no example are not known to be of one conversation: few-shot examples
    begin alike too.
    """
    keys: list[int] = []
    begun: list[tuple[bytes, ...]] = []
    whole: dict[bytes, int] = {}
    named: dict[str, int] = {}
    edges: list[tuple[int, int]] = []
    for place, (key, messages, marks) in enumerate(examples):
        keys.append(key)
        prefixes = _prefixes(messages)
        begun.append(prefixes)
        if prefixes:
            edges.append((place, whole.setdefault(prefixes[-1], place)))
        edges.extend((place, named.setdefault(mark, place)) for mark in marks)
    for place, prefixes in enumerate(begun):
        edges.extend((place, at) for one in prefixes[:-1] if (at := whole.get(one)) is not None)
    if all(one == other for one, other in edges):
        return {}
    rows, columns = np.array(edges).T
    graph = coo_array((np.ones(len(edges)), (rows, columns)), shape=(len(keys), len(keys)))
    _, labels = connected_components(graph, directed=False)
    sizes = np.bincount(labels)
    first: dict[int, int] = {}
    return {
        key: first.setdefault(label, key) for key, label in zip(keys, labels.tolist(), strict=True) if sizes[label] > 1
    }


def _prefixes(messages: Sequence[Mapping[str, Any]]) -> tuple[bytes, ...]:
    """A digest of the first message, of the first two, and so on."""
    hashed, found = blake2b(digest_size=16), []
    for message in messages:
        hashed.update(orjson.dumps(message, option=orjson.OPT_SORT_KEYS) + b"\n")
        found.append(hashed.digest())
    return tuple(found)
