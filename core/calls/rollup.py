"""What a batch of calls adds to the hourly sums: pure arithmetic, before the store is touched.

A call counts once for its project (`all`), and once each for its model, backend, key, version of a prompt, arm of a
live test and tags.
Latency counts for every call that was not refused: a refusal says nothing about how fast answers are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from core import clock
from core.calls.record import CACHE_HIT, CANCELLED, OK, REFUSED, CallRecord
from core.calls.sketch import bucket, written
from core.money import nano_usd

MOST_TAGS = 8
LONGEST_TAG = 64
MOST_VALUES = 200
OTHER = "(other)"
_MOST = 2**31 - 1

_COUNTS = (
    "calls", "errors", "cached", "estimated", "unpriced",
    "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning", "cost_nano",
)  # fmt: skip

Key = tuple[int, str, datetime, str]  # project, dimension, hour, value: the primary key's own order


@dataclass(slots=True)
class Sums:
    """What one row of `usage_hour` grows by."""

    calls: int = 0
    errors: int = 0
    cached: int = 0
    estimated: int = 0
    unpriced: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost_nano: int = 0
    total_ms: dict[int, int] = field(default_factory=dict)
    first_token_ms: dict[int, int] = field(default_factory=dict)

    def add(self, other: Sums) -> None:
        """Grow by another row's growth."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.total_ms, other.total_ms), (self.first_token_ms, other.first_token_ms)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count

    def row(self, key: Key) -> tuple[object, ...]:
        """The values of the row in the order of the table's columns, moments and money as Python has them."""
        project_id, dimension, hour, value = key
        return (
            project_id, dimension, value, hour,
            self.calls, self.errors, self.cached, self.estimated, self.unpriced,
            self.tokens_in, self.tokens_out, self.tokens_cached, self.tokens_reasoning, self.cost_nano,
            written(self.total_ms), written(self.first_token_ms),
        )  # fmt: skip


def is_error(status: str) -> bool:
    """Whether a call counts as failed: one the caller left does not."""
    return status not in (OK, CANCELLED)


def is_unpriced(record: CallRecord) -> bool:
    """Whether something was used that nobody knows the price of."""
    return record.cost_usd is None and (record.status == OK or record.tokens_in + record.tokens_out > 0)


def tokens(number: int) -> int:
    """A token count as the store can hold it, whatever an upstream claims."""
    return number if 0 <= number <= _MOST else 0 if number < 0 else _MOST


class TagValues:
    """Which tag values have a row of their own; a tag with a new value on every call cannot flood the rollup."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._seen: dict[tuple[int, str], set[str]] = {}

    def shown(self, project_id: int, name: str, value: str) -> str:
        seen = self._seen.setdefault((project_id, name), set())
        if value not in seen:
            if len(seen) >= self._most:
                return f"{name}={OTHER}"
            seen.add(value)
        return f"{name}={value}"


def bounded(tags: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """At most eight tags of at most 64 characters, each name once (the last wins)."""
    kept = {str(name)[:LONGEST_TAG]: str(value)[:LONGEST_TAG] for name, value in tags if name}
    return list(kept.items())[:MOST_TAGS]


def arm_value(trial_id: int, arm: int | None) -> str:
    """How a row of an arm is named; of calls without a unit, "none"."""
    return f"{trial_id}:{'none' if arm is None else arm}"


@dataclass(slots=True)
class UnitSums:
    """What one row of `trial_unit` grows by; `slice` is set where there is none yet, `tokens_out` are of answers."""

    first_at: datetime
    slice: str = ""
    calls: int = 0
    errors: int = 0
    flagged: int = 0
    fallbacks: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = 0

    def row(self, key: UnitKey) -> tuple[object, ...]:
        """The values of the row; the moment as Python has it."""
        return (
            *key, self.first_at, self.slice, self.calls, self.errors, self.flagged, self.fallbacks, self.tokens_in,
            self.tokens_out, self.cost_nano,
        )  # fmt: skip


UnitKey = tuple[int, str, int]  # test, unit, arm: the primary key's own order


def by_unit(records: Iterable[CallRecord]) -> dict[UnitKey, UnitSums]:
    """The growth of every unit of a live test, in the order in which all writers lock rows."""
    units: dict[UnitKey, UnitSums] = {}
    for record in records:
        shown = record.exposure
        if shown is None or shown.arm is None:
            continue
        key = (shown.trial_id, shown.unit, shown.arm)
        sums = units.get(key)
        if sums is None:
            sums = units[key] = UnitSums(record.at, shown.slice)
        failed = is_error(record.status)
        sums.calls += 1
        sums.errors += failed
        sums.flagged += bool(record.findings)
        sums.fallbacks += shown.is_fallback
        sums.tokens_in += tokens(record.tokens_in)
        sums.tokens_out += 0 if failed else tokens(record.tokens_out)  # what breaks off is no answer
        sums.cost_nano += 0 if record.cost_usd is None else nano_usd(record.cost_usd)
    return {key: units[key] for key in sorted(units)}


def add_up(records: Iterable[CallRecord], values: TagValues) -> dict[Key, Sums]:
    """The growth of every row the calls touch, in the order in which all writers lock rows."""
    rows: dict[Key, Sums] = {}
    for record in records:
        hour = clock.hour_of(record.at)
        project = record.project_id
        keys: list[Key] = [
            (project, "all", hour, ""),
            (project, "model", hour, record.model_served),
            (project, "backend", hour, record.backend),
            (project, "key", hour, "" if record.key_id is None else str(record.key_id)),
        ]
        if record.prompt_id is not None:
            keys.append((project, "prompt", hour, f"{record.prompt_id}:{record.prompt_version}"))
        if record.exposure is not None:
            keys.append((project, "trial", hour, arm_value(record.exposure.trial_id, record.exposure.arm)))
        keys += [(project, "tag", hour, values.shown(project, n, v)) for n, v in bounded(record.tags)]
        cost = 0 if record.cost_usd is None else nano_usd(record.cost_usd)
        error, cached, unpriced = is_error(record.status), record.cache == CACHE_HIT, is_unpriced(record)
        is_timed = record.status != REFUSED
        total = bucket(record.total_ms) if is_timed else None
        first = bucket(record.first_token_ms) if is_timed and record.first_token_ms is not None else None
        for key in keys:
            sums = rows.get(key)
            if sums is None:
                sums = rows[key] = Sums()
            sums.calls += 1
            sums.errors += error
            sums.cached += cached
            sums.estimated += record.is_estimated
            sums.unpriced += unpriced
            sums.tokens_in += tokens(record.tokens_in)
            sums.tokens_out += tokens(record.tokens_out)
            sums.tokens_cached += tokens(record.tokens_cached)
            sums.tokens_reasoning += tokens(record.tokens_reasoning)
            sums.cost_nano += cost
            if total is not None:
                sums.total_ms[total] = sums.total_ms.get(total, 0) + 1
            if first is not None:
                sums.first_token_ms[first] = sums.first_token_ms.get(first, 0) + 1
    return {key: rows[key] for key in sorted(rows)}


def by_day(hours: dict[Key, Sums]) -> dict[Key, Sums]:
    """The same growth for the rows of whole UTC days."""
    days: dict[Key, Sums] = {}
    if len({key[2] for key in hours}) == 1:  # almost always: the day grows by what its one hour grows by
        return {
            (project, dimension, hour.replace(hour=0), value): sums
            for (project, dimension, hour, value), sums in hours.items()
        }
    for (project, dimension, hour, value), sums in hours.items():
        days.setdefault((project, dimension, hour.replace(hour=0), value), Sums()).add(sums)
    return {key: days[key] for key in sorted(days)}
