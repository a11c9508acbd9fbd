"""builtin/tiny at work: one answer, token by token, each step short enough to be called off.

The same seed, request and fingerprint give the same answer; answer number k of `n` draws from (seed, k).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from core.builtin import sampling
from core.builtin.llama import Cache, Floats, Llama
from core.builtin.request import Request
from core.builtin.spoken import Said, Speaker
from core.builtin.tokenizer import END, SPECIALS
from core.errors import Invalid

STEP = 6  # tokens of a prompt that are read at once; from 12 on, BLAS starts threads that fight over busy cores
MOST_TOKENS = 512  # of an answer, when the request sets no limit


def prompt_ids(model: Llama, request: Request) -> list[int]:
    """The tokens of the conversation. Raises Invalid when they leave no room for an answer."""
    ids = model.tokenizer.prompt(request.messages)
    if len(ids) >= model.shape.context:
        raise Invalid(
            f"The messages have {len(ids):,} tokens; builtin/tiny reads at most {model.shape.context - 1:,}.",
            code="context_length_exceeded",
            param="messages",
            hint="Shorten them, or use builtin/extract or builtin/answer for long texts.",
        )
    return ids


class Prompt:
    """The conversation being read; `steps` yields after each short piece."""

    def __init__(self, model: Llama, ids: list[int], limit: int | None) -> None:
        self.model, self.ids = model, ids
        self.limit = min(limit or MOST_TOKENS, model.shape.context - len(ids))
        self.cache = Cache(model.shape, len(ids) + self.limit)
        self.logits: Floats = np.zeros(0, np.float32)

    def steps(self) -> Iterator[None]:
        for start in range(0, len(self.ids), STEP):
            self.logits = self.model.forward(self.ids[start : start + STEP], self.cache)
            yield


class Answer:
    """One answer in progress. `step` computes one token; `reason` is set when it is over."""

    def __init__(self, prompt: Prompt, request: Request, number: int) -> None:
        self._model, self._request = prompt.model, request
        self._limit = prompt.limit
        self._cache = prompt.cache.copy() if request.n > 1 else prompt.cache
        self._logits = prompt.logits
        seed = None if request.seed is None else (request.seed % 2**64, number)
        self._rng = np.random.default_rng(seed)
        self._speaker = Speaker(request.stops)
        self._last: int | None = None
        self.tokens = 0
        self.reason = ""

    def step(self) -> Said:
        """One token further; what may be said now."""
        if self._last is not None:
            self._logits = self._model.forward([self._last], self._cache)
        tokenizer = self._model.tokenizer
        end = tokenizer.special(END)
        logits = self._logits.copy()
        for name in SPECIALS:
            if name != END:
                logits[tokenizer.special(name)] = -np.inf
        logs = sampling.log_probabilities(logits)
        request = self._request
        token = sampling.choose(logs, temperature=request.temperature, top_p=request.top_p, rng=self._rng)
        if token == end:
            self.reason = "stop"
            return self._speaker.end()
        self._last = token
        self.tokens += 1
        said = self._speaker.add(tokenizer.bytes_of(token), self._report(logs, token))
        if self._speaker.is_stopped:
            self.reason = "stop"
        elif self.tokens >= self._limit:
            self.reason = "length"
            rest = self._speaker.end()
            return Said(said.text + rest.text, said.tokens + rest.tokens)
        return said

    def _report(self, logs: Floats, token: int) -> dict[str, Any] | None:
        """OpenAI's logprob entry for the chosen token, with alternatives."""
        if not self._request.wants_logprobs:
            return None
        best = sampling.likeliest(logs, self._request.top_logprobs)
        return self._entry(logs, token) | {"top_logprobs": [self._entry(logs, other) for other in best]}

    def _entry(self, logs: Floats, token: int) -> dict[str, Any]:
        if token >= len(self._model.tokenizer.tokens):
            name = SPECIALS[token - len(self._model.tokenizer.tokens)]
            return {"token": name, "logprob": _finite(logs[token]), "bytes": None}
        raw = self._model.tokenizer.bytes_of(token)
        return {
            "token": raw.decode("utf-8", "backslashreplace"),
            "logprob": _finite(logs[token]),
            "bytes": list(raw),
        }


def _finite(value: np.float32) -> float:
    """JSON has no infinity; OpenAI writes -9999 for what cannot happen."""
    return round(float(value), 6) if np.isfinite(value) else -9999.0
