"""The forward pass of builtin/tiny in numpy: a small Llama with rotary positions, grouped-query attention, a cache.

Weights are half precision on disk and single precision in memory. Every call does little work (one token, or a
piece of the prompt), so that a caller who left is noticed and other threads get their turn.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import settings
from core.builtin.tokenizer import Tokenizer

WEIGHTS = settings.ROOT / "data" / "builtin" / "tiny.npz"
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    width: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    context: int
    theta: float
    epsilon: float

    @property
    def head(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class Layer:
    """One block; matrices lie as (in, out), query, key and value side by side, gate and up side by side."""

    before_attention: Floats
    attention_in: Floats
    attention_out: Floats
    before_feed: Floats
    feed_in: Floats
    feed_out: Floats


class Cache:
    """Keys and values of every position so far, for one answer."""

    def __init__(self, shape: Shape, room: int) -> None:
        self.length = 0
        size = (shape.layers, shape.kv_heads, room, shape.head)
        self.keys: Floats = np.zeros(size, np.float32)
        self.values: Floats = np.zeros(size, np.float32)

    def copy(self) -> Cache:
        """A second answer to the same prompt starts from here."""
        twin = object.__new__(Cache)
        twin.length, twin.keys, twin.values = self.length, self.keys.copy(), self.values.copy()
        return twin


@dataclass(frozen=True)
class Llama:
    """The model: `forward` reads tokens and says how likely each next token is."""

    shape: Shape
    tokenizer: Tokenizer
    embed: Floats
    layers: tuple[Layer, ...]
    last: Floats
    cos: Floats
    sin: Floats
    fingerprint: str

    def forward(self, ids: list[int], cache: Cache) -> Floats:
        """Logits after the last of `ids`, which follow what `cache` holds and are added to it."""
        shape, n, start = self.shape, len(ids), cache.length
        end = start + n
        cos, sin = self.cos[start:end, None], self.sin[start:end, None]
        x = self.embed[ids]
        for number, layer in enumerate(self.layers):
            qkv = (_normed(x, layer.before_attention, shape.epsilon) @ layer.attention_in).reshape(n, -1, shape.head)
            turned = _rotated(qkv[:, : shape.heads + shape.kv_heads], cos, sin)
            cache.keys[number, :, start:end] = turned[:, shape.heads :].transpose(1, 0, 2)
            cache.values[number, :, start:end] = qkv[:, shape.heads + shape.kv_heads :].transpose(1, 0, 2)
            mixed = self._attend(turned[:, : shape.heads], cache, number, end)
            x = x + mixed @ layer.attention_out
            gate, up = np.split(_normed(x, layer.before_feed, shape.epsilon) @ layer.feed_in, 2, axis=-1)
            x = x + (gate / (1 + np.exp(-gate)) * up) @ layer.feed_out
        cache.length = end
        logits: Floats = self.embed @ _normed(x[-1], self.last, shape.epsilon)
        return logits

    def _attend(self, queries: Floats, cache: Cache, number: int, end: int) -> Floats:
        shape, n = self.shape, queries.shape[0]
        group = shape.heads // shape.kv_heads
        grouped = queries.reshape(n, shape.kv_heads, group, shape.head).transpose(1, 2, 0, 3)
        keys, values = cache.keys[number, :, None, :end], cache.values[number, :, None, :end]
        scores = grouped @ keys.swapaxes(-1, -2) / np.float32(np.sqrt(shape.head))
        if n > 1:
            later = np.arange(end)[None, :] > np.arange(end - n, end)[:, None]
            scores = np.where(later, np.float32(-1e9), scores)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed: Floats = (scores @ values).transpose(2, 0, 1, 3).reshape(n, -1)
        return mixed


def _normed(x: Floats, weight: Floats, epsilon: float) -> Floats:
    """Root mean square normalisation (Zhang and Sennrich 2019)."""
    scaled: Floats = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(epsilon)) * weight
    return scaled


def _rotated(x: Floats, cos: Floats, sin: Floats) -> Floats:
    """Rotary position embedding (Su et al. 2021), halves side by side."""
    half = x.shape[-1] // 2
    turned: Floats = x * cos + np.concatenate((-x[..., half:], x[..., :half]), -1) * sin
    return turned


@functools.cache
def load(file: Path = WEIGHTS) -> Llama:
    """The model in `file`, read once per process (about 30 ms)."""
    raw = file.read_bytes()
    with np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name].astype(np.float32) for name in stored.files if name != "meta"}
        meta = json.loads(stored["meta"].tobytes())
    shape = Shape(**meta["shape"])
    angles = np.outer(np.arange(shape.context), shape.theta ** (-np.arange(0, shape.head, 2) / shape.head))
    both = np.concatenate((angles, angles), 1)
    return Llama(
        shape=shape,
        tokenizer=Tokenizer.of([bytes.fromhex(token) for token in meta["tokens"]]),
        embed=arrays["embed"],
        layers=tuple(_layer(arrays, f"layers.{number}.") for number in range(shape.layers)),
        last=arrays["last"],
        cos=np.cos(both).astype(np.float32),
        sin=np.sin(both).astype(np.float32),
        fingerprint=f"tiny-{hashlib.sha256(raw).hexdigest()[:10]}",
    )


def _layer(arrays: dict[str, Floats], prefix: str) -> Layer:
    def joined(*names: str) -> Floats:
        return np.ascontiguousarray(np.concatenate([arrays[f"{prefix}{name}.weight"] for name in names]).T)

    return Layer(
        before_attention=arrays[f"{prefix}before_attention"],
        attention_in=joined("query", "key", "value"),
        attention_out=joined("out"),
        before_feed=arrays[f"{prefix}before_feed"],
        feed_in=joined("gate", "up"),
        feed_out=joined("down"),
    )
