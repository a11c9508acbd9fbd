"""Along an alias's models: ask one, again where that can help, then the next. What happened is noted on the call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from core import clock
from core.catalog.rules import BUILTIN, RULES_MODEL, BackendView, Resolved, Step
from core.errors import BackendUnavailable, GreenroomError, Upstream
from core.serve import rules
from core.serve.asked import PATHS, Progress, Try
from core.serve.breaker import Breakers

T = TypeVar("T")
RULES = BackendView(0, BUILTIN, BUILTIN, "")


class Asking:
    """Decides whom to ask and how often; `chance` gives numbers from 0 to 1 for the jitter."""

    def __init__(self, breakers: Breakers, chance: Callable[[], float]) -> None:
        self._breakers = breakers
        self.chance = chance

    async def along(self, progress: Progress, resolved: Resolved, ask: Callable[[Step], Awaitable[T]]) -> T:
        """The first answer along the alias's steps.

        Raises: the last step's error when none answers.
        """
        last: GreenroomError | None = None
        for number, step in enumerate(resolved.steps):
            if number:
                progress.fallbacks += 1
            try:
                return await self._step(progress, step, ask)
            except Upstream as error:
                last = error
                if not rules.may_fall_back(error):
                    raise
        if resolved.answers_by_rules and PATHS[progress.asked.route] == "/chat/completions":
            progress.fallbacks += 1
            progress.is_last_resort = True
            return await self._step(progress, Step(RULES, RULES_MODEL), ask)
        raise last or BackendUnavailable(
            f"Every backend of the alias {resolved.alias!r} is switched off.",
            hint="Switch one on under Backends and models, or give the alias another model.",
            param="model",
        )

    async def _step(self, progress: Progress, step: Step, ask: Callable[[Step], Awaitable[T]]) -> T:
        """Ask one backend, again where that can help."""
        name = step.backend.name
        loop = asyncio.get_running_loop()
        retries = stale = 0
        waited_ms = 0.0
        while True:
            began = clock.ticks_ms()
            attempt = Try(name, step.backend.version, step.model, began - progress.began_ms, waited_ms=waited_ms)
            progress.tries.append(attempt)
            progress.backend, progress.model_served = name, step.model
            try:
                if not self._breakers.may_ask(name, now_s=loop.time()):
                    raise BackendUnavailable(
                        f"The backend {name} failed several times in a row and is left alone for a moment.",
                        code="breaker_open",
                        hint="Try again in a minute, or see Backends and models for why.",
                        retry_after_s=5.0,
                    )
                if step.backend.key_trouble:
                    raise BackendUnavailable(step.backend.key_trouble, code="backend_key_missing")
                answer = await ask(step)
            except Upstream as error:
                attempt.status, attempt.error = error.upstream_status, error.message
                progress.upstream_ms += clock.ticks_ms() - began
                attempt.ended_ms = clock.ticks_ms() - progress.began_ms
                if rules.counts_against(error):
                    self._breakers.failed(name, now_s=loop.time())
                if error.code == "stale" and stale < rules.MAX_STALE:
                    stale += 1  # the server had closed this idle connection: ask on another, at once
                    continue
                if not rules.may_retry(error, retries=retries):
                    raise
                wait = rules.delay_s(retries, retry_after_s=error.retry_after_s, chance=self.chance())
                if wait is None:
                    raise
                retries += 1
                progress.retries += 1
                waited_ms = await self._pause(progress, wait)
            else:
                attempt.status = 200
                progress.upstream_ms += clock.ticks_ms() - began
                attempt.ended_ms = clock.ticks_ms() - progress.began_ms
                self._breakers.succeeded(name)
                return answer

    @staticmethod
    async def _pause(progress: Progress, wait_s: float) -> float:
        """Wait; how long it was in milliseconds, which counts also when the caller leaves meanwhile."""
        began = clock.ticks_ms()
        try:
            await asyncio.sleep(wait_s)
        finally:
            waited_ms = clock.ticks_ms() - began
            progress.waiting_ms += waited_ms
        return waited_ms
