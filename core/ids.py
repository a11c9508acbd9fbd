"""Names for rows: 63-bit integers that grow with time, and the strings people and programs see.

An id is 41 bits of milliseconds since 2024-01-01, 12 bits of process number, 10 bits of counter
(the layout of Twitter's Snowflake). Rows therefore sort by age in primary-key order, on every replica,
without asking the database; the process number comes from the `process` table.
"""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_EPOCH_MS = int(EPOCH.timestamp() * 1000)
_PROCESS_BITS, _COUNTER_BITS = 12, 10
LAST = (1 << 63) - 1
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}


class Ids:
    """Hands out ids for one process; safe to share between threads.

    When more than 1,024 are asked for within one millisecond, or the wall clock steps back, time is borrowed
    from the next milliseconds: ids stay unique and growing.
    """

    def __init__(self, process: int) -> None:
        self._process = (process % (1 << _PROCESS_BITS)) << _COUNTER_BITS
        self._last_ms = 0
        self._counter = 0
        self._lock = threading.Lock()

    @property
    def process(self) -> int:
        """Which process these ids name."""
        return self._process >> _COUNTER_BITS

    def next(self) -> int:
        with self._lock:
            ms = time.time_ns() // 1_000_000 - _EPOCH_MS
            if ms > self._last_ms:
                self._last_ms, self._counter = ms, 0
            else:
                self._counter += 1
                if self._counter >= 1 << _COUNTER_BITS:
                    self._last_ms, self._counter = self._last_ms + 1, 0
            return (self._last_ms << (_PROCESS_BITS + _COUNTER_BITS)) | self._process | self._counter


def first_at(moment: datetime) -> int:
    """The smallest id a row made at `moment` can have: turns a time filter into a primary-key range.

    Before the epoch it is 0, after the last moment ids have (in 2093) the largest.
    """
    number = max(0, (moment - EPOCH) // timedelta(milliseconds=1)) << (_PROCESS_BITS + _COUNTER_BITS)
    return min(number, LAST)


def moment_of(number: int) -> datetime:
    """When the row with this id was made, to the millisecond."""
    return EPOCH + timedelta(milliseconds=number >> (_PROCESS_BITS + _COUNTER_BITS))


def shown(prefix: str, number: int) -> str:
    """`call_01j…`: an id as people and programs see it (13 letters of base 32 sort as the numbers do)."""
    p = _PAIRS
    head = f"{prefix}_{_ALPHABET[number >> 60]}{p[number >> 50 & 1023]}{p[number >> 40 & 1023]}"
    return f"{head}{p[number >> 30 & 1023]}{p[number >> 20 & 1023]}{p[number >> 10 & 1023]}{p[number & 1023]}"


def read(prefix: str, text: str) -> int | None:
    """The number behind a shown id, or None when it is not one with this prefix."""
    head, _, letters = text.strip().partition("_")
    if head != prefix or len(letters) != 13:
        return None
    number = 0
    for letter in letters.lower():
        value = _VALUES.get(letter)
        if value is None:
            return None
        number = number << 5 | value
    return number if number < 1 << 63 else None


def secret(prefix: str, *, bits: int = 192) -> str:
    """A secret nobody can guess: `prefix_` and `bits` random bits in URL-safe letters."""
    return f"{prefix}_{secrets.token_urlsafe(bits // 8)}"
