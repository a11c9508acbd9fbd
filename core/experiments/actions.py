"""What can be done with runs: make one, start and stop it, ask what failed again; and what its worker writes down.

Progress is counted in the transaction that keeps the cells, and a cell that is kept once is never counted twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, func, text, update
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls.rows import plain
from core.db.rows import table
from core.errors import Conflict, NotFound
from core.experiments import queries, rules
from core.experiments.rules import Arm, Place, State
from core.experiments.tables import Experiment, ExperimentCell, ExperimentScore
from core.ids import Ids, shown
from core.money import nano_usd
from core.people.rules import Permission, Principal, require

LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Kept:
    """A cell to keep, with what its scorers said (rows of `experiment_score` by column)."""

    item_key: int
    arm: str
    repeat: int
    state: str
    ended_at: datetime
    error: str = ""
    call_id: int | None = None
    cost_usd: Decimal | None = None
    total_ms: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    scores: tuple[Mapping[str, Any], ...] = ()


def create(
    session: Session,
    *,
    project_id: int,
    name: str,
    dataset_id: int,
    dataset_version: int,
    items: int,
    arms: Sequence[Arm],
    scorers: Sequence[Mapping[str, Any]],
    by: Principal,
    at: datetime,
    ids: Ids,
    split: str | None = None,
    repeats: int = 1,
    at_once: int = 8,
    cap_usd: Decimal | None = None,
) -> int:
    """A run over `items` examples of a version of a dataset; it is not started. Its id.

    The caller has read the dataset and the scorers. Raises: Invalid, NotAllowed.
    """
    require(by, Permission.EXPERIMENT_RUN, project_id)
    made = rules.lettered(arms)
    name = rules.check(name=name, repeats=repeats, at_once=at_once, items=items, arms=len(made))
    row = Experiment(
        id=ids.next(),
        project_id=project_id,
        name=name,
        dataset_id=dataset_id,
        dataset_version=dataset_version,
        split=split,
        arms=[rules.arm_out(arm) for arm in made],
        scorers=[dict(plain(dict(scorer))) for scorer in scorers],
        repeats=repeats,
        at_once=at_once,
        cap_usd=cap_usd,
        items=items,
        cells=items * len(made) * repeats,
        created_by=by.actor,
        created_at=at,
    )
    session.add(row)
    session.flush()
    after = {
        "name": name, "dataset": dataset_id, "version": dataset_version, "variants": [arm.label for arm in made],
        "scorers": [str(scorer.get("name")) for scorer in scorers], "cells": row.cells,
    }  # fmt: skip
    _tell(session, "experiment.created", row, by=by, at=at, after=after)
    return row.id


def start(session: Session, *, run_id: int, by: Principal, at: datetime, cap_usd: Decimal | None = None) -> None:
    """Let a run go, or go on; with `cap_usd`, up to that cap.

    Raises: Conflict when it is done, NotFound, NotAllowed.
    """
    row = _row(session, run_id, by)
    if cap_usd is not None:
        row.cap_usd = cap_usd
    if row.state == State.RUNNING:
        return
    if row.state == State.DONE:
        raise Conflict("This run is done.", hint="Ask what failed again, or make a new run.")
    row.state, row.why, row.started_at, row.ended_at = State.RUNNING, "", row.started_at or at, None
    row.owner, row.lease_until = "", None
    session.flush()
    _tell(session, "experiment.started", row, by=by, at=at, after={"done": row.done, "failed": row.failed})


def stop(session: Session, *, run_id: int, by: Principal, at: datetime) -> None:
    """Stop a run where it is; what was answered stays. Raises: NotFound, NotAllowed."""
    row = _row(session, run_id, by)
    if row.state != State.RUNNING:
        return
    row.state, row.why, row.ended_at = State.STOPPED, "A person stopped it.", at
    session.flush()
    _tell(session, "experiment.stopped", row, by=by, at=at, after={"done": row.done, "failed": row.failed})


def retry(session: Session, *, run_id: int, by: Principal, at: datetime) -> int:
    """Ask the cells that failed again, and only those; how many. Raises: NotFound, NotAllowed."""
    row = _row(session, run_id, by)
    require(by, Permission.EXPERIMENT_RUN, row.project_id)
    failed = (col(ExperimentCell.run_id) == run_id) & (col(ExperimentCell.state) == "failed")
    count = session.exec(select(func.count()).where(failed)).one()
    if not count:
        return 0
    where = text(
        "DELETE FROM experiment_score WHERE run_id = :run AND EXISTS (SELECT 1 FROM experiment_cell c "
        "WHERE c.run_id = experiment_score.run_id AND c.item_key = experiment_score.item_key "
        "AND c.arm = experiment_score.arm AND c.repeat = experiment_score.repeat AND c.state = 'failed')"
    )
    session.execute(where, {"run": run_id})
    session.execute(delete(ExperimentCell).where(failed))
    row.failed -= count
    row.state, row.why, row.ended_at, row.owner, row.lease_until = State.RUNNING, "", None, "", None
    session.flush()
    _tell(session, "experiment.retried", row, by=by, at=at, after={"cells": count})
    return count


def judge(session: Session, *, run_id: int, passed: bool, by: Principal, at: datetime) -> None:
    """Note whether a run met the thresholds it was started with. Raises: NotFound, NotAllowed."""
    row = _row(session, run_id, by)
    row.passed = passed
    session.flush()
    _tell(session, "experiment.judged", row, by=by, at=at, after={"passed": passed})


# What a worker does


def take(session: Session, *, owner: str, at: datetime) -> int | None:
    """Take a run that is to go and that nobody works on, in one conditional statement; its id."""
    free = select(Experiment.id).where(
        Experiment.state == State.RUNNING,
        (col(Experiment.lease_until).is_(None)) | (col(Experiment.lease_until) < at),
    )
    free = free.order_by(col(Experiment.id)).limit(1).with_for_update(skip_locked=True)
    query = (
        update(Experiment)
        .where(col(Experiment.id) == free.scalar_subquery(), col(Experiment.state) == State.RUNNING)
        .values(owner=owner, lease_until=at + LEASE)
        .returning(col(Experiment.id))
    )
    return session.execute(query).scalar_one_or_none()


def claim(session: Session, *, run_id: int, owner: str, at: datetime) -> bool:
    """Take this run and no other; False when it is not to go, or somebody works on it."""
    query = (
        update(Experiment)
        .where(col(Experiment.id) == run_id, col(Experiment.state) == State.RUNNING)
        .where(col(Experiment.lease_until).is_(None) | (col(Experiment.lease_until) < at))
        .values(owner=owner, lease_until=at + LEASE)
    )
    return session.connection().execute(query).rowcount == 1


def renew(session: Session, *, run_id: int, owner: str, at: datetime, why: str = "") -> bool:
    """Go on working on a run, `why` where it gets no further now; False when it is stopped, or somebody else has it."""
    query = (
        update(Experiment)
        .where(col(Experiment.id) == run_id, col(Experiment.owner) == owner, col(Experiment.state) == State.RUNNING)
        .values(lease_until=at + LEASE, why=why)
    )
    return session.connection().execute(query).rowcount == 1


def keep(session: Session, *, run_id: int, cells: Sequence[Kept]) -> int:
    """Write cells and their scores down and count them; one that is there already stays as it is. How many are new."""
    if not cells:
        return 0
    # who keeps cells of a run waits for others who do: a cell is new to one of them
    session.exec(select(Experiment.id).where(Experiment.id == run_id).with_for_update()).one()
    there = queries.finished(session, run_id, sorted({one.item_key for one in cells}))
    new: list[Kept] = []
    for one in cells:
        if (place := Place(one.item_key, one.arm, one.repeat)) not in there:
            there.add(place)
            new.append(one)
    rows = [
        {
            "run_id": run_id, "item_key": one.item_key, "arm": one.arm, "repeat": one.repeat, "state": one.state,
            "error": plain(one.error)[:2_000], "call_id": one.call_id, "cost_usd": one.cost_usd,
            "total_ms": one.total_ms, "tokens_in": one.tokens_in, "tokens_out": one.tokens_out,
            "ended_at": one.ended_at,
        }
        for one in new
    ]  # fmt: skip
    if rows:
        session.execute(table(ExperimentCell).insert(), rows)
    scores = [
        {"run_id": run_id, "item_key": one.item_key, "arm": one.arm, "repeat": one.repeat} | dict(plain(dict(score)))
        for one in new
        for score in one.scores
    ]
    if scores:
        session.execute(table(ExperimentScore).insert(), scores)
    failed = sum(one.state == "failed" for one in new)
    spent = sum((one.cost_usd for one in new if one.cost_usd is not None), Decimal(0))
    unpriced = sum(one.cost_usd is None and one.state != "failed" for one in new)
    session.execute(
        text(
            "UPDATE experiment SET done = done + :done, failed = failed + :failed, unpriced = unpriced + :unpriced, "
            "spent_usd = spent_usd + :spent WHERE id = :run"
        ),
        {
            "done": len(new) - failed, "failed": failed, "unpriced": unpriced, "spent": nano_usd(spent), "run": run_id,
        },
    )  # fmt: skip
    return len(new)


def charge(session: Session, *, run_id: int, usd: Decimal, unpriced: int) -> None:
    """Count what looking at answers cost, which no cell has: judges and embeddings."""
    if usd or unpriced:
        session.execute(
            text(
                "UPDATE experiment SET spent_usd = spent_usd + :spent, unpriced = unpriced + :unpriced WHERE id = :run"
            ),
            {"spent": nano_usd(usd), "unpriced": unpriced, "run": run_id},
        )


def keep_scores(session: Session, *, run_id: int, scores: Sequence[tuple[Place, Mapping[str, Any]]]) -> None:
    """Write scores of cells down that are there already; one that is there stays as it is."""
    for place, score in scores:
        given = {"run_id": run_id, "item_key": place.item_key, "arm": place.arm, "repeat": place.repeat}
        session.execute(_SCORE, given | dict(plain(dict(score))))


def end(session: Session, *, run_id: int, owner: str, state: State, why: str, at: datetime) -> bool:
    """The worker's last word on a run: done, or stopped and why. False when it is no longer its run."""
    query = (
        update(Experiment)
        .where(col(Experiment.id) == run_id, col(Experiment.owner) == owner, col(Experiment.state) == State.RUNNING)
        .values(state=state, why=why, ended_at=at, lease_until=None)
    )
    return session.connection().execute(query).rowcount == 1


def let_go(session: Session, *, run_id: int, owner: str) -> None:
    """Give a run back, for another worker to go on with."""
    session.execute(
        update(Experiment)
        .where(col(Experiment.id) == run_id, col(Experiment.owner) == owner)
        .values(owner="", lease_until=None)
    )


_SCORE = text(
    "INSERT INTO experiment_score (run_id, scorer, item_key, arm, repeat, state, value, passed, reason, unit, details) "
    "VALUES (:run_id, :scorer, :item_key, :arm, :repeat, :state, :value, :passed, :reason, :unit, :details) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("details", type_=table(ExperimentScore).c.details.type))


def _row(session: Session, run_id: int, by: Principal) -> Experiment:
    """The run's row, held until the transaction ends; not yours is as if it were not there."""
    row = session.exec(select(Experiment).where(Experiment.id == run_id).with_for_update()).first()
    if row is None or not by.may(Permission.EXPERIMENT_READ, row.project_id):
        raise NotFound("There is no such run, or it is not yours to see.", hint="Look for it under Experiments.")
    require(by, Permission.EXPERIMENT_RUN, row.project_id)
    return row


def _tell(
    session: Session, action: str, row: Experiment, *, by: Principal, at: datetime, after: Mapping[str, Any]
) -> None:
    audit.append(
        session, by=by, at=at, action=action, target=shown("exp", row.id), project_id=row.project_id, after=after
    )
