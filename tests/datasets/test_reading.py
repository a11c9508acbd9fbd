"""Files as they come: what cannot be used says why, and nothing hostile costs more than itself."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from core.datasets import intake, reading, unfolding
from core.datasets.mapping import Columns
from core.datasets.rules import Kind
from core.errors import GreenroomError, Invalid, TooLarge


def file(text: str | bytes) -> io.BytesIO:
    return io.BytesIO(text if isinstance(text, bytes) else text.encode())


def read(text: str | bytes, name: str = "rows.csv") -> list[reading.Row]:
    return list(reading.rows(file(text), name))


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"q,a\n\xff\xfe\n", "not UTF-8 text (line 2)"),
        ("a.csv", "q,a\nx,café".encode("latin-1"), "not UTF-8 text (line 2)"),
        ("a.csv", "q,a\nx,y".encode("utf-16"), "is UTF-16"),
        ("a.csv", b"PK\x03\x04xxxx", "is packed"),
        ("a.jsonl", b"\x1f\x8b0000", "is packed"),
        ("a.csv", b"q,q\n1,2\n", "name the columns"),
        ("a.csv", b"\n1,2\n", "name the columns"),
        ("a.json", b'[{"a": 1}]', "one JSON list"),
        ("a.exe", b"MZ", "is not known"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(name: str, data: bytes, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(data, name)
    assert why in refused.value.message


@pytest.mark.parametrize(
    ("text", "number"), [('a,b\nc,1\n"d,2\ne,3\nf,4\n', 3), ('a,b\nc,1\nd,"2', 3), ('a,b\n"c\n', 2)]
)
def test_a_quotation_that_is_never_closed_is_told_and_what_stood_before_it_is_read(text: str, number: int) -> None:
    *before, last = read(text)
    assert [row.values for row in before] == [{"a": "c", "b": "1"}][: number - 2]
    assert (last.number, "never closed" in last.trouble) == (number, True)


def test_a_quotation_over_several_lines_is_a_cell() -> None:
    assert [row.values for row in read('a,b\n"c\nd",1\n"e ""f""\n",2')] == [
        {"a": "c\nd", "b": "1"}, {"a": 'e "f"\n', "b": "2"},
    ]  # fmt: skip


def test_a_file_of_too_many_bytes_or_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    rows = reading.rows(file("a\n1\n2\n3\n4\n"), "a.csv")
    assert [next(rows).values for _ in range(3)] == [{"a": "1"}, {"a": "2"}, {"a": "3"}]
    with pytest.raises(TooLarge, match="more than 3 rows"):
        next(rows)
    monkeypatch.setattr(reading, "MOST_BYTES", 10)
    with pytest.raises(TooLarge):
        read("a\n1\n2\n3\n4\n5\n")


def test_a_name_that_stands_twice_is_refused_for_one_of_its_values_would_be_lost() -> None:
    rows = read('{"a": 1, "a": 2}\n{"a": {"b: c": 1, "b: c": 2}}\n{"a": "x: y", "b": {"a": "\\u003a"}}\n', "a.jsonl")
    assert [row.trouble for row in rows] == ["says 'a' twice", "says 'b: c' twice", ""]


def test_a_hostile_row_is_refused_and_the_next_one_is_read() -> None:
    long, deep = "x" * 1_000_001, "[" * 65 + "]" * 65
    assert [row.trouble[:30] for row in read(f'a,b\n"{long}",1\n2,\0\n')] == ["has a cell of more than 1,000,", ""]
    rows = read(f'{{"a": {deep}}}\n{{"a": "\\ud800"}}\n[1]\nnull\n\n{{"a": NaN}}\n{{"a": "b"}}\n', "a.jsonl")
    assert [row.number for row in rows] == [1, 2, 3, 4, 6, 7]
    assert [row.trouble.partition("(")[0] for row in rows] == [
        "is nested deeper than 64 levels",
        "is not JSON ",
        "is not a JSON object of up to 200 names",
        "is not a JSON object of up to 200 names",
        "is not JSON ",
        "",
    ]
    assert rows[-1].values == {"a": "b"}


def test_a_line_that_never_ends_is_passed_over_without_being_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 50)
    rows = read('{"a": "' + "x" * 200_000 + '"}\n{"a": 1}\n', "a.jsonl")
    assert [(row.number, bool(row.trouble)) for row in rows] == [(1, True), (2, False)]


def bomb() -> bytes:
    """Many rows of one long text that is told once: half a gigabyte in all."""
    codes = pa.array([0] * 600, pa.int32())
    told = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 1_000_000]))
    sink = io.BytesIO()
    parquet.write_table(pa.table({"question": told}), sink, compression="zstd", dictionary_pagesize_limit=2_000_000)
    return sink.getvalue()


def test_a_parquet_file_that_unfolds_to_gigabytes_ends_only_the_process_that_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = bomb()
    assert len(data) < 100_000
    monkeypatch.setattr(unfolding, "MOST_MEMORY", 400 * 1024 * 1024)
    with pytest.raises(TooLarge, match="unfolds to more"):
        for _ in reading.rows(io.BytesIO(data), "bomb.parquet"):
            pass


LINE = 'print(\'{"question": "One?"}\', flush=True)\n'


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        ("import os; os.kill(os.getpid(), 9)", "signal 9, killed: the system may have run out of memory"),
        ("import os; os.kill(os.getpid(), 6)", "signal 6, aborted"),
        ("raise ImportError('libarrow.so: cannot allocate memory')", "it ended with 1"),
    ],
)
def test_what_reads_parquet_and_ends_early_says_how_and_does_not_blame_the_file(
    ends: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script = tmp_path / "broken.py"
    script.write_text(LINE + ends)
    monkeypatch.setattr(unfolding, "__file__", str(script))
    rows = reading.rows(file(b"PAR1"), "a.parquet")
    assert next(rows).values == {"question": "One?"}
    with pytest.raises(GreenroomError) as ended:
        next(rows)
    assert (ended.value.code, ended.value.status) == ("file_reader_ended", 500)
    assert f"({why})" in ended.value.message
    assert why in caplog.text
    assert "ImportError" not in ends or "libarrow.so" in caplog.text


def test_a_parquet_file_that_takes_too_long_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "slow.py"
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)")
    monkeypatch.setattr(unfolding, "__file__", str(script))
    with pytest.raises(TooLarge, match="unfolds to more"):
        list(reading.rows(file(b"PAR1"), "a.parquet"))


def test_where_no_process_can_be_started_an_import_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    outcome = intake.take(file(b"PAR1"), "a.parquet", Columns(), Kind.ITEM, lambda rows: ())
    assert "ended early (it could not start" in outcome.stopped


def test_what_reads_parquet_knows_no_variable_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_MASTER_KEY", "a secret")
    script = tmp_path / "told.py"
    script.write_text("import json, os; print(json.dumps(dict(os.environ)))")
    monkeypatch.setattr(unfolding, "__file__", str(script))
    (row,) = reading.rows(file(b"PAR1"), "a.parquet")
    assert not any("GREENROOM" in name for name in row.values)


def test_parquet_columns_of_other_types_become_what_json_has() -> None:
    table = pa.table(
        {
            "question": ["One?", None],
            "messages": [[{"role": "user", "content": "Hi"}], []],
            "day": pa.array([0, 1], pa.date32()),
            "price": pa.array([1, 2], pa.int64()),
        }
    )
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    rows = read(sink.getvalue(), "a.parquet")
    assert [row.number for row in rows] == [1, 2]
    assert rows[0].values == {
        "question": "One?", "messages": [{"role": "user", "content": "Hi"}], "day": "1970-01-01", "price": 1
    }  # fmt: skip
