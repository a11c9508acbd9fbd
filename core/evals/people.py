"""People as a scorer: answers of a run wait in a review queue, and what is decided there becomes their score."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select

from core.errors import Conflict
from core.evals.asking import row
from core.evals.reviewing import Answered, Said, reviewed, undecided
from core.evals.scorers import Human
from core.experiments import actions
from core.experiments.queries import RunView
from core.experiments.rules import Place
from core.ids import Ids
from core.people.rules import SYSTEM
from core.review import actions as reviewing
from core.review.rules import Source
from core.review.tables import ReviewDecision, ReviewQueue, RubricVersion

_SAID: dict[str, Said] = {
    "approve": "approve", "edit": "edit", "reject": "reject", "unreviewable": "unreviewable", "escalate": "escalate",
}  # fmt: skip
_UNSENT = text(
    "SELECT item_key, arm, repeat, call_id FROM experiment_cell c WHERE run_id = :run AND state = 'answered' "
    "AND call_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM review_item i WHERE i.call_id = c.call_id "
    "AND i.queue_id = :queue) ORDER BY item_key, arm, repeat LIMIT :most"
)
_DECIDED = text(
    "SELECT c.item_key, c.arm, c.repeat, i.id, i.verdict, i.decision_id FROM experiment_cell c "
    "JOIN review_item i ON i.call_id = c.call_id AND i.queue_id = :queue "
    "WHERE c.run_id = :run AND i.verdict <> '' AND NOT EXISTS (SELECT 1 FROM experiment_score s "
    "WHERE s.run_id = c.run_id AND s.scorer = :scorer AND s.item_key = c.item_key AND s.arm = c.arm "
    "AND s.repeat = c.repeat) LIMIT :most"
)


def queue_of(session: Session, scorer: Human, project_id: int) -> int | None:
    """The queue a scorer names; None when there is none, or it is closed."""
    query = select(ReviewQueue.id).where(
        ReviewQueue.project_id == project_id, ReviewQueue.name == scorer.queue, col(ReviewQueue.is_open)
    )
    return session.exec(query).first()


def send(session: Session, run: RunView, scorer: Human, *, at: datetime, ids: Ids, most: int = 200) -> int | None:
    """Put answers of a run in front of people, at most so many that are not there yet; how many. None: no queue."""
    queue_id = queue_of(session, scorer, run.project_id)
    if queue_id is None:
        return None
    found = session.execute(_UNSENT, {"run": run.id, "queue": queue_id, "most": most}).all()
    for _, _, _, call_id in found:
        try:
            reviewing.send(
                session, queue_id=queue_id, call_id=call_id, source=Source.EXPERIMENT, by=SYSTEM, at=at, ids=ids,
                reason=f"{scorer.name}, in the run {run.name}",
            )  # fmt: skip
        except Conflict:  # somebody has sent it in this moment
            continue
    return len(found)


def collect(session: Session, run: RunView, scorer: Human, *, most: int = 1_000) -> int:
    """Turn what people have decided into scores; how many are new."""
    queue_id = queue_of(session, scorer, run.project_id)
    if queue_id is None:
        return 0
    told = {"run": run.id, "queue": queue_id, "scorer": scorer.name, "most": most}
    found = session.execute(_DECIDED, told).all()
    decisions = _decisions(session, [one.decision_id for one in found if one.decision_id is not None])
    scores = []
    for one in found:
        decision = decisions.get(one.decision_id)
        said = _SAID.get(decision.verdict if decision is not None else one.verdict)
        if said is None:
            score = undecided("Nobody decided on it in time.")
        else:
            score = reviewed(scorer, said, _answers(session, decision) if decision is not None else ())
        scores.append((Place(one.item_key, one.arm, one.repeat), row(scorer.name, score)))
    actions.keep_scores(session, run_id=run.id, scores=scores)
    return len(scores)


def _decisions(session: Session, numbers: Sequence[int]) -> dict[int, ReviewDecision]:
    query = select(ReviewDecision).where(col(ReviewDecision.id).in_(numbers))
    return {row.id: row for row in session.exec(query)}


def _answers(session: Session, decision: ReviewDecision) -> tuple[Answered, ...]:
    """The answers on scales and to yes-or-no questions, as the rubric asked them."""
    if decision.rubric_id is None or decision.rubric_version is None:
        return ()
    wording = session.get(RubricVersion, (decision.rubric_id, decision.rubric_version))
    found: list[Answered] = []
    for question in wording.questions if wording is not None else ():
        name, given = str(question["name"]), decision.scores.get(str(question["name"]))
        steps = int(question.get("steps") or 5)
        if question.get("kind") == "yes or no" and given in ("yes", "no"):
            found.append(Answered(name, given == "yes"))
        elif question.get("kind", "scale") == "scale" and isinstance(given, int) and 1 <= given <= steps:
            found.append(Answered(name, given, steps))
    return tuple(found)
