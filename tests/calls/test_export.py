"""An export has every call of the filter once, whole, and is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import timedelta

import orjson
import pytest

from core.calls import export, filters
from core.calls.filters import Filters
from core.calls.recorder import Recorder
from core.db.engine import Database
from core.errors import Invalid
from core.ids import first_at
from tests.calls import stored
from tests.calls.records import AT, record

FIRST = first_at(AT)
LATER = AT + timedelta(hours=1)


def _lines(db: Database, bar: str = "", kind: str = "jsonl") -> bytes:
    return b"".join(export.rows(db, filters.parse(bar), kind, project_ids=[1], at=LATER))


def test_every_call_is_exported_once_with_tags_and_messages(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST + n, model_served="a" if n % 3 else "b") for n in range(450)])
    calls = [orjson.loads(line) for line in _lines(db).splitlines()]
    assert len({call["id"] for call in calls}) == len(calls) == 450
    assert calls[0]["tags"] == {"team": "returns"}
    assert calls[0]["messages"] == [{"role": "user", "content": "May I return the blue lamp?"}]
    assert calls[0]["answers"][0]["content"].startswith("Returns are free")
    assert calls[0]["cost_usd"] == "0.000013350"
    assert calls[0]["at"] == "2026-11-02T09:30:00Z"
    assert len(_lines(db, "model:b latency:>1").splitlines()) == 150


@pytest.mark.parametrize(
    "hostile", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x","y")', "＝1+1", " =1+1", "\u200b@A1"]
)
def test_a_spreadsheet_runs_nothing_from_a_csv(db: Database, recorder: Recorder, hostile: str) -> None:
    stored.write(recorder, [record(FIRST, end_user=hostile, answered=hostile, tags=((hostile, "x"),))])
    (row,) = csv.DictReader(io.StringIO(_lines(db, kind="csv").decode()))
    assert row["end_user"] == f"'{hostile}"
    assert not [value for value in row.values() if value.startswith(("=", "+", "-", "@", "\t", "＝", " =", "\u200b"))]


def test_csv_and_json_lines_name_the_same_facts(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST)])
    (row,) = csv.DictReader(io.StringIO(_lines(db, kind="csv").decode()))
    assert list(row) == list(orjson.loads(_lines(db)))


def test_an_export_of_nothing_is_empty_and_a_csv_keeps_its_heading(db: Database) -> None:
    assert _lines(db) == b""
    assert _lines(db, kind="csv").startswith(b"id,project_id,at,")


def test_an_unknown_format_is_refused_before_anything_is_sent(db: Database) -> None:
    with pytest.raises(Invalid, match="xml"):
        export.rows(db, Filters(), "xml", project_ids=[1])


def test_the_memory_of_an_export_does_not_grow_with_the_calls(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST + n) for n in range(2_000)])
    tracemalloc.start()
    marks = []
    for _ in export.rows(db, Filters(), "jsonl", project_ids=[1], at=LATER):
        marks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert marks[-1] < marks[2] + 500_000
