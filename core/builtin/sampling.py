"""Chooses the next token: temperature, then nucleus (top-p, Holtzman et al. 2020), from a seeded source.

Log probabilities are those of the model itself, before temperature and top-p.
"""

from __future__ import annotations

import numpy as np

from core.builtin.llama import Floats


def log_probabilities(logits: Floats) -> Floats:
    """Logits to natural log probabilities."""
    shifted = logits - logits.max()
    found: Floats = shifted - np.log(np.exp(shifted).sum())
    return found


def choose(logs: Floats, *, temperature: float, top_p: float, rng: np.random.Generator) -> int:
    """The next token; at temperature 0 the likeliest, always."""
    if temperature < 1e-4:
        return int(logs.argmax())
    heat = np.exp((logs - logs.max()).astype(np.float64) / temperature)
    heat /= heat.sum()
    order = np.argsort(-heat, kind="stable")
    mass = np.cumsum(heat[order])
    kept = order[: int(np.searchsorted(mass, top_p)) + 1] if top_p < 1 else order
    share = heat[kept] / heat[kept].sum()
    return int(kept[min(int(np.searchsorted(np.cumsum(share), rng.random(), side="right")), len(kept) - 1)])


def likeliest(logs: Floats, count: int) -> list[int]:
    """The `count` likeliest tokens, best first."""
    if count <= 0:
        return []
    best = np.argpartition(-logs, count)[:count]
    return [int(token) for token in best[np.argsort(-logs[best], kind="stable")]]
