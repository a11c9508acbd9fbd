"""Changes to policies: write one, reword it, switch it on or off. Each leaves a row in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from core.audit import actions as audit
from core.calls import rows as stored
from core.db import marks
from core.errors import Conflict, Invalid, NotFound
from core.guard import names, policies, rows
from core.guard.tables import Policy, PolicyVersion
from core.people.rules import Permission, Principal, require

TOPIC = "guard"
LONGEST_NAME = 64


def create(
    session: Session,
    *,
    project_id: int,
    name: str,
    rules: Sequence[Mapping[str, Any]],
    by: Principal,
    at: datetime,
    routes: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    note: str = "",
) -> int:
    """Write a policy; it stays off until it is switched on. Its id.

    Raises: Invalid with the rule or setting that cannot be used, Conflict when the name is taken, NotAllowed.
    """
    require(by, Permission.REVIEW_CHANGE, project_id)
    name = stored.text(name).strip()
    if not name or len(name) > LONGEST_NAME or "/" in name:
        raise Invalid(
            f"A policy's name is 1 to {LONGEST_NAME} characters without a slash.",
            hint="For example: Personal data in answers.",
            param="name",
        )
    wording = _wording(rules=rules, settings=settings or {}, routes=routes, name=name, project_id=project_id)
    note = stored.text(note)
    row = Policy(project_id=project_id, name=name, created_at=at)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Conflict(
            f"There is a policy named {name!r} already.", param="name", hint="Change that one, or choose another name."
        ) from None
    made = PolicyVersion(policy_id=row.id or 0, version=1, note=note, made_by=by.actor, made_at=at, **wording)
    session.add(made)
    session.flush()
    _finish(session, "policy.created", row, by=by, at=at, after=rows.wording(made))
    assert row.id is not None
    return row.id


def change(
    session: Session,
    *,
    policy_id: int,
    rules: Sequence[Mapping[str, Any]],
    by: Principal,
    at: datetime,
    routes: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    note: str = "",
    expected_version: int | None = None,
) -> int:
    """Reword a policy: a new version, the old ones stay; an identical wording makes none. The version in effect.

    Raises: Conflict when `expected_version` is no longer the newest, Invalid, NotFound, NotAllowed.
    """
    row = _row(session, policy_id, by)
    if expected_version is not None and row.version != expected_version:
        raise Conflict(f"Someone else has changed {row.name!r} meanwhile.", hint="Look at it again, then change it.")
    wording = _wording(rules=rules, settings=settings or {}, routes=routes, name=row.name, project_id=row.project_id)
    note = stored.text(note)
    last = session.get(PolicyVersion, (policy_id, row.version))
    if last is not None and all(getattr(last, field) == value for field, value in wording.items()):
        return row.version
    row.version += 1
    made = PolicyVersion(policy_id=policy_id, version=row.version, note=note, made_by=by.actor, made_at=at, **wording)
    session.add(made)
    session.flush()
    before = rows.wording(last) if last else None
    _finish(session, "policy.changed", row, by=by, at=at, before=before, after=rows.wording(made))
    return row.version


def switch(session: Session, *, policy_id: int, is_on: bool, by: Principal, at: datetime) -> int:
    """Put a policy in force, or take it out. Its version.

    Raises: Invalid when it looks for names and nothing that finds them is installed (it would hold every call),
    NotFound, NotAllowed.
    """
    row = _row(session, policy_id, by)
    if row.is_on == is_on:
        return row.version
    version = session.get(PolicyVersion, (policy_id, row.version))
    if is_on and version is not None and version.settings.get("names") and (said := names.missing()):
        raise Invalid(said, code="policy", hint="Or switch the setting “names” off.")
    row.is_on = is_on
    session.flush()
    verb = "policy.switched_on" if is_on else "policy.switched_off"
    _finish(session, verb, row, by=by, at=at, after={"version": row.version})
    return row.version


def _row(session: Session, policy_id: int, by: Principal) -> Policy:
    """The policy's row, held until the transaction ends; not yours is as if it were not there."""
    row = session.exec(select(Policy).where(Policy.id == policy_id).with_for_update()).first()
    if row is None or not by.may(Permission.USAGE_READ, row.project_id):
        raise NotFound("There is no such policy.", hint="Routing and policies shows them all.")
    require(by, Permission.REVIEW_CHANGE, row.project_id)
    return row


def _wording(
    *,
    rules: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    routes: Sequence[str],
    name: str,
    project_id: int,
) -> dict[str, Any]:
    """The wording as it is stored: read strictly, written as given but for what no database takes."""
    rules, settings, routes = stored.plain([dict(rule) for rule in rules]), stored.plain(settings), stored.plain(routes)
    policies.parse(
        policy_id=0, project_id=project_id, name=name, version=0, routes=routes, rules=rules, settings=settings
    )
    return {"routes": list(routes), "rules": [dict(rule) for rule in rules], "settings": dict(settings)}


def _finish(
    session: Session,
    action: str,
    row: Policy,
    *,
    by: Principal,
    at: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    marks.bump(session, TOPIC)
    audit.append(
        session,
        by=by,
        at=at,
        action=action,
        target=f"policy:{row.name}",
        project_id=row.project_id,
        before=before,
        after=after,
    )
