"""What votes add up to, and what is odd about answers: reads that do not grow with the number of votes.

Sums are kept with each vote, over all voters and by voter; what only single votes can tell (haste, sides) is read from
the newest `MOST_HABITS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, func
from sqlalchemy import select as plain
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from core.people.rules import Principal
from core.statistics.votes import Choice, Vote
from core.votes import rules
from core.votes.rules import State
from core.votes.tables import CompareAnswer, CompareCount, ComparePair, CompareVoter, Contestant

MOST_HABITS = 5_000
"""Votes that habits of voters are read from, the newest."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """What is odd about a contestant's answers: `same` of `ready` are one text, `named` give a model away."""

    contestant_id: int
    ready: int
    same: int
    named: int

    @property
    def is_constant(self) -> bool:
        return rules.is_constant(self.same, self.ready)


def mark(contestant_id: int) -> str:
    """A contestant as statistics name it: numbers of one width, so that names sort as ids do."""
    return f"{contestant_id:010}"


def contestant_ids(session: Session, comparison_id: int) -> list[int]:
    """Who contends, in the order they were put in."""
    query = select(Contestant.id).where(Contestant.comparison_id == comparison_id).order_by(col(Contestant.id))
    return [one or 0 for one in session.exec(query)]


def answering(session: Session, comparison_id: int) -> frozenset[int]:
    """Contestants of which an answer is ready: nobody can vote on the others."""
    query = select(CompareAnswer.contestant_id).where(
        CompareAnswer.comparison_id == comparison_id, CompareAnswer.state == State.READY
    )
    return frozenset(session.exec(query.distinct()))


def counted(session: Session, comparison_id: int) -> list[Vote]:
    """All votes as sums over voters: as many rows as there are pairs of contestants and outcomes."""
    query = select(CompareCount).where(CompareCount.comparison_id == comparison_id)
    return [
        Vote(left=mark(row.low_id), right=mark(row.high_id), choice=Choice(row.choice), voter="", times=row.votes)
        for row in session.exec(query)
    ]


def by_voter(session: Session, comparison_id: int, *, with_named: bool = True) -> list[Vote]:
    """All votes as sums by voter, pair and outcome; those on answers that name a model can be left out."""
    key: tuple[Any, ...] = (CompareVoter.voter, CompareVoter.low_id, CompareVoter.high_id, CompareVoter.choice)
    query = plain(*key, func.sum(CompareVoter.votes)).where(col(CompareVoter.comparison_id) == comparison_id)
    if not with_named:
        query = query.where(col(CompareVoter.is_named).is_(False))
    return [
        Vote(left=mark(low), right=mark(high), choice=Choice(choice), voter=voter, times=int(times))
        for voter, low, high, choice, times in session.execute(query.group_by(*key).order_by(*key))
    ]


def newest(session: Session, comparison_id: int, *, limit: int = MOST_HABITS) -> list[Vote]:
    """The newest votes one by one, as they were given, for what only they can tell."""
    columns: tuple[Any, ...] = (
        ComparePair.left_id, ComparePair.right_id, ComparePair.choice, ComparePair.voter, ComparePair.question_id,
        ComparePair.seconds,
    )  # fmt: skip
    query = (
        plain(*columns)
        .where(col(ComparePair.comparison_id) == comparison_id, col(ComparePair.choice).is_not(None))
        .order_by(col(ComparePair.id).desc())
        .limit(limit)
    )
    found = [
        Vote(
            left=mark(left), right=mark(right), choice=Choice(choice), voter=voter, item=str(question_id),
            seconds=seconds,
        )
        for left, right, choice, voter, question_id, seconds in session.execute(query)
    ]  # fmt: skip
    return found[::-1]


def mine(session: Session, comparison_id: int, *, by: Principal) -> int:
    """How often this person has voted here."""
    query = select(func.sum(CompareVoter.votes)).where(
        CompareVoter.comparison_id == comparison_id, CompareVoter.voter == by.actor
    )
    return int(session.exec(query).one() or 0)


def flagged(session: Session, comparison_id: int) -> tuple[Flagged, ...]:
    """How often each contestant said one and the same, and named a model; bounded by the answers there are."""
    ready = (CompareAnswer.comparison_id == comparison_id, CompareAnswer.state == State.READY)
    query = select(CompareAnswer.contestant_id, CompareAnswer.digest, CompareAnswer.named).where(*ready)
    texts: dict[int, dict[str, int]] = {}
    named: dict[int, int] = {}
    for contestant_id, digest, words in session.exec(query):
        counts = texts.setdefault(contestant_id, {})
        counts[digest] = counts.get(digest, 0) + 1
        named[contestant_id] = named.get(contestant_id, 0) + bool(words)
    return tuple(
        Flagged(contestant_id, sum(counts.values()), max(counts.values()), named[contestant_id])
        for contestant_id, counts in sorted(texts.items())
    )


def identical(session: Session, comparison_id: int) -> dict[tuple[int, int], int]:
    """On how many questions two contestants gave the same answer, so that nobody is asked which is better."""
    one, other = aliased(CompareAnswer), aliased(CompareAnswer)
    query = (
        select(one.contestant_id, other.contestant_id, func.count())
        .join(
            other,
            and_(
                col(other.question_id) == col(one.question_id),
                col(other.digest) == col(one.digest),
                col(other.contestant_id) > col(one.contestant_id),
            ),
        )
        .where(one.comparison_id == comparison_id, one.state == State.READY, other.state == State.READY)
        .group_by(col(one.contestant_id), col(other.contestant_id))
    )
    return {(low, high): count for low, high, count in session.exec(query)}


def with_names(votes: Sequence[Vote], names: Mapping[int, str]) -> list[Vote]:
    """The same votes, the contestants by the names people gave them."""
    told = {mark(number): name for number, name in names.items()}
    return [replace(vote, left=told[vote.left], right=told[vote.right]) for vote in votes]
