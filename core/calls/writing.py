"""One batch of calls into the store: rows, payloads, tags, search text and hourly sums, in one transaction.

Few statements with many rows each, compiled once: SQLite lets go of the interpreter's lock at every statement and
must fight for it again beside a busy event loop; Postgres charges a round trip. The hourly sums are added by the
database itself (`calls = calls + …`; a latency sketch grows by appending, see `sketch`), in one order everywhere,
so that replicas neither lose counts nor wait for each other in a circle.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import LargeBinary, Table
from sqlalchemy.dialects import postgresql

from core import clock
from core.calls import rows
from core.calls.record import CallRecord
from core.calls.rollup import Key, Sums, TagValues, add_up, by_day, by_unit
from core.calls.sketch import WORD_BYTES, compact
from core.calls.tables import Call, CallPayload, CallTag, UsageDay, UsageHour

_COMPACT_AFTER = 800  # appended bytes after which a stored sketch is folded
_KEY = ("project_id", "dimension", "value", "hour")
_SKETCHES = ("total_ms", "first_token_ms")


def _columns(model: Any) -> list[str]:
    table: Table = model.__table__
    return [column.name for column in table.columns]


_CALL, _PAYLOAD, _TAG, _USAGE = (_columns(model) for model in (Call, CallPayload, CallTag, UsageHour))
_USAGES = {"usage_hour": UsageHour, "usage_day": UsageDay}
_FINDING = (
    "call_id", "number", "project_id", "side", "place", "family", "kind", "start", "stop", "confidence", "detector",
    "policy", "act",
)  # fmt: skip
_TRIAL_CALL = ("call_id", "trial_id", "arm", "version", "unit", "is_fallback")
_UNIT_SUMS = ("calls", "errors", "flagged", "fallbacks", "tokens_in", "tokens_out", "cost_usd")
_TRIAL_UNIT = ("trial_id", "unit", "arm", "first_at", "slice", *_UNIT_SUMS)
_UNIT_GROWN = "ON CONFLICT (trial_id, unit, arm) DO UPDATE SET " + ", ".join(
    f"{name} = trial_unit.{name} + excluded.{name}" for name in _UNIT_SUMS
)
_TEXT = ["rowid", "scope", "asked", "answered"]
_SUMS = [name for name in _USAGE if name not in _KEY and name not in _SKETCHES]


def _grown(table: str, append: str) -> str:
    sums = [f"{name} = {table}.{name} + excluded.{name}" for name in _SUMS]
    sums += [f"{name} = {append.format(table=table, name=name)}" for name in _SKETCHES]
    return f"ON CONFLICT (project_id, dimension, hour, value) DO UPDATE SET {', '.join(sums)}"


class Growth:
    """Which sketches of one table to fold now: those that grew, and those of a time that is over."""

    def __init__(self) -> None:
        self._bytes: dict[Key, int] = {}
        self._newest: datetime | None = None

    def due(self, added: dict[Key, Sums]) -> list[Key]:
        found = []
        newest = max(key[2] for key in added)
        if self._newest is not None and newest > self._newest:
            found = sorted(key for key, size in self._bytes.items() if size and key[2] < newest and key not in added)
            self._bytes.clear()
        self._newest = newest if self._newest is None else max(newest, self._newest)
        for key, sums in added.items():
            size = self._bytes.get(key, 0) + WORD_BYTES * (len(sums.total_ms) + len(sums.first_token_ms))
            if size > _COMPACT_AFTER:
                found.append(key)
                size = 0
            self._bytes[key] = size
        return found


class Writing(Protocol):
    """How one kind of database takes a batch; `connection` is the driver's own."""

    def write(self, connection: Any, batch: Sequence[CallRecord]) -> None:
        """Write and commit; on an error everything of the batch is undone."""

    def known(self, connection: Any, ids: Sequence[int]) -> set[int]:
        """Which of these calls are in the store."""


class SqliteWriting:
    """Statements of 1, 2, 4 … rows; the last places of a batch are filled with nulls, which are left out."""

    def __init__(self) -> None:
        self._values = TagValues()
        self._growth = {table: Growth() for table in _USAGES}

    def write(self, connection: Any, batch: Sequence[CallRecord]) -> None:
        run = connection.execute
        micros = clock.micros
        calls, payloads, texts, tags, findings = [], [], [], [], []
        for record in batch:
            row = rows.call(record)
            calls.append((row[0], row[1], micros(row[2]), *row[3:]))
            payloads.append(rows.payload(record))
            texts.append(
                (
                    record.id,
                    f"p{record.project_id}",
                    record.asked_text[: rows.LONGEST_TEXT],
                    record.answered_text[: rows.LONGEST_TEXT],
                )
            )
            tags += rows.tags(record)
            findings += [tuple(row[name] for name in _FINDING) for row in record.findings]
        shown = [made for record in batch if (made := rows.trial_call(record)) is not None]
        hours = add_up(batch, self._values)
        added = {"usage_hour": hours, "usage_day": by_day(hours)}
        run("BEGIN IMMEDIATE")
        try:
            self._insert(run, "call", tuple(_CALL), calls)
            self._insert(run, "call_payload", tuple(_PAYLOAD), payloads)
            self._insert(run, "call_text", tuple(_TEXT), texts)
            self._insert(run, "call_tag", tuple(_TAG), tags)
            if findings:
                self._insert(run, "call_finding", _FINDING, findings)
            if shown:
                units: list[tuple[Any, ...]] = [sums.row(key) for key, sums in by_unit(batch).items()]
                self._insert(run, "trial_call", _TRIAL_CALL, shown)
                self._insert(
                    run, "trial_unit", _TRIAL_UNIT, [(*unit[:3], micros(unit[3]), *unit[4:]) for unit in units]
                )
            for table, growth in added.items():
                self._insert(run, table, tuple(_USAGE), [self._usage_of(*item) for item in growth.items()])
                for key in self._growth[table].due(growth):
                    self._fold(run, table, key)
            run("COMMIT")
        except BaseException:
            if connection.in_transaction:
                run("ROLLBACK")
            raise

    def known(self, connection: Any, ids: Sequence[int]) -> set[int]:
        found = connection.execute(
            "SELECT id FROM call WHERE id IN (SELECT value FROM json_each(?))", (orjson.dumps(ids).decode(),)
        )
        return {row[0] for row in found.fetchall()}

    @staticmethod
    def _insert(run: Any, table: str, columns: tuple[str, ...], values: list[tuple[Any, ...]]) -> None:
        width = len(columns)
        for start in range(0, len(values), 128):
            part = values[start : start + 128]
            size = 1 << (len(part) - 1).bit_length()
            flat = [value for row in part for value in row]
            flat += [None] * (width * (size - len(part)))
            run(_sqlite_insert(table, columns, size), flat)

    @staticmethod
    def _usage_of(key: Key, sums: Sums) -> tuple[Any, ...]:
        row = sums.row(key)
        return (*row[:3], clock.micros(key[2]), *row[4:])

    @staticmethod
    def _fold(run: Any, table: str, key: Key) -> None:
        project_id, dimension, hour, value = key
        where = (project_id, dimension, clock.micros(hour), value)
        if found := run(_SKETCHES_OF.format(table=table, place="?"), where).fetchone():
            run(_FOLD.format(table=table, place="?"), (compact(found[0]), compact(found[1]), *where))


_ROW = "WHERE project_id = {place} AND dimension = {place} AND hour = {place} AND value = {place}"
_SKETCHES_OF = "SELECT total_ms, first_token_ms FROM {table} " + _ROW  # noqa: S608
_FOLD = "UPDATE {table} SET total_ms = {place}, first_token_ms = {place} " + _ROW  # noqa: S608


@functools.cache
def _sqlite_insert(table: str, columns: tuple[str, ...], size: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    into = f"INSERT INTO {table} ({', '.join(columns)})"
    end = _UNIT_GROWN if table == "trial_unit" else ""
    if table in _USAGES:
        end = _grown(table, "CAST({table}.{name} || excluded.{name} AS BLOB)")
    if size == 1 and not end:
        return f"{into} VALUES {row}"
    # WHERE leaves out the filling; it also tells an upsert's ON from a join's
    places = ", ".join([row] * size)
    return f"{into} SELECT * FROM (VALUES {places}) WHERE column1 IS NOT NULL {end}"  # noqa: S608


def _postgres_insert(table: str, model: Any, end: str = "") -> str:
    """INSERT of a JSON array of objects: one parameter, whatever the number of rows."""
    dialect = postgresql.dialect()
    types, picked = [], []
    for column in model.__table__.columns:
        is_bytes = isinstance(column.type, LargeBinary)
        types.append(f'"{column.name}" {"text" if is_bytes else column.type.compile(dialect)}')
        picked.append(f"decode(r.\"{column.name}\", 'base64')" if is_bytes else f'r."{column.name}"')
    names = ", ".join(f'"{column.name}"' for column in model.__table__.columns)
    into = f'INSERT INTO "{table}" ({names}) SELECT {", ".join(picked)} '
    return f"{into}FROM json_to_recordset(%s::json) AS r({', '.join(types)}) {end}"


_POSTGRES_FINDING = (
    f"INSERT INTO call_finding ({', '.join(_FINDING)}) SELECT {', '.join(f'r.{n}' for n in _FINDING)} "  # noqa: S608
    "FROM json_to_recordset(%s::json) AS r(call_id bigint, number integer, project_id integer, side text, place text, "
    "family text, kind text, start integer, stop integer, confidence double precision, detector text, policy text, "
    "act text)"
)


_POSTGRES_TRIAL_CALL = (
    f"INSERT INTO trial_call ({', '.join(_TRIAL_CALL)}) SELECT {', '.join(f'r.{n}' for n in _TRIAL_CALL)} "  # noqa: S608
    "FROM json_to_recordset(%s::json) AS r(call_id bigint, trial_id integer, arm integer, version integer, unit text, "
    "is_fallback boolean)"
)
_POSTGRES_TRIAL_UNIT = (
    f"INSERT INTO trial_unit ({', '.join(_TRIAL_UNIT)}) SELECT {', '.join(f'r.{n}' for n in _TRIAL_UNIT)} "  # noqa: S608
    "FROM json_to_recordset(%s::json) AS r(trial_id integer, unit text, arm integer, first_at timestamptz, slice text, "
    "calls integer, errors integer, flagged integer, fallbacks integer, tokens_in bigint, tokens_out bigint, "
    f"cost_usd bigint) {_UNIT_GROWN}"
)


class PostgresWriting:
    """One JSON parameter per table, all statements and the commit in one round trip."""

    def __init__(self) -> None:
        self._values = TagValues()
        self._growth = {table: Growth() for table in _USAGES}
        self._call = _postgres_insert("call", Call)
        self._payload = _postgres_insert("call_payload", CallPayload)
        self._tag = _postgres_insert("call_tag", CallTag)
        append = "{table}.{name} || excluded.{name}"
        self._usage = {table: _postgres_insert(table, model, _grown(table, append)) for table, model in _USAGES.items()}

    def write(self, connection: Any, batch: Sequence[CallRecord]) -> None:
        calls = [dict(zip(_CALL, rows.call(record), strict=True)) for record in batch]
        payloads = [self._payload_of(record) for record in batch]
        tags = [dict(zip(_TAG, row, strict=True)) for record in batch for row in rows.tags(record)]
        texts = [self._text_of(record) for record in batch]
        findings = [row for record in batch for row in record.findings]
        shown = [
            dict(zip(_TRIAL_CALL, made, strict=True))
            for record in batch
            if (made := rows.trial_call(record)) is not None
        ]
        hours = add_up(batch, self._values)
        added = {"usage_hour": hours, "usage_day": by_day(hours)}
        folds = [(table, key) for table, growth in added.items() for key in self._growth[table].due(growth)]
        try:
            with connection.pipeline():
                run = connection.execute
                run(self._call, (_json(calls),))
                run(self._payload, (_json(payloads),))
                run(
                    "INSERT INTO call_text (call_id, project_id, words) "
                    "SELECT r.id, r.project_id, to_tsvector('simple', r.words) "
                    "FROM json_to_recordset(%s::json) AS r(id bigint, project_id integer, words text)",
                    (_json(texts),),
                )
                if tags:
                    run(self._tag, (_json(tags),))
                if findings:
                    run(_POSTGRES_FINDING, (_json(findings),))
                if shown:
                    units = [dict(zip(_TRIAL_UNIT, sums.row(key), strict=True)) for key, sums in by_unit(batch).items()]
                    run(_POSTGRES_TRIAL_CALL, (_json(shown),))
                    run(_POSTGRES_TRIAL_UNIT, (_json(units),))
                for table, growth in added.items():
                    run(self._usage[table], (_json([self._usage_of(*item) for item in growth.items()]),))
                if not folds:
                    connection.commit()
            if folds:
                for table, key in folds:
                    self._fold(connection, table, key)
                connection.commit()
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise

    def known(self, connection: Any, ids: Sequence[int]) -> set[int]:
        found = connection.execute("SELECT id FROM call WHERE id = ANY(%s)", (list(ids),)).fetchall()
        connection.rollback()
        return {row[0] for row in found}

    @staticmethod
    def _payload_of(record: CallRecord) -> dict[str, Any]:
        call_id, asked, answered, error, detail, request, response = rows.payload(record)
        return {
            "call_id": call_id,
            "asked": asked,
            "answered": answered,
            "error": error,
            "detail": None if detail is None else orjson.Fragment(detail),
            "request": None if request is None else base64.b64encode(request).decode(),
            "response": None if response is None else base64.b64encode(response).decode(),
        }

    @staticmethod
    def _text_of(record: CallRecord) -> dict[str, Any]:
        asked, answered = (text[: rows.LONGEST_TEXT] for text in (record.asked_text, record.answered_text))
        return {"id": record.id, "project_id": record.project_id, "words": f"{asked}\n{answered}"}

    @staticmethod
    def _usage_of(key: Key, sums: Sums) -> dict[str, Any]:
        row: dict[str, Any] = dict(zip(_USAGE, sums.row(key), strict=True))
        for name in _SKETCHES:
            row[name] = base64.b64encode(row[name]).decode()
        return row

    @staticmethod
    def _fold(connection: Any, table: str, key: Key) -> None:
        """Locked first, so that nobody appends between reading and writing."""
        project_id, dimension, hour, value = key
        where = (project_id, dimension, hour, value)
        query = _SKETCHES_OF.format(table=table, place="%s") + " FOR UPDATE SKIP LOCKED"
        if found := connection.execute(query, where).fetchone():
            fold = _FOLD.format(table=table, place="%s")
            connection.execute(fold, (compact(found[0]), compact(found[1]), *where))


def _json(values: Any) -> str:
    return orjson.dumps(values).decode()
