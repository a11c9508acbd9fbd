"""One application's visit: what it sent, who it is, and what was answered so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.gateway.exchange import JSON, Receive, Scope, Send, respond
from core.gateway.routes import Route
from core.people.keys import KeyRow
from core.people.rules import Principal
from core.runtime import Runtime


@dataclass(slots=True)
class Visit:
    """`key` is set once the caller is known; every handler returns the status it answered with."""

    scope: Scope
    receive: Receive
    send: Send
    sent: Mapping[str, str]
    request_id: str
    runtime: Runtime
    key: KeyRow | None = None
    route: Route | None = None
    has_started: bool = False
    has_left: bool = False

    @property
    def principal(self) -> Principal:
        """The application behind the key: what keys may do, in its own project."""
        assert self.key is not None
        return self.key.principal

    def headers(self) -> list[tuple[str, str]]:
        """What every response carries."""
        return [("x-request-id", self.request_id)]

    async def respond(self, status: int, value: Any, headers: tuple[tuple[str, str], ...] = ()) -> int:
        """A whole JSON response."""
        self.has_started = True
        await respond(self.send, status, [JSON, *self.headers(), *headers], orjson.dumps(value))
        return status
