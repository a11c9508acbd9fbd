"""A file becomes examples: a look at its first rows, then all of them, a few hundred in a transaction.

Valid rows are taken; each that is not is kept beside with its number and the reason, for whoever mends the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice
from typing import Any, BinaryIO

import orjson

from core.datasets import mapping, reading
from core.datasets.mapping import Columns
from core.datasets.rules import Entry, Kind
from core.errors import GreenroomError

SHOWN = 10
LOOKED_AT = 1_000
"""Rows whose columns are known before the rest is read: what only later rows have, such as a reference, is offered."""
PER_STEP = 200
MOST_REFUSED_BYTES = 5_000_000

Take = Callable[[Sequence[tuple[int, Entry]]], Sequence[tuple[int, str]]]
"""Adds some rows, and says which it refused and why."""


@dataclass(slots=True)
class Outcome:
    """What became of a file. `refused_file` is JSON lines of row, reason and the row itself, as far as they fit."""

    taken: int = 0
    refused: int = 0
    reasons: list[tuple[int, str]] = field(default_factory=list)
    refused_file: bytearray = field(default_factory=bytearray)
    stopped: str = ""

    def refuse(self, number: int, why: str, values: dict[str, Any]) -> None:
        """Note a row that was not taken."""
        self.refused += 1
        if len(self.reasons) < SHOWN:
            self.reasons.append((number, sentence(number, why)))
        if len(self.refused_file) < MOST_REFUSED_BYTES:
            told = {"row": number, "reason": sentence(number, why), "values": values}
            line = orjson.dumps(told, default=str, option=orjson.OPT_APPEND_NEWLINE)
            if len(self.refused_file) + len(line) <= MOST_REFUSED_BYTES:
                self.refused_file += line


def first(data: BinaryIO, name: str) -> tuple[reading.Row, ...]:
    """The first rows of a file: `SHOWN` of them to show, the others for their columns. Raises: Invalid when it cannot
    be used at all."""
    return tuple(islice(reading.rows(data, name), LOOKED_AT))


def names(rows: Sequence[reading.Row]) -> tuple[str, ...]:
    """The columns that these rows have, in their order."""
    return tuple(dict.fromkeys(name for row in rows for name in row.values))


def outcomes(rows: Sequence[reading.Row], columns: Columns, kind: Kind) -> tuple[Entry | str, ...]:
    """What each row would become, or why it cannot be taken."""
    return tuple(_outcome(row, columns, kind, "") for row in rows)


def take(data: BinaryIO, name: str, columns: Columns, kind: Kind, put: Take) -> Outcome:
    """Every row of the file, `PER_STEP` at a time; it never raises for what is in the file, but says where it ended."""
    outcome = Outcome()
    mark = digest(data)
    try:
        for some in _steps(reading.rows(data, name)):
            ready: list[tuple[int, Entry]] = []
            values = {row.number: row.values for row in some}
            for row in some:
                made = _outcome(row, columns, kind, f"file_{mark}_{row.number}")
                if isinstance(made, str):
                    outcome.refuse(row.number, made, row.values)
                else:
                    ready.append((row.number, replace(made, origin=f"{name}, row {row.number:,}")))
            refused = put(ready) if ready else ()
            outcome.taken += len(ready) - len(refused)
            for number, why in refused:
                outcome.refuse(number, why, values[number])
    except GreenroomError as error:
        outcome.stopped = str(error)
    return outcome


def digest(data: BinaryIO) -> str:
    """A short name for what is in a file: the same rows are not taken twice."""
    found = blake2b(digest_size=8)
    data.seek(0)
    while piece := data.read(1 << 16):
        found.update(piece)
    return found.hexdigest()


def sentence(number: int, why: str) -> str:
    """What is wrong with a row, as it is told."""
    return f"Row {number:,} {why.removesuffix('.')}." if why[:1].islower() else f"Row {number:,}: {why}"


def _outcome(row: reading.Row, columns: Columns, kind: Kind, source: str) -> Entry | str:
    if row.trouble:
        return row.trouble
    try:
        return mapping.entry(row.values, columns, kind, source=source)
    except GreenroomError as error:
        return error.message


def _steps(rows: Iterator[reading.Row]) -> Iterator[list[reading.Row]]:
    while some := list(islice(rows, PER_STEP)):
        yield some
