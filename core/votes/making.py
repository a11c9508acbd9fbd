"""Answers on their way: which is to be asked next, in whose hands it is, and what came of it.

An answer is taken by one conditional statement, so that of several processes one asks; a process that dies gives it
back when its lease has run out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from core.calls import rows
from core.prompts import serving
from core.votes import rules
from core.votes.queries import ComparisonView
from core.votes.rules import Prepared, State
from core.votes.tables import CompareAnswer, CompareQuestion, Comparison, Contestant

LEASE = timedelta(minutes=1)
"""How long an answer is in somebody's hands who does not say that they still ask."""
LONGEST = 400_000  # characters of an answer that are kept; nobody reads more


@dataclass(frozen=True, slots=True)
class Task:
    """One question for one contestant: everything there is to ask it with. `actor` is who made the comparison."""

    question_id: int
    contestant_id: int
    comparison_id: int
    project_id: int
    actor: str
    model: str
    parameters: dict[str, Any]
    messages: list[dict[str, Any]]
    variables: dict[str, Any]

    @property
    def body(self) -> dict[str, Any]:
        """The chat completion request."""
        fills = serving.asked(self.model) is not None
        filled = {serving.VARIABLES: self.variables} if fills and self.variables else {}
        return {**self.parameters, "model": self.model, "messages": self.messages, **filled}


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer, for who leads the comparison."""

    question_id: int
    contestant_id: int
    state: State
    asked: str
    text: str
    named: tuple[str, ...]
    error: str
    call_id: int | None


def is_due(session: Session, *, at: datetime) -> bool:
    """Whether an answer waits that nobody asks for."""
    return session.exec(_due(at).limit(1)).first() is not None


def take(session: Session, *, at: datetime, limit: int) -> list[Task]:
    """Some answers, now in the caller's hands until `LEASE` from `at`. Those of closed comparisons are left."""
    found = []
    for question_id, contestant_id in session.exec(_due(at).limit(limit)).all():
        taken = session.execute(
            update(CompareAnswer)
            .where(
                col(CompareAnswer.question_id) == question_id,
                col(CompareAnswer.contestant_id) == contestant_id,
                col(CompareAnswer.state) == State.WAITING,
                or_(col(CompareAnswer.lease_until).is_(None), col(CompareAnswer.lease_until) <= at),
            )
            .values(lease_until=at + LEASE)
            .returning(col(CompareAnswer.question_id))
        ).first()
        if taken is not None:
            found.append(_task(session, question_id, contestant_id))
    return found


def renew(session: Session, tasks: Sequence[Task], *, at: datetime) -> None:
    """These are still being asked: theirs until `LEASE` from `at`."""
    for task in tasks:
        session.execute(
            update(CompareAnswer)
            .where(
                col(CompareAnswer.question_id) == task.question_id,
                col(CompareAnswer.contestant_id) == task.contestant_id,
                col(CompareAnswer.state) == State.WAITING,
            )
            .values(lease_until=at + LEASE)
        )


def _due(at: datetime) -> Any:
    return (
        select(CompareAnswer.question_id, CompareAnswer.contestant_id)
        .join(Comparison, col(Comparison.id) == col(CompareAnswer.comparison_id))
        .where(
            CompareAnswer.state == State.WAITING,
            or_(col(CompareAnswer.lease_until).is_(None), col(CompareAnswer.lease_until) <= at),
            col(Comparison.closed_at).is_(None),
        )
        .order_by(col(CompareAnswer.question_id), col(CompareAnswer.contestant_id))
    )


def _task(session: Session, question_id: int, contestant_id: int) -> Task:
    row = session.exec(
        select(CompareQuestion, Contestant, Comparison)
        .join(Comparison, col(Comparison.id) == col(CompareQuestion.comparison_id))
        .join(Contestant, col(Contestant.comparison_id) == col(Comparison.id))
        .where(CompareQuestion.id == question_id, Contestant.id == contestant_id)
    ).one()
    question, contestant, comparison = row
    return Task(
        question_id,
        contestant_id,
        comparison.id or 0,
        comparison.project_id,
        comparison.created_by,
        contestant.model,
        dict(contestant.parameters),
        list(question.messages),
        dict(question.variables),
    )


def settle(
    session: Session, task: Task, *, text: str, error: str, call_id: int | None, served: Sequence[str], at: datetime
) -> bool:
    """Keep what came: an answer in words, or why there is none. `served` are the names of the models that answered.

    False where it was settled already, by whoever took it after the lease ran out.
    """
    own = own_names(session, task.comparison_id)
    kept = as_kept(Prepared(text, error, call_id, served), own, at=at)
    done = session.execute(
        update(CompareAnswer)
        .where(
            col(CompareAnswer.question_id) == task.question_id,
            col(CompareAnswer.contestant_id) == task.contestant_id,
            col(CompareAnswer.state) == State.WAITING,
        )
        .values(lease_until=None, **kept)
        .returning(col(CompareAnswer.question_id))
    ).first()
    return done is not None


def own_names(session: Session, comparison_id: int) -> list[str]:
    """The words by which an answer would give any of the contestants away."""
    query = select(Contestant.own_names).where(Contestant.comparison_id == comparison_id)
    return [one for names in session.exec(query) for one in names]


def as_kept(given: Prepared, own: Sequence[str], *, at: datetime) -> dict[str, Any]:
    """An answer's columns: what was said, with the names it names, or why nothing was."""
    words = rows.text(given.text)[:LONGEST]
    own = [*own, *(word for model in given.served for word in rules.own_names(model))]
    is_ready = bool(words.strip()) and not given.error
    return {
        "state": State.READY if is_ready else State.FAILED,
        "text": words if is_ready else "",
        "digest": rules.digest(words) if is_ready else "",
        "named": list(rules.named(words, own)) if is_ready else [],
        "error": "" if is_ready else rows.text(given.error)[:500] or "The answer came back without words.",
        "call_id": given.call_id,
        "made_at": at,
    }


def answers(
    session: Session,
    *,
    comparison: ComparisonView,
    state: State | None = None,
    only_named: bool = False,
    limit: int = 50,
) -> tuple[AnswerView, ...]:
    """Answers of a comparison, for who leads it: all, those in one state, or those that name a model."""
    query = (
        select(CompareAnswer, CompareQuestion)
        .join(CompareQuestion, col(CompareQuestion.id) == col(CompareAnswer.question_id))
        .where(CompareAnswer.comparison_id == comparison.id)
        .order_by(col(CompareAnswer.question_id), col(CompareAnswer.contestant_id))
    )
    if state is not None:
        query = query.where(CompareAnswer.state == state)
    found: list[AnswerView] = []
    for row, question in session.exec(query.limit(rules.MOST * rules.MOST_QUESTIONS if only_named else limit)):
        if only_named and not row.named:
            continue
        asked = rules.said(question.messages, question.variables)
        found.append(
            AnswerView(
                row.question_id, row.contestant_id, State(row.state), asked, row.text, tuple(row.named), row.error,
                row.call_id,
            )
        )  # fmt: skip
    return tuple(found[:limit])
