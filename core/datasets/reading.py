"""Files of examples, row by row: CSV, JSON lines, Parquet. What is wrong with a row is a sentence; the others go on.

Nothing is read into a list. Sizes are bounded before anything is believed: the file, its rows, a line, a cell, how
deep JSON goes. Parquet, whose few bytes may unfold to any size, is unfolded by a process of its own that may take so
much memory and no more (`core.datasets.unfolding`), and comes from there as JSON lines.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO

import orjson

from core.calls.export import is_formula
from core.datasets import unfolding
from core.errors import GreenroomError, Invalid, TooLarge
from core.wire import nesting

log = logging.getLogger("greenroom.datasets")

MOST_BYTES = 25 * 1024 * 1024
MOST_ROWS = 100_000
MOST_COLUMNS = 200
LONGEST_CELL = 1_000_000
LONGEST_LINE = 9_000_000
DEEPEST = 64
FORMATS = ("csv", "jsonl", "parquet")
_PIECE = 1 << 16
_MARKS = {  # how files begin that are none of ours
    b"PK\x03\x04": ("is packed, or a workbook", "Save it as CSV UTF-8, or unpack it."),
    b"\x1f\x8b": ("is packed", "Unpack it first."),
    b"\xff\xfe": ("is UTF-16 text", "Save it as “CSV UTF-8”."),
    b"\xfe\xff": ("is UTF-16 text", "Save it as “CSV UTF-8”."),
}

# what is one cell to the csv module may be the rest of the file, where a quote is missing: it is refused below, as a
# row of its own; with the module's own limit the rows after it could not be told apart
csv.field_size_limit(MOST_BYTES)


@dataclass(frozen=True, slots=True)
class Row:
    """One row with its number as people count (a CSV's header is row 1); `trouble` says why it cannot be used."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""


def rows(data: BinaryIO, name: str) -> Iterator[Row]:
    """The rows of a file, whose format its name's ending tells; the file stays open.

    Raises: Invalid, TooLarge when the file as a whole cannot be used, also while rows are taken.
    """
    kind = format_of(name)
    size = data.seek(0, io.SEEK_END)
    data.seek(0)
    if size > MOST_BYTES:
        raise TooLarge(
            f"The file has {size / 1024 / 1024:,.0f} MB; {MOST_BYTES // 1024 // 1024} MB can be taken at once.",
            hint="Cut it into several files.",
        )
    if not size:
        raise _wrong("The file is empty.", "Choose another one.")
    head = data.read(4)
    data.seek(0)
    if kind == "parquet":
        return _counted(_parquet(data))
    for mark, (why, hint) in _MARKS.items():
        if head.startswith(mark):
            raise _wrong(f"The file {why}.", hint)
    _must_be_utf8(data)
    return _counted(_csv(data) if kind == "csv" else _json_lines(data))


def format_of(name: str) -> str:
    """csv, jsonl or parquet. Raises: Invalid."""
    ending = name.rpartition(".")[2].lower()
    ending = {"ndjson": "jsonl", "tsv": "csv", "txt": "csv", "json": "jsonl"}.get(ending, ending)
    if ending not in FORMATS:
        raise _wrong(f"A file that ends in .{ending[:20]} is not known.", "Upload CSV, JSON lines or Parquet.")
    return ending


def _counted(found: Iterator[Row]) -> Iterator[Row]:
    for place, row in enumerate(found):
        if place >= MOST_ROWS:
            raise TooLarge(
                f"The file has more than {MOST_ROWS:,} rows; the first of them were taken.",
                hint="Cut it into several files.",
            )
        yield row


def _must_be_utf8(data: BinaryIO) -> None:
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 0
    while piece := data.read(_PIECE):
        try:
            decoder.decode(piece)
        except UnicodeDecodeError as error:
            line = lines + piece[: max(error.start, 0)].count(b"\n") + 1
            raise _wrong(f"The file is not UTF-8 text (line {line:,}).", "Save it as “CSV UTF-8”.") from None
        lines += piece.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise _wrong(f"The file is not UTF-8 text (line {lines + 1:,}).", "Save it as “CSV UTF-8”.") from None
    data.seek(0)


def _csv(data: BinaryIO) -> Iterator[Row]:
    text = io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace", newline="")
    try:
        first = text.readline()
        text.seek(0)
        delimiter, lines = max(",;\t", key=first.count), _Lines(text)
        reader = csv.reader(lines, delimiter=delimiter)
        header = [name.strip()[:200] for name in next(reader, [])]
        if len(header) > MOST_COLUMNS or len(set(header)) < len(header) or not any(header):
            raise _wrong(
                "The first row must name the columns, each differently.",
                f"Write a header such as question,answer; at most {MOST_COLUMNS} columns.",
            )
        number, last = 1, None
        while True:
            number += 1
            begun = lines.kept
            lines.kept = []
            try:
                cells = next(reader, None)
            except csv.Error as error:
                row: Row | None = Row(number, trouble=f"cannot be read as CSV ({error})")
            else:
                if cells is None:
                    break
                row = _of_cells(number, header, cells) if cells else None
            if last is not None:
                yield last
            last = row
        if last is not None:  # only the end of the file tells that a quotation was never closed
            yield Row(last.number, trouble=_OPEN) if _is_open(begun, delimiter) else last
    finally:
        text.detach()


_OPEN = "begins a quotation that is never closed, so that the rest of the file is in it: is a quote mark missing?"


class _Lines:
    """Lines as they come, and those since somebody last looked."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self.kept: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.kept.append(line)
        return line


def _is_open(lines: Sequence[str], delimiter: str) -> bool:
    try:
        for _ in csv.reader(lines, delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _of_cells(number: int, header: list[str], cells: list[str]) -> Row:
    if max(map(len, cells)) > LONGEST_CELL:
        return Row(number, trouble=f"has a cell of more than {LONGEST_CELL:,} characters: is a quote mark missing?")
    if len(cells) > len(header):
        return Row(number, trouble=f"has {len(cells)} cells, and the header {len(header)}")
    return Row(number, {name: _as_meant(cell) for name, cell in zip(header, cells, strict=False) if name})


def _as_meant(cell: str) -> str:
    """Without the apostrophe that our own exports put before what a spreadsheet would take for a formula."""
    return cell[1:] if cell.startswith("'") and is_formula(cell[1:]) else cell


def _json_lines(data: IO[bytes]) -> Iterator[Row]:
    number = 0
    while line := data.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := data.readline(_PIECE)) and not rest.endswith(b"\n"):
                pass
            yield Row(number, trouble=f"has more than {LONGEST_LINE:,} bytes")
            continue
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if number == 1 and line.lstrip().startswith(b"["):
            raise _wrong("The file is one JSON list.", "Write JSON lines: one object per line, without the list.")
        if line.strip():
            yield _of_line(number, line)


def _of_line(number: int, line: bytes) -> Row:
    try:
        value = nesting.loads(line, deepest=DEEPEST)
    except nesting.TooDeep:
        return Row(number, trouble=f"is nested deeper than {DEEPEST} levels")
    except ValueError as error:
        return Row(number, trouble=f"is not JSON ({str(error).partition(': line')[0][:120]})")
    if not isinstance(value, dict) or len(value) > MOST_COLUMNS:
        return Row(number, trouble=f"is not a JSON object of up to {MOST_COLUMNS} names")
    if twice := _twice(line, value):
        return Row(number, trouble=f"says {twice[:40]!r} twice")
    return Row(number, value)


def _twice(line: bytes, value: dict[str, Any]) -> str:
    """A name that an object gives two values, of which readers keep one in silence. Only a line with more colons than
    what was read of it can have one, and is read again."""
    if line.count(b":") == orjson.dumps(value).count(b":"):
        return ""
    found: list[str] = []

    def pairs(told: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(told)
        if len(made) < len(told):
            found.append(next(name for name, count in Counter(name for name, _ in told).items() if count > 1))
        return made

    json.loads(line, object_pairs_hook=pairs)
    return found[0] if found else ""


def _parquet(data: BinaryIO) -> Iterator[Row]:
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as said:
        try:
            shutil.copyfileobj(data, file, _PIECE)
            file.seek(0)
            command = [sys.executable, "-I", "-B", unfolding.__file__, str(unfolding.MOST_MEMORY)]
            child = subprocess.Popen(
                command, stdin=file, stdout=subprocess.PIPE, stderr=said, env=dict(unfolding.VARIABLES)
            )
        except OSError as error:  # no room for temporary files, no memory or process left
            raise _ended(f"it could not start: {error.strerror}") from error
        assert child.stdout is not None
        try:
            yield from _json_lines(child.stdout)
            code = child.wait(timeout=unfolding.MOST_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise _ended("it did not end") from late
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if code == unfolding.UNREADABLE:
            raise _wrong("The file cannot be read as Parquet.", "Write it anew, or save it as CSV UTF-8.")
        if code == unfolding.TOO_MUCH or -code == getattr(signal, "SIGXCPU", None):
            raise TooLarge(
                "The file unfolds to more than can be read; the rows before that were taken.",
                hint="Save it as CSV UTF-8.",
            )
        if code:
            raise _ended(_why(code), _tail(said))


def _why(code: int) -> str:
    """How a process ended, by its exit code: negative is the signal that ended it."""
    if code > 0:
        return f"it ended with {code}"
    name = signal.strsignal(-code) or "unknown"
    told = f"signal {-code}, {name.lower()}"
    return f"{told}: the system may have run out of memory" if name == "Killed" else told


def _tail(said: IO[bytes]) -> str:
    """The last of what a process had to say of its end."""
    said.seek(max(0, said.seek(0, io.SEEK_END) - 2_000))
    return said.read().decode("utf-8", "replace").strip()


def _ended(why: str, said: str = "") -> GreenroomError:
    """It was not the file: the operator's log has what the process said."""
    log.error("The process that reads Parquet files ended early (%s). %s", why, said)
    return GreenroomError(
        f"What reads Parquet files here ended early ({why}); the rows before that were taken.",
        code="file_reader_ended",
        hint="Import the file again: rows that were taken are not taken twice. The server's log says more.",
    )


def _wrong(message: str, hint: str) -> Invalid:
    return Invalid(message, code="bad_file", hint=hint)
