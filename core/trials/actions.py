"""What can be done with live tests: plan, start, widen, pause, close an arm, promote, roll back.

What decides who gets which arm is frozen once a test has run; only the coverage may change, and only upwards. Every
change is dated, is in the trail, and is an event of the test with the figures it was made on.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col
from sqlmodel import select as rows_of

from core.audit import actions as audit
from core.calls import rows
from core.db import marks
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids
from core.people.rules import Permission, Principal, require
from core.people.tables import Project
from core.prompts import queries as prompt_queries
from core.trials import ending, queries, rules
from core.trials.ending import TOPIC, card_of
from core.trials.plans import LONGEST_TEXT, Plan, columns
from core.trials.promoting import promoted
from core.trials.queries import TrialView
from core.trials.rules import BUCKETS, Arm, Design, Ending, State
from core.trials.tables import Trial, TrialEvent, TrialHoldout

CHANGE = Permission.TRIAL_CHANGE


def create(
    session: Session, *, project_id: int, design: Design, plan: Plan, by: Principal, at: datetime, ids: Ids
) -> int:
    """A draft; without a salt it gets one of its own.

    Raises: Invalid with what to change, Conflict when the name is taken, NotFound, NotAllowed.
    """
    require(by, CHANGE, project_id)
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    design = dataclasses.replace(design, salt=design.salt or f"{ids.next():x}")
    row = Trial(project_id=project_id, created_by=by.actor, created_at=at, **columns(design, plan))
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Conflict(f"There is a live test named {row.name!r} already.", hint="Choose another name.") from None
    ending.tell(session, row, "created", by=by, at=at, ids=ids, detail=_told(row))
    return row.id or 0


def change(
    session: Session, *, trial_id: int, design: Design, plan: Plan, by: Principal, at: datetime, ids: Ids
) -> bool:
    """Change a test; whether anything changed. Once it has run, only its name, its question and the schedule may be:
    who is in which arm, what decides and the planned size were promised.

    Raises: Conflict (code "trial_frozen"), Invalid, NotFound, NotAllowed.
    """
    row = _row(session, trial_id, by)
    _not_over(row)
    before, wanted = _told(row), columns(dataclasses.replace(design, salt=row.salt), plan)
    if row.started_at is not None:
        frozen = [name for name in _FROZEN if wanted[name] != getattr(row, name)]
        if frozen:
            raise Conflict(
                f"This test has run: its {frozen[0].replace('_', ' ')} cannot change any more.",
                code="trial_frozen",
                hint="End it, and make a new test.",
            )
        wanted["coverage"] = row.coverage
    for name, value in wanted.items():
        setattr(row, name, value)
    if _told(row) == before:
        return False
    row.version += 1
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise Conflict(f"There is a live test named {row.name!r} already.", hint="Choose another name.") from None
    ending.tell(session, row, "changed", by=by, at=at, ids=ids, detail=_told(row), before=before)
    return True


def start(session: Session, *, trial_id: int, by: Principal, at: datetime, ids: Ids) -> None:
    """Let a draft or a paused test run.

    Raises: Conflict (code "trial_overlaps") when another running test would share its units, Invalid when an arm
    cannot be asked, NotFound, NotAllowed.
    """
    marks.turn(session, TOPIC)
    row = _row(session, trial_id, by)
    _not_over(row)
    if row.state == State.RUNNING:
        raise Conflict("This test is running already.", hint="Reload to see how it stands.")
    view = queries.view_of(row)
    _check_alone(session, view)
    _check_arms(session, view)
    is_new = row.started_at is None
    row.state, row.started_at, row.stepped_at = State.RUNNING, row.started_at or at, at
    row.version += 1
    session.flush()
    ending.tell(
        session, row, "started" if is_new else "resumed", by=by, at=at, ids=ids, detail={"coverage": row.coverage}
    )


def pause(session: Session, *, trial_id: int, by: Principal, at: datetime, ids: Ids) -> None:
    """Give everybody the control for now; who was in an arm goes back to it later. Raises: Conflict, NotFound."""
    row = _running(session, trial_id, by)
    row.state = State.PAUSED
    row.version += 1
    session.flush()
    ending.tell(session, row, "paused", by=by, at=at, ids=ids)


def widen(session: Session, *, trial_id: int, coverage: int, by: Principal, at: datetime, ids: Ids) -> None:
    """Let the test cover more units; nobody who is in it moves. Raises: Invalid, Conflict, NotFound, NotAllowed."""
    row = _running(session, trial_id, by)
    if not row.coverage < coverage <= BUCKETS:
        raise Invalid(
            f"The coverage can only grow, from {row.coverage / 100:g} % up to 100 %.", param="coverage",
            hint="To show it to fewer, pause the test or end it.",
        )  # fmt: skip
    before, row.coverage, row.stepped_at = row.coverage, coverage, at
    row.version += 1
    session.flush()
    detail = {"coverage": coverage}
    ending.tell(session, row, "widened", by=by, at=at, ids=ids, detail=detail, before={"coverage": before})


def promote(
    session: Session,
    *,
    trial_id: int,
    by: Principal,
    at: datetime,
    ids: Ids,
    arm: int = 1,
    note: str = "",
    is_blind: bool = False,
) -> Ending:
    """End the test with an arm (its number) for everybody: the label moves to its version, or the alias to its model.

    A protected label is asked for, and somebody else decides; until then the control is answered. `is_blind`: although
    the traffic did not split as planned, so that the test says nothing of the arm.
    Raises: Conflict (code "split_is_off") where it did not and `is_blind` is not set, or (code "arm_closed") where the
    arm is out of the test, Invalid where it is nothing a label or an alias can mean, NotFound, NotAllowed.
    """
    row = _row(session, trial_id, by)
    _has_run(row)
    view = queries.view_of(row)
    chosen = _open_arm(view, arm)
    if not is_blind and card_of(session, view, is_final=False).is_off:
        raise Conflict(
            f"The traffic did not split as planned, so this test says nothing about {chosen.name}.",
            code="split_is_off",
            hint=f"Roll back and find the cause; or say that {chosen.name} is for everybody although nothing is known "
            "of it.",
        )
    said = rows.text(note).strip() or f"Live test {row.name}: {card_of(session, view).sentence}"[:LONGEST_TEXT]
    how = promoted(session, view, chosen, note=said, by=by, at=at, ids=ids)
    ending.end(session, row, how, by=by, at=at, ids=ids, arm=arm)
    return how


def close_arm(session: Session, *, trial_id: int, arm: int, by: Principal, at: datetime, ids: Ids) -> None:
    """Take one arm out of a test of several: who had it gets the control from now on, the others go on as before. What
    is known of it now is kept.

    Raises: Conflict (code "arm_closed") when it is out already, Conflict for the last one, NotFound, NotAllowed.
    """
    row = _row(session, trial_id, by)
    _has_run(row)
    view = queries.view_of(row)
    chosen = _open_arm(view, arm)
    if len(view.read_by.open) == 1:
        raise Conflict(
            f"{chosen.name} is the last arm beside A.",
            hint="Roll back instead: that ends the test, A for everybody.",
        )
    ending.closed(session, row, card_of(session, view, is_final=False), arm, by=by, at=at, ids=ids)


def roll_back(session: Session, *, trial_id: int, by: Principal, at: datetime, ids: Ids) -> None:
    """End the test with the control for everybody. Raises: Conflict when it is over, NotFound, NotAllowed."""
    row = _row(session, trial_id, by)
    _has_run(row)
    ending.end(session, row, Ending.ROLLED_BACK, by=by, at=at, ids=ids)


def remove(session: Session, *, trial_id: int, by: Principal, at: datetime) -> None:
    """Forget a draft that never ran. Raises: Conflict when it has, NotFound, NotAllowed."""
    row = _row(session, trial_id, by)
    if row.started_at is not None:
        raise Conflict("This test has run: what it showed stays.", hint="End it instead.")
    for event in session.exec(rows_of(TrialEvent).where(TrialEvent.trial_id == trial_id)):
        session.delete(event)
    session.flush()
    session.delete(row)
    session.flush()
    audit.append(
        session, by=by, at=at, action="trial.removed", target=f"trial:{row.name}", project_id=row.project_id,
        before=_told(row),
    )  # fmt: skip


def hold_out(session: Session, *, project_id: int, buckets: int, by: Principal, at: datetime) -> bool:
    """Keep a share of a project's units (in ten-thousandths) out of every test; whether anything changed.

    Raises: Conflict while a test of the project runs (units would move), Invalid, NotAllowed.
    """
    require(by, CHANGE, project_id)
    marks.turn(session, TOPIC)
    if not 0 <= buckets <= BUCKETS // 2:
        raise Invalid("A holdout is between 0 and 50 %.", param="holdout")
    row = session.get(TrialHoldout, project_id)
    before = row.buckets if row else 0
    if before == buckets:
        return False
    open_ = [State.RUNNING, State.PAUSED]
    if session.exec(rows_of(Trial).where(Trial.project_id == project_id, col(Trial.state).in_(open_)).limit(1)).first():
        raise Conflict(
            "A test of this project has begun: another holdout would move units in or out of it.",
            code="trial_frozen",
            hint="End the running and paused tests first.",
        )
    if row is None:
        session.add(TrialHoldout(project_id=project_id, buckets=buckets, set_by=by.actor, set_at=at))
    else:
        row.buckets, row.set_by, row.set_at = buckets, by.actor, at
    session.flush()
    marks.bump(session, TOPIC)
    audit.append(
        session, by=by, at=at, action="trial.holdout_set", target=f"project:{project_id}", project_id=project_id,
        before={"buckets": before}, after={"buckets": buckets},
    )  # fmt: skip
    return True


# Inside


_FROZEN = (
    "target", "arms", "unit", "conditions", "layer", "first", "until", "slice_tag", "measures", "planned",
)  # fmt: skip


def _told(row: Trial) -> dict[str, Any]:
    return row.model_dump(include={"name", "question", "coverage", "ramp_hours", *_FROZEN})


def _row(session: Session, trial_id: int, by: Principal) -> Trial:
    """The test's row, held until the transaction ends; not yours is as if it were not there."""
    row = session.exec(rows_of(Trial).where(Trial.id == trial_id).with_for_update()).first()
    if row is None or not by.may(Permission.TRIAL_READ, row.project_id):
        raise NotFound("There is no such live test, or it is not yours to see.", hint="Look under Live tests.")
    require(by, CHANGE, row.project_id)
    return row


def _running(session: Session, trial_id: int, by: Principal) -> Trial:
    row = _row(session, trial_id, by)
    _not_over(row)
    if row.state != State.RUNNING:
        raise Conflict("This test does not run.", hint="Start it first.")
    return row


def _not_over(row: Trial) -> None:
    if row.state == State.ENDED:
        raise Conflict(f"This test was ended already ({row.ending}).", code="trial_over", hint="Make a new test.")


def _has_run(row: Trial) -> None:
    _not_over(row)
    if row.started_at is None:
        raise Conflict("This test has not run.", hint="Start it, or remove the draft.")


def _check_alone(session: Session, view: TrialView) -> None:
    """Running and paused tests of one name share no unit: who is in one would be moved by the other."""
    query = rows_of(Trial).where(
        Trial.project_id == view.project_id, Trial.target == view.target, Trial.id != view.id,
        col(Trial.state).in_([State.RUNNING, State.PAUSED]),
    )  # fmt: skip
    for row in session.exec(query):
        other = queries.view_of(row)
        if not rules.excludes(view.design, other.design) or view.unit is not other.unit:
            raise Conflict(
                f"{other.name!r} tests {view.target!r} already, and some {view.unit.many} would be in both.",
                code="trial_overlaps",
                hint="End it first, or give both one layer and ranges that do not meet.",
            )


def _open_arm(view: TrialView, number: int) -> Arm:
    if number not in view.read_by.others:
        raise NotFound("There is no such arm in this test.", hint="Reload the page and choose again.")
    if number in view.closed:
        raise Conflict(
            f"{view.arms[number].name} is out of this test.", code="arm_closed", hint="Choose one that is still in it."
        )
    return view.arms[number]


def _check_arms(session: Session, view: TrialView) -> None:
    """What an arm names is there, so that a mistake does not wait for the first caller."""
    for arm in view.arms:
        wanted = rules.prompt_of(arm.model)
        if wanted is not None:
            prompt_queries.named(session, wanted.name, project_id=view.project_id).entry.number(wanted)
