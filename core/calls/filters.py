"""Which calls someone wants to see: typed as `model:gpt-4o status:error since:7d refund`, kept in the URL.

Pure. A relative time stays relative ("since:7d" means the last seven days whenever the link is opened).
Free words and "phrases" are searched in messages and answers; anything with a colon must be a known field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from core import ids
from core.calls.record import JUDGED_TAG, STATUSES
from core.errors import Invalid

PLAIN = ("model", "backend", "alias", "prompt", "route", "status", "key", "user", "session", "id")
FIELDS = ("since", "until", *PLAIN, "cost", "latency", "judges", "tag.NAME")
STATUS_WORDS = (*STATUSES, "error")  # "error": every call that failed, refused ones too
WORDS = "q"
LONGEST_BAR, LONGEST_VALUE, MOST_WORDS = 4_000, 600, 64
_YEARS = (1970, 2200)
_MOST_USD, _MOST_MS = Decimal(1_000_000), 1e9
_TAG = "tag."
_NAMES = frozenset({"since", "until", *PLAIN, "cost", "latency", "judges"})
_YES = "yes"
_TOKEN = re.compile(r'([^\s:"]+):"([^"]*)"|([^\s:"]+):(\S*)|"([^"]*)"?|(\S+)')
_RELATIVE = re.compile(r"(\d{1,5})(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LATENCY = re.compile(r">?\s*(\d+(?:\.\d+)?)\s*(ms|s)?")


@dataclass(frozen=True, slots=True)
class Filters:
    """What must hold of a call; an empty value asks for nothing.

    `since` and `until` are as typed: "7d" (ago) or an ISO date or time (UTC when it names no zone; `until` a date
    includes that day). `prompt` is a name, or a name and a version: "support@3". `cost_usd` and `latency_ms` are
    lower bounds, not met by the value itself. Without `judges`, what a judge was asked is met only where its route,
    its id or what it judges is asked for.
    """

    since: str = ""
    until: str = ""
    model: str = ""
    backend: str = ""
    alias: str = ""
    prompt: str = ""
    route: str = ""
    status: str = ""
    key: str = ""
    user: str = ""
    session: str = ""
    id: str = ""
    cost_usd: Decimal | None = None
    latency_ms: float | None = None
    tags: tuple[tuple[str, str], ...] = ()
    judges: bool = False
    words: str = ""

    @property
    def leaves_out_judges(self) -> bool:
        return not (self.judges or self.id or self.route or any(name == JUDGED_TAG for name, _ in self.tags))

    def __bool__(self) -> bool:
        return self != Filters()


def parse(text: str) -> Filters:
    """Read the bar.

    Raises:
        Invalid: names the field that cannot be used (`param`) and what was probably meant.
    """
    if len(text) > LONGEST_BAR:
        raise Invalid(f"A filter has at most {LONGEST_BAR:,} characters.", code="bad_filter", hint="Ask for less.")
    found, words = Filters(), []
    for match in _TOKEN.finditer(text):
        name, value = match[1] or match[3], match[2] if match[2] is not None else match[4]
        if name is None:
            words.append(f'"{match[5]}"' if match[5] is not None else match[6])
        else:
            found = _with(found, name, value)
    return replace(found, words=_words(" ".join(word for word in words if word.strip('" '))))


def text(filters: Filters) -> str:
    """The bar's text for these filters; `parse` reads it back."""
    parts = [f"{name}:{_quoted(value)}" for name, value in to_params(filters).items() if name != WORDS]
    return " ".join([*parts, filters.words] if filters.words else parts)


def to_params(filters: Filters) -> dict[str, str]:
    """The URL's query parameters for these filters: only what is set."""
    params = {name: getattr(filters, name) for name in ("since", "until", *PLAIN) if getattr(filters, name)}
    if filters.cost_usd is not None:
        params["cost"] = f">{filters.cost_usd:f}"
    if filters.latency_ms is not None:
        params["latency"] = f">{filters.latency_ms:.12g}"
    if filters.judges:
        params["judges"] = _YES
    params |= {f"{_TAG}{name}": value for name, value in filters.tags}
    if filters.words:
        params[WORDS] = filters.words
    return params


def from_params(params: Mapping[str, str]) -> Filters:
    """Read the URL's query parameters; ones that are not ours are left alone.

    Raises:
        Invalid: a parameter of ours has a value that cannot be used.
    """
    found = Filters(words=_words(params.get(WORDS, "")))
    for name, value in params.items():
        if value and (name in _NAMES or name.startswith(_TAG)):
            found = _with(found, name, value)
    return found


def span(filters: Filters, at: datetime) -> tuple[datetime | None, datetime | None]:
    """The moments the filters mean at `at`: from (included) and to (not included)."""
    start = _moment(filters.since, at) if filters.since else None
    end = _moment(filters.until, at) if filters.until else None
    if end is not None and len(filters.until) == len("2026-11-02"):
        end += timedelta(days=1)
    return start, end


def call_id(filters: Filters) -> int | None:
    """The number behind `id:call_…`; None when the id is a request id or a response id."""
    return ids.read("call", filters.id)


def _words(text: str) -> str:
    """The words to search for. Raises: Invalid when there are more than a store can look for at once."""
    if len(text) > LONGEST_BAR or len(text.split()) > MOST_WORDS:
        raise _refused(WORDS, f"has more than {MOST_WORDS} words", "Search for the most telling ones.")
    return text.replace("\0", "").strip()


def _with(filters: Filters, name: str, value: str) -> Filters:
    # no text in the store has a zero byte, and one of the databases takes none in a question either
    name, value = name.replace("\0", ""), value.replace("\0", "")
    if len(name) > LONGEST_VALUE or len(value) > LONGEST_VALUE:
        raise _refused(f"{name[:40]}", "is too long", f"A value has at most {LONGEST_VALUE} characters.")
    if name.startswith(_TAG) and len(name) > len(_TAG):
        if not value:
            raise _refused(name, f"needs a value: {name}:something")
        kept = tuple(pair for pair in filters.tags if pair[0] != name[len(_TAG) :])
        return replace(filters, tags=(*kept, (name[len(_TAG) :], value)))
    if name not in FIELDS:
        raise _unknown(name)
    if not value:
        raise _refused(name, f"needs a value: {name}:something")
    if name == "cost":
        return replace(filters, cost_usd=_cost(value))
    if name == "latency":
        return replace(filters, latency_ms=_latency(value))
    if name == "judges":
        if value != _YES:
            raise _refused("judges", f"cannot be “{value}”", "Write judges:yes to see the calls of judges too.")
        return replace(filters, judges=True)
    if name in ("since", "until"):
        _moment(value, datetime(2000, 1, 1, tzinfo=UTC), name)
    if name == "status" and value not in STATUS_WORDS:
        raise _refused("status", f"has no “{value}”", _nearest(value, STATUS_WORDS))
    given: dict[str, Any] = {name: value}
    return replace(filters, **given)


def _moment(value: str, at: datetime, name: str = "since") -> datetime:
    if match := _RELATIVE.fullmatch(value):
        return at - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise _refused(name, f"cannot be “{value}”", "Write 7d, 24h, 30m, or 2026-11-02.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _cost(value: str) -> Decimal:
    try:
        cost = Decimal(value.removeprefix(">").removeprefix("$"))
    except InvalidOperation:
        cost = Decimal("NaN")
    if not cost.is_finite() or not 0 <= cost <= _MOST_USD:
        raise _refused("cost", f"cannot be “{value}”", "Write dollars: cost:>0.01.")
    return cost


def _latency(value: str) -> float:
    match = _LATENCY.fullmatch(value)
    if match is None:
        raise _refused("latency", f"cannot be “{value}”", "Write milliseconds or seconds: latency:>2000, latency:>2s.")
    return min(float(match[1]) * (1000 if match[2] == "s" else 1), _MOST_MS)


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value


def _unknown(name: str) -> Invalid:
    if name.startswith("tag"):
        return _refused(name, "is not a field", "Write tag.NAME:value, such as tag.team:search.")
    hint = _nearest(name, FIELDS) or f"Fields: {', '.join(FIELDS)}."
    return _refused(name, "is not a field", f'{hint} To search for the text itself, put it in "quotes".')


def _nearest(word: str, words: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.5)
    return f"Did you mean “{near[0]}”?" if near else ""


def _refused(name: str, why: str, hint: str = "") -> Invalid:
    return Invalid(f"“{name}” {why}.", code="bad_filter", param=name, hint=hint)
