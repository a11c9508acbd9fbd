"""The sums a live test's report is made of.

What a call adds is in `trial_unit` when the call is; feedback and verdicts come later and are joined by call, so they
count as they stand now, undone ones not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, Subquery, case, cast, func, select
from sqlmodel import Session, col

from core.calls.rollup import arm_value
from core.calls.sketch import Sketch
from core.calls.tables import Feedback, UsageDay
from core.ids import first_at
from core.review.rules import State as ReviewState
from core.review.rules import Verdict
from core.review.tables import ReviewItem
from core.statistics.cuped import Arm as BeforeArm
from core.statistics.means import Joint, joint_of_sums
from core.trials import metrics, slow
from core.trials.metrics import Metric
from core.trials.queries import TrialView
from core.trials.rules import Unit
from core.trials.sums import ArmSums, Counted, SliceSums
from core.trials.tables import TrialCall, TrialUnit

MOST_SLICES = 8


def counted(session: Session, one: TrialView, *, slices: bool = True) -> Counted:
    """Everything a report is made of, in a handful of grouped queries."""
    arms = len(one.arms)
    if one.started_at is None:
        return Counted(tuple(ArmSums() for _ in range(arms)))
    since = first_at(one.started_at)
    told: list[dict[Metric, Joint]] = [{} for _ in range(arms)]
    latencies, missing, unpriced = _days(session, one)
    plain = _units(session, one.id, is_priced=not unpriced)
    wanted = {metrics.ABOUT[metric].source for metric in one.measures.every}
    if metrics.Source.FEEDBACK in wanted:
        _add(told, Metric.THUMBS, _ratio(session, _thumbs(one.id, since)))
        _add(told, Metric.RATING, _ratio(session, _ratings(one.id, since)))
    if metrics.Source.REVIEW in wanted:
        _add(told, Metric.UNCHANGED, _ratio(session, _verdicts(one, since, Verdict.APPROVE)))
        _add(told, Metric.REJECTED, _ratio(session, _verdicts(one, since, Verdict.REJECT)))
    if metrics.Source.SKETCH in wanted and one.unit is not Unit.CALL:
        _add(told, Metric.LATENCY, _ratio(session, slow.calls(one.id, latencies)))
    sums = []
    for number in range(arms):
        own = plain.get((number, ""))
        found = own or SliceSums()
        sums.append(
            ArmSums(found.units, found.calls, found.fallbacks, {**found.joints, **told[number]}, latencies[number])
        )
    by_slice: dict[str, list[SliceSums]] = {}
    if slices and one.slice_tag:
        for (number, piece), own in _units(session, one.id, by_slice=True, is_priced=not unpriced).items():
            by_slice.setdefault(piece, [SliceSums() for _ in range(arms)])[number] = own
    largest = sorted(by_slice.items(), key=lambda item: -sum(arm.units for arm in item[1]))[:MOST_SLICES]
    return Counted(
        arms=tuple(sums),
        missing=missing,
        twice=_twice(session, one.id),
        slices={piece or "(none)": tuple(arms_of) for piece, arms_of in largest},
        before=() if unpriced and one.measures.goal is Metric.COST else _before(session, one),
        unpriced=unpriced,
    )


def _number(column: Any) -> ColumnElement[float]:
    return cast(column, Float(53))


_CALLS = _number(TrialUnit.calls)
_ANSWERED = _CALLS - _number(TrialUnit.errors)
_RATIOS: Mapping[Metric, tuple[Any, Any, float]] = {
    Metric.ERRORS: (TrialUnit.errors, _CALLS, 1.0),
    Metric.FLAGGED: (TrialUnit.flagged, _CALLS, 1.0),
    Metric.TOKENS_OUT: (TrialUnit.tokens_out, _ANSWERED, 1.0),  # a call that failed is no short answer
    Metric.COST: (TrialUnit.cost_usd, _CALLS, 1e-9),
}
"""What is added up per unit, what it is divided by, and what one of the stored top is in people's unit."""


def _units(
    session: Session, trial_id: int, *, by_slice: bool = False, is_priced: bool = True
) -> dict[tuple[int, str], SliceSums]:
    """Per arm (and slice): units, calls, and the joint sums of what each unit has had; of costs nothing where some
    are not known, for a unit's sum takes them for 0."""
    wanted: list[Any] = [func.count(), func.sum(_CALLS), func.sum(_number(TrialUnit.fallbacks))]
    for column, y, _ in _RATIOS.values():
        x = _number(column)
        wanted += [func.sum(x), func.sum(x * x), func.sum(y), func.sum(y * y), func.sum(x * y)]
    groups: list[Any] = [col(TrialUnit.arm), *([col(TrialUnit.slice)] if by_slice else [])]
    found = session.execute(select(*groups, *wanted).where(col(TrialUnit.trial_id) == trial_id).group_by(*groups))
    sums = {}
    for row in found:
        key = (row[0], row[1] if by_slice else "")
        n, calls, fallbacks, *rest = row[len(groups) :]
        joints = {}
        for place, (metric, (_, _, scale)) in enumerate(_RATIOS.items()):
            first, first_squared, second, second_squared, products = rest[5 * place : 5 * place + 5]
            joints[metric] = joint_of_sums(
                n, first * scale, first_squared * scale * scale, second, second_squared, products * scale
            )
        if not is_priced:
            del joints[Metric.COST]
        sums[key] = SliceSums(n, round(calls), round(fallbacks), joints)
    return sums


def _thumbs(trial_id: int, since: int) -> Subquery:
    up = case((col(Feedback.thumb) == 1, 1), else_=0)
    return _said(trial_id, since, func.sum(up), func.count(col(Feedback.thumb)), col(Feedback.thumb).is_not(None))


def _ratings(trial_id: int, since: int) -> Subquery:
    rating = col(Feedback.rating)
    return _said(trial_id, since, func.sum(rating), func.count(rating), rating.is_not(None))


def _said(trial_id: int, since: int, top: Any, bottom: Any, only: Any) -> Subquery:
    """Per unit and arm: a top and a bottom of what readers said of its calls."""
    return (
        select(col(TrialCall.arm).label("arm"), top.label("top"), bottom.label("bottom"))
        .select_from(Feedback)
        .join(TrialCall, col(TrialCall.call_id) == col(Feedback.call_id))
        .where(col(Feedback.call_id) >= since, col(Feedback.id) >= since, col(TrialCall.trial_id) == trial_id, only)
        .group_by(col(TrialCall.unit), col(TrialCall.arm))
        .subquery()
    )


def _verdicts(one: TrialView, since: int, verdict: Verdict) -> Subquery:
    """Per unit and arm: verdicts of one kind among those of all three."""
    hit = case((col(ReviewItem.verdict) == verdict, 1), else_=0)
    return (
        select(col(TrialCall.arm).label("arm"), func.sum(hit).label("top"), func.count().label("bottom"))
        .select_from(ReviewItem)
        .join(TrialCall, col(TrialCall.call_id) == col(ReviewItem.call_id))
        .where(
            col(ReviewItem.id) >= since,
            col(ReviewItem.project_id) == one.project_id,
            col(ReviewItem.verdict).in_([Verdict.APPROVE, Verdict.EDIT, Verdict.REJECT]),
            col(ReviewItem.state).in_([ReviewState.SETTLED, ReviewState.RELEASED]),
            col(TrialCall.trial_id) == one.id,
        )
        .group_by(col(TrialCall.unit), col(TrialCall.arm))
        .subquery()
    )


def _ratio(session: Session, per_unit: Subquery) -> dict[int, Joint]:
    """Per arm: the joint sums of tops and bottoms, of the units that have any (others would add nothing)."""
    x, y = _number(per_unit.c.top), _number(per_unit.c.bottom)
    wanted: list[Any] = [func.count(), func.sum(x), func.sum(x * x), func.sum(y), func.sum(y * y), func.sum(x * y)]
    return {
        arm: joint_of_sums(*rest)
        for arm, *rest in session.execute(select(per_unit.c.arm, *wanted).group_by(per_unit.c.arm))
    }


def _add(told: list[dict[Metric, Joint]], metric: Metric, found: Mapping[int, Joint]) -> None:
    for number, arm in enumerate(told):
        arm[metric] = found.get(number, Joint())


def _days(session: Session, one: TrialView) -> tuple[list[Sketch], int, int]:
    """Each arm's latencies, how many calls had no unit, and how many of the arms' had no price; of whole days, which
    no other test shares."""
    names = [arm_value(one.id, number) for number in range(len(one.arms))]
    assert one.started_at is not None
    query = select(col(UsageDay.value), col(UsageDay.total_ms), col(UsageDay.calls), col(UsageDay.unpriced)).where(
        col(UsageDay.project_id) == one.project_id,
        col(UsageDay.dimension) == "trial",
        col(UsageDay.hour) >= one.started_at - timedelta(days=1),
        col(UsageDay.value).in_([*names, arm_value(one.id, None)]),
    )
    parts: dict[str, list[bytes]] = {name: [] for name in names}
    missing = unpriced = 0
    for value, stored, calls, without_price in session.execute(query):
        if value in parts:
            parts[value].append(stored)
            unpriced += without_price
        else:
            missing += calls
    return [Sketch.read(*parts[name]) for name in names], missing, unpriced


def _twice(session: Session, trial_id: int) -> int:
    """Units that were seen in more than one arm."""
    units = (
        select(col(TrialUnit.unit))
        .where(col(TrialUnit.trial_id) == trial_id)
        .group_by(col(TrialUnit.unit))
        .having(func.count() > 1)
        .subquery()
    )
    return int(session.execute(select(func.count()).select_from(units)).scalar_one())


_BEFORE: Mapping[Metric, tuple[Any, Any, float]] = {
    Metric.ERRORS: (TrialUnit.errors, TrialUnit.before_errors, 1.0),
    Metric.TOKENS_OUT: (TrialUnit.tokens_out, TrialUnit.before_tokens_out, 1.0),
    Metric.COST: (TrialUnit.cost_usd, TrialUnit.before_cost_usd, 1e-9),
}


def _before(session: Session, one: TrialView) -> tuple[BeforeArm, ...]:
    """Per arm, the goal's sum per unit with what the unit had before; () where the goal has no before."""
    goal = one.measures.goal
    if one.unit is not Unit.USER or goal not in _BEFORE:
        return ()
    now, before, scale = _BEFORE[goal]
    x, y = _number(now), _number(before)
    is_known = cast(case((col(TrialUnit.before_calls) > 0, 1), else_=0), Integer)
    wanted: list[Any] = [func.count(), func.sum(x), func.sum(x * x), func.sum(y), func.sum(y * y), func.sum(x * y)]
    query = (
        select(col(TrialUnit.arm), is_known, *wanted)
        .where(col(TrialUnit.trial_id) == one.id, col(TrialUnit.before_calls).is_not(None))
        .group_by(col(TrialUnit.arm), is_known)
    )
    arms = [BeforeArm() for _ in one.arms]
    for arm, known, n, *rest in session.execute(query):
        first, first_squared, second, second_squared, products = rest
        found = joint_of_sums(
            n, first * scale, first_squared * scale**2, second * scale, second_squared * scale**2, products * scale**2
        )
        arms[arm] += BeforeArm(known=found) if known else BeforeArm(new=found.first)
    return tuple(arms) if any(arm.known.n for arm in arms) else ()
