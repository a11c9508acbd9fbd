"""Take examples away: JSON lines, CSV and Parquet, which can be read in again, and the files of OpenAI's fine-tuning.

Streamed: a page of examples is one short read of the store, and nothing stays open between them. Every line of a
fine-tuning file is checked against its documented shape (`core.datasets.rules`) before it is written; an example that
has not that shape is left out, and `survey` says beforehand how many those are. A version is read as it was kept.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import parquet

from core.calls.export import cell, line
from core.datasets import mapping, queries, rules
from core.datasets.queries import ItemView
from core.datasets.rules import Example, Kind
from core.db.engine import Database
from core.errors import GreenroomError, Invalid, NotFound
from core.ids import shown

MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "tuning": "application/x-ndjson",
    "preference": "application/x-ndjson",
}
FORMATS = tuple(MEDIA_TYPES)
ENDINGS = {"jsonl": "jsonl", "csv": "csv", "parquet": "parquet", "tuning": "sft.jsonl", "preference": "dpo.jsonl"}
LEAST_TRAINED = 10
"""Lines that a file to fine-tune on must have (OpenAI's guide "Supervised fine-tuning")."""
_PER_READ = 200
_COLUMNS = ("key", "kind", "input", "expected", "notes", "tags", "split", "source", "file_names")
_SCHEMA = pa.schema([(name, pa.string()) for name in _COLUMNS])


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody takes away. `version` None is the draft; `kind` and `split` None are all of them."""

    dataset_id: int
    project_ids: tuple[int, ...]
    version: int | None = None
    kind: Kind | None = None
    split: str | None = None


def pieces(db: Database, order: Order, format: str) -> Iterator[bytes]:  # noqa: A002
    """The file, a piece at a time.

    Raises:
        NotFound: there is no such dataset in these projects, or no such version.
        Invalid: there is no such format.
    """
    if format not in FORMATS:
        raise Invalid(f"There is no format “{format}”.", param="format", hint=f"Use {', '.join(FORMATS)}.")
    with db.read() as session:
        found = queries.dataset(session, order.dataset_id, project_ids=order.project_ids)
    if order.version is not None and not 0 < order.version <= found.version:
        raise NotFound("There is no such version.", hint="Choose one from the list.")
    pages = _pages(db, order)
    if format == "parquet":
        return _parquet(pages)
    if format == "csv":
        return _csv(pages)
    return _lines(pages, whole if format == "jsonl" else _WRITERS[format])


def survey(db: Database, order: Order, *, most: int = 5_000) -> dict[str, int]:
    """How many examples each fine-tuning format would take and leave out, looking at the first `most` of them:
    `tuning`, `preference`, and `seen`."""
    found = {"seen": 0, "tuning": 0, "preference": 0}
    for page in _pages(db, order):
        for row in page:
            found["seen"] += 1
            for name, write in _WRITERS.items():
                found[name] += write(row) is not None
        if found["seen"] >= most:
            break
    return found


def whole(row: ItemView) -> dict[str, Any]:
    """An example with everything that is said about it, as a line that can be read in again."""
    return {
        "key": shown("ex", row.key),
        "kind": row.kind,
        "input": row.input,
        "expected": row.expected,
        "notes": row.notes,
        "tags": row.tags,
        "split": row.split,
        "source": row.source,
        "file_names": row.files,
    }


def tuning(row: ItemView) -> dict[str, Any] | None:
    """A line of OpenAI's guide "Supervised fine-tuning"; an item is its conversation and the answer it expects."""
    given = {name: value for name, value in row.input.items() if name in ("messages", "tools")}
    if row.kind is Kind.ITEM and row.expected and "content" in row.expected:
        given["messages"] = [*given.get("messages", ()), row.expected]
    elif row.kind is not Kind.TUNING:
        return None
    return _checked(Example(Kind.TUNING, given))


def preference(row: ItemView) -> dict[str, Any] | None:
    """A line of OpenAI's guide "Direct preference optimization"."""
    return _checked(row.example) if row.kind is Kind.PREFERENCE else None


_WRITERS: dict[str, Callable[[ItemView], dict[str, Any] | None]] = {"tuning": tuning, "preference": preference}


def _checked(example: Example) -> dict[str, Any] | None:
    messages = example.input.get("messages")
    fitting = rules.trained_on(messages) if isinstance(messages, list) else None
    if fitting is None:
        return None
    example = replace(example, input={**example.input, "messages": fitting})
    try:
        rules.check(example)
    except GreenroomError:
        return None
    return example.line


def _pages(db: Database, order: Order) -> Iterator[Sequence[ItemView]]:
    after: int | None = 0
    while after is not None:
        with db.read() as session:
            page = queries.in_order(
                session, dataset_id=order.dataset_id, kind=order.kind, split=order.split, version=order.version,
                after=after, limit=_PER_READ,
            )  # fmt: skip
        yield page.rows
        after = page.next_at


def _lines(pages: Iterator[Sequence[ItemView]], write: Callable[[ItemView], Any]) -> Iterator[bytes]:
    for page in pages:
        found = [told for told in map(write, page) if told is not None]
        if found:
            yield b"".join(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE) for told in found)


def _csv(pages: Iterator[Sequence[ItemView]]) -> Iterator[bytes]:
    yield line(_COLUMNS)
    for page in pages:
        rows = [mapping.row(one.entry, shown("ex", one.key)) for one in page]
        yield b"".join(line([cell(row[name]) for name in _COLUMNS]) for row in rows)


def _parquet(pages: Iterator[Sequence[ItemView]]) -> Iterator[bytes]:
    sink = io.BytesIO()
    with parquet.ParquetWriter(_Drained(sink), _SCHEMA, compression="zstd") as writer:
        for page in pages:
            rows = [mapping.row(one.entry, shown("ex", one.key)) for one in page]
            writer.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
            yield _taken(sink)
    yield _taken(sink)


class _Drained:
    """A file that is only appended to, whose beginning has left already."""

    def __init__(self, sink: io.BytesIO) -> None:
        self._sink, self._at, self.closed, self.mode = sink, 0, False, "wb"

    def write(self, data: Any) -> int:
        written = self._sink.write(data)
        self._at += written
        return written

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def _taken(sink: io.BytesIO) -> bytes:
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data
