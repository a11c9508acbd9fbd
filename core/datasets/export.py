"""Take the examples of one kind away as JSON lines, in the order they were added: streamed, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from core.datasets import queries
from core.datasets.rules import Kind
from core.db.engine import Database

MEDIA_TYPE = "application/x-ndjson"
_PER_READ = 200


def lines(db: Database, *, dataset_id: int, kind: Kind, project_ids: Sequence[int]) -> Iterator[bytes]:
    """Whole lines; each piece is one short read of the store, and nothing stays open between them.

    Raises:
        NotFound: there is no such dataset in these projects.
    """
    with db.read() as session:
        queries.named(session, dataset_id, project_ids=project_ids)
    return _pieces(db, dataset_id, kind)


def _pieces(db: Database, dataset_id: int, kind: Kind) -> Iterator[bytes]:
    after: int | None = 0
    while after is not None:
        with db.read() as session:
            page = queries.in_order(session, dataset_id=dataset_id, kind=kind, after=after, limit=_PER_READ)
        if page.rows:
            yield b"".join(orjson.dumps(row.line, option=orjson.OPT_APPEND_NEWLINE) for row in page.rows)
        after = page.next_at
