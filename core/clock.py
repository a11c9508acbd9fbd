"""What time it is: moments are UTC and aware, durations are monotonic milliseconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """Whole microseconds from the Unix epoch to an aware moment (exact, no float on the way)."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return (moment - EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """The UTC moment so many microseconds after the Unix epoch."""
    return EPOCH + timedelta(microseconds=value)


def ticks_ms() -> float:
    """Monotonic milliseconds, for durations only."""
    return time.perf_counter_ns() / 1e6


def hour_of(moment: datetime) -> datetime:
    """The start of the UTC hour that contains `moment`."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
