"""How the calls of a name are today, from the record: what a live test of it is planned from.

The newest calls by that name are found by the index that tells most (`calls.paging`), at most `NEWEST` of at most
`SPAN`, and their rows, findings, feedback and verdicts by key: it costs the same however long the history is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import bindparam, text
from sqlmodel import Session

from core.calls import paging
from core.calls.filters import Filters
from core.calls.record import REFUSED
from core.calls.rollup import LONGEST_TAG, is_error, is_unpriced
from core.calls.rows import text as stored_text
from core.ids import moment_of
from core.money import from_nano_usd
from core.prompts.versions import PRODUCTION
from core.review.rules import State, Verdict
from core.trials import rules, sizing
from core.trials.rules import ALL, Condition, Unit
from core.trials.sizing import Baseline, Seen

NEWEST = 20_000
"""Calls that are read at most: what they tell is how units differ, not how many there ever were."""
SPAN = timedelta(days=14)
ROUTES = ("/v1/chat/completions", "/v1/responses")
"""Whose calls a live test splits (`serve.asked.HELD`)."""
_UNITS = {Unit.USER: "c.end_user", Unit.SESSION: "c.session", Unit.CALL: "CAST(c.id AS TEXT)"}
_VERDICTS = (Verdict.APPROVE, Verdict.EDIT, Verdict.REJECT)
_DECIDED = (State.SETTLED, State.RELEASED)
_DAY = timedelta(days=1)


def read(
    session: Session,
    *,
    project_id: int,
    target: str,
    unit: Unit,
    at: datetime,
    conditions: Sequence[Condition] = (),
) -> Baseline:
    """What a test of this target would have seen lately: of calls that meet the conditions, those that an arm B of
    another test answered left out. Nothing on record is an empty baseline."""
    target = rules.target_of(stored_text(target).strip())
    ids = _newest(session, project_id, target, at)
    if not ids:
        return Baseline()
    where, bound = _where(target, conditions)
    query = text(
        f"SELECT c.id, {_UNITS[unit]} AS unit, c.status, c.tokens_in, c.tokens_out, c.cost_usd, c.total_ms,"  # noqa: S608
        " EXISTS (SELECT 1 FROM call_finding f WHERE f.call_id = c.id AND f.call_id >= :low) AS flagged"
        f" FROM call c WHERE {_among(session, 'c.id')} AND {' AND '.join(where)}"
    ).bindparams(*(bindparam(name, expanding=True) for name, value in bound.items() if isinstance(value, list)))
    rows = session.execute(query, _ids(session, ids) | bound).all()
    owners = {row.id: row.unit for row in rows if row.unit}
    calls = [_seen(row) for row in rows if row.unit]
    kept = sorted(owners)
    if not kept:
        return Baseline(nameless=len(rows))
    return sizing.baseline(
        calls,
        [(owners[call], thumb, rating) for call, thumb, rating in _said(session, kept)],
        [(owners[call], verdict) for call, verdict in _verdicts(session, project_id, kept)],
        days=(at - moment_of(kept[0])) / _DAY,
        nameless=len(rows) - len(calls),
    )


def _newest(session: Session, project_id: int, target: str, at: datetime) -> list[int]:
    """The newest ids that may be of the target, newest first; no list of them reaches further back than another."""
    found: list[int] = []
    since = 0
    for filters in _asked(target):
        one = paging.find(
            session, filters, project_ids=[project_id], at=at, before=None, limit=NEWEST, scan=2 * NEWEST
        )  # fmt: skip
        found += one.ids
        if one.next_before is not None:
            since = max(since, one.next_before)
    return [number for number in sorted(set(found), reverse=True)[:NEWEST] if number >= since]


def _asked(target: str) -> tuple[Filters, ...]:
    """By what a target's calls are found. A call that was refused before anything was asked names no model or version:
    it is found among the refused."""
    told: dict[str, Any] = {"since": f"{SPAN.days}d", "judges": True}
    if target == ALL:
        return tuple(Filters(route=route, **told) for route in ROUTES)
    refused = Filters(status=REFUSED, **told)
    if wanted := rules.prompt_of(target):
        return Filters(prompt=wanted.name, **told), refused
    backend, slash, model = target.partition("/")
    named = Filters(backend=backend, model=model, **told) if slash else Filters(model=target, **told)
    return Filters(alias=target, **told), named, refused


_TAGGED = (
    "EXISTS (SELECT 1 FROM call_tag g WHERE g.call_id = c.id AND g.name = :tag{number} AND g.value IN :values{number})"
)


def _where(target: str, conditions: Sequence[Condition]) -> tuple[list[str], dict[str, Any]]:
    """What the rows must meet."""
    where = [
        "c.route IN :routes",
        "NOT EXISTS (SELECT 1 FROM trial_call t WHERE t.call_id = c.id AND t.call_id >= :low AND t.arm <> 0)",
    ]
    bound: dict[str, Any] = {"routes": list(ROUTES)}
    if target != ALL:
        wanted = rules.prompt_of(target)
        where.append("c.model_asked IN :names")
        names = [target, f"{target}@{PRODUCTION}"] if wanted is not None and not wanted.label else [target]
        bound["names"] = [stored_text(name)[:200] for name in names]
    for number, condition in enumerate(conditions):
        where.append(_TAGGED.format(number=number))
        bound[f"tag{number}"] = stored_text(condition.tag)[:LONGEST_TAG]
        bound[f"values{number}"] = [stored_text(value)[:LONGEST_TAG] for value in condition.values]
    return where, bound


def _seen(row: Any) -> Seen:
    return Seen(
        unit=row.unit,
        is_error=is_error(row.status),
        is_flagged=bool(row.flagged),
        tokens_out=row.tokens_out,
        cost_usd=None if is_unpriced(row) else float(from_nano_usd(row.cost_usd or 0)),
        total_ms=None if row.status == REFUSED else row.total_ms,
    )


def _said(session: Session, calls: list[int]) -> list[tuple[int, int | None, int | None]]:
    query = f"SELECT call_id, thumb, rating FROM feedback WHERE {_among(session, 'call_id')} AND call_id >= :low"  # noqa: S608
    return [(row.call_id, row.thumb, row.rating) for row in session.execute(text(query), _ids(session, calls))]


def _verdicts(session: Session, project_id: int, calls: list[int]) -> list[tuple[int, str]]:
    """Verdicts as a test counts them (`counting.counted`)."""
    where = f"{_among(session, 'call_id')} AND call_id >= :low AND project_id = :project"
    query = text(
        f"SELECT call_id, verdict FROM review_item WHERE {where} AND verdict IN :verdicts AND state IN :states"  # noqa: S608
    ).bindparams(bindparam("verdicts", expanding=True), bindparam("states", expanding=True))
    told = {"project": project_id, "verdicts": list(_VERDICTS), "states": list(_DECIDED)}
    return [(row.call_id, row.verdict) for row in session.execute(query, _ids(session, calls) | told)]


def _among(session: Session, column: str) -> str:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return f"{column} IN (SELECT value FROM json_each(:ids))" if is_sqlite else f"{column} = ANY(:ids)"  # noqa: S608


def _ids(session: Session, ids: list[int]) -> dict[str, Any]:
    """The calls, and the oldest of them: a planner that would rather read a whole table reads no further back."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return {"ids": orjson.dumps(ids).decode() if is_sqlite else ids, "low": min(ids)}
