# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.13.0", "numpy>=2.3", "tiktoken>=0.14", "regex"]
# ///
# ruff: noqa: T201, S311, E402
"""Trains builtin/tiny from scratch on the seed dialogues and writes data/builtin/tiny.npz.

    python data/builtin/training/train.py [--steps 3000] [--seed 7]

Only a maintainer who changes the dialogues runs this; it needs torch, the product does not. One thread and fixed
seeds: the same torch on the same kind of processor gives the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import bpe
from dialogues import Conversation, Seeds

from core.builtin.tokenizer import ASSISTANT, BOS, END, PATTERN, SPECIALS, SYSTEM, USER, Tokenizer

WEIGHTS = HERE.parent / "tiny.npz"
EXPECTED = ROOT / "tests" / "builtin" / "data" / "greedy.json"
SHAPE = {
    "width": 128,
    "layers": 3,
    "heads": 4,
    "kv_heads": 2,
    "inner": 184,
    "context": 2048,
    "theta": 10000.0,
    "epsilon": 1e-5,
}
VOCABULARY = 1024
BATCH = 32
PEAK_RATE = 3e-3
PROBES = (
    "Can you refund order 4821?",
    "I forgot my password.",
    "How much is the Pro plan?",
    "Hi there",
    "My lamp is broken.",
    "Do you deliver to Oslo?",
    "What is the capital of Spain?",
)


class Layer(nn.Module):
    """One block of a Llama: grouped-query attention with rotary positions, then a gated feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        width, self.heads, self.kv_heads = SHAPE["width"], SHAPE["heads"], SHAPE["kv_heads"]
        self.head = width // self.heads
        self.before_attention = nn.Parameter(torch.ones(width))
        self.before_feed = nn.Parameter(torch.ones(width))
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, self.kv_heads * self.head, bias=False)
        self.value = nn.Linear(width, self.kv_heads * self.head, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, SHAPE["inner"], bias=False)
        self.up = nn.Linear(width, SHAPE["inner"], bias=False)
        self.down = nn.Linear(SHAPE["inner"], width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        h = normed(x, self.before_attention)
        q = rotated(self.query(h).view(batch, length, self.heads, self.head).transpose(1, 2), cos, sin)
        k = rotated(self.key(h).view(batch, length, self.kv_heads, self.head).transpose(1, 2), cos, sin)
        v = self.value(h).view(batch, length, self.kv_heads, self.head).transpose(1, 2)
        repeat = self.heads // self.kv_heads
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
        h = normed(x, self.before_feed)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


class Model(nn.Module):
    """The whole model; the embedding is also the output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Parameter(torch.randn(VOCABULARY, SHAPE["width"]) * 0.02)
        self.layers = nn.ModuleList(Layer() for _ in range(SHAPE["layers"]))
        self.last = nn.Parameter(torch.ones(SHAPE["width"]))
        head = SHAPE["width"] // SHAPE["heads"]
        angles = torch.outer(
            torch.arange(SHAPE["context"]), SHAPE["theta"] ** (-torch.arange(0, head, 2) / head)
        ).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed[ids]
        for layer in self.layers:
            x = layer(x, self.cos[: ids.shape[1]], self.sin[: ids.shape[1]])
        return normed(x, self.last) @ self.embed.T


def normed(x: Tensor, weight: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + SHAPE["epsilon"]) * weight


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


def example(tokenizer: Tokenizer, conversation: Conversation) -> tuple[list[int], list[int]]:
    """Ids and targets; only what the assistant says is learned (-100 is not)."""
    ids, targets = [tokenizer.special(BOS)], [-100]

    def add(role: str, text: str, *, learned: bool) -> None:
        body = [*tokenizer.encode(text), tokenizer.special(END)]
        ids.extend([tokenizer.special(role), *body])
        targets.extend([-100, *(body if learned else [-100] * len(body))])

    if conversation.system:
        add(SYSTEM, conversation.system, learned=False)
    for turn in conversation.turns:
        add(USER, turn.ask, learned=False)
        add(ASSISTANT, turn.answer, learned=True)
    return ids, targets


def train(model: Model, tokenizer: Tokenizer, seeds: Seeds, *, steps: int, rng: random.Random) -> None:
    """AdamW with a short warm-up and a cosine to zero; a fresh batch of drawn conversations each step."""
    optimiser = torch.optim.AdamW(model.parameters(), PEAK_RATE, betas=(0.9, 0.95), weight_decay=0.05)
    started = time.monotonic()
    for step in range(steps):
        batch = [example(tokenizer, seeds.draw(rng)) for _ in range(BATCH)]
        longest = max(len(ids) for ids, _ in batch)
        end = tokenizer.special(END)
        x = torch.tensor([ids + [end] * (longest - len(ids)) for ids, _ in batch])
        y = torch.tensor([targets + [-100] * (longest - len(targets)) for _, targets in batch])
        logits = model(x[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), y[:, 1:].flatten(), ignore_index=-100)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rate = PEAK_RATE * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        optimiser.zero_grad()
        if step % 100 == 0 or step == steps - 1:
            print(f"step {step}  loss {loss.item():.3f}  {time.monotonic() - started:.0f} s", flush=True)


def save(model: Model, tokenizer: Tokenizer, made: dict[str, object]) -> None:
    """Half-precision weights, the tokens and the shape, in one file without pickles."""
    meta = {"shape": SHAPE, "tokens": [token.hex() for token in tokenizer.tokens], "made": made}
    arrays = {name: value.detach().numpy().astype(np.float16) for name, value in model.named_parameters()}
    np.savez_compressed(WEIGHTS, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)


@torch.no_grad()
def greedy(model: Model, tokenizer: Tokenizer, question: str) -> list[int]:
    ids = [tokenizer.special(BOS), tokenizer.special(USER), *tokenizer.encode(question)]
    ids += [tokenizer.special(END), tokenizer.special(ASSISTANT)]
    start = len(ids)
    while len(ids) < start + 60:
        best = int(model(torch.tensor([ids]))[0, -1].argmax())
        if best == tokenizer.special(END):
            break
        ids.append(best)
    return ids[start:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(asked.seed)
    torch.use_deterministic_algorithms(True)
    rng = random.Random(asked.seed)
    seeds = Seeds()
    sample = [seeds.draw(rng) for _ in range(4000)]
    texts = [text for c in sample for turn in c.turns for text in (c.system, turn.ask, turn.answer)]
    tokenizer = Tokenizer.of(bpe.learn(texts, PATTERN, VOCABULARY - len(SPECIALS)))
    model = Model()
    parameters = sum(value.numel() for value in model.parameters())
    print(f"{parameters:,} parameters, {tokenizer.size} tokens", flush=True)
    started = time.monotonic()
    train(model, tokenizer, seeds, steps=asked.steps, rng=rng)
    made = {"seed": asked.seed, "steps": asked.steps, "batch": BATCH, "parameters": parameters}
    print(f"trained in {time.monotonic() - started:.0f} s")
    save(model, tokenizer, made)
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(value.half().float())
    answers = {question: greedy(model, tokenizer, question) for question in PROBES}
    for question, ids in answers.items():
        print(question, "=>", b"".join(map(tokenizer.bytes_of, ids)).decode(errors="replace"))
    EXPECTED.parent.mkdir(parents=True, exist_ok=True)
    EXPECTED.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    print(f"{WEIGHTS.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
