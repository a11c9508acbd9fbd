"""Full-text search over what was asked and answered, newest first; one query for both databases.

Every word must occur (in any order), a "phrase" must occur as it stands; what people type is never read as the
database's own search syntax.
"""

from __future__ import annotations

import re

from sqlalchemy import text
from sqlmodel import Session

_RECENT = 2_000  # Postgres: a common word is found among so many newest texts without asking the index
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
    bound = {"before": before, "start": start, "limit": limit, "project": project_id}
    if session.get_bind().dialect.name == "sqlite":
        quoted = " AND ".join('"{}"'.format(term.replace('"', '""')) for term in wanted)
        bound |= {"query": f'scope : "p{project_id}" AND {{asked answered}} : ({quoted})'}
        rows = session.execute(
            text(
                "SELECT rowid FROM call_text WHERE call_text MATCH :query AND rowid < :before AND rowid >= :start "
                "ORDER BY rowid DESC LIMIT :limit"
            ),
            bound,
        )
        return [row[0] for row in rows]
    query = " && ".join(f"phraseto_tsquery('simple', :t{n})" for n in range(len(wanted)))
    bound |= {f"t{n}": term for n, term in enumerate(wanted)} | {"recent": _RECENT}
    found = session.execute(text(_NEWEST.format(query=query)), bound).all()
    last = found[-1].floor if found else None
    ids = [row.call_id for row in found if row.call_id is not None]
    if len(ids) >= limit or last is None:
        return ids[:limit]
    bound |= {"before": last, "limit": limit - len(ids)}
    return ids + [row[0] for row in session.execute(text(_OLDER.format(query=query)), bound)]


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
