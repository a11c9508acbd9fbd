"""Full-text search over what was asked and answered, newest first; one query for both databases.

Every word must occur (in any order), a "phrase" must occur as it stands; what people type is never read as the
database's own search syntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlmodel import Session

# Postgres: among so many newest texts a common word is found without asking the index, which would gather all of
# its matches first; a second, longer stretch only where the first one had any
_RECENT = (2_000, 20_000)
_TERM = re.compile(r'"([^"]*)"?|(\S+)')
_LETTER = re.compile(r"\w")


def terms(words: str) -> list[str]:
    """The words and phrases of a search; what has neither letter nor digit is left out."""
    found = [match[1] if match[1] is not None else match[2] for match in _TERM.finditer(words.replace("\0", ""))]
    return [term.strip() for term in found if _LETTER.search(term)]


def matches(session: Session, words: str, *, project_id: int, before: int, start: int, limit: int) -> list[int]:
    """Ids of calls of one project whose text has all the words, newest first, from `before` down to `start`."""
    wanted = terms(words)
    if not wanted:
        return []
    bound: dict[str, Any] = {"before": before, "start": start, "limit": limit, "project": project_id}
    if _is_sqlite(session):
        bound["query"] = f'scope : "p{project_id}" AND {_match(wanted)}'
        return [row[0] for row in session.execute(text(_SQLITE), bound)]
    query, words_bound = _tsquery(wanted)
    bound |= words_bound
    ids: list[int] = []
    for recent in _RECENT:
        bound |= {"recent": recent, "limit": limit - len(ids)}
        found = session.execute(text(_NEWEST.format(query=query)), bound).all()
        hits = [row.call_id for row in found if row.call_id is not None]
        ids += hits
        if len(ids) >= limit or found[-1].floor is None:
            return ids[:limit]
        bound["before"] = found[-1].floor
        if not hits:
            break
    bound["limit"] = limit - len(ids)
    return ids + [row[0] for row in session.execute(text(_OLDER.format(query=query)), bound)]


def among(session: Session, words: str, ids: Sequence[int]) -> set[int]:
    """Which of these calls have all the words."""
    wanted = terms(words)
    if not wanted or not ids:
        return set()
    if _is_sqlite(session):
        bound: dict[str, Any] = {"query": _match(wanted), "ids": orjson.dumps(list(ids)).decode()}
        return {row[0] for row in session.execute(text(_SQLITE_AMONG), bound)}
    query, bound = _tsquery(wanted)
    statement = f"SELECT call_id FROM call_text WHERE call_id = ANY(:ids) AND words @@ ({query})"  # noqa: S608
    return {row[0] for row in session.execute(text(statement), bound | {"ids": list(ids)})}


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _match(wanted: list[str]) -> str:
    quoted = " AND ".join('"{}"'.format(term.replace('"', '""')) for term in wanted)
    return f"{{asked answered}} : ({quoted})"


def _tsquery(wanted: list[str]) -> tuple[str, dict[str, Any]]:
    query = " && ".join(f"phraseto_tsquery('simple', :t{n})" for n in range(len(wanted)))
    return query, {f"t{n}": term for n, term in enumerate(wanted)}


_SQLITE = (
    "SELECT rowid FROM call_text WHERE call_text MATCH :query AND rowid < :before AND rowid >= :start "
    "ORDER BY rowid DESC LIMIT :limit"
)
_SQLITE_AMONG = (
    "SELECT value FROM json_each(:ids) "
    "WHERE EXISTS (SELECT 1 FROM call_text WHERE call_text MATCH :query AND rowid = value)"
)
# a row per match among the newest texts, and at last the id where that stretch ended (null: nothing is older)
_NEWEST = """
WITH newest AS MATERIALIZED (
  SELECT call_id, words FROM call_text
  WHERE project_id = :project AND call_id < :before AND call_id >= :start ORDER BY call_id DESC LIMIT :recent
), hits AS (SELECT call_id FROM newest WHERE words @@ ({query}) ORDER BY call_id DESC LIMIT :limit)
SELECT call_id, NULL::bigint AS floor FROM hits
UNION ALL SELECT NULL, CASE WHEN count(*) = :recent THEN min(call_id) END FROM newest
ORDER BY call_id DESC NULLS LAST
"""
# the index gives all matches at once; OFFSET 0 keeps the planner from walking every text in time order instead
_OLDER = """
SELECT call_id FROM (
  SELECT call_id FROM call_text
  WHERE words @@ ({query}) AND project_id = :project AND call_id < :before AND call_id >= :start OFFSET 0
) AS hits ORDER BY call_id DESC LIMIT :limit
"""
