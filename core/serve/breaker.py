"""The circuit breaker: a backend that keeps failing is left alone for a while, then asked once.

M. Nygard, "Release It!", 2007. States: closed (asked), open (not asked until a moment), half-open (one probe is out).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

FAILURES_TO_OPEN = 5
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """One backend's breaker; times are monotonic seconds, `opens_until` 0 while closed."""

    state: State = State.CLOSED
    failures: int = 0
    pause_s: float = FIRST_PAUSE_S
    opens_until: float = 0.0


CLOSED = BreakerState()


def asked(breaker: BreakerState, *, now_s: float) -> tuple[bool, BreakerState]:
    """Whether a try may go out now, and the state after deciding; an open breaker lets one probe through in time."""
    if breaker.state is State.CLOSED:
        return True, breaker
    if now_s >= breaker.opens_until:
        return True, replace(breaker, state=State.HALF_OPEN, opens_until=now_s + breaker.pause_s)
    return False, breaker


def failed(breaker: BreakerState, *, now_s: float) -> BreakerState:
    """After a failure that says the backend is unwell."""
    failures = breaker.failures + 1
    if breaker.state is State.HALF_OPEN:
        pause = min(LONGEST_PAUSE_S, breaker.pause_s * 2)
        return BreakerState(State.OPEN, failures, pause, now_s + pause)
    if breaker.state is State.CLOSED and failures >= FAILURES_TO_OPEN:
        return BreakerState(State.OPEN, failures, breaker.pause_s, now_s + breaker.pause_s)
    return replace(breaker, failures=failures)


class Breakers:
    """The breakers of this process, by backend name; a healthy backend costs one dictionary look-up."""

    def __init__(self) -> None:
        self._states: dict[str, BreakerState] = {}

    def may_ask(self, backend: str, *, now_s: float) -> bool:
        breaker = self._states.get(backend)
        if breaker is None:
            return True
        allowed, self._states[backend] = asked(breaker, now_s=now_s)
        return allowed

    def succeeded(self, backend: str) -> None:
        self._states.pop(backend, None)

    def failed(self, backend: str, *, now_s: float) -> None:
        self._states[backend] = failed(self._states.get(backend, CLOSED), now_s=now_s)

    def reset(self, backend: str) -> None:
        """Ask again at once: a person mended it."""
        self._states.pop(backend, None)

    def states(self) -> Mapping[str, BreakerState]:
        """Every breaker that is not at rest."""
        return dict(self._states)
