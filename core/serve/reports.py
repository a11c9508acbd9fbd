"""What readers say of an answer may put it in front of people: a thumb down, or a low rating."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from core.calls import queries as calls
from core.calls.tables import Feedback
from core.guard import queries, rules
from core.guard.findings import Family, Finding, Side
from core.guard.policies import OnReport, OnScore
from core.guard.queries import Snapshot
from core.guard.rules import Context
from core.ids import Ids
from core.serve import held

RATING = "rating"


def follow(session: Session, feedback: Feedback, *, policies: Snapshot, at: datetime, ids: Ids) -> bool:
    """Send the answer to the queue that a policy names for such a report or score; True when it was sent now.

    A rating from 1 to 5 is the score "rating". Only rules on reports and scores are asked: the others had their say
    when the answer was made.
    """
    call = calls.call(session, feedback.call_id, (feedback.project_id,))
    models = tuple(name for name in (call.alias, call.model_asked, call.model_served) if name)
    asking = []
    for policy in policies.of(feedback.project_id, call.route, *models):
        mine = tuple(rule for rule in policy.rules if any(isinstance(one, OnReport | OnScore) for one in rule.when))
        if mine:
            asking.append(replace(policy, rules=mine))
    if not asking:
        return False
    found = [
        Finding(
            Family(row.family), row.kind, Side(row.side), row.place, row.start, row.stop, row.confidence, row.detector
        )
        for row in queries.findings(session, feedback.call_id, project_ids=(feedback.project_id,))
    ]
    context = Context(
        call_id=feedback.call_id,
        route=call.route,
        at=at,
        models=models,
        tags=frozenset(call.tags),
        scores={} if feedback.rating is None else {RATING: float(feedback.rating)},
        reports=(feedback.reason,) if feedback.thumb == -1 else (),
    )
    decision = rules.decide(asking, found, context)
    return bool(decision.queue) and held.flag(
        session, call_id=feedback.call_id, project_id=feedback.project_id, decision=decision, at=at, ids=ids
    )
