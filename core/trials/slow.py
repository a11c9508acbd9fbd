"""How many calls of each unit were slow: what says how much less a quantile is known than by as many units."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Subquery, case, func, literal, select
from sqlmodel import col

from core.calls.record import REFUSED
from core.calls.sketch import GAMMA, Sketch
from core.calls.tables import Call
from core.trials.metrics import P95
from core.trials.tables import TrialCall

NEWEST = 20_000
"""Calls that are read, at each look: what they tell is how alike calls of one unit are, not how many there are."""


def calls(trial_id: int, latencies: Sequence[Sketch]) -> Subquery:
    """Per unit and arm, of the newest calls: those slower than the arm's p95 so far (top) among all that were timed."""
    newest = (
        select(col(TrialCall.call_id).label("id"), col(TrialCall.arm).label("arm"), col(TrialCall.unit).label("unit"))
        .where(col(TrialCall.trial_id) == trial_id)
        .order_by(col(TrialCall.call_id).desc())
        .limit(NEWEST)
        .subquery()
    )
    limits = {number: _upper(sketch) for number, sketch in enumerate(latencies)}
    limit = case(*((newest.c.arm == number, literal(value)) for number, value in limits.items()), else_=0.0)
    is_slow = case((col(Call.total_ms) > limit, 1), else_=0)
    return (
        select(newest.c.arm.label("arm"), func.sum(is_slow).label("top"), func.count().label("bottom"))
        .select_from(newest)
        .join(Call, col(Call.id) == newest.c.id)
        .where(col(Call.status) != REFUSED)
        .group_by(newest.c.unit, newest.c.arm)
        .subquery()
    )


def _upper(sketch: Sketch) -> float:
    """The upper end of the bucket that holds the p95: the sketch counts the same calls as slower."""
    found = sketch.quantile(P95)
    return 0.0 if found is None else found * (GAMMA + 1) / 2
