"""Take the calls of a filter away, as JSON lines or CSV: streamed, so that a million rows need no more memory than one.

A page of calls is one short read of the store; a reader who takes an hour holds nothing open. In CSV a text that a
spreadsheet would run as a formula is told apart by a leading apostrophe (OWASP, "CSV Injection").

Private words are masked unless whoever asks has given a reason; then, too, the file says which calls have them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import orjson
from sqlmodel import Session

from core import clock
from core.calls import queries
from core.calls.filters import Filters
from core.calls.views import CallRow, Message, Payload
from core.db.engine import Database
from core.errors import Invalid

FORMATS = ("jsonl", "csv")
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_PER_READ = 200
_LEFT_OUT = ("asked", "answered")
_FIELDS = ("id", *(name for name in CallRow.__dataclass_fields__ if name not in ("id", *_LEFT_OUT)))
_MORE = ("private", "tags", "messages", "answers")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BLANK = " \u00a0\u200b\ufeff"  # what a spreadsheet may skip before it looks for a formula


class Masks(Protocol):
    """What is private in calls, as the guard knows it."""

    def kinds(self, session: Session, call_ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Which of these calls have something private, and of which kinds."""

    def masked(self, session: Session, payloads: Mapping[int, Payload]) -> dict[int, Payload]:
        """What was said in these calls as it may be shown."""


@dataclass(slots=True)
class Taken:
    """How much has gone out: `calls`, those of them with something `private`, and whether that is all there is."""

    calls: int = 0
    private: int = 0
    is_whole: bool = False


def rows(
    db: Database,
    filters: Filters,
    format: str,  # noqa: A002
    *,
    project_ids: Sequence[int],
    masks: Masks,
    in_clear: bool = False,
    taken: Taken | None = None,
    at: datetime | None = None,
) -> Iterator[bytes]:
    """The calls, newest first, with tags and messages; each piece is some whole lines, counted in `taken`.

    What is private is masked, and not found by its words, unless `in_clear`.

    Raises:
        Invalid: there is no such format.
    """
    if format not in FORMATS:
        raise Invalid(f"There is no format “{format}”.", param="format", hint=f"Use {' or '.join(FORMATS)}.")
    return _pieces(db, filters, format, project_ids, masks, taken or Taken(), at or clock.now(), in_clear=in_clear)


def _pieces(
    db: Database,
    filters: Filters,
    kind: str,
    project_ids: Sequence[int],
    masks: Masks,
    taken: Taken,
    at: datetime,
    *,
    in_clear: bool,
) -> Iterator[bytes]:
    told: dict[str, Any] = {"project_ids": project_ids, "limit": _PER_READ, "at": at}
    told["masked"] = None if in_clear else masks.kinds
    if kind == "csv":
        yield line([*_FIELDS, *_MORE])
    before: int | None = None
    while True:
        with db.read() as session:
            page = queries.page(session, filters, before=before, **told)
            numbers = [row.id for row in page.rows]
            tags = queries.tags(session, numbers) if numbers else {}
            payloads = queries.payloads(session, numbers, project_ids) if numbers else {}
            private = masks.kinds(session, numbers)
            hidden = {} if in_clear else private
            payloads |= masks.masked(session, {number: payloads[number] for number in hidden if number in payloads})
        write = _csv if kind == "csv" else _json
        piece = b"".join(
            write(
                _facts(row, is_masked=row.id in hidden),
                private.get(row.id, ()),
                tags.get(row.id, ()),
                payloads.get(row.id),
            )
            for row in page.rows
        )
        taken.calls, taken.private = taken.calls + len(numbers), taken.private + len(private)
        if piece:
            yield piece
        if page.next_before is None:
            taken.is_whole = True
            return
        before = page.next_before


def _facts(row: CallRow, *, is_masked: bool) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in _FIELDS}
    if is_masked:
        facts["error"] = ""  # backends repeat what they were told
    return facts | {"id": row.shown_id, "cost_usd": None if row.cost_usd is None else _money(row.cost_usd)}


def _money(amount: Decimal) -> str:
    return f"{amount:.9f}"


def _json(
    facts: dict[str, Any], private: Sequence[str], tags: tuple[tuple[str, str], ...], payload: Payload | None
) -> bytes:
    said = {
        "private": list(private),
        "tags": dict(tags),
        "messages": [_message(message) for message in payload.messages] if payload else [],
        "answers": [_message(message) for message in payload.answers] if payload else [],
    }
    return orjson.dumps(facts | said, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.name:
        found["name"] = message.name
    for extra in message.extras:
        if "type" in extra:
            found.setdefault("parts", []).append(extra)
        else:
            found |= extra
    return found


def _csv(
    facts: dict[str, Any], private: Sequence[str], tags: tuple[tuple[str, str], ...], payload: Payload | None
) -> bytes:
    messages = payload.messages if payload else ()
    answers = payload.answers if payload else ()
    return line(
        [
            *(cell(value) for value in facts.values()),
            cell("; ".join(private)),
            cell("; ".join(f"{name}={value}" for name, value in tags)),
            cell("\n".join(f"{message.role}: {message.text}" for message in messages)),
            cell("\n".join(message.text for message in answers)),
        ]
    )


def cell(value: Any) -> Any:
    """A value as a cell of a CSV file, which no spreadsheet runs as a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        value = value.replace("\0", "")
        return f"'{value}" if is_formula(value) else value
    return value


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula."""
    return text.lstrip(_BLANK).startswith(_FORMULA)


def line(cells: Sequence[Any]) -> bytes:
    """Cells as a line of a CSV file (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")
