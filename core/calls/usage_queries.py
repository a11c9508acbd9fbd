"""What was used, what it cost and how fast it was: read from the hourly sums, never from the calls.

A day is a day in the reader's time zone; an hour of the store belongs to the day in which it begins (in zones that
are half an hour off, a day's first half hour counts for the day before).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, text
from sqlmodel import Session

from core import clock
from core.calls.sketch import quantiles
from core.calls.views import Attention, Compared, Point, Share, Totals
from core.db.types import UtcDateTime
from core.money import from_nano_usd

DIMENSIONS = ("all", "model", "backend", "key", "tag", "prompt")
_COUNTS = (
    "calls", "errors", "cached", "estimated", "unpriced",
    "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning",
)  # fmt: skip
_SUMS = (*_COUNTS, "cost_usd")
_AT = (0.5, 0.95, 0.99)
_HOUR = timedelta(hours=1)


def usage(
    session: Session,
    *,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    step: str = "day",
    zone: str = "UTC",
    dimension: str = "all",
    value: str | None = None,
) -> tuple[Point, ...]:
    """One point per hour or day from `start` to before `end`, empty ones too; along one value of a dimension or all."""
    tz = ZoneInfo(zone)
    groups: dict[datetime, list[Any]] = {begin: [] for begin in _begins(start, end, step, tz)}
    for row in _hours(session, project_ids, start, end, dimension, value):
        begin = _begin(row[0], step, tz)
        if begin in groups:
            groups[begin].append(row)
    return tuple(Point(at=begin, **_added(part)) for begin, part in groups.items())


def totals(
    session: Session,
    *,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    dimension: str = "all",
    value: str | None = None,
) -> Totals:
    """The sums of a period (whole hours: the one `start` lies in counts)."""
    found = _grouped(session, project_ids, start, end, dimension, value, by="''")
    return Totals(**_summed(found[0])) if found and found[0].calls else Totals()


def compared(
    session: Session,
    *,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    dimension: str = "all",
    value: str | None = None,
) -> Compared:
    """A period and the equally long one before it."""
    one = totals(session, project_ids=project_ids, start=start, end=end, dimension=dimension, value=value)
    two = totals(
        session, project_ids=project_ids, start=start - (end - start), end=start, dimension=dimension, value=value
    )
    return Compared(one, two)


def breakdown(
    session: Session,
    *,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    dimension: str,
    limit: int = 50,
    tag: str = "",
) -> tuple[Share, ...]:
    """The sums per model, backend, key, tag or project, dearest first, then busiest; of one tag name if given."""
    by = "project_id" if dimension == "project" else "value"
    rows = _grouped(session, project_ids, start, end, "all" if by == "project_id" else dimension, None, by=by)
    if tag:
        rows = [row for row in rows if row.name.startswith(f"{tag}=")]
    rows = sorted(rows, key=lambda row: (-row.cost_usd, -row.calls, str(row.name)))[:limit]
    labels = _labels(session, dimension, [row.name for row in rows])
    return tuple(
        Share(
            value=str(row.name),
            label=labels.get(row.name, str(row.name)),
            project_id=row.name if by == "project_id" else None,
            **_summed(row),
        )
        for row in rows
    )


def of_prompt(
    session: Session, prompt_id: int, *, project_ids: Sequence[int], start: datetime, end: datetime
) -> dict[int, Totals]:
    """The sums of each version of a prompt that was asked in a period, by the version's number."""
    rows = _grouped(session, project_ids, start, end, "prompt", f"{prompt_id}:%", by="value", is_pattern=True)
    return {int(row.name.partition(":")[2]): Totals(**_summed(row)) for row in rows}


def attention(session: Session, *, project_ids: Sequence[int], at: datetime) -> tuple[Attention, ...]:
    """What a person should look at: backends that failed in the last two hours, models without a price today."""
    span: dict[str, Any] = {"project_ids": project_ids, "end": at + _HOUR}
    backends = breakdown(session, start=at - _HOUR, dimension="backend", **span)
    models = breakdown(session, start=at - timedelta(days=1), dimension="model", **span)
    failing = [
        Attention("errors", share.value or "before any backend", share.errors, share.calls)
        for share in backends
        if share.errors >= 3 and share.error_share >= 0.05
    ]
    unpriced = [
        Attention("unpriced", share.value, share.unpriced, share.calls)
        for share in models
        if share.unpriced and share.value
    ]
    return (*failing, *unpriced)


def _begin(hour: datetime, step: str, tz: ZoneInfo) -> datetime:
    """The start of the hour or local day that a stored hour belongs to."""
    if step == "hour":
        return hour
    return hour.astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0)


def _begins(start: datetime, end: datetime, step: str, tz: ZoneInfo) -> list[datetime]:
    found, begin = [], _begin(clock.hour_of(start), step, tz)
    while begin < end:
        found.append(begin)
        # a local day has 23 or 25 hours twice a year: the wall clock advances, not the elapsed time
        begin = begin + (_HOUR if step == "hour" else timedelta(days=1))
    return found


# whole days from their own rows, the hours before the first and after the last from theirs
_PARTS = (
    ("usage_hour", "start", "first_day"),
    ("usage_day", "first_day", "last_day"),
    ("usage_hour", "last_day", "end"),
)
_PART = "WHERE project_id IN :projects AND dimension = :dimension AND hour >= :{low} AND hour < :{high}"
_WHERE = "FROM usage_hour WHERE project_id IN :projects AND dimension = :dimension AND hour >= :start AND hour < :end"


def _bound(
    session: Session,
    statement: str,
    project_ids: Sequence[int],
    dimension: str,
    value: str | None,
    moments: dict[str, datetime],
) -> Any:
    query = text(statement).bindparams(
        bindparam("projects", expanding=True), *(bindparam(name, type_=UtcDateTime) for name in moments)
    )
    values: dict[str, Any] = {"projects": list(project_ids), "dimension": dimension, **moments}
    if value is not None:
        values["value"] = value
    return session.execute(query, values)


def _hours(
    session: Session,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    dimension: str,
    value: str | None,
) -> Iterable[tuple[Any, ...]]:
    """Stored hours, each with the sums and sketches."""
    only = "" if value is None else "AND value = :value"
    statement = f"SELECT hour, {', '.join(_SUMS)}, total_ms, first_token_ms {_WHERE} {only}"
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    for row in _bound(session, statement, project_ids, dimension, value, {"start": clock.hour_of(start), "end": end}):
        hour = clock.from_micros(row[0]) if is_sqlite else row[0].astimezone(UTC)
        yield (hour, *row[1:])


def _grouped(
    session: Session,
    project_ids: Sequence[int],
    start: datetime,
    end: datetime,
    dimension: str,
    value: str | None,
    *,
    by: str,
    is_pattern: bool = False,
) -> list[Any]:
    """One row per group, its sketches joined end to end by the database (which is how they are added)."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    joined = "CAST(group_concat({0}, '') AS BLOB)" if is_sqlite else "string_agg({0}, ''::bytea)"
    whole = "CAST({0} AS INTEGER)" if is_sqlite else "CAST({0} AS bigint)"
    sums = [f"{whole.format(f'coalesce(sum({name}), 0)')} AS {name}" for name in _SUMS]
    sketches = [f"{joined.format(name)} AS {name}" for name in ("total_ms", "first_token_ms")]
    only = "" if value is None else "AND value = :value"
    if is_pattern:
        only = "AND value LIKE :value"
    group = "" if by == "''" else f"GROUP BY {by}"
    source = " UNION ALL ".join(
        f"SELECT * FROM {table} {_PART.format(low=low, high=high)} {only}"  # noqa: S608
        for table, low, high in _PARTS
    )
    statement = f"SELECT {by} AS name, {', '.join([*sums, *sketches])} FROM ({source}) AS part {group}"  # noqa: S608
    first = clock.hour_of(start)
    first_day = first if first.hour == 0 else first.replace(hour=0) + timedelta(days=1)
    last_day = max(clock.hour_of(end).replace(hour=0), first_day)
    bound = {
        "start": first,
        "first_day": min(first_day, end),
        "last_day": last_day if first_day < end else end,
        "end": end,
    }
    return list(_bound(session, statement, project_ids, dimension, value, bound))


def _summed(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(row, name) for name in _COUNTS}
    found["cost_usd"] = from_nano_usd(row.cost_usd)
    return found | _latency([row.total_ms or b""], [row.first_token_ms or b""])


def _added(rows: list[Any]) -> dict[str, Any]:
    if not rows:
        return {}
    columns = list(zip(*rows, strict=True))
    found: dict[str, Any] = {name: sum(columns[place]) for place, name in enumerate(_COUNTS, 1)}
    found["cost_usd"] = from_nano_usd(sum(columns[len(_SUMS)]))
    return found | _latency(columns[-2], columns[-1])


def _latency(total: Iterable[bytes], first: Iterable[bytes]) -> dict[str, float | None]:
    names = ("p50_ms", "p95_ms", "p99_ms", "first_p50_ms", "first_p95_ms", "first_p99_ms")
    return dict(zip(names, (*quantiles(total, _AT), *quantiles(first, _AT)), strict=True))


def _labels(session: Session, dimension: str, names: Sequence[Any]) -> dict[Any, str]:
    """What people call the keys and projects; other values are their own label."""
    labels: dict[Any, str] = defaultdict(str)
    if dimension not in ("key", "project"):
        return labels
    numbers = [int(name) for name in names if str(name).isdecimal()]
    table = "api_key" if dimension == "key" else "project"
    query = text(f"SELECT id, name FROM {table} WHERE id IN :ids").bindparams(bindparam("ids", expanding=True))  # noqa: S608
    for number, name in session.execute(query, {"ids": numbers}).all():
        labels[str(number) if dimension == "key" else number] = name
    labels[""] = "without a key"
    return dict(labels)
