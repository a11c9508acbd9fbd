"""Reads of policies: those in force for the pipeline, their list and history, what was found in a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlmodel import Session, col, select

from core import ids
from core.calls.tables import CallPayload
from core.errors import Invalid, NotFound
from core.guard import rows
from core.guard.findings import FAILED, PRIVATE, Family
from core.guard.policies import Act
from core.guard.policies import Policy as Ready
from core.guard.tables import CallFinding, Policy, PolicyVersion

MOST_LOOKED = 1_000
LIKELY = 0.5
"""How sure a model that judges must be, for its grade to be shown as something found."""
_IS_PRIVATE = or_(
    col(CallFinding.stop) > col(CallFinding.start),
    and_(col(CallFinding.kind) == FAILED, col(CallFinding.act) != "pass"),
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The policies in force, by project. `unreadable` names those whose stored wording is not understood, with why:
    a project that has one must not be answered as if it had none."""

    policies: Mapping[int, tuple[Ready, ...]] = field(default_factory=dict)
    unreadable: Mapping[int, str] = field(default_factory=dict)

    def is_any(self, project_id: int) -> bool:
        """Whether a project has policies at all, readable or not."""
        return project_id in self.policies or project_id in self.unreadable

    def of(self, project_id: int, route: str, *models: str) -> tuple[Ready, ...]:
        """The policies that apply to a call."""
        return tuple(one for one in self.policies.get(project_id, ()) if one.applies(route, *models))


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy as people see it: what it says now, since when, by whom."""

    id: int
    project_id: int
    name: str
    version: int
    is_on: bool
    routes: tuple[str, ...]
    rules: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any]
    note: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """How often a model that was to judge gave no verdict (at least so often, unless `is_all`); the newest call that
    had none, and why."""

    count: int
    is_all: bool
    call_id: int
    why: str


@dataclass(frozen=True, slots=True)
class FoundRow:
    """One finding of a recorded call."""

    call_id: int
    side: str
    place: str
    family: str
    kind: str
    start: int
    stop: int
    confidence: float
    detector: str
    policy: str
    act: str

    @property
    def is_doubtful(self) -> bool:
        """A grade of a model that judges, which no rule acted on and which rather says no: nothing was found there."""
        return self.family == Family.JUDGE and self.act == Act.PASS and self.confidence < LIKELY and self.kind != FAILED


def snapshot(session: Session) -> Snapshot:
    """The policies that are on, in the order of their names; read again when the change mark "guard" grows."""
    found: dict[int, list[Ready]] = {}
    unreadable: dict[int, str] = {}
    for row, version in session.exec(_newest().where(col(Policy.is_on).is_(True)).order_by(col(Policy.name))):
        try:
            ready = rows.policy(row, version)
        except Invalid as error:
            unreadable[row.project_id] = f"{row.name}: {error.message}"
        else:
            found.setdefault(row.project_id, []).append(ready)
    return Snapshot({project: tuple(some) for project, some in found.items()}, unreadable)


def policies(session: Session, *, project_ids: Sequence[int]) -> tuple[PolicyRow, ...]:
    """The policies of these projects by name."""
    query = _newest().where(col(Policy.project_id).in_(project_ids)).order_by(col(Policy.name), col(Policy.id))
    return tuple(_row(row, version) for row, version in session.exec(query))


def policy(session: Session, policy_id: int, *, project_ids: Sequence[int]) -> PolicyRow:
    """One policy as it is now. Raises: NotFound when there is none, or not in these projects."""
    query = _newest().where(col(Policy.id) == policy_id, col(Policy.project_id).in_(project_ids))
    found = session.exec(query).first()
    if found is None:
        raise NotFound("There is no such policy, or it is not yours to see.")
    return _row(*found)


def versions(session: Session, policy_id: int, *, project_ids: Sequence[int], limit: int = 50) -> tuple[PolicyRow, ...]:
    """How a policy was worded, newest first."""
    query = (
        select(Policy, PolicyVersion)
        .join(PolicyVersion, col(PolicyVersion.policy_id) == col(Policy.id))
        .where(col(Policy.id) == policy_id, col(Policy.project_id).in_(project_ids))
        .order_by(col(PolicyVersion.version).desc())
        .limit(limit)
    )
    return tuple(_row(row, version) for row, version in session.exec(query))


def silent_judges(session: Session, *, project_ids: Sequence[int], since: datetime) -> dict[str, Silence]:
    """The models that were to judge and gave no verdict since then, by their names. Of each project's newest
    `MOST_LOOKED` verdicts, however many there are."""
    counts: dict[str, int] = {}
    newest: dict[str, int] = {}
    is_all = True
    for project_id in project_ids:
        looked = (
            select(CallFinding.call_id, CallFinding.kind, CallFinding.detector)
            .where(
                CallFinding.project_id == project_id,
                CallFinding.family == Family.JUDGE,
                col(CallFinding.call_id) >= ids.first_at(since),
            )
            .order_by(col(CallFinding.call_id).desc())
            .limit(MOST_LOOKED)
        )
        rows_found = session.exec(looked).all()
        is_all = is_all and len(rows_found) < MOST_LOOKED
        for call_id, kind, detector in rows_found:
            if kind == FAILED:
                model = detector.partition(":")[2]
                counts[model] = counts.get(model, 0) + 1
                newest[model] = max(newest.get(model, 0), call_id)
    explained = select(CallPayload.call_id, CallPayload.detail).where(col(CallPayload.call_id).in_(newest.values()))
    details = dict(session.exec(explained).all())
    return {
        model: Silence(count, is_all, newest[model], _why(details.get(newest[model]), model))
        for model, count in counts.items()
    }


def _why(detail: Mapping[str, Any] | None, model: str) -> str:
    """What a call's record says of the judge that was silent."""
    noted = ((detail or {}).get("guard") or {}).get("failures") or ()
    said = (one.partition(f":{model}: ")[2] for one in noted if isinstance(one, str))
    return next((one for one in said if one), "").removeprefix("The judge gave no verdict: ")


def findings(session: Session, call_id: int, *, project_ids: Sequence[int], limit: int = 500) -> tuple[FoundRow, ...]:
    """What was found in a call, in the order of its texts."""
    query = (
        select(CallFinding)
        .where(CallFinding.call_id == call_id, col(CallFinding.project_id).in_(project_ids))
        .order_by(col(CallFinding.number))
        .limit(limit)
    )
    return tuple(_found(row) for row in session.exec(query))


def findings_of(
    session: Session, call_ids: Sequence[int], *, project_ids: Sequence[int]
) -> dict[int, tuple[FoundRow, ...]]:
    """What was found in each of these calls, in the order of their texts."""
    query = (
        select(CallFinding)
        .where(col(CallFinding.call_id).in_(call_ids), col(CallFinding.project_id).in_(project_ids))
        .order_by(col(CallFinding.call_id), col(CallFinding.number))
    )
    found: dict[int, list[FoundRow]] = {}
    for row in session.exec(query):
        found.setdefault(row.call_id, []).append(_found(row))
    return {call_id: tuple(rows_found) for call_id, rows_found in found.items()}


def private(session: Session, call_ids: Sequence[int], *, project_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Which of these calls have words that are nobody's business, and of which kinds: personal data and secrets; also
    where what looks for them broke and a policy assumed the worst (kind `FAILED`)."""
    query = (
        select(CallFinding.call_id, CallFinding.kind)
        .where(
            col(CallFinding.call_id).in_(call_ids),
            col(CallFinding.project_id).in_(project_ids),
            col(CallFinding.family).in_(PRIVATE),
            _IS_PRIVATE,
        )
        .distinct()
        .order_by(col(CallFinding.call_id), col(CallFinding.kind))
    )
    found: dict[int, list[str]] = {}
    for call_id, kind in session.exec(query):
        found.setdefault(call_id, []).append(kind)
    return {call_id: tuple(kinds) for call_id, kinds in found.items()}


def has_private(session: Session, *, project_ids: Sequence[int]) -> bool:
    """Whether anything private was ever found in these projects."""
    query = select(CallFinding.call_id).where(
        col(CallFinding.project_id).in_(project_ids), col(CallFinding.family).in_(PRIVATE)
    )
    return session.exec(query.limit(1)).first() is not None


def with_family(
    session: Session, family: str, *, project_ids: Sequence[int], before: int | None = None, limit: int = 50
) -> tuple[FoundRow, ...]:
    """The newest findings of a family over all calls, older than the call `before`."""
    query = select(CallFinding).where(col(CallFinding.project_id).in_(project_ids), CallFinding.family == family)
    if before is not None:
        query = query.where(col(CallFinding.call_id) < before)
    query = query.order_by(col(CallFinding.call_id).desc(), col(CallFinding.number)).limit(limit)
    return tuple(_found(row) for row in session.exec(query))


def _newest() -> Any:
    return select(Policy, PolicyVersion).join(
        PolicyVersion,
        and_(col(PolicyVersion.policy_id) == col(Policy.id), col(PolicyVersion.version) == col(Policy.version)),
    )


def _row(row: Policy, version: PolicyVersion) -> PolicyRow:
    return PolicyRow(
        id=row.id or 0,
        project_id=row.project_id,
        name=row.name,
        version=version.version,
        is_on=row.is_on,
        routes=tuple(version.routes),
        rules=tuple(version.rules),
        settings=version.settings,
        note=version.note,
        made_by=version.made_by,
        made_at=version.made_at,
    )


def _found(row: CallFinding) -> FoundRow:
    return FoundRow(**{name: getattr(row, name) for name in FoundRow.__dataclass_fields__})
