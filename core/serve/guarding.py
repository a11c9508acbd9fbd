"""What the policies of one call find in its question and its answer, and what its caller may have of them.

The detectors and the rules are `core.guard`'s; here they are asked at the right moments. A judge is a call of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from anyio import to_thread

from core import clock
from core.errors import GreenroomError
from core.guard import detecting, judge, redaction, rows, rules, trial
from core.guard.detecting import Detector, Scanned
from core.guard.findings import (
    PRIVATE,
    Failure,
    Family,
    Finding,
    Passage,
    Side,
    not_overlapping,
    passages_of_answer,
    passages_of_request,
    with_texts,
)
from core.guard.policies import Act, OnFinding, OnNew, Policy, because
from core.guard.rules import Context, Decision
from core.guard.trial import NOT_ASKED, Newness

Json = dict[str, Any]
AskJudge = Callable[[judge.Question], Awaitable[Any]]
"""Has a model judge; what it answered. Raises: GreenroomError."""

INLINE = 8_000  # characters that are looked at on the event loop; more are in a thread


class Guarding:
    """The policies of one call, from its question to its end.

    `body` is what the model is asked (with placeholders for what was redacted); `decision` what is known until now.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        context: Context,
        body: Mapping[str, Any],
        ask_judge: AskJudge,
        *,
        can_hold: bool = True,
    ) -> None:
        self.policies, self.context, self.can_hold = policies, context, can_hold
        self.body: Json = dict(body)
        self.decision: Decision = rules.PASSED
        self.made = redaction.Redaction()
        self.spent_ms = 0.0
        self.delay: tuple[float, float] | None = None
        self.release: str = ""
        self._ask_judge = ask_judge
        self._asked = passages_of_request(body)
        self.detectors: tuple[Detector, ...] = detecting.detectors(policies, self._asked, body)
        self._findings: list[Finding] = []
        self._failures: list[Failure] = []

    async def read_question(self) -> Decision:
        """The decision before the model is asked; what is to be redacted is replaced in `body`."""
        began = clock.ticks_ms()
        await self._look(self._asked, Side.INPUT)
        self._decide()
        if redact := [one for one in self.decision.redact if one.side is Side.INPUT]:
            self.body, self.made = redaction.redact_body(self.body, self._asked, redact)
        self.spent_ms += clock.ticks_ms() - began
        return self.decision

    async def read_answer(self, value: Mapping[str, Any], *, seen: Sequence[Finding] | None = None) -> Decision:
        """The decision when the answer is whole; `seen` are the findings of a window that has looked at it already."""
        began = clock.ticks_ms()
        answered = passages_of_answer(value)
        if seen is None:
            await self._look(answered, Side.OUTPUT)
        else:
            self._findings += seen
            await self._judge(answered, Side.OUTPUT)
        self._decide()
        self.spent_ms += clock.ticks_ms() - began
        return self.decision

    def fail(self, failures: Sequence[Failure]) -> None:
        """Detectors that broke in a window."""
        self._failures += failures

    def deliverable(self, value: Mapping[str, Any]) -> Json:
        """The answer with placeholders for what is to be redacted; what stands for the caller's own words stays."""
        redact = [one for one in self.decision.redact if one.side is Side.OUTPUT]
        if not redact:
            return dict(value)
        texts = {one.place: one.text for one in passages_of_answer(value)}
        whole = {
            place: marked(texts[place], [one for one in redact if one.place == place])
            for place in dict.fromkeys(one.place for one in redact)
        }
        return without_logprobs(with_texts(value, whole))

    def own_words(self, value: Mapping[str, Any]) -> Json:
        """The answer with the caller's own values in the place of their placeholders."""
        return redaction.put_back_answer(value, self.made) if self.made.values else dict(value)

    @property
    def asked_findings(self) -> list[Finding]:
        return [one for one in self._findings if one.side is Side.INPUT]

    def must_wait(self) -> str:
        """Why a stream may not be passed on before its end; "" when a window over it is enough.

        A held answer is decided on as a whole, so a rule that may hold it waits for the end too.
        """
        if why := rules.waits_for_end(self.policies, self.context, self._findings):
            return why
        for policy in self.policies:
            for rule in policy.rules:
                if rule.act is not Act.HOLD:
                    continue
                others = [one for one in rule.when if not isinstance(one, OnFinding)]
                if all(rules.holds(one, self.context, salt=f"{policy.id}:{rule.name}") for one in others):
                    return because(policy.label, rule.name)
        return ""

    def looks_at_answers(self) -> bool:
        """Whether any detector has something to look for in an answer."""
        return any(Side.OUTPUT in one.sides for one in self.detectors)

    def rows(self, call_id: int, project_id: int) -> tuple[Json, ...]:
        """What was found, as rows of the store."""
        return tuple(rows.findings(call_id, project_id, self.decision))

    def shown(self) -> Json:
        """What was decided, for the record."""
        told = self.decision
        shown: Json = {"act": str(told.act), "spent_ms": round(self.spent_ms, 3)}
        if told.reason:
            shown["why"] = told.reason
        if told.fired:
            shown["fired"] = [{"policy": one.policy, "rule": one.rule, "act": str(one.act)} for one in told.fired]
        if told.failed_closed:
            shown["failed_closed"] = told.failed_closed
        if told.failures:
            shown["failures"] = sorted({f"{one.detector}: {one.error}" for one in told.failures})[:10]
        if self.made.values:
            shown["redacted"] = len(self.made.values)
        if self.delay is not None:
            shown["delay_ms"] = {"mean": round(self.delay[0], 1), "most": round(self.delay[1], 1)}
        if self.release:
            shown["response"] = self.release
        return shown

    def known_with(self, found: Sequence[Finding]) -> Decision:
        """The decision as it would be with these findings too."""
        decision = rules.decide(self.policies, [*self._findings, *found], self.context, self._failures)
        if decision.act is Act.HOLD and not self.can_hold:
            return replace(decision, act=Act.REFUSE)
        return decision

    def _decide(self) -> None:
        self.decision = self.known_with(())

    async def _look(self, passages: Sequence[Passage], side: Side) -> None:
        ours = [one for one in self.detectors if side in one.sides]
        if ours and passages:
            if sum(len(one.text) for one in passages) > INLINE:
                scanned: Scanned = await to_thread.run_sync(detecting.scan, ours, passages)
            else:
                scanned = detecting.scan(ours, passages)
            self._findings += scanned.findings
            self._failures += scanned.failures
        await self._judge(passages, side)

    async def _judge(self, passages: Sequence[Passage], side: Side) -> None:
        """Have the passages judged; another model reads them without what is private, and what a policy redacts."""
        found = [*self.known_with(()).redact, *(one for one in self._findings if one.family in PRIVATE)]
        hidden = [one for one in dict.fromkeys(found) if one.side is side]
        for policy in self.policies:
            wish = policy.settings.judge
            if wish is None or Family.JUDGE not in policy.families() or wish.side not in (None, side):
                continue
            for passage in passages:
                if side is Side.INPUT and passage.role in detecting.TRUSTED:
                    continue
                if said := judge.unseen(passage):
                    self._failures.append(judge.failure(wish, passage, said))
                    continue
                masked = marked(passage.text, [one for one in hidden if one.place == passage.place])
                question = judge.question(wish, replace(passage, text=masked), nonce=secrets.token_hex(8))
                try:
                    verdict = judge.read(question, await self._ask_judge(question))
                except GreenroomError as error:
                    self._failures.append(judge.failure(wish, passage, error.message))
                    continue
                if verdict.invalid:
                    self._failures.append(judge.failure(wish, passage, verdict.invalid))
                else:
                    self._findings += judge.findings(wish, passage, verdict, policy=policy.id)


def marked(text: str, redact: Sequence[Finding]) -> str:
    """A text with a placeholder for each of these findings in it."""
    parts, at = [], 0
    for one in not_overlapping(redact):
        parts += [text[at : one.start], redaction.marked(one.kind)]
        at = one.stop
    return "".join(parts) + text[at:]


def context_of(
    call_id: int,
    route: str,
    body: Mapping[str, Any],
    *,
    models: Sequence[str],
    tags: Sequence[tuple[str, str]],
    ages: Newness = NOT_ASKED,
) -> Context:
    """What is known of a call besides its texts."""
    return Context(
        call_id=call_id,
        route=route,
        at=clock.now(),
        models=tuple(dict.fromkeys(name for name in models if name)),
        tags=frozenset(tags),
        prompt=ages.prompt,
        alias=ages.alias,
        newest=trial.newest(body),
    )


def asks_age(policies: Sequence[Policy]) -> bool:
    """Whether a rule wants to know how new a version is."""
    return any(isinstance(one, OnNew) for policy in policies for rule in policy.rules for one in rule.when)


def without_logprobs(value: Mapping[str, Any]) -> Json:
    """The answer without its tokens' probabilities: they would spell what was withheld."""
    choices = value.get("choices")
    if not isinstance(choices, list):
        return dict(value)
    kept = [{k: v for k, v in one.items() if k != "logprobs"} if isinstance(one, dict) else one for one in choices]
    return {**value, "choices": kept}


def instead(call_id_shown: str, model: str, text: str, *, usage: Any = None) -> Json:
    """A completion that says a policy's text in the place of an answer, as OpenAI's filter ends one."""
    said: Json = {
        "id": call_id_shown,
        "object": "chat.completion",
        "created": int(clock.now().timestamp()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "content_filter",
            }
        ],
    }
    return said if usage is None else {**said, "usage": usage}
