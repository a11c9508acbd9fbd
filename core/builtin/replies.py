"""The shapes of OpenAI's chat completions: one whole reply, or the chunks of a stream."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core import clock


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of answer number `choice`; `reason` is set on its last, empty piece."""

    choice: int
    text: str = ""
    tokens: tuple[dict[str, Any], ...] = ()
    reason: str = ""


@dataclass(slots=True)
class Tally:
    """What was read and written so far, in tokens."""

    prompt: int = 0
    answered: int = 0

    def usage(self) -> dict[str, Any]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.answered,
            "total_tokens": self.prompt + self.answered,
        }


@dataclass(frozen=True, slots=True)
class Head:
    """What every part of one reply repeats."""

    model: str
    fingerprint: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(clock.now().timestamp()))

    def _with(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }

    def whole(self, deltas: Sequence[Delta], n: int, tally: Tally, *, logprobs: bool) -> dict[str, Any]:
        """A `chat.completion`."""
        choices = []
        for number in range(n):
            own = [delta for delta in deltas if delta.choice == number]
            tokens = [token for delta in own for token in delta.tokens]
            message = {"role": "assistant", "content": "".join(d.text for d in own), "refusal": None}
            choices.append(
                {
                    "index": number,
                    "message": message,
                    "logprobs": {"content": tokens, "refusal": None} if logprobs else None,
                    "finish_reason": own[-1].reason,
                }
            )
        return self._with("chat.completion", choices) | {"usage": tally.usage()}

    def opening(self, number: int, *, usage: bool) -> dict[str, Any]:
        """The chunk that names the role."""
        content = {"role": "assistant", "content": "", "refusal": None}
        return self._chunk(number, content, None, None, usage=usage)

    def chunk(self, delta: Delta, *, logprobs: bool, usage: bool) -> dict[str, Any]:
        """A `chat.completion.chunk` for a piece of text, or for the end of an answer."""
        content = {"content": delta.text} if delta.text or not delta.reason else {}
        tokens = {"content": list(delta.tokens), "refusal": None} if logprobs and delta.tokens else None
        return self._chunk(delta.choice, content, tokens, delta.reason or None, usage=usage)

    def closing(self, tally: Tally) -> dict[str, Any]:
        """The last chunk, with the usage and no choices."""
        return self._with("chat.completion.chunk", []) | {"usage": tally.usage()}

    def _chunk(
        self,
        number: int,
        content: dict[str, Any],
        logprobs: dict[str, Any] | None,
        reason: str | None,
        *,
        usage: bool,
    ) -> dict[str, Any]:
        choice = {"index": number, "delta": content, "logprobs": logprobs, "finish_reason": reason}
        chunk = self._with("chat.completion.chunk", [choice])
        return chunk | {"usage": None} if usage else chunk
