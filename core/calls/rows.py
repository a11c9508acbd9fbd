"""From a record to the values of its rows: cleaned, cut, compressed, in the order of the tables' columns.

Pure: what cannot be stored (a zero byte, half of a surrogate pair, NaN, a token count of 2⁶³) becomes what can.
"""

from __future__ import annotations

import dataclasses
import zlib
from typing import Any

import orjson

from core.calls.record import CallRecord
from core.calls.rollup import bounded, tokens
from core.money import nano_usd

PREVIEW = 200
LONGEST_TEXT = 100_000  # characters of a text that the search index sees
COMPRESS_ABOVE = 1_000
_PLAIN, _ZLIB = b"\x00", b"\x01"
_MOST_NANO = 2**63 - 1
_TEXTS = tuple(f.name for f in dataclasses.fields(CallRecord) if f.type == "str")


def pack(body: bytes) -> bytes | None:
    """A body as it is stored: one byte that says how, then the bytes, compressed when that pays."""
    if not body:
        return None
    return _ZLIB + zlib.compress(body, 1) if len(body) > COMPRESS_ABOVE else _PLAIN + body


def unpack(stored: bytes | None) -> bytes:
    """The body as it travelled.

    Raises:
        ValueError: the first byte names no known encoding.
    """
    if not stored:
        return b""
    head, rest = stored[:1], stored[1:]
    if head == _ZLIB:
        return zlib.decompress(rest)
    if head == _PLAIN:
        return bytes(rest)
    raise ValueError(f"a stored body starts with the unknown byte {head!r}")


def text(value: str) -> str:
    """Text any database takes: no zero bytes, surrogate pairs joined, single ones replaced."""
    if value.isascii():
        return value.replace("\0", "") if "\0" in value else value
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value.replace("\0", "")


def plain(value: Any) -> Any:
    """A JSON value with every text in it cleaned."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def detail_json(detail: Any) -> str:
    """The JSON of `detail`; what JSON has no word for is written as text."""
    try:
        written = orjson.dumps(detail, default=str)
        if b"\\u0000" not in written:
            return written.decode()
    except orjson.JSONEncodeError:
        pass
    return orjson.dumps(plain(detail), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def cleaned(record: CallRecord) -> CallRecord:
    """The record itself when its texts can be stored as they are, as almost always; else a cleaned copy."""
    asked, answered = record.asked_text[:LONGEST_TEXT], record.answered_text[:LONGEST_TEXT]
    joined = (
        f"{asked}{answered}{record.asked_preview}{record.error_text}{record.end_user}{record.session}"
        f"{record.model_asked}{record.model_served}{record.finish_reason}{record.error_kind}"
        f"{record.request_id}{record.response_id}{record.backend}{record.alias}{record.price_source}"
    )
    if record.tags:
        joined += "".join([f"{name}{value}" for name, value in record.tags])
    if record.findings:
        record.findings = tuple(plain(row) for row in record.findings)
    if record.exposure is not None:
        joined += record.exposure.unit + record.exposure.slice
    if joined.isascii() and "\0" not in joined:
        return record
    if record.exposure is not None:
        told = record.exposure
        record.exposure = dataclasses.replace(told, unit=text(told.unit), slice=text(told.slice))
    changes: dict[str, Any] = {name: text(getattr(record, name)) for name in _TEXTS}
    changes["tags"] = tuple((text(str(name)), text(str(value))) for name, value in record.tags)
    return dataclasses.replace(record, **changes)


def _ms(value: float) -> float:
    return value if 0.0 <= value < 1e12 else 0.0


def call(record: CallRecord) -> tuple[Any, ...]:
    """The row of `call`; `at` and the flags are left as Python has them."""
    r = record
    nano = None if r.cost_usd is None else min(nano_usd(r.cost_usd), _MOST_NANO)
    first = None if r.first_token_ms is None else _ms(r.first_token_ms)
    return (
        r.id, r.project_id, r.at, r.status, r.http_status, r.error_kind, r.finish_reason, r.route, r.actor,
        r.key_id, r.person_id, r.end_user, r.session, r.model_asked, r.model_served, r.backend, r.alias,
        r.alias_version, r.is_stream, r.cache, tokens(r.tokens_in), tokens(r.tokens_out),
        tokens(r.tokens_cached), tokens(r.tokens_reasoning), r.is_estimated, nano, r.price_source, first,
        _ms(r.total_ms), _ms(r.own_ms), _ms(r.upstream_ms), _ms(r.waiting_ms), r.retries, r.fallbacks,
        r.request_id, r.response_id, r.prompt_id, r.prompt_version,
    )  # fmt: skip


def payload(record: CallRecord) -> tuple[Any, ...]:
    """The row of `call_payload`."""
    return (
        record.id,
        (record.asked_preview or record.asked_text)[:PREVIEW],
        record.answered_text[:PREVIEW],
        record.error_text[:LONGEST_TEXT],
        detail_json(record.detail) if record.detail else None,
        pack(record.request),
        pack(record.response),
    )


def tags(record: CallRecord) -> list[tuple[int, str, str, int]]:
    """The rows of `call_tag`."""
    return [(record.project_id, name, value, record.id) for name, value in bounded(record.tags)]


def trial_call(record: CallRecord) -> tuple[Any, ...] | None:
    """The row of `trial_call`; None for a call in no arm."""
    shown = record.exposure
    if shown is None or shown.arm is None:
        return None
    return record.id, shown.trial_id, shown.arm, shown.version, shown.unit, shown.is_fallback


def weight(record: CallRecord) -> int:
    """About how many bytes the record holds, to bound a batch."""
    return len(record.request) + len(record.response) + len(record.asked_text) + len(record.answered_text)
