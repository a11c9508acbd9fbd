"""What can be done with comparisons: make one, ask more, ask again, open and close it; vote, and pass a pair over.

A vote is one conditional statement: of two tabs one votes, nobody votes for another person, and nothing changes a vote.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids, shown
from core.people.rules import Permission, Principal, require
from core.people.tables import Project
from core.statistics.votes import Choice
from core.votes import making, pairs, rules, written
from core.votes.rules import Entrant, Prepared, Question, State
from core.votes.tables import (
    CompareAnswer,
    CompareCount,
    ComparePair,
    CompareQuestion,
    CompareVoter,
    Comparison,
    Contestant,
)

CHANGE, VOTE = Permission.COMPARE_CHANGE, Permission.COMPARE_VOTE


def create(
    session: Session,
    *,
    project_id: int,
    name: str,
    question: str,
    contestants: Sequence[Entrant],
    questions: Sequence[Question],
    by: Principal,
    at: datetime,
    ids: Ids,
    reasons: Sequence[str] = rules.REASONS,
    voters: Sequence[str] = (),
    stays_hidden: bool = False,
) -> int:
    """A comparison; its answers are made from now on. The id.

    Raises: Invalid, NotFound (a prompt or its version among them), Conflict for a taken name, NotAllowed.
    """
    require(by, CHANGE, project_id)
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    wanted = rules.entrants(contestants)
    for one in wanted:
        written.needs(session, one.model, project_id)
    row = written.comparison(session, wanted, Comparison(
        project_id=project_id,
        name=rules.name(name, "comparison"),
        question=rules.sentence(question),
        reasons=list(rules.reasons(reasons)),
        voters=sorted(set(voters)),
        stays_hidden=stays_hidden,
        created_by=by.actor,
        created_at=at,
    ), [rules.own_names(one.model) for one in wanted])  # fmt: skip
    _tell(session, "comparison.created", row, by=by, at=at, after={
        "name": row.name, "question": row.question, "contestants": [one.model for one in wanted],
    })  # fmt: skip
    comparison_id = row.id or 0
    ask(session, comparison_id=comparison_id, questions=questions, by=by, at=at, ids=ids)
    return comparison_id


def put_before(
    session: Session,
    *,
    project_id: int,
    run_id: int,
    name: str,
    question: str,
    contestants: Sequence[tuple[Entrant, Sequence[str]]],
    questions: Sequence[tuple[Question, Sequence[Prepared]]],
    by: Principal,
    at: datetime,
    ids: Ids,
    stays_hidden: bool = False,
) -> int:
    """A comparison of answers an experiment made: each contestant with the names that would give it away, each question
    with the contestants' answers in their order. Nothing is asked for it, now or later. The id.

    Raises: Invalid, NotFound, Conflict for a taken name, NotAllowed.
    """
    require(by, CHANGE, project_id)
    if not rules.LEAST <= len(contestants) <= rules.MOST or not questions or len(questions) > rules.MOST_QUESTIONS:
        raise Invalid(
            f"People compare {rules.LEAST} to {rules.MOST} variants, on 1 to {rules.MOST_QUESTIONS} questions.",
            code="comparison", hint="Choose a run with more variants, whose answers are in words.",
        )  # fmt: skip
    wanted = [one for one, _ in contestants]
    row = written.comparison(session, wanted, Comparison(
        project_id=project_id, name=rules.name(name, "comparison"), question=rules.sentence(question),
        reasons=list(rules.REASONS), stays_hidden=stays_hidden, run_id=run_id, created_by=by.actor, created_at=at,
    ), [own for _, own in contestants])  # fmt: skip
    _tell(session, "comparison.created", row, by=by, at=at, after={
        "name": row.name, "question": row.question, "contestants": [one.model for one in wanted], "run": run_id,
    })  # fmt: skip
    comparison_id = row.id or 0
    own = making.own_names(session, comparison_id)
    numbers = written.contestant_ids(session, comparison_id)
    told = [(rules.question(one), answers) for one, answers in questions]
    fresh = {one.digest: (one, answers) for one, answers in told}
    for digest, (one, answers) in fresh.items():
        number = written.question(session, comparison_id, one, digest, ids)
        for contestant_id, given in zip(numbers, answers, strict=True):
            session.add(
                CompareAnswer(
                    question_id=number, contestant_id=contestant_id, comparison_id=comparison_id,
                    **making.as_kept(given, own, at=at),
                )
            )  # fmt: skip
    session.flush()
    return comparison_id


def ask(
    session: Session, *, comparison_id: int, questions: Sequence[Question], by: Principal, at: datetime, ids: Ids
) -> int:
    """Put more questions to every contestant; how many were new. Those that are there already are passed over.

    Raises: Invalid (also for a prompt that a question does not fill), Conflict where it is closed or shows the answers
    of an experiment, NotFound, NotAllowed.
    """
    row = _asking(session, comparison_id, by)
    given = [rules.question(one) for one in questions]
    query = select(CompareQuestion.digest).where(CompareQuestion.comparison_id == comparison_id)
    known = set(session.exec(query))
    fresh = {one.digest: one for one in given}
    fresh = {digest: one for digest, one in fresh.items() if digest not in known}
    if not known and not fresh:
        raise Invalid("Nothing is asked.", code="comparison", param="questions", hint="Type a question, or draw calls.")
    if len(known) + len(fresh) > rules.MOST_QUESTIONS:
        raise Invalid(
            f"A comparison has at most {rules.MOST_QUESTIONS} questions.",
            code="comparison",
            param="questions",
            hint="Make another comparison for the rest.",
        )
    query = select(Contestant.model).where(Contestant.comparison_id == comparison_id).order_by(col(Contestant.id))
    for model in session.exec(query):
        rules.check_filled(model, written.needs(session, model, row.project_id), [*fresh.values()])
    contestants = written.contestant_ids(session, comparison_id)
    for digest, one in fresh.items():
        number = written.question(session, comparison_id, one, digest, ids)
        for contestant_id in contestants:
            session.add(CompareAnswer(question_id=number, contestant_id=contestant_id, comparison_id=comparison_id))
    session.flush()
    if fresh:
        _tell(session, "comparison.asked", row, by=by, at=at, after={"questions": len(fresh)})
    return len(fresh)


def retry(session: Session, *, comparison_id: int, by: Principal, at: datetime) -> int:
    """Ask again for every answer that failed; how many.

    Raises: Conflict where it is closed or shows the answers of an experiment, NotFound, NotAllowed.
    """
    row = _asking(session, comparison_id, by)
    again = session.execute(
        update(CompareAnswer)
        .where(col(CompareAnswer.comparison_id) == comparison_id, col(CompareAnswer.state) == State.FAILED)
        .values(state=State.WAITING, lease_until=None, error="")
        .returning(col(CompareAnswer.question_id))
    ).all()
    if again:
        _tell(session, "comparison.retried", row, by=by, at=at, after={"answers": len(again)})
    return len(again)


def switch(session: Session, *, comparison_id: int, is_open: bool, by: Principal, at: datetime) -> bool:
    """Close a comparison to voters, or open it again; whether anything changed. Raises: NotFound, NotAllowed."""
    row = _row(session, comparison_id, by, CHANGE)
    if (row.closed_at is None) == is_open:
        return False
    row.closed_at = None if is_open else at
    session.flush()
    _tell(session, "comparison.opened" if is_open else "comparison.closed", row, by=by, at=at)
    return True


def admit(session: Session, *, comparison_id: int, voters: Sequence[str], by: Principal, at: datetime) -> bool:
    """Say who may vote (nobody named: whoever has the right); whether it changed. Raises: NotFound, NotAllowed."""
    row = _row(session, comparison_id, by, CHANGE)
    before, after = list(row.voters), sorted(set(voters))
    if before == after:
        return False
    row.voters = after
    session.flush()
    _tell(session, "comparison.admitted", row, by=by, at=at, before={"voters": before}, after={"voters": after})
    return True


def take_away(session: Session, *, comparison_id: int, format: str, by: Principal, at: datetime) -> None:  # noqa: A002
    """Taking votes away is an act: tell the trail. Raises: NotFound, NotAllowed."""
    row = _row(session, comparison_id, by, CHANGE)
    _tell(session, "comparison.exported", row, by=by, at=at, after={"format": format})


def vote(
    session: Session,
    *,
    pair_id: int,
    choice: Choice,
    by: Principal,
    at: datetime,
    reasons: Sequence[str] = (),
    comment: str = "",
) -> None:
    """Say which of two answers is better; it stays so.

    Raises:
        Conflict: the pair is somebody else's, was voted on or passed over, its time is over, or it is closed.
        Invalid: a reason that this comparison has not.
        NotFound, NotAllowed.
    """
    pair, row = _pair(session, pair_id, by)
    known = set(row.reasons)
    given = [one for one in dict.fromkeys(reasons) if one in known]
    if len(given) < len(set(reasons)):
        raise Invalid("This comparison has no such reason.", code="comparison", param="reasons", hint="Choose again.")
    words = rows.text(" ".join(comment.split()))
    if len(words) > rules.LONGEST_COMMENT:
        raise Invalid(
            f"A comment has at most {rules.LONGEST_COMMENT:,} characters.", code="comparison", hint="Shorten it."
        )
    _end(
        session, pair, by=by, at=at, choice=str(choice), reasons=given, comment=words, decided_at=at,
        seconds=max(0.0, (at - pair.served_at).total_seconds()),
    )  # fmt: skip
    turned = rules.as_if_low_left(choice, low_is_left=pair.left_id == pair.low_id)
    told = {
        "comparison_id": pair.comparison_id, "low_id": pair.low_id, "high_id": pair.high_id, "choice": str(turned),
        "is_named": pair.is_named,
    }  # fmt: skip
    _count(session, CompareVoter, told | {"voter": by.actor})
    _count(session, CompareCount, told)
    _tell(session, "comparison.voted", row, by=by, at=at, after={"pair": shown("pair", pair_id), "choice": choice})


def skip(session: Session, *, pair_id: int, by: Principal, at: datetime) -> None:
    """Pass a pair over: this person does not see it again. Raises: Conflict, NotFound, NotAllowed."""
    pair, row = _pair(session, pair_id, by)
    _end(session, pair, by=by, at=at, skipped_at=at)
    _tell(session, "comparison.skipped", row, by=by, at=at, after={"pair": shown("pair", pair_id)})


def _pair(session: Session, pair_id: int, by: Principal) -> tuple[ComparePair, Comparison]:
    """A pair and its comparison, where this person may vote. Raises: NotFound, NotAllowed, Conflict."""
    pair = session.get(ComparePair, pair_id)
    if pair is None:
        raise NotFound("There is no such pair.", hint="Take the next one.")
    row = _row(session, pair.comparison_id, by, VOTE)
    check_voter(row, by)
    if pair.voter != by.actor:
        raise Conflict("This pair was put before somebody else.", code="not_your_pair", hint="Take the next one.")
    return pair, row


def check_voter(row: Comparison, by: Principal) -> None:
    """Raises: NotAllowed for who is not among its voters, Conflict where it is closed."""
    if row.voters and by.actor not in row.voters:
        raise NotAllowed(f"{by.name} is not among the voters of {row.name!r}.", hint="Ask who made it to add you.")
    if row.closed_at is not None:
        raise Conflict(f"{row.name!r} is closed.", code="comparison_closed", hint="Its leaderboard stays.")


def _end(session: Session, pair: ComparePair, *, by: Principal, at: datetime, **values: Any) -> None:
    """Give an open pair its end, once. Raises: Conflict."""
    pair_id = pair.id
    done = session.execute(
        update(ComparePair)
        .where(
            col(ComparePair.id) == pair_id,
            col(ComparePair.voter) == by.actor,
            col(ComparePair.choice).is_(None),
            col(ComparePair.skipped_at).is_(None),
            col(ComparePair.expires_at) > at,
            exists().where(col(Comparison.id) == pair.comparison_id, col(Comparison.closed_at).is_(None)),
        )
        .values(**values)
        .returning(col(ComparePair.id))
        .execution_options(synchronize_session=False)
    ).first()
    if done is not None:
        return
    session.refresh(pair)
    if pair.choice is not None:
        raise Conflict("You have voted on this pair already.", code="voted", hint="A vote stays. Take the next pair.")
    if pair.skipped_at is not None:
        raise Conflict("You have passed this pair over.", code="voted", hint="Take the next one.")
    if pair.expires_at > at:
        raise Conflict("The comparison was closed.", code="comparison_closed", hint="Its leaderboard stays.")
    raise Conflict(
        "This pair was put before you too long ago.", code="pair_expired", hint="Look at both answers again, then vote."
    )


def _count(session: Session, model: type[CompareCount] | type[CompareVoter], told: dict[str, Any]) -> None:
    """One more vote in a sum, in one statement."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    made: Any = (sqlite.insert if is_sqlite else postgresql.insert)(model).values(**told, votes=1)
    session.execute(made.on_conflict_do_update(index_elements=list(told), set_={"votes": col(model.votes) + 1}))


def serve(
    session: Session, *, comparison_id: int, by: Principal, at: datetime, ids: Ids, draws: rules.Draws
) -> int | None:
    """The pair to put before this person: the one open for them, else the most informative they may still see.

    None when there is none: they have seen all, or no answers are ready. Raises: NotFound, NotAllowed, Conflict.
    """
    row = _row(session, comparison_id, by, VOTE)
    check_voter(row, by)
    return pairs.serve(session, row, by=by, at=at, ids=ids, draws=draws)


def _row(session: Session, comparison_id: int, by: Principal, permission: Permission) -> Comparison:
    """A comparison of a project that `by` works in. Raises: NotFound, NotAllowed."""
    row = session.get(Comparison, comparison_id)
    if row is None or not by.may(Permission.COMPARE_READ, row.project_id):
        raise NotFound("There is no such comparison.", hint="Choose one from the list.")
    require(by, permission, row.project_id)
    return row


def _open(session: Session, comparison_id: int, by: Principal) -> Comparison:
    row = _row(session, comparison_id, by, CHANGE)
    if row.closed_at is not None:
        raise Conflict(f"{row.name!r} is closed.", code="comparison_closed", hint="Open it again first.")
    return row


def _asking(session: Session, comparison_id: int, by: Principal) -> Comparison:
    """An open comparison that makes its answers itself. Raises: Conflict, NotFound, NotAllowed."""
    row = _open(session, comparison_id, by)
    if row.run_id is not None:
        raise Conflict(
            f"{row.name!r} shows the answers of an experiment.",
            hint="Ask what failed again in the experiment, and put its answers before people anew.",
        )
    return row


def _tell(session: Session, action: str, row: Comparison, *, by: Principal, at: datetime, **told: Any) -> None:
    audit.append(session, by=by, at=at, action=action, target=f"comparison:{row.id}", project_id=row.project_id, **told)
