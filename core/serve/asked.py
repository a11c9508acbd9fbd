"""What goes into the pipeline and what comes out, as values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from core.calls.record import JUDGE, JUDGE_EMBEDDINGS, JUDGE_MODERATION, CallRecord, Exposure

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
MODERATIONS = "/v1/moderations"
RESPONSES = "/v1/responses"
PLAYGROUND = "playground"
COMPARE = "compare"
"""An answer for a blind comparison, made before people vote on it."""
EXPERIMENT = "experiment"
"""An example of a dataset, asked by a run."""

PATHS = {CHAT: "/chat/completions", EMBEDDINGS: "/embeddings", MODERATIONS: "/moderations"}
PATHS |= {RESPONSES: PATHS[CHAT], PLAYGROUND: PATHS[CHAT], JUDGE: PATHS[CHAT], JUDGE_MODERATION: PATHS[MODERATIONS]}
PATHS |= {EXPERIMENT: PATHS[CHAT], COMPARE: PATHS[CHAT], JUDGE_EMBEDDINGS: PATHS[EMBEDDINGS]}
GUARDED = frozenset({CHAT, RESPONSES, EMBEDDINGS, MODERATIONS})
"""Where policies apply: what applications say. People on the playground try things, and a judge is not judged."""
HELD = frozenset({CHAT, RESPONSES})


@dataclass(frozen=True, slots=True)
class PromptAsked:
    """The version of a prompt that a request is made of, and by which name it was asked for."""

    id: int
    name: str
    number: int
    asked: str

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, by whomever: an application's key, or a person on a page.

    `body` is the parsed request as a backend understands it, `raw` its bytes as they came (empty: they are made from
    `body`). `call_id` is given where the caller knows the call's id before it is answered, `sent` is what it sent where
    that is not `body`. `prompt`: `body` was made of this version of a prompt.
    """

    route: str
    body: dict[str, Any]
    raw: bytes
    project_id: int
    actor: str
    request_id: str
    key_id: int | None = None
    person_id: int | None = None
    tags: tuple[tuple[str, str], ...] = ()
    call_id: int | None = None
    sent: dict[str, Any] | None = None
    prompt: PromptAsked | None = None


class Chunks(Protocol):
    """A stream under way, that can be given up."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def aclose(self) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets: a whole `body`, or `chunks` of server-sent events. One of the two is None.

    The last chunk (and a whole body) is handed out only when the call's row is durable. `is_held`: people decide on
    it; whoever asked on the route of responses waits for them under the call's id, and gets neither body nor chunks.
    `record` is what was written down of a whole answer.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes | None
    chunks: Chunks | None
    call_id: int
    is_held: bool = False
    record: CallRecord | None = None


@dataclass(slots=True)
class Try:
    """One try of one backend, for the record: times are milliseconds from the start of the call."""

    backend: str
    backend_version: int
    model: str
    began_ms: float
    ended_ms: float = 0.0
    status: int | None = None
    error: str = ""
    waited_ms: float = 0.0

    def shown(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "backend_version": self.backend_version,
            "model": self.model,
            "began_ms": round(self.began_ms, 3),
            "ended_ms": round(self.ended_ms, 3),
            "status": self.status,
            "error": self.error,
            "waited_ms": round(self.waited_ms, 3),
        }


class Guarded(Protocol):
    """What policies found in a call, for its record."""

    def rows(self, call_id: int, project_id: int) -> tuple[dict[str, Any], ...]: ...

    def shown(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class Progress:
    """How far one call has come; what the record is made from, whatever its end.

    `exposure` is the arm of a live test, `named` the name that was asked where the arm asks another.
    """

    asked: Asked
    call_id: int
    at: datetime
    began_ms: float
    alias: str = ""
    alias_version: int | None = None
    backend: str = ""
    model_served: str = ""
    tries: list[Try] = field(default_factory=list)
    retries: int = 0
    fallbacks: int = 0
    upstream_ms: float = 0.0
    waiting_ms: float = 0.0
    first_token_ms: float | None = None
    is_last_resort: bool = False
    is_queued: bool = False
    has_left: bool = False
    guarding: Guarded | None = None
    exposure: Exposure | None = None
    named: str = ""
