"""A call under policies: guard the question, ask, guard the answer, and deliver, replace, refuse or hold it.

Fails closed: a policy that cannot be read, a detector that broke under a strict rule, a queue that is not there, all
keep the answer back. Guarded answers never come from the cache: what was redacted for one caller is not another's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from core import clock
from core.calls.record import JUDGE, JUDGE_MODERATION, JUDGED_TAG
from core.catalog.rules import Resolved, Snapshot
from core.errors import CannotHold, GreenroomError, Withheld
from core.guard import judge
from core.guard.policies import Act, Policy
from core.guard.queries import Snapshot as Policies
from core.guard.trial import Named, Newness
from core.ids import Ids, shown
from core.prompts import serving
from core.serve import tally
from core.serve.asked import CHAT, HELD, PATHS, RESPONSES, Answer, Asked, Progress
from core.serve.ends import JSON, STREAM, Ends
from core.serve.guarding import Guarding, asks_age, context_of, instead
from core.serve.held import HeldRow, Kept
from core.serve.holding import Holding
from core.serve.refusal import caller_status, error_body
from core.serve.relaying import Primed, Relaying
from core.serve.sieve import Sieve
from core.serve.upstream import Flow, Whole
from core.trials.rules import target_of
from core.wire import openai

log = logging.getLogger("greenroom.serve")

Json = dict[str, Any]
PING_S = 10.0
PING = b": a person is checking this answer\n\n"

AskWhole = Callable[[Progress, Resolved, Json], Awaitable[Whole]]
AskFlow = Callable[[Progress, Resolved, Json], Awaitable[tuple[Flow, bool]]]


@dataclass(slots=True)
class _Call:
    """One guarded call, and what it comes to."""

    progress: Progress
    resolved: Resolved
    guarding: Guarding

    @property
    def is_chat(self) -> bool:
        return PATHS[self.progress.asked.route] == PATHS[CHAT]

    @property
    def wants_stream(self) -> bool:
        return bool(self.progress.asked.body.get("stream")) and self.is_chat

    @property
    def wants_usage(self) -> bool:
        options = self.progress.asked.body.get("stream_options")
        return bool(isinstance(options, dict) and options.get("include_usage"))


class GuardedCalls:
    """Answers calls that policies apply to."""

    def __init__(
        self,
        ends: Ends,
        relaying: Relaying,
        catalog: Callable[[], Snapshot],
        *,
        ids: Ids,
        whole: AskWhole,
        flow: AskFlow,
        judge: Callable[[Asked], Awaitable[Answer]],
        holding: Holding | None,
    ) -> None:
        self._ends, self._relaying, self._catalog, self._ids = ends, relaying, catalog, ids
        self._ask_whole, self._ask_flow, self._ask_judge, self._holding = whole, flow, judge, holding
        self._leaving: set[asyncio.Task[None]] = set()

    async def drain(self) -> None:
        """Wait until the answers of callers who left are withdrawn."""
        while self._leaving:
            await asyncio.wait(self._leaving)

    async def answer(self, progress: Progress, resolved: Resolved, policies: Policies) -> Answer | None:
        """The answer under the policies that apply; None when none does."""
        asked = progress.asked
        if (why := policies.unreadable.get(asked.project_id)) is not None:
            error = CannotHold(
                f"A policy of this project cannot be read ({why}), so nothing is answered.",
                code="policy_unreadable",
                hint="Write the policy anew, or switch it off, under Routing and policies.",
            )
            return await self._ends.fail(progress, error, status="refused")
        steps = [step.model for step in resolved.steps[:1]]
        models = [resolved.alias, str(asked.body.get("model") or ""), *steps]
        if asked.prompt is not None:
            models += [asked.prompt.asked, f"{serving.PREFIX}{asked.prompt.name}"]
        if progress.named:  # an arm of a live test asks another: what holds for the name that was asked holds for it
            models += [progress.named, target_of(progress.named)]
        mine = policies.of(asked.project_id, asked.route, *models)
        if not mine:
            return None
        call = _Call(progress, resolved, await self._guarding(progress, mine, models))
        return await self._answer(call)

    async def _guarding(self, progress: Progress, policies: tuple[Policy, ...], models: list[str]) -> Guarding:
        asked = progress.asked
        ages = Newness()
        if asks_age(policies) and self._holding is not None:
            named = Named(
                alias=progress.alias,
                alias_version=progress.alias_version,
                prompt_id=asked.prompt.id if asked.prompt else None,
                prompt_version=asked.prompt.number if asked.prompt else None,
            )
            ages = await self._holding.ages(policies, asked.project_id, named, progress.call_id)
        context = context_of(
            progress.call_id, asked.route, asked.body, models=models, tags=tally.tags_of(asked), ages=ages
        )
        can_hold = asked.route in HELD and self._holding is not None
        guarding = Guarding(policies, context, asked.body, partial(self._judged, progress), can_hold=can_hold)
        progress.guarding = guarding
        return guarding

    async def _answer(self, call: _Call) -> Answer:
        decision = await call.guarding.read_question()
        if decision.act is Act.REFUSE or (decision.act is Act.REPLACE and not call.is_chat):
            return await self._withheld(call, Withheld(decision.refusal_text), tally.NOTHING, {}, b"")
        if decision.act is Act.REPLACE:
            return await self._replaced(call, decision.replacement, tally.NOTHING, {}, b"")
        if call.wants_stream and not call.guarding.must_wait():
            return await self._stream(call)
        return await self._whole(call)

    # Whole answers

    async def _whole(self, call: _Call) -> Answer:
        progress, guarding = call.progress, call.guarding
        try:
            whole = await self._ask_whole(progress, call.resolved, guarding.body)
        except GreenroomError as error:
            return await self._ends.fail(progress, error)
        decision = await guarding.read_answer(whole.value)
        sums = await tally.of_answer(self._catalog(), progress, whole.value, len(whole.raw))
        if decision.act is Act.HOLD:
            return await self._hold(call, whole, sums)
        if decision.act is Act.REFUSE or (decision.act is Act.REPLACE and not call.is_chat):
            return await self._withheld(call, Withheld(decision.refusal_text), sums, whole.value, whole.raw)
        if decision.act is Act.REPLACE:
            return await self._replaced(call, decision.replacement, sums, whole.value, whole.raw)
        given = guarding.own_words(guarding.deliverable(whole.value))
        raw = whole.raw if given == whole.value else openai.dumps(given)
        if (failed := await self._record(call, sums, whole.value, whole.raw)) is not None:
            return failed
        return self._given(call, given, raw, whole.headers)

    async def _record(self, call: _Call, sums: tally.Sums, value: Json, raw: bytes) -> Answer | None:
        """Write the call down, and send it to its queue; the answer to give instead when the store refuses."""
        progress = call.progress
        record = tally.record(progress, sums=sums, value=value, response=raw, http_status=200)
        if (failure := await self._ends.write(progress, record)) is not None:
            return self._ends.unrecorded(progress, failure)
        await self._flag(call)
        return None

    async def _withheld(self, call: _Call, error: GreenroomError, sums: tally.Sums, value: Json, raw: bytes) -> Answer:
        """Refuse; what the model said, where it was asked, stays in the record."""
        body, status = error_body(error), caller_status(error)
        record = tally.record(
            call.progress,
            sums=sums,
            value=value,
            response=raw or openai.dumps(body),
            http_status=status,
            status="refused",
            error=body["error"],
            error_kind=error.code,
        )
        if (failure := await self._ends.write(call.progress, record)) is not None:
            return self._ends.unrecorded(call.progress, failure)
        await self._flag(call)
        headers = [JSON, *self._ends.headers(call.progress)]
        return Answer(status, headers, openai.dumps(body), None, call.progress.call_id)

    async def _replaced(self, call: _Call, text: str, sums: tally.Sums, value: Json, raw: bytes) -> Answer:
        """Say the policy's text in the place of the answer."""
        given = self._instead(call, text, usage=value.get("usage"))
        said = openai.dumps(given)
        if (failed := await self._record(call, sums, value or given, raw or said)) is not None:
            return failed
        return self._given(call, given, said, [])

    def _instead(self, call: _Call, text: str, *, usage: Any = None) -> Json:
        progress = call.progress
        model = str(progress.asked.body.get("model") or "")
        return instead(shown("chatcmpl", progress.call_id), model, text, usage=usage)

    def _given(self, call: _Call, given: Json, raw: bytes, passed: list[tuple[str, str]]) -> Answer:
        headers = [*self._ends.headers(call.progress), *passed]
        if not call.wants_stream:
            return Answer(200, [JSON, *headers], raw, None, call.progress.call_id)

        async def replay() -> AsyncGenerator[bytes, None]:
            yield openai.replayed(given, with_usage=call.wants_usage)

        return Answer(200, [*STREAM, *headers], None, replay(), call.progress.call_id)

    async def _flag(self, call: _Call) -> None:
        """To look at later: before the caller hears the end, so that no acknowledged answer is forgotten."""
        decision = call.guarding.decision
        if decision.queue and decision.act is not Act.HOLD and self._holding is not None:
            asked = call.progress.asked
            try:
                await self._holding.flag(call_id=call.progress.call_id, project_id=asked.project_id, decision=decision)
            except Exception:
                log.exception("call %s could not be sent to review", shown("call", call.progress.call_id))

    # Streams

    async def _stream(self, call: _Call) -> Answer:
        """A stream through a window."""
        progress, guarding = call.progress, call.guarding
        try:
            flow, wants_usage = await self._ask_flow(progress, call.resolved, guarding.body)
        except GreenroomError as error:
            return await self._ends.fail(progress, error)
        sieve = Sieve(guarding) if guarding.looks_at_answers() or guarding.made.values else None

        async def judge_whole(value: Json) -> None:
            if sieve is not None:
                sieve.finish()
            await guarding.read_answer(value, seen=sieve.findings() if sieve is not None else ())

        relay = self._relaying.relay(progress, flow, wants_usage=wants_usage, through=sieve, judge=judge_whole)

        async def flagged() -> AsyncGenerator[bytes, None]:
            try:
                async for chunk in relay:
                    if chunk.endswith(openai.DONE):
                        await self._flag(call)
                    yield chunk
            finally:
                await relay.aclose()

        chunks = flagged()
        first = await anext(chunks)
        headers = [*STREAM, *self._ends.headers(progress), *flow.headers]
        return Answer(200, headers, None, Primed(first, chunks), progress.call_id)

    # Held answers

    async def _hold(self, call: _Call, whole: Whole, sums: tally.Sums) -> Answer:
        """Record the answer, put it in front of people, and wait for as long as the policy has patience."""
        progress, guarding, decision = call.progress, call.guarding, call.guarding.decision
        asked, call_id = progress.asked, progress.call_id
        assert self._holding is not None
        try:
            await self._holding.check(asked.project_id, decision.queue)
        except GreenroomError as error:
            return await self._withheld(call, error, sums, whole.value, whole.raw)
        guarding.release = shown("resp", call_id)
        if (failed := await self._record(call, sums, whole.value, whole.raw)) is not None:
            return failed
        kept = Kept(asked.sent or asked.body, guarding.made.values, decision.patience_s)
        kind = "chat" if asked.route == CHAT else "response"
        draft = guarding.deliverable(whole.value)
        try:
            await self._holding.hold(
                call_id=call_id,
                project_id=asked.project_id,
                key_id=asked.key_id,
                kind=kind,
                kept=kept,
                question=openai.last_question(asked.body),
                draft=draft,
                decision=decision,
            )
        except GreenroomError as error:
            return self._ends.unrecorded(progress, error)
        headers = [*self._ends.headers(progress), ("greenroom-response-id", guarding.release), *whole.headers]
        if asked.route == RESPONSES:
            return Answer(200, headers, None, None, call_id, is_held=True)
        if call.wants_stream:
            chunks = self._waited_stream(call)
            first = await anext(chunks)
            return Answer(200, [*STREAM, *headers], None, Primed(first, chunks), call_id, is_held=True)
        is_told = False
        try:
            row = await self._holding.wait(call_id, decision.patience_s)
            is_told = True
        finally:
            if not is_told:
                self._withdraw(call.progress)
        given = openai.dumps(self._of(call, row))
        return Answer(200, [JSON, *headers], given, None, call_id, is_held=True)

    async def _waited_stream(self, call: _Call) -> AsyncGenerator[bytes, None]:
        """A stream that says nothing but pings until people have decided, or patience is over."""
        assert self._holding is not None
        call_id = call.progress.call_id
        until_ms = clock.ticks_ms() + call.guarding.decision.patience_s * 1000
        is_told = False
        try:
            row = None
            while row is None and (left_s := (until_ms - clock.ticks_ms()) / 1000) > 0:
                yield PING
                row = await self._holding.wait(call_id, min(PING_S, left_s))
            is_told = True
            yield openai.replayed(self._of(call, row), with_usage=call.wants_usage)
        finally:
            if not is_told:
                self._withdraw(call.progress)

    def _of(self, call: _Call, row: HeldRow | None) -> Json:
        """What a chat completion says of a held answer: its end, or that it still waits."""
        decision = call.guarding.decision
        if row is None:
            return self._instead(call, decision.holding_text)
        return row.value if row.value is not None else self._instead(call, decision.refusal_text)

    def _withdraw(self, progress: Progress) -> None:
        """The caller left, and knows no name to ask for the answer later: nobody need look at it."""
        assert self._holding is not None
        leaving = self._holding.cancel(progress.call_id, reason="the caller left", by=progress.asked)
        task = asyncio.get_running_loop().create_task(leaving)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _judged(self, progress: Progress, question: judge.Question) -> Any:
        """Have a model judge: a call of its own, of the same caller. Raises: GreenroomError."""
        asked = progress.asked
        body = dict(question.body)
        answer = await self._ask_judge(
            Asked(
                route=JUDGE if question.route == CHAT else JUDGE_MODERATION,
                body=body,
                raw=openai.dumps(body),
                project_id=asked.project_id,
                actor=asked.actor,
                key_id=asked.key_id,
                person_id=asked.person_id,
                request_id=asked.request_id,
                tags=((JUDGED_TAG, shown("call", progress.call_id)),),
            )
        )
        said = openai.loads(answer.body or b"null")
        if answer.status != 200:
            told = (openai.error_of(said) or {}).get("message", "no reason given")
            raise CannotHold(f"The judge gave no verdict: {told}", code="judge_failed")
        return said
