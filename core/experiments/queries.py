"""Read runs: the list, one with how far it has come, its cells and scores; every query names its projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, sql, text
from sqlmodel import Session, col, select

from core.db.rows import table
from core.errors import NotFound
from core.experiments import rules
from core.experiments.rules import Arm, Place, State
from core.experiments.tables import Experiment, ExperimentCell, ExperimentScore


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and how far it has come."""

    id: int
    project_id: int
    name: str
    dataset_id: int
    dataset_version: int
    split: str | None
    arms: tuple[Arm, ...]
    scorers: tuple[dict[str, Any], ...]
    repeats: int
    at_once: int
    cap_usd: Decimal | None
    state: State
    why: str
    items: int
    cells: int
    done: int
    failed: int
    unpriced: int
    spent_usd: Decimal
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    passed: bool | None = None

    @property
    def left(self) -> int:
        """Cells without a row."""
        return self.cells - self.done - self.failed

    def arm(self, letter: str) -> Arm:
        """The variant of this letter. Raises: KeyError."""
        return {arm.letter: arm for arm in self.arms}[letter]


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell."""

    place: Place
    state: str
    error: str
    call_id: int | None
    cost_usd: Decimal | None
    total_ms: float | None
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class ScoreView:
    """What one scorer said of one cell."""

    place: Place
    scorer: str
    state: str
    value: float | None
    passed: bool | None
    reason: str
    unit: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Summed:
    """A scorer over the cells of a variant: `n` were scored; of `judged` it is known whether they passed."""

    scorer: str
    arm: str
    unit: str
    n: int
    mean: float | None
    judged: int
    passed: int
    failed: int
    invalid: int
    not_applicable: int


def runs(
    session: Session,
    *,
    project_ids: Sequence[int],
    before: int | None = None,
    dataset_id: int | None = None,
    limit: int = 30,
) -> tuple[RunView, ...]:
    """Runs, newest first, older than `before`; over one dataset."""
    query = select(Experiment).where(col(Experiment.project_id).in_(project_ids))
    if dataset_id is not None:
        query = query.where(Experiment.dataset_id == dataset_id)
    if before is not None:
        query = query.where(col(Experiment.id) < before)
    return tuple(_run(row) for row in session.exec(query.order_by(col(Experiment.id).desc()).limit(limit)))


def run(session: Session, run_id: int, *, project_ids: Sequence[int]) -> RunView:
    """One run. Raises: NotFound."""
    row = session.get(Experiment, run_id)
    if row is None or row.project_id not in project_ids:
        raise NotFound("There is no such run, or it is not yours to see.", hint="Look for it under Experiments.")
    return _run(row)


def any_run(session: Session, run_id: int) -> RunView:
    """One run of whatever project, for its worker. Raises: NotFound."""
    row = session.get(Experiment, run_id)
    if row is None:
        raise NotFound("There is no such run.")
    return _run(row)


def last_passing(session: Session, *, project_id: int, name: str, dataset_id: int, before: int) -> RunView | None:
    """The newest run of this name over this dataset, older than `before`, that met its thresholds."""
    query = (
        select(Experiment)
        .where(Experiment.project_id == project_id, col(Experiment.id) < before, Experiment.state == State.DONE)
        .where(Experiment.name == name, Experiment.dataset_id == dataset_id, col(Experiment.passed).is_(True))
        .order_by(col(Experiment.id).desc())
        .limit(1)
    )
    row = session.exec(query).first()
    return None if row is None else _run(row)


def holds(session: Session, *, run_id: int, owner: str, at: datetime) -> bool:
    """Whether a run is to go and this process has it."""
    query = select(Experiment.id).where(
        Experiment.id == run_id,
        Experiment.state == State.RUNNING,
        Experiment.owner == owner,
        col(Experiment.lease_until) >= at,
    )
    return session.exec(query).first() is not None


def finished(session: Session, run_id: int, item_keys: Sequence[int]) -> set[Place]:
    """The cells of these examples that have a row."""
    query = select(ExperimentCell.item_key, ExperimentCell.arm, ExperimentCell.repeat).where(
        ExperimentCell.run_id == run_id, col(ExperimentCell.item_key).in_(item_keys)
    )
    return {Place(*row) for row in session.exec(query)}


def cells(
    session: Session,
    run_id: int,
    *,
    project_ids: Sequence[int],
    item_keys: Sequence[int] | None = None,
    state: str = "",
    after: int = 0,
    limit: int = 200,
) -> tuple[CellView, ...]:
    """Cells by example, those after the example `after`; of some examples, in one state. Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    query = select(ExperimentCell).where(ExperimentCell.run_id == run_id, col(ExperimentCell.item_key) > after)
    if item_keys is not None:
        query = query.where(col(ExperimentCell.item_key).in_(item_keys))
    if state:
        query = query.where(ExperimentCell.state == state)
    query = query.order_by(col(ExperimentCell.item_key), col(ExperimentCell.arm), col(ExperimentCell.repeat)).limit(
        limit
    )
    return tuple(
        CellView(
            Place(row.item_key, row.arm, row.repeat), row.state, row.error, row.call_id, row.cost_usd, row.total_ms,
            row.tokens_in, row.tokens_out,
        )
        for row in session.exec(query)
    )  # fmt: skip


def scores(
    session: Session, run_id: int, *, project_ids: Sequence[int], item_keys: Sequence[int]
) -> tuple[ScoreView, ...]:
    """Every score of these examples. Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    query = select(ExperimentScore).where(
        ExperimentScore.run_id == run_id, col(ExperimentScore.item_key).in_(item_keys)
    )
    rows = session.exec(query).all()
    return tuple(
        ScoreView(
            Place(row.item_key, row.arm, row.repeat), row.scorer, row.state, row.value, row.passed, row.reason,
            row.unit, row.details or {},
        )
        for row in rows
    )  # fmt: skip


def summed(session: Session, run_id: int, *, project_ids: Sequence[int]) -> tuple[Summed, ...]:
    """Each scorer over each variant, in one pass over the scores. Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    query = text(
        "SELECT scorer, arm, max(unit), count(value), avg(value), "
        "sum(CASE WHEN passed IS NOT NULL THEN 1 ELSE 0 END), sum(CASE WHEN passed THEN 1 ELSE 0 END), "
        "sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), sum(CASE WHEN state = 'invalid' THEN 1 ELSE 0 END), "
        "sum(CASE WHEN state = 'not applicable' THEN 1 ELSE 0 END) "
        "FROM experiment_score WHERE run_id = :run GROUP BY scorer, arm ORDER BY scorer, arm"
    )
    return tuple(
        Summed(scorer, arm, unit or "", int(n), None if mean is None else float(mean), *(int(one) for one in counts))
        for scorer, arm, unit, n, mean, *counts in session.execute(query, {"run": run_id})
    )


def said(session: Session, run_id: int, scorers: Sequence[str], *, project_ids: Sequence[int]) -> int:
    """How many scores of these scorers there are, whatever they say. Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    query = select(func.count()).where(ExperimentScore.run_id == run_id, col(ExperimentScore.scorer).in_(scorers))
    return session.exec(query).one()


def values(
    session: Session, run_id: int, scorer: str, *, project_ids: Sequence[int], arms: Sequence[str] | None = None
) -> list[tuple[int, str, int, float | None, bool | None, str]]:
    """Every score of one scorer, of some variants or all, in order: (example, variant, repetition, value, passed,
    state). Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    at = table(ExperimentScore).c
    query = sql.select(at.item_key, at.arm, at.repeat, at.value, at.passed, at.state)
    query = query.where(at.run_id == run_id, at.scorer == scorer).order_by(at.item_key, at.arm, at.repeat)
    if arms is not None:
        query = query.where(at.arm.in_(arms))
    return [tuple(row) for row in session.connection().execute(query).all()]


def failures(session: Session, run_id: int, *, project_ids: Sequence[int]) -> dict[str, int]:
    """How many cells of each variant failed. Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    query = (
        select(ExperimentCell.arm, func.count())
        .where(ExperimentCell.run_id == run_id, ExperimentCell.state == "failed")
        .group_by(col(ExperimentCell.arm))
    )
    return dict(session.exec(query).all())


def keys(
    session: Session,
    run_id: int,
    *,
    project_ids: Sequence[int],
    only_failed: bool = False,
    after: int = 0,
    limit: int = 20,
) -> tuple[int, ...]:
    """The examples that have cells, in order, after one; only those with a failed one. Raises: NotFound."""
    run(session, run_id, project_ids=project_ids)
    query = select(ExperimentCell.item_key).where(ExperimentCell.run_id == run_id, col(ExperimentCell.item_key) > after)
    if only_failed:
        query = query.where(ExperimentCell.state == "failed")
    return tuple(session.exec(query.distinct().order_by(col(ExperimentCell.item_key)).limit(limit)))


def of_prompt(
    session: Session, prompt_id: int, *, project_ids: Sequence[int], limit: int = 20
) -> tuple[tuple[RunView, Arm], ...]:
    """The newest runs in which a version of this prompt was a variant, looked for among the newest two hundred."""
    found = [
        (row, arm)
        for row in runs(session, project_ids=project_ids, limit=200)
        for arm in row.arms
        if arm.prompt_id == prompt_id
    ]
    return tuple(found[:limit])


def _run(row: Experiment) -> RunView:
    told: dict[str, Any] = row.model_dump(exclude={"owner", "lease_until"})
    told |= {"arms": tuple(rules.arm_in(arm) for arm in row.arms), "scorers": tuple(row.scorers)}
    told["state"] = State(row.state)
    return RunView(**told)
