"""A run's answers before people who do not know whose they are: a blind comparison for which nothing is asked again."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b

from sqlmodel import Session

from core.calls import queries as calls
from core.calls.views import Payload
from core.datasets import queries as datasets
from core.errors import Conflict, Invalid
from core.experiments import queries
from core.experiments.queries import CellView, RunView
from core.experiments.rules import LETTERS, Arm, State
from core.guard import queries as guard
from core.ids import Ids, shown
from core.people.rules import Permission, Principal, require
from core.prompts import serving
from core.votes import actions, rules
from core.votes.rules import Entrant, Prepared, Question
from core.wire import openai

PER_READ = 50
"""Examples whose answers are read at once."""
_EVERY = 1_000_000  # more examples than a run can have


@dataclass(frozen=True, slots=True)
class Drawn:
    """What people can decide on: questions with the answers of every variant, in the order of the run's variants.

    `private` examples have private words, `unusable` ones show pictures or tools, or fewer than two answers.
    """

    questions: tuple[tuple[Question, tuple[Prepared, ...]], ...]
    private: int = 0
    unusable: int = 0


def draw(session: Session, run: RunView) -> Drawn:
    """At most `rules.MOST_QUESTIONS` examples of a run, the same ones every time it is asked: those whose number has
    the smallest BLAKE2b hash, which is a sample without regard to their order. Of repetitions the first answered one.
    """
    mine = (run.project_id,)
    keys = queries.keys(session, run.id, project_ids=mine, limit=_EVERY)
    order = heapq.nsmallest(
        2 * rules.MOST_QUESTIONS, keys, key=lambda key: blake2b(b"%d" % key, digest_size=8).digest()
    )
    found: list[tuple[Question, tuple[Prepared, ...]]] = []
    private = unusable = 0
    for start in range(0, len(order), PER_READ):
        if len(found) == rules.MOST_QUESTIONS:
            break
        some = order[start : start + PER_READ]
        items = datasets.of_version(session, run.dataset_id, run.dataset_version, some, project_ids=mine)
        most = len(some) * len(run.arms) * run.repeats
        cells = _chosen(queries.cells(session, run.id, project_ids=mine, item_keys=some, limit=most))
        numbers = [cell.call_id for cell in cells.values() if cell.call_id is not None]
        said = calls.payloads(session, numbers, mine)
        hidden = guard.private(session, numbers, project_ids=mine)
        for key in some:
            if len(found) == rules.MOST_QUESTIONS:
                break
            its = [cell for arm in run.arms if (cell := cells.get((key, arm.letter))) is not None]
            answers = tuple(_answer(cells.get((key, arm.letter)), said) for arm in run.arms)
            given = items[key].input if key in items else {}
            messages = given.get("messages") or _turn([said[one] for cell in its if (one := cell.call_id) in said])
            question = Question(tuple(messages), shown("ex", key), dict(given.get("variables") or {}))
            if any(cell.call_id in hidden for cell in its):
                private += 1
            elif sum(1 for one in answers if one.text.strip()) < rules.LEAST or not rules.is_usable(question):
                unusable += 1
            else:
                found.append((question, answers))
    return Drawn(tuple(found), private, unusable)


def put_before_people(
    session: Session,
    run: RunView,
    found: Drawn,
    *,
    name: str,
    question: str,
    by: Principal,
    at: datetime,
    ids: Ids,
    stays_hidden: bool = False,
) -> int:
    """Let people vote on what was drawn of a run. The comparison's id.

    Raises: Invalid where there is nothing to vote on, Conflict while it runs or for a taken name, NotAllowed.
    """
    require(by, Permission.EXPERIMENT_READ, run.project_id)
    if run.state is State.RUNNING:
        raise Conflict("The run is not over.", hint="Wait for its end, or stop it.")
    if len(run.arms) < rules.LEAST or not found.questions:
        raise Invalid(
            "This run has nothing to vote on: people decide between two answers in words.", code="comparison",
            hint="Its examples need a question in words, or variables, and answers of two variants.",
        )  # fmt: skip
    served = [
        list(dict.fromkeys(name for _, answers in found.questions for name in answers[place].served))
        for place in range(len(run.arms))
    ]
    contestants = [
        (one, tuple(dict.fromkeys(word for model in (arm.model, *models) for word in rules.own_names(model))))
        for one, arm, models in zip(entrants(run.arms), run.arms, served, strict=True)
    ]
    return actions.put_before(
        session, project_id=run.project_id, run_id=run.id, name=name, question=question, contestants=contestants,
        questions=found.questions, by=by, at=at, ids=ids, stays_hidden=stays_hidden,
    )  # fmt: skip


def entrants(arms: Sequence[Arm]) -> list[Entrant]:
    """The variants as contestants: a version of a prompt by the name applications ask it by, else as it is read."""
    found = []
    for arm in arms:
        is_plain = bool(arm.prompt and arm.number is not None and not arm.model)
        bare = replace(arm, parameters={})
        model = f"{serving.PREFIX}{arm.prompt}@{arm.number}" if is_plain else bare.label
        found.append(Entrant(arm.label, model, dict(arm.parameters)))
    names = [one.name for one in found]
    fits = len({name[:64] for name in names}) == len(names)
    heads = ["" if fits else f"{letter}: " for letter in LETTERS[: len(names)]]
    return [replace(one, name=f"{head}{one.name}"[:64].strip()) for head, one in zip(heads, found, strict=True)]


def _turn(payloads: Sequence[Payload]) -> tuple[dict[str, str], ...]:
    """What the user says in all of these calls, where prompts say it, and say the same: it is shown as the question."""
    last = {(payload.messages[-1].role, payload.messages[-1].text) for payload in payloads if payload.messages}
    role, text = last.pop() if len(last) == 1 else ("", "")
    return ({"role": role, "content": text},) if role == "user" and text.strip() else ()


def _chosen(cells: Sequence[CellView]) -> dict[tuple[int, str], CellView]:
    """Of each variant's repetitions the first that was answered, else the first; by example and variant."""
    found: dict[tuple[int, str], CellView] = {}
    for cell in cells:
        place = cell.place.item_key, cell.place.arm
        if place not in found or (cell.state == "answered" and found[place].state != "answered"):
            found[place] = cell
    return found


def _answer(cell: CellView | None, said: dict[int, Payload]) -> Prepared:
    if cell is None:
        return Prepared(error="It was not asked.")
    payload = said.get(cell.call_id or 0)
    response = payload.response if payload is not None else None
    if cell.state != "answered" or not isinstance(response, dict):
        return Prepared("", cell.error or "Its words were not kept.", cell.call_id)
    model = response.get("model")
    return Prepared(openai.answer_text(response), "", cell.call_id, [model] if isinstance(model, str) else [])
