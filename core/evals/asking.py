"""One cell of a run: the example asked of the variant, what came back, and what every scorer says of it.

Whatever happens becomes a cell: an error is a failed one, whose scores are failed, never zeros. Only an answer that
could not be recorded does not: it is no failure of the model, and whoever asks waits for the store.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from anyio import to_thread

from core import clock, ids
from core.calls.record import JUDGE, JUDGE_EMBEDDINGS
from core.errors import GreenroomError, Invalid, StoreUnavailable
from core.evals import functions, judging, scoring
from core.evals.cases import LONGEST_REASON, Case, Score, failed, not_applicable
from core.evals.scorers import Checks, Computed, Function, Human, Judge, PairwiseJudge, Scorer, Similarity, checks_of
from core.experiments.actions import Kept
from core.experiments.rules import Arm, Place
from core.money import nano_usd
from core.prompts import answers, serving, versions
from core.prompts.rules import Message, Speaker
from core.prompts.versions import Content
from core.serve.asked import EXPERIMENT, Answer, Asked, PromptAsked
from core.wire import openai

Json = dict[str, Any]
Ask = Callable[[Asked], Awaitable[Answer]]
INLINE = 4_000
"""Characters up to which an answer is scored on the loop: longer ones would keep others waiting."""
_QUICK = frozenset({"exact", "contains", "latency", "first token", "cost", "tokens", "refusal", "length"})


@dataclass(frozen=True, slots=True)
class Example:
    """An example as a run asks it."""

    key: int
    input: Mapping[str, Any]
    expected: Any
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """A variant with the version of its prompt, read once for a whole run."""

    arm: Arm
    content: Content | None = None
    fragments: Mapping[str, str] | None = None

    def body(self, example: Example) -> Json:
        """The request for an example. Raises: Invalid when the prompt cannot be filled with it, or nothing is asked."""
        given = example.input
        asked: Json = {name: given[name] for name in ("messages", "tools") if given.get(name)}
        if self.content is None:
            if "messages" not in asked:
                raise Invalid(
                    "An example has no messages, only what fills a prompt.", code="experiment",
                    hint="Choose a prompt for it, or give every example its messages.",
                )  # fmt: skip
            body = {**asked, "model": self.arm.model}
        else:
            asked[serving.VARIABLES] = dict(given.get("variables") or {})
            body = serving.filled(self.content, self.fragments or {}, asked)
        if self.arm.model:
            body["model"] = self.arm.model
        if "max_tokens" in self.arm.parameters:
            body.pop("max_completion_tokens", None)
        return {**body, **self.arm.parameters}


def content_of(messages: Sequence[tuple[str, str]], model: str) -> Content:
    """A prompt that is in no library, from (role, template). Raises: Invalid when it cannot be filled at all."""
    roles = {str(one): one for one in (Speaker.SYSTEM, Speaker.USER, Speaker.ASSISTANT)} | {"developer": Speaker.SYSTEM}
    if strange := next((role for role, _ in messages if role not in roles), ""):
        raise Invalid(f"A prompt has no role “{strange[:40]}”.", code="experiment", hint="Use system, user, assistant.")
    turns = tuple(Message(roles[role], text, mark=place) for place, (role, text) in enumerate(messages, 1))
    content = versions.with_variables(Content(model=model, messages=turns))
    versions.check(content)
    return content


def expected_of(expected: Any) -> Any:
    """What an example expects as a scorer takes it: an answer's text or its tool calls, a JSON value, or nothing."""
    if not isinstance(expected, Mapping):
        return expected
    if "json" in expected:
        return expected["json"]
    if expected.get("tool_calls"):
        return dict(expected)
    return openai.text_of(expected.get("content")) or None


class Cells:
    """Asks and scores cells of one run."""

    def __init__(
        self,
        *,
        run_id: int,
        project_id: int,
        actor: str,
        arms: Sequence[Ready],
        scorers: Sequence[Scorer],
        ask: Ask,
        new_id: Callable[[], int],
        scorers_dir: Path | None,
    ) -> None:
        self._run_id, self._project_id, self._actor = run_id, project_id, actor
        self._arms = {ready.arm.letter: ready for ready in arms}
        self._scorers, self._ask, self._new_id, self._scorers_dir = scorers, ask, new_id, scorers_dir
        self.judging_usd, self._unpriced = Decimal(0), 0
        self._is_quick = all(scorer.kind in _QUICK for scorer in scorers)

    def judged(self) -> tuple[Decimal, int]:
        """What judges and embeddings cost in dollars since this was asked last, and how many calls of theirs have no
        known price. It is the run's money, not a cell's: a variant is not dearer for being looked at."""
        told = self.judging_usd, self._unpriced
        self.judging_usd, self._unpriced = Decimal(0), 0
        return told

    async def cell(self, place: Place, example: Example) -> Kept:
        """Ask one cell and score it. Never raises for what a model, a prompt or a scorer did.

        Raises: StoreUnavailable when what was answered could not be recorded.
        """
        ready = self._arms[place.arm]
        try:
            body = await self._body(ready, example)
        except GreenroomError as error:
            case = Case(expected=expected_of(example.expected), error=str(error))
            return await self._kept(place, case, None)
        arm, prompt = ready.arm, None
        if arm.prompt_id is not None and arm.number is not None:
            prompt = PromptAsked(arm.prompt_id, arm.prompt, arm.number, f"{serving.PREFIX}{arm.prompt}@{arm.number}")
        answer = await self._answer(self._asked(EXPERIMENT, body, place, prompt))
        return await self._kept(place, _case(body, example, answer), answer)

    async def _answer(self, asked: Asked) -> Answer:
        answer = await self._ask(asked)
        if answer.status == 503 and answer.record is None:
            raise StoreUnavailable("An answer could not be recorded.", hint="`greenroom doctor` says more.")
        return answer

    async def _body(self, ready: Ready, example: Example) -> Json:
        if ready.content is not None and serving.needs_a_thread(ready.content, ready.fragments or {}):
            return await to_thread.run_sync(ready.body, example)
        return ready.body(example)

    def _asked(self, route: str, body: Json, place: Place, prompt: PromptAsked | None = None) -> Asked:
        run = ids.shown("exp", self._run_id)
        return Asked(
            route=route,
            body=body,
            raw=b"",
            project_id=self._project_id,
            actor=self._actor,
            request_id=ids.shown("req", self._new_id()),
            tags=(("experiment", run), ("variant", place.arm)),
            prompt=prompt,
        )

    async def _kept(self, place: Place, case: Case, answer: Answer | None) -> Kept:
        scores = await self._scores(place, case)
        record = answer.record if answer is not None else None
        return Kept(
            item_key=place.item_key,
            arm=place.arm,
            repeat=place.repeat,
            state="failed" if case.error else "answered",
            ended_at=clock.now(),
            error=case.error,
            call_id=answer.call_id if answer is not None else None,
            cost_usd=record.cost_usd if record is not None else None,
            total_ms=record.total_ms if record is not None else None,
            tokens_in=record.tokens_in if record is not None else 0,
            tokens_out=record.tokens_out if record is not None else 0,
            scores=tuple(row(name, score) for name, score in scores),
        )

    async def _scores(self, place: Place, case: Case) -> list[tuple[str, Score]]:
        computed = [one for one in self._scorers if isinstance(one, Computed)]

        def compute() -> list[tuple[str, Score]]:
            return [(one.name, scoring.score(one, case)) for one in computed]

        if self._is_quick and len(case.text) <= INLINE:
            found = compute()
        else:
            found = await to_thread.run_sync(compute) if computed else []
        asked = [one for one in self._scorers if isinstance(one, Judge | Similarity | Function | Checks)]
        found += zip(
            [one.name for one in asked],
            await asyncio.gather(*(self._one(one, case, place) for one in asked)),
            strict=True,
        )
        return found

    async def _one(self, scorer: Judge | Similarity | Function | Checks, case: Case, place: Place) -> Score:
        try:
            if isinstance(scorer, Checks):
                return await self._checked(scorer, case, place)
            if isinstance(scorer, Judge):
                return await self._judged(scorer, case, place)
            if isinstance(scorer, Similarity):
                return await self._similar(scorer, case, place)
            if self._scorers_dir is None:
                return failed(functions.NO_DIRECTORY)
            directory = self._scorers_dir
            return await to_thread.run_sync(lambda: functions.score(scorer, case, directory=directory))
        except StoreUnavailable:
            raise
        except GreenroomError as error:
            return failed(str(error))

    async def _checked(self, scorer: Checks, case: Case, place: Place) -> Score:
        """What the example's own scorers say of it, put together; each is asked what it is asked of a whole run."""
        found = checks_of(case.expected)
        if found is None:
            return not_applicable("The example has no checks of its own.")
        own, least = found
        alone = replace(case, expected=None)

        async def score(one: Scorer) -> tuple[float, Score]:
            if isinstance(one, Judge | Similarity | Function):
                said = await self._one(one, alone, place)
            else:
                computed: Any = one
                said = await to_thread.run_sync(scoring.score, computed, alone)
            return one.weight, replace(said, reason=f"{one.name}: {said.reason}"[:LONGEST_REASON])

        whole = scoring.together(await asyncio.gather(*(score(one) for one in own)), least=least)
        return scoring.counted(scorer, whole)

    async def _judged(self, scorer: Judge, case: Case, place: Place) -> Score:
        nonces = [secrets.token_hex(8) for _ in range(scorer.repeats)]
        bodies = judging.requests_of(scorer, case, nonces)
        said = await self._said(bodies, place)
        return judging.judged(scorer, case, said, nonces)

    async def compare(self, scorer: PairwiseJudge, one: Case, two: Case, place: Place) -> Score:
        """What a judge says of two variants' answers to the same example."""
        nonces = [secrets.token_hex(8) for _ in range(2 * scorer.repeats)]
        bodies = judging.pair_requests_of(scorer, one, two, nonces)
        said = await self._said(bodies, place)
        return judging.pair_judged(scorer, one, two, said, nonces)

    async def _said(self, bodies: Sequence[Json], place: Place) -> list[Json | None]:
        """The completions of a judge, one per body; None where none came."""
        answered = await asyncio.gather(*(self._charged(self._asked(JUDGE, body, place)) for body in bodies))
        return [openai.loads(one.body) if one.status == 200 and one.body else None for one in answered]

    async def _charged(self, asked: Asked) -> Answer:
        """Ask what scores an answer, and note what it cost."""
        answer = await self._answer(asked)
        if answer.record is not None:
            self.judging_usd += answer.record.cost_usd or Decimal(0)
            self._unpriced += answer.record.cost_usd is None and answer.status == 200
        return answer

    async def _similar(self, scorer: Similarity, case: Case, place: Place) -> Score:
        wanted = scorer.expected if scorer.expected is not None else case.expected
        if case.error or wanted is None or not case.said:
            return failed("The answer is an error.") if case.error else not_applicable("There is nothing to compare.")
        texts = [case.said, wanted if isinstance(wanted, str) else openai.dumps(wanted).decode()]
        answer = await self._charged(self._asked(JUDGE_EMBEDDINGS, {"model": scorer.model, "input": texts}, place))
        vectors = _vectors(answer)
        if vectors is None:
            return failed(f"The model {scorer.model!r} gave no embeddings.")
        return scoring.similarity(scorer, case, *vectors)


def waits_for_people(scorers: Sequence[Scorer]) -> tuple[Human, ...]:
    """The scorers that are people."""
    return tuple(one for one in scorers if isinstance(one, Human))


def row(name: str, score: Score) -> Json:
    """A score as a row of `experiment_score`, without the cell it is of."""
    return {
        "scorer": name,
        "state": str(score.state),
        "value": None if score.value is None else float(score.value),
        "passed": score.passed,
        "reason": score.reason,
        "unit": score.unit,
        "details": dict(score.details) or None,
    }


def case_of(
    *, request: Mapping[str, Any], response: Mapping[str, Any], expected: Any, notes: str, error: str = ""
) -> Case:
    """An answer that is on record, as a scorer takes it."""
    said = answers.of_completion(response)
    messages = request.get("messages")
    return Case(
        messages=tuple(messages) if isinstance(messages, list) else (),
        text=said.text,
        tool_calls=said.tool_calls,
        finish_reason=said.finish_reason,
        refusal=said.refusal,
        error=error,
        expected=expected_of(expected),
        notes=notes,
    )


def _case(body: Json, example: Example, answer: Answer) -> Case:
    told: Json = {
        "messages": tuple(body.get("messages") or ()),
        "expected": expected_of(example.expected),
        "notes": example.notes,
        "variables": dict(example.input.get("variables") or {}),
    }
    try:
        value = orjson.loads(answer.body or b"null")
    except orjson.JSONDecodeError:
        value = None
    if answer.status != 200 or not isinstance(value, dict):
        error = openai.error_of(value) if isinstance(value, dict) else None
        return Case(**told, error=str(error["message"]) if error else f"The answer has the status {answer.status}.")
    said = answers.of_completion(value)
    record = answer.record
    return Case(
        **told,
        text=said.text,
        tool_calls=said.tool_calls,
        finish_reason=said.finish_reason,
        refusal=said.refusal,
        latency_ms=record.total_ms if record else None,
        first_token_ms=record.first_token_ms if record else None,
        cost_nano_usd=nano_usd(record.cost_usd) if record and record.cost_usd is not None else None,
        input_tokens=record.tokens_in if record else None,
        output_tokens=record.tokens_out if record else None,
    )


def _vectors(answer: Answer) -> tuple[list[float], list[float]] | None:
    value = openai.loads(answer.body) if answer.status == 200 and answer.body else None
    data = value.get("data") if isinstance(value, dict) else None
    found = [one.get("embedding") for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    vectors = [one for one in found if isinstance(one, list) and one and all(_is_number(number) for number in one)]
    return (vectors[0], vectors[1]) if len(vectors) == len(found) == 2 else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
