"""Rows of a comparison: who contends, what is asked, and which variables a contestant's prompt needs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from core.calls import rows
from core.errors import Conflict
from core.ids import Ids
from core.prompts import queries as prompts
from core.prompts import serving
from core.votes.rules import Entrant, Question
from core.votes.tables import CompareQuestion, Comparison, Contestant


def comparison(
    session: Session, wanted: Sequence[Entrant], row: Comparison, own: Sequence[Sequence[str]]
) -> Comparison:
    """A new comparison with its contestants. Raises: Conflict for a taken name."""
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Conflict(f"There is a comparison named {row.name!r} already.", hint="Choose another name.") from None
    for one, names in zip(wanted, own, strict=True):
        session.add(
            Contestant(
                comparison_id=row.id or 0, name=one.name, model=one.model, parameters=dict(one.parameters),
                own_names=list(names),
            )
        )  # fmt: skip
        session.flush()  # one by one: their order is that of their numbers
    return row


def question(session: Session, comparison_id: int, one: Question, digest: str, ids: Ids) -> int:
    """A question, before its answers. Its number."""
    number = ids.next()
    session.add(
        CompareQuestion(
            id=number, comparison_id=comparison_id, messages=rows.plain([dict(message) for message in one.messages]),
            variables=rows.plain(dict(one.variables)), source=rows.text(one.source), digest=digest,
        )
    )  # fmt: skip
    session.flush()
    return number


def contestant_ids(session: Session, comparison_id: int) -> list[int]:
    query = select(Contestant.id).where(Contestant.comparison_id == comparison_id).order_by(col(Contestant.id))
    return [number or 0 for number in session.exec(query)]


def needs(session: Session, model: str, project_id: int) -> frozenset[str] | None:
    """The variables a contestant's prompt cannot do without; None where it is a model.

    Raises: NotFound for a prompt, or a version of it, that is not there.
    """
    wanted = serving.asked(model)
    if wanted is None or wanted.number is None:
        return None
    found = prompts.named(session, wanted.name, project_id=project_id)
    version = prompts.version(session, found.id, wanted.number, project_ids=[project_id])
    return frozenset(variable.name for variable in version.content.variables if variable.is_required)
