"""Append to the trail: the last step of every action, in the action's own transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import String, bindparam, select, text, update
from sqlmodel import Session

from core.audit import rules
from core.audit.tables import AuditEvent, AuditHead
from core.db.rows import last, run, table

_AT = table(AuditHead).c
_HEAD = select(_AT.number, _AT.hash).where(_AT.id == 1)
_ADD = table(AuditEvent).insert()
_MOVE = update(table(AuditHead)).where(_AT.id == 1).values(number=bindparam("to"), hash=bindparam("with"))

# Postgres: while the head is locked everybody waits, so all is done in one statement, the hash too
_APPEND = text(
    "WITH head AS (SELECT number + 1 AS number, coalesce(nullif(hash, ''), :genesis) AS previous_hash"
    " FROM audit_head WHERE id = 1 FOR UPDATE),"
    " made AS (SELECT number, previous_hash, encode(sha256(convert_to("
    " :front || number || :between || previous_hash || :back, 'UTF8')), 'hex') AS hash FROM head),"
    " moved AS (UPDATE audit_head SET number = made.number, hash = made.hash FROM made WHERE id = 1)"
    " INSERT INTO audit_event (number, at, actor, action, target, project_id, before, after, previous_hash, hash)"
    " SELECT number, :at, :actor, :action, :target, :project_id, :before, :after, previous_hash, hash FROM made"
).bindparams(
    *(
        bindparam(name, type_=table(AuditEvent).c[name].type)
        for name in ("at", "actor", "action", "target", "project_id", "before", "after")
    ),
    *(bindparam(name, type_=String()) for name in ("genesis", "front", "between", "back")),
)


def append(
    session: Session,
    *,
    by: rules.Actor,
    at: datetime,
    action: str,
    target: str,
    project_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write what was done; the head's lock makes appends wait for each other, so that there is one chain."""
    session.flush()
    told: dict[str, Any] = {
        "at": at,
        "actor": by.actor,
        "action": action,
        "target": target,
        "project_id": project_id,
        "before": _plain(before),
        "after": _plain(after),
    }
    around = rules.around(**told)
    if session.get_bind().dialect.name == "sqlite":
        head = run(session, _HEAD, {}).one()
        number, previous = int(head.number) + 1, str(head.hash) or rules.GENESIS
        made = rules.hash_of(number, previous, around)
        run(session, _ADD, told | {"number": number, "previous_hash": previous, "hash": made})
        run(session, _MOVE, {"to": number, "with": made})
        return
    whole = {"genesis": rules.GENESIS, "front": around[0], "between": rules.BETWEEN, "back": around[1]}
    last(session, _APPEND, told | whole)


def _plain(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The values as JSON gives them back, so that the hash is of what is stored; a moment becomes its text."""
    return None if told is None else dict(orjson.loads(orjson.dumps(told, default=str)))
