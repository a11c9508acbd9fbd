"""Find calls page by page without ever counting or skipping: one index leads, the other conditions are checked.

The most telling condition chooses the index that is walked from `before` towards the past; what else is asked is
checked on the rows it yields, at most `scan` of them per page, so that a page costs the same whatever the store holds.
Where only the calls of judges are left out, the routes that are left are walked side by side, so that a million of them
cost nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import BindParameter, bindparam, text
from sqlmodel import Session

from core import ids
from core.calls import filters as bar
from core.calls import search
from core.calls.filters import Filters
from core.calls.record import JUDGES
from core.calls.rollup import bounded
from core.calls.rows import text as stored_text
from core.money import nano_usd

_FIRST_CHUNK, _LARGEST_CHUNK = 200, 4_000

# most telling first: (what is asked, index that leads, its condition, the predicate of a partial index)
_LEADERS = (
    ("session", "ix_call_session", "session = :session", "session <> ''"),
    ("user", "ix_call_end_user", "end_user = :user", "end_user <> ''"),
    ("tag", "", "", ""),
    ("failed", "ix_call_status", "status = :failed", "status <> 'ok'"),
    ("words", "", "", ""),
    ("prompt", "ix_call_prompt", "prompt_id = :prompt_id AND prompt_version = :version", "prompt_id IS NOT NULL"),
    ("alias", "ix_call_alias", "alias = :alias", "alias <> ''"),
    ("key_id", "ix_call_key", "key_id = :key_id", "key_id IS NOT NULL"),
    ("model", "ix_call_model", "model_served = :model", ""),
    ("backend", "ix_call_backend", "backend = :backend", ""),
    ("route", "ix_call_route", "route = :route", ""),
    ("routes", "ix_call_route", "route = :routes", ""),
)
_SEVERAL = frozenset({"failed", "key_id", "prompt", "routes"})
_NEXT_ROUTE = text("SELECT MIN(route) FROM call WHERE project_id = :project AND route > :route")
_FAILED = ("upstream_error", "refused")
_MOST_VERSIONS = 200

Masked = Callable[[Session, Sequence[int]], Container[int]]
"""Which of these calls may not be found by their words."""


@dataclass(frozen=True, slots=True)
class Found:
    """Ids newest first, where the next page starts, and how far back a page that is not full has looked."""

    ids: list[int]
    next_before: int | None
    searched_to: int | None = None


def find(
    session: Session,
    filters: Filters,
    *,
    project_ids: Sequence[int],
    at: datetime,
    before: int | None,
    limit: int,
    scan: int,
    masked: Masked | None = None,
) -> Found:
    """The ids of one page. With words, none of a `masked` call: that it has them would tell what they are."""
    start, end = bar.span(filters, at)
    low = ids.first_at(start) if start else 0
    high = min(before if before is not None else ids.LAST, ids.first_at(end) if end else ids.LAST)
    if filters.id:
        return Found(_by_name(session, filters, project_ids, low, high), None)
    asked = _asked(session, filters, project_ids)
    if asked is None or (filters.words and not search.terms(filters.words)):
        return Found([], None)
    leader, rest = _led(asked)
    hides = masked if filters.words else None
    found: list[int] = []
    scanned = 0
    while True:
        size = _chunk(limit + 1, len(found), scanned) if rest or hides else limit + 1
        chunk = _walk(session, leader, asked, project_ids, low, high, size)
        kept = _checked(session, chunk, asked, rest) if rest else chunk
        if hides and kept:
            hidden = hides(session, kept)
            kept = [number for number in kept if number not in hidden]
        found += kept
        if len(found) > limit:
            return Found(found[:limit], found[limit - 1])
        if len(chunk) < size:
            return Found(found, None)
        high, scanned = chunk[-1], scanned + len(chunk)
        if scanned >= scan:
            return Found(found, high, high)


def _chunk(wanted: int, found: int, scanned: int) -> int:
    """How many rows of the leading index to look at next: as many as should fill the page, by what came so far."""
    if not scanned:
        return max(wanted, _FIRST_CHUNK)
    likely = (wanted - found) * scanned * 5 // (max(found, 1) * 4)
    return min(max(likely, _FIRST_CHUNK), _LARGEST_CHUNK)


def _asked(session: Session, filters: Filters, project_ids: Sequence[int]) -> dict[str, Any] | None:
    """The conditions with their values; None when nothing can match."""
    asked: dict[str, Any] = {
        name: getattr(filters, name)
        for name in ("session", "user", "alias", "model", "backend", "route", "words")
        if getattr(filters, name)
    }
    if filters.leaves_out_judges and (routes := known_routes(session, project_ids)) & set(JUDGES):
        asked["routes"] = tuple(sorted(routes - set(JUDGES)))
        if not asked["routes"]:
            return None
    if filters.status == "ok":
        asked["status"] = "ok"
    elif filters.status:
        asked["failed"] = _FAILED if filters.status == "error" else (filters.status,)
    if filters.tags:
        asked["tag"] = bounded(filters.tags)
    if filters.cost_usd is not None:
        asked["cost"] = nano_usd(filters.cost_usd)
    if filters.latency_ms is not None:
        asked["latency"] = filters.latency_ms
    if filters.key:
        asked["key_id"] = _keys(session, filters.key, project_ids)
        if not asked["key_id"]:
            return None
    if filters.prompt:
        asked["prompt"] = _versions(session, filters.prompt, project_ids)
        if not asked["prompt"]:
            return None
    return asked


def known_routes(session: Session, project_ids: Sequence[int]) -> set[str]:
    """Every route by which calls of these projects were made: one step along the index for each of them."""
    found: set[str] = set()
    for project_id in project_ids:
        route = ""
        while (after := session.execute(_NEXT_ROUTE, {"project": project_id, "route": route}).scalar_one()) is not None:
            route = str(after)
            found.add(route)
    return found


def _versions(session: Session, name: str, project_ids: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The versions (prompt, number) that `support` or `support@3` means, the newest first; of prompts in these
    projects."""
    name, _, number = name.partition("@")
    query = text("SELECT id, newest FROM prompt WHERE project_id IN :projects AND name = :name").bindparams(
        bindparam("projects", expanding=True)
    )
    found: list[tuple[int, int]] = []
    for row in session.execute(query, {"projects": list(project_ids), "name": name}).all():
        wanted = [int(number)] if number.isdecimal() and len(number) < 9 else range(row.newest, 0, -1)
        found += [(row.id, one) for one in wanted][:_MOST_VERSIONS]
    return () if number and not number.isdecimal() else tuple(found)


def _keys(session: Session, name: str, project_ids: Sequence[int]) -> tuple[int, ...]:
    """The keys of these projects with this name, or this number."""
    query = text(
        "SELECT id, name FROM api_key WHERE project_id IN :projects AND (name = :name OR id = :id)"
    ).bindparams(bindparam("projects", expanding=True))
    number = int(name) if name.isdecimal() and len(name) < 9 else -1
    rows = session.execute(query, {"projects": list(project_ids), "name": name, "id": number}).all()
    named = tuple(row.id for row in rows if row.name == name)
    return named or tuple(row.id for row in rows)


def _led(asked: dict[str, Any]) -> tuple[tuple[str, str, str, str], dict[str, Any]]:
    """The index that leads, and what is left to check."""
    leader = next((entry for entry in _LEADERS if entry[0] in asked), ("", "ix_call_project", "", ""))
    rest = {name: value for name, value in asked.items() if name != leader[0]}
    if leader[0] == "tag" and len(asked["tag"]) > 1:
        rest["tag"] = asked["tag"][1:]
    return leader, rest


def _walk(
    session: Session,
    leader: tuple[str, str, str, str],
    asked: dict[str, Any],
    project_ids: Sequence[int],
    low: int,
    high: int,
    limit: int,
) -> list[int]:
    """The newest ids the leading index has below `high`, over all projects."""
    name, index, condition, predicate = leader
    values: tuple[Any, ...] = asked[name] if name in _SEVERAL else (asked.get(name),)
    parts: list[list[int]] = []
    for project_id in project_ids:
        for value in values:
            bound: dict[str, Any] = {"project": project_id, "low": low, "high": high, "limit": limit}
            if name == "words":
                parts.append(search.matches(session, value, project_id=project_id, before=high, start=low, limit=limit))
                continue
            if name == "tag":
                query = _TAGGED
                bound |= {"name": value[0][0], "value": value[0][1]}
            else:
                query = _statement(session, index, condition, predicate)
                if name == "prompt":
                    bound |= {"prompt_id": value[0], "version": value[1]}
                elif name:
                    bound[name] = value
            parts.append([row[0] for row in session.execute(text(query), bound)])
    if len(parts) == 1:
        return parts[0]
    return [number for number, _ in zip(heapq.merge(*parts, reverse=True), range(limit), strict=False)]


_TAGGED = (
    "SELECT call_id FROM call_tag WHERE project_id = :project AND name = :name AND value = :value "
    "AND call_id < :high AND call_id >= :low ORDER BY call_id DESC LIMIT :limit"
)


def _statement(session: Session, index: str, condition: str, predicate: str) -> str:
    source = f"call INDEXED BY {index}" if session.get_bind().dialect.name == "sqlite" else "call"
    where = ["project_id = :project", condition, predicate, "id < :high", "id >= :low"]
    kept = " AND ".join(part for part in where if part)
    return f"SELECT id FROM {source} WHERE {kept} ORDER BY id DESC LIMIT :limit"  # noqa: S608


_CHECKS = {
    "session": "session = :session",
    "user": "end_user = :user",
    "alias": "alias = :alias",
    "model": "model_served = :model",
    "backend": "backend = :backend",
    "route": "route = :route",
    "status": "status = :status",
    "cost": "cost_usd > :cost",
    "latency": "total_ms > :latency",
    "failed": "status IN :failed",
    "key_id": "key_id IN :key_id",
    "routes": "route IN :routes",
}


_TAG_CHECK = (
    "EXISTS (SELECT 1 FROM call_tag t WHERE t.project_id = call.project_id AND t.call_id = call.id "
    "AND t.name = :tag{number} AND t.value = :value{number})"
)


def _checked(session: Session, chunk: list[int], asked: dict[str, Any], rest: dict[str, Any]) -> list[int]:
    """Those of the chunk that meet the other conditions too."""
    if not chunk:
        return []
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    where = ["id IN (SELECT value FROM json_each(:ids))" if is_sqlite else "id = ANY(:ids)"]
    bound: dict[str, Any] = {"ids": orjson.dumps(chunk).decode() if is_sqlite else chunk}
    many: list[BindParameter[Any]] = []
    for name, value in rest.items():
        if name == "words":
            continue
        if name == "tag":
            for number, (tag, wanted) in enumerate(value):
                where.append(_TAG_CHECK.format(number=number))
                bound |= {f"tag{number}": tag, f"value{number}": wanted}
            continue
        if name == "prompt":
            where.append("prompt_id IN :prompt_id AND prompt_version IN :version")
            bound |= {"prompt_id": list({one for one, _ in value}), "version": list({one for _, one in value})}
            many += [bindparam("prompt_id", expanding=True), bindparam("version", expanding=True)]
            continue
        where.append(_CHECKS[name])
        bound[name] = list(value) if isinstance(value, tuple) else value
        if isinstance(value, tuple):
            many.append(bindparam(name, expanding=True))
    query = text(f"SELECT id FROM call WHERE {' AND '.join(where)}").bindparams(*many)  # noqa: S608
    kept = {row[0] for row in session.execute(query, bound)}
    if "words" in rest:
        kept &= search.among(session, rest["words"], [number for number in chunk if number in kept])
    return [number for number in chunk if number in kept]


def _by_name(session: Session, filters: Filters, project_ids: Sequence[int], low: int, high: int) -> list[int]:
    """The calls with this call, request or response id."""
    number = bar.call_id(filters)
    bound = {"projects": list(project_ids), "name": stored_text(filters.id) if number is None else number}
    conditions = ["id = :name"]
    if number is None:
        conditions = [f"{column} = :name AND {column} <> ''" for column in ("request_id", "response_id")]
    found: set[int] = set()
    for condition in conditions:
        query = text(f"SELECT id FROM call WHERE project_id IN :projects AND {condition}")  # noqa: S608
        rows = session.execute(query.bindparams(bindparam("projects", expanding=True)), bound)
        found |= {row[0] for row in rows if low <= row[0] < high}
    return sorted(found, reverse=True)
