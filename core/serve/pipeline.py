"""Answering one call, whoever asks: resolve the model, ask, retry, fall back, and record whatever the end is.

Invariant: every `Asked` that comes in becomes exactly one row, and the caller's last byte waits for that row. Where
policies apply, `guarded` stands between the question and the model, and between the answer and its caller.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from typing import Any

from anyio import to_thread

from core import clock
from core.calls.recorder import Recorder
from core.catalog.rules import BUILTIN, Resolved, Snapshot, Step, resolve
from core.errors import GreenroomError
from core.guard.queries import Snapshot as Policies
from core.ids import Ids
from core.serve import tally
from core.serve.asked import GUARDED, PATHS, Answer, Asked, Progress
from core.serve.asking import Asking
from core.serve.breaker import Breakers
from core.serve.cache import Cache, Key, Known, key_of
from core.serve.ends import JSON, STREAM, Ends
from core.serve.guarded import GuardedCalls
from core.serve.heard import LARGE_JSON
from core.serve.holding import Holding
from core.serve.prompted import Shelf
from core.serve.relaying import Primed, Relaying
from core.serve.splitting import Splitter, no_trials, to_control
from core.serve.upstream import Asker, Builtin, Flow, Whole
from core.trials.running import Snapshot as Trials
from core.wire import openai
from core.wire.client import Client


def no_policies() -> Policies:
    """What a Greenroom without policies has."""
    return Policies()


class Serve:
    """The one pipeline of this process; pages and the gateway call `answer`."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        ids: Ids,
        client: Client,
        catalog: Callable[[], Snapshot],
        chance: Callable[[], float] = random.random,
        policies: Callable[[], Policies] = no_policies,
        prompts: Shelf | None = None,
        trials: Callable[[], Trials] = no_trials,
        holding: Holding | None = None,
    ) -> None:
        self._ids = ids
        self._asker = Asker(client)
        self._builtin = Builtin()
        self._catalog = catalog
        self._policies = policies
        self._prompts = prompts
        self._splitter = Splitter(trials)
        self.breakers = Breakers()
        self.asking = Asking(self.breakers, chance)
        self.cache = Cache()
        self._ends = Ends(recorder, catalog)
        self._relaying = Relaying(self._ends, self.breakers, catalog)
        self._guarded = GuardedCalls(
            self._ends, self._relaying, catalog, ids=ids, whole=self._ask_whole, flow=self._ask_flow,
            judge=self.answer, holding=holding,
        )  # fmt: skip

    def forget(self) -> None:
        """The catalog changed: what was learned of its backends may be wrong now."""
        self._asker.forget()

    async def drain(self) -> None:
        """Wait for the records of callers who left."""
        await self._ends.drain()
        await self._guarded.drain()

    async def answer(self, asked: Asked) -> Answer:
        """Answer one request. Trouble becomes an error answer, never an exception; leaving cancels the upstream."""
        progress = self._begin(asked)
        try:
            return await self._answer(progress)
        except asyncio.CancelledError:
            self._ends.leave(progress, None)
            raise
        except Exception:
            return await self._ends.fail(progress, self._ends.mistake(progress), status="refused")

    async def refuse(self, asked: Asked, error: GreenroomError) -> Answer:
        """Answer a request that cannot be asked as it is; recorded like any other."""
        return await self._ends.fail(self._begin(asked), error, status="refused")

    def _begin(self, asked: Asked) -> Progress:
        return Progress(asked, asked.call_id or self._ids.next(), clock.now(), clock.ticks_ms())

    async def _answer(self, progress: Progress) -> Answer:
        came = progress.asked
        try:
            if self._splitter.split(progress):
                try:
                    resolved = await self._resolved(progress)
                except GreenroomError:
                    to_control(progress, came)
                    resolved = await self._resolved(progress)
            else:
                resolved = await self._resolved(progress)
        except GreenroomError as error:
            return await self._ends.fail(progress, error, status="refused")
        asked = progress.asked
        policies = self._policies()
        if policies.is_any(asked.project_id) and asked.route in GUARDED:
            guarded = await self._guarded.answer(progress, resolved, policies)
            if guarded is not None:
                return guarded
        key = None
        if resolved.cache_ttl_s > 0:
            told = (asked.project_id, resolved.alias, resolved.alias_version, asked.route, asked.body)
            key = await to_thread.run_sync(key_of, *told) if len(asked.raw) > LARGE_JSON else key_of(*told)
            known = None if key is None else self.cache.find(key, now_s=asyncio.get_running_loop().time())
            if known is not None:
                return await self._answer_known(progress, known)
        if asked.body.get("stream") and PATHS[asked.route] == "/chat/completions":
            return await self._stream(progress, resolved, key)
        return await self._whole(progress, resolved, key)

    async def _resolved(self, progress: Progress) -> Resolved:
        """What the name asked means now; where it names a prompt, the request becomes the prompt's."""
        if self._prompts is not None:
            progress.asked = await self._prompts.filled(progress.asked)
        model = progress.asked.body.get("model")
        resolved = resolve(self._catalog(), model if isinstance(model, str) else "")
        progress.alias, progress.alias_version = resolved.alias, resolved.alias_version
        return resolved

    async def _ask_whole(self, progress: Progress, resolved: Resolved, body: dict[str, Any]) -> Whole:
        """A complete answer along the alias's models. Raises: GreenroomError."""
        sent = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
        path = PATHS[progress.asked.route]

        async def ask(step: Step) -> Whole:
            asker = self._builtin if step.backend.kind == BUILTIN else self._asker
            return await asker.whole(step, path, sent)

        return await self.asking.along(progress, resolved, ask)

    async def _ask_flow(self, progress: Progress, resolved: Resolved, body: dict[str, Any]) -> tuple[Flow, bool]:
        """A stream along the alias's models, and whether its caller wants the usage. Raises: GreenroomError."""
        options = body.get("stream_options")
        wants_usage = bool(isinstance(options, dict) and options.get("include_usage"))
        sent = body if wants_usage else {k: v for k, v in body.items() if k != "stream_options"}
        if isinstance(options, dict) and not wants_usage and (rest := {**options, "include_usage": True}) != options:
            sent = {**sent, "stream_options": rest}
        path = PATHS[progress.asked.route]

        async def ask(step: Step) -> Flow:
            asker = self._builtin if step.backend.kind == BUILTIN else self._asker
            return await asker.flow(step, path, sent)

        return await self.asking.along(progress, resolved, ask), wants_usage

    async def _whole(self, progress: Progress, resolved: Resolved, key: Key | None) -> Answer:
        try:
            whole = await self._ask_whole(progress, resolved, progress.asked.body)
        except GreenroomError as error:
            return await self._ends.fail(progress, error)
        sums = await tally.of_answer(self._catalog(), progress, whole.value, len(whole.raw))
        self._keep(progress, resolved, key, whole.value, sums)
        record = tally.record(progress, sums=sums, value=whole.value, response=whole.raw, http_status=200)
        if (failure := await self._ends.write(progress, record)) is not None:
            return self._ends.unrecorded(progress, failure)
        headers = [JSON, *self._ends.headers(progress), *whole.headers]
        return Answer(200, headers, whole.raw, None, progress.call_id, record=record)

    async def _stream(self, progress: Progress, resolved: Resolved, key: Key | None) -> Answer:
        try:
            flow, wants_usage = await self._ask_flow(progress, resolved, progress.asked.body)
        except GreenroomError as error:
            return await self._ends.fail(progress, error)

        def keep(value: dict[str, Any], sums: tally.Sums) -> None:
            self._keep(progress, resolved, key, value, sums)

        relay = self._relaying.relay(progress, flow, wants_usage=wants_usage, keep=keep)
        first = await anext(relay)
        headers = [*STREAM, *self._ends.headers(progress), *flow.headers]
        return Answer(200, headers, None, Primed(first, relay), progress.call_id)

    # The cache

    async def _answer_known(self, progress: Progress, known: Known) -> Answer:
        progress.backend, progress.model_served = known.backend, known.model
        body = progress.asked.body
        sums = tally.of_known(known.tokens)
        raw = openai.dumps(known.completion)
        record = tally.record(progress, sums=sums, value=known.completion, response=raw, http_status=200, cache="hit")
        if (failure := await self._ends.write(progress, record)) is not None:
            return self._ends.unrecorded(progress, failure)
        headers = [*self._ends.headers(progress), ("greenroom-cache", "hit")]
        if not body.get("stream"):
            return Answer(200, [JSON, *headers], raw, None, progress.call_id, record=record)
        options = body.get("stream_options")
        wants_usage = bool(isinstance(options, dict) and options.get("include_usage"))

        async def replay() -> AsyncGenerator[bytes, None]:
            yield openai.replayed(known.completion, with_usage=wants_usage)

        return Answer(200, [*STREAM, *headers], None, replay(), progress.call_id)

    def _keep(
        self, progress: Progress, resolved: Resolved, key: Key | None, value: dict[str, Any], sums: tally.Sums
    ) -> None:
        """An answer for whoever asks the same; not what the rules said while every model was down."""
        if key is None or progress.is_last_resort:
            return
        if openai.finish_of(value) not in ("stop", "tool_calls", "function_call", ""):
            return
        until = asyncio.get_running_loop().time() + resolved.cache_ttl_s
        size = len(openai.dumps(value))
        known = Known(value, progress.backend, progress.model_served, sums.tokens, size, until)
        self.cache.keep(key, known)
