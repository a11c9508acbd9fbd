"""Read comparisons; every query names the projects it may see, or the person whose pair it is.

What a person sees of a pair before they vote is `Unvoted`: two texts and what was asked. No name of a contestant or
model, no call, time or cost is in it, nor in what its query reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, cast, exists, func
from sqlalchemy import select as plain
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core.calls.tables import CallTag
from core.errors import NotFound
from core.people.rules import Permission, Principal
from core.statistics.votes import Choice
from core.votes.rules import COMPARISON_TAG
from core.votes.tables import (
    CompareAnswer,
    CompareCount,
    ComparePair,
    CompareQuestion,
    Comparison,
    Contestant,
)


@dataclass(frozen=True, slots=True)
class ContestantView:
    """Who contends."""

    id: int
    name: str
    model: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Made:
    """How far the answers are."""

    ready: int = 0
    waiting: int = 0
    failed: int = 0

    @property
    def all(self) -> int:
        return self.ready + self.waiting + self.failed


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """A comparison with how far it is; `contestants` in the order they were put in."""

    id: int
    project_id: int
    name: str
    question: str
    reasons: tuple[str, ...]
    voters: tuple[str, ...]
    stays_hidden: bool
    created_by: str
    created_at: datetime
    closed_at: datetime | None
    contestants: tuple[ContestantView, ...]
    questions: int
    votes: int
    made: Made
    run_id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def shows_names(self) -> bool:
        """Whether who voted may know whose answers they were."""
        return not self.stays_hidden or not self.is_open

    def admits(self, actor: str) -> bool:
        return not self.voters or actor in self.voters


@dataclass(frozen=True, slots=True)
class Unvoted:
    """A pair before the vote: what was asked, and two answers in words."""

    id: int
    messages: tuple[dict[str, Any], ...]
    variables: dict[str, Any]
    left: str
    right: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Voted:
    """A pair after the vote; names are empty where they stay hidden, calls None too."""

    id: int
    voter: str
    at: datetime
    choice: Choice
    reasons: tuple[str, ...]
    comment: str
    seconds: float | None
    messages: tuple[dict[str, Any], ...]
    variables: dict[str, Any]
    source: str
    left: str
    right: str
    left_name: str = ""
    right_name: str = ""
    left_model: str = ""
    right_model: str = ""
    left_call: int | None = None
    right_call: int | None = None
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class VoteLine:
    """A vote as it is taken away."""

    id: int
    at: datetime
    voter: str
    question_id: int
    source: str
    left: str
    right: str
    choice: str
    reasons: tuple[str, ...]
    comment: str
    seconds: float | None
    draw: float
    is_named: bool


def comparisons(session: Session, *, project_ids: Sequence[int], limit: int = 100) -> tuple[ComparisonView, ...]:
    """Comparisons, those that are open first, the newest first."""
    found = session.exec(
        select(Comparison)
        .where(col(Comparison.project_id).in_(project_ids))
        .order_by(col(Comparison.closed_at).is_not(None), col(Comparison.id).desc())
        .limit(limit)
    ).all()
    return _views(session, found)


def blind_calls(session: Session, call_ids: Sequence[int], *, project_ids: Sequence[int]) -> tuple[int, ...]:
    """Those of these calls that were made for, or are shown in, a comparison which is still open."""
    shown = session.exec(
        select(CompareAnswer.call_id)
        .join(Comparison, col(Comparison.id) == col(CompareAnswer.comparison_id))
        .where(
            col(CompareAnswer.call_id).in_(call_ids),
            col(Comparison.project_id).in_(project_ids),
            col(Comparison.closed_at).is_(None),
        )
    )
    found = {number for number in shown if number is not None}
    made = session.exec(
        select(CallTag.call_id, CallTag.value).where(
            col(CallTag.call_id).in_(call_ids),
            col(CallTag.project_id).in_(project_ids),
            CallTag.name == COMPARISON_TAG,
        )
    ).all()
    if not made:
        return tuple(found)
    query = select(Comparison.id).where(col(Comparison.project_id).in_(project_ids))
    still_open = {str(number) for number in session.exec(query.where(col(Comparison.closed_at).is_(None)))}
    # an answer that was asked again has a new call; that of before is known by its tag
    return tuple(found | {call_id for call_id, number in made if number in still_open})


def comparison(session: Session, comparison_id: int, *, project_ids: Sequence[int]) -> ComparisonView:
    """One of them. Raises: NotFound."""
    row = session.get(Comparison, comparison_id)
    if row is None or row.project_id not in project_ids:
        raise NotFound("There is no such comparison.", hint="Choose one from the list.")
    return _views(session, [row])[0]


def names(session: Session, beginning: str, *, project_ids: Sequence[int]) -> frozenset[str]:
    """The names of comparisons that begin so."""
    query = select(Comparison.name).where(col(Comparison.project_id).in_(project_ids))
    return frozenset(session.exec(query.where(col(Comparison.name).startswith(beginning, autoescape=True))))


def of_run(session: Session, run_id: int, *, project_ids: Sequence[int], limit: int) -> tuple[ComparisonView, ...]:
    """Comparisons that put the answers of an experiment before people, the newest first."""
    query = select(Comparison).where(Comparison.run_id == run_id, col(Comparison.project_id).in_(project_ids))
    return _views(session, session.exec(query.order_by(col(Comparison.id).desc()).limit(limit)).all())


def voted_on(session: Session, model: str, *, project_ids: Sequence[int], limit: int = 20) -> dict[int, str]:
    """The newest comparisons with votes in which a model, or a version of a prompt, contends as it is; their names."""
    query = (
        select(Comparison.id, Comparison.name)
        .join(Contestant, col(Contestant.comparison_id) == col(Comparison.id))
        .where(
            col(Comparison.project_id).in_(project_ids),
            Contestant.model == model,
            cast(col(Contestant.parameters), Text) == "{}",
            exists().where(col(CompareCount.comparison_id) == col(Comparison.id)),
        )
        .order_by(col(Comparison.id).desc())
        .limit(limit)
    )
    return {number or 0: name for number, name in session.exec(query)}


def unvoted(session: Session, pair_id: int, *, by: Principal) -> Unvoted:
    """A pair that is open before this person. Raises: NotFound for every other."""
    one, other = aliased(CompareAnswer), aliased(CompareAnswer)
    columns: tuple[Any, ...] = (
        ComparePair.id, CompareQuestion.messages, CompareQuestion.variables, one.text, other.text,
        ComparePair.expires_at,
    )  # fmt: skip
    query = (
        plain(*columns)
        .join(CompareQuestion, col(CompareQuestion.id) == col(ComparePair.question_id))
        .join(one, _answer(one, ComparePair.left_id))
        .join(other, _answer(other, ComparePair.right_id))
        .where(
            col(ComparePair.id) == pair_id,
            col(ComparePair.voter) == by.actor,
            col(ComparePair.choice).is_(None),
            col(ComparePair.skipped_at).is_(None),
        )
    )
    found = session.execute(query).first()
    if found is None:
        raise NotFound("This pair is not open before you.", hint="Take the next one.")
    number, messages, variables, left, right, expires_at = found
    return Unvoted(number, tuple(messages), dict(variables), left, right, expires_at)


def voted(
    session: Session,
    *,
    comparison: ComparisonView,
    by: Principal,
    pair_id: int | None = None,
    cell: tuple[int, int] | None = None,
    before: int | None = None,
    limit: int = 20,
) -> tuple[Voted, ...]:
    """Pairs with their votes, the newest first: one, those of two contestants, or all.

    While a comparison is open people see their own votes only, else they would know answers that they have yet to
    judge; who leads it sees all, and names wherever they are.
    """
    leads = by.may(Permission.COMPARE_CHANGE, comparison.project_id)
    one, other = aliased(CompareAnswer), aliased(CompareAnswer)
    columns: tuple[Any, ...] = (ComparePair, CompareQuestion, one.text, one.call_id, other.text, other.call_id)
    query = (
        plain(*columns)
        .join(CompareQuestion, col(CompareQuestion.id) == col(ComparePair.question_id))
        .join(one, _answer(one, ComparePair.left_id))
        .join(other, _answer(other, ComparePair.right_id))
        .where(col(ComparePair.comparison_id) == comparison.id, col(ComparePair.choice).is_not(None))
        .order_by(col(ComparePair.id).desc())
        .limit(limit)
    )
    if pair_id is not None:
        query = query.where(col(ComparePair.id) == pair_id, col(ComparePair.voter) == by.actor)
    elif comparison.is_open and not leads:
        query = query.where(col(ComparePair.voter) == by.actor)
    if cell is not None:
        query = query.where(col(ComparePair.low_id) == min(cell), col(ComparePair.high_id) == max(cell))
    if before is not None:
        query = query.where(col(ComparePair.id) < before)
    shows = comparison.shows_names or (leads and pair_id is None)
    known = {found.id: found for found in comparison.contestants}
    found = []
    for pair, question, left, left_call, right, right_call in session.execute(query):
        who: dict[str, Any] = {}
        if shows:
            who = {
                "left_name": known[pair.left_id].name, "right_name": known[pair.right_id].name,
                "left_model": known[pair.left_id].model, "right_model": known[pair.right_id].model,
                "left_call": left_call, "right_call": right_call,
            }  # fmt: skip
        found.append(
            Voted(
                pair.id, pair.voter, pair.decided_at or pair.served_at, Choice(pair.choice or "tie"),
                tuple(pair.reasons), pair.comment, pair.seconds, tuple(question.messages),
                dict(question.variables), question.source, left, right, is_named=pair.is_named, **who,
            )
        )  # fmt: skip
    return tuple(found)


def _answer(answer: Any, contestant: Any) -> Any:
    return and_(answer.question_id == col(ComparePair.question_id), answer.contestant_id == col(contestant))


def lines(session: Session, *, comparison: ComparisonView, after: int = 0, limit: int = 500) -> Iterator[VoteLine]:
    """Votes in the order their pairs were served, as an export takes them."""
    known = {one.id: one.name for one in comparison.contestants}
    query = (
        select(ComparePair, CompareQuestion.source)
        .join(CompareQuestion, col(CompareQuestion.id) == col(ComparePair.question_id))
        .where(
            ComparePair.comparison_id == comparison.id,
            col(ComparePair.choice).is_not(None),
            col(ComparePair.id) > after,
        )
        .order_by(col(ComparePair.id))
        .limit(limit)
    )
    for pair, source in session.exec(query):
        yield VoteLine(
            pair.id, pair.decided_at or pair.served_at, pair.voter, pair.question_id, source, known[pair.left_id],
            known[pair.right_id], pair.choice or "", tuple(pair.reasons), pair.comment, pair.seconds, pair.draw,
            pair.is_named,
        )  # fmt: skip


def _views(session: Session, found: Sequence[Comparison]) -> tuple[ComparisonView, ...]:
    numbers = [row.id or 0 for row in found]
    contestants: dict[int, list[ContestantView]] = {}
    for one in session.exec(
        select(Contestant).where(col(Contestant.comparison_id).in_(numbers)).order_by(col(Contestant.id))
    ):
        view = ContestantView(one.id or 0, one.name, one.model, dict(one.parameters))
        contestants.setdefault(one.comparison_id, []).append(view)
    asked = _sums(session, CompareQuestion.comparison_id, func.count(), numbers)
    votes = _sums(session, CompareCount.comparison_id, func.sum(CompareCount.votes), numbers)
    made: dict[int, dict[str, int]] = {}
    for number, state, count in session.exec(
        select(CompareAnswer.comparison_id, CompareAnswer.state, func.count())
        .where(col(CompareAnswer.comparison_id).in_(numbers))
        .group_by(col(CompareAnswer.comparison_id), col(CompareAnswer.state))
    ):
        made.setdefault(number, {})[state] = count
    return tuple(
        ComparisonView(
            row.id or 0, row.project_id, row.name, row.question, tuple(row.reasons), tuple(row.voters),
            row.stays_hidden, row.created_by, row.created_at, row.closed_at, tuple(contestants.get(row.id or 0, ())),
            asked.get(row.id or 0, 0), votes.get(row.id or 0, 0), Made(**made.get(row.id or 0, {})),
            row.run_id,
        )
        for row in found
    )  # fmt: skip


def _sums(session: Session, number: Any, what: Any, numbers: Sequence[int]) -> dict[int, int]:
    query: Any = select(number, what).where(col(number).in_(numbers)).group_by(col(number))
    return {one: int(count) for one, count in session.exec(query)}
