"""Take the votes of a comparison away, as JSON lines or CSV: streamed, page by page, in the order pairs were served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from core.calls import export
from core.db.engine import Database
from core.errors import Invalid
from core.ids import shown
from core.votes import queries
from core.votes.queries import ComparisonView, VoteLine

FORMATS, MEDIA_TYPES = export.FORMATS, export.MEDIA_TYPES
_FIELDS = tuple(VoteLine.__dataclass_fields__)
_PER_READ = 500


def rows(db: Database, comparison_id: int, format: str, *, project_ids: Sequence[int]) -> Iterator[bytes]:  # noqa: A002
    """Whole lines; each piece is one short read of the store.

    Raises:
        Invalid: there is no such format.
        NotFound: there is no such comparison in these projects.
    """
    if format not in FORMATS:
        raise Invalid(f"There is no format “{format}”.", param="format", hint=f"Use {' or '.join(FORMATS)}.")
    with db.read() as session:
        comparison = queries.comparison(session, comparison_id, project_ids=project_ids)
    return _pieces(db, comparison, format)


def _pieces(db: Database, comparison: ComparisonView, kind: str) -> Iterator[bytes]:
    if kind == "csv":
        yield export.line(_FIELDS)
    after: int | None = 0
    while after is not None:
        with db.read() as session:
            found = list(queries.lines(session, comparison=comparison, after=after, limit=_PER_READ))
        after = found[-1].id if found else None
        if found:
            yield b"".join(_csv(_facts(one)) if kind == "csv" else _json(_facts(one)) for one in found)


def _facts(row: VoteLine) -> dict[str, Any]:
    return asdict(row) | {"id": shown("pair", row.id), "question_id": shown("question", row.question_id)}


def _json(facts: dict[str, Any]) -> bytes:
    return orjson.dumps(facts, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _csv(facts: dict[str, Any]) -> bytes:
    return export.line([export.cell("; ".join(v) if isinstance(v, tuple | list) else v) for v in facts.values()])
