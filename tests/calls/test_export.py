"""An export has every call of the filter once, whole, and is safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import timedelta

import orjson
import pytest

from core import ids
from core.calls import export, filters
from core.calls.filters import Filters
from core.calls.recorder import Recorder
from core.db.engine import Database
from core.errors import Invalid
from core.guard.masking import Private
from core.guard.rows import MOST
from core.guard.tables import CallFinding
from core.ids import first_at
from tests.calls import stored
from tests.calls.records import AT, record

FIRST = first_at(AT)
MASKS = Private([1])
LATER = AT + timedelta(hours=1)


def _lines(db: Database, bar: str = "", kind: str = "jsonl") -> bytes:
    return b"".join(export.rows(db, filters.parse(bar), kind, project_ids=[1], masks=MASKS, at=LATER))


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


MAIL, PHONE = "mia@example.org", "+49 30 901820"


def private(db: Database, call_id: int, text: str, *, number: int = 0, **told: object) -> None:
    """A finding of an e-mail address in the answer of a call."""
    start = text.index(MAIL)
    row: dict[str, object] = {
        "side": "output",
        "place": "choices.0.message.content",
        "family": "personal",
        "kind": "email",
    }
    row |= {"start": start, "stop": start + len(MAIL), "confidence": 0.9, "detector": "personal/1", "act": "flag"}
    with db.write() as session:
        session.add(CallFinding(call_id=call_id, number=number, project_id=1, policy="P/1", **row | told))


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_private_words_are_masked_and_the_file_says_in_which_calls(db: Database, recorder: Recorder, kind: str) -> None:
    text = f"Write to {MAIL} please."
    picture = {"type": "image_url", "image_url": {"url": f"data:,{MAIL}"}}
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": "To whom?"}, picture]}]}
    stored.write(
        recorder,
        [
            record(FIRST, answered=text, error_text=f"They said {text}", request=orjson.dumps(request)),
            record(FIRST + 1, answered="To us."),
        ],
    )
    private(db, FIRST, text)
    taken = export.Taken()
    told = {"project_ids": [1], "masks": MASKS, "at": LATER}
    out = b"".join(export.rows(db, Filters(), kind, taken=taken, **told)).decode()
    assert MAIL not in out
    assert "Write to [EMAIL] please." in out
    assert "To whom?" in out
    assert (taken.calls, taken.private, taken.is_whole) == (2, 1, True)
    plain = b"".join(export.rows(db, Filters(), kind, in_clear=True, **told)).decode()
    assert plain.count(MAIL) == (3 if kind == "jsonl" else 2)  # a spreadsheet gets no pictures
    for text_of in (out, plain):
        if kind == "jsonl":
            assert [orjson.loads(line)["private"] for line in text_of.splitlines()] == [[], ["email"]]
        else:
            assert [row["private"] for row in csv.DictReader(io.StringIO(text_of))] == ["", "email"]


def test_a_masked_word_is_not_found_by_an_export_either(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST, answered=f"Write to {MAIL}."), record(FIRST + 1, answered="Write to mia.")])
    private(db, FIRST, f"Write to {MAIL}.")
    assert [orjson.loads(line)["id"] for line in _lines(db, "write").splitlines()] == [ids.shown("call", FIRST + 1)]
    told = {"project_ids": [1], "masks": MASKS, "at": LATER, "in_clear": True}
    assert len(b"".join(export.rows(db, filters.parse("write"), "jsonl", **told)).splitlines()) == 2


@pytest.mark.parametrize("trouble", ["too many", "broken"])
def test_where_nobody_knows_what_is_private_no_word_is_exported(db: Database, recorder: Recorder, trouble: str) -> None:
    text = f"{MAIL} and {PHONE}"
    stored.write(recorder, [record(FIRST, asked="Whom?", answered=text)])
    if trouble == "broken":
        private(db, FIRST, text, kind="failed", start=0, stop=0, act="hold")
    for number in range(MOST if trouble == "too many" else 0):
        private(db, FIRST, text, number=number)
    (row,) = [orjson.loads(line) for line in _lines(db).splitlines()]
    assert "Whom?" not in str(row)
    assert PHONE not in str(row)
    assert [len(one["content"]) > 2 for one in row["messages"] + row["answers"]] == [True, True]


def test_an_unknown_format_is_refused_before_anything_is_sent(db: Database) -> None:
    with pytest.raises(Invalid, match="xml"):
        export.rows(db, Filters(), "xml", project_ids=[1], masks=MASKS)


def test_the_memory_of_an_export_does_not_grow_with_the_calls(db: Database, recorder: Recorder) -> None:
    stored.write(recorder, [record(FIRST + n) for n in range(2_000)])
    with db.write() as session:  # half of them masked
        found = {"place": "messages.0.content", "family": "personal", "kind": "name", "detector": "personal/1"}
        told = found | {"side": "input", "start": 0, "stop": 3, "confidence": 0.9}
        session.add_all(CallFinding(call_id=FIRST + n, number=0, project_id=1, **told) for n in range(0, 2_000, 2))
    tracemalloc.start()
    marks = []
    for _ in export.rows(db, Filters(), "jsonl", project_ids=[1], masks=MASKS, at=LATER):
        marks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert marks[-1] < marks[2] + 500_000
