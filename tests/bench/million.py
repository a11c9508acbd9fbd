"""Fill a store with realistic calls of the last 30 days: `python -m tests.bench.million URL [CALLS]`.

Everything a real call leaves is there (row, payload, tags, search text, hourly sums), written by the recorder's own
statements in time order; only the waiting for each call is left out. The same number gives the same calls.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from core import ids
from core.calls.record import CallRecord
from core.calls.writing import PostgresWriting, SqliteWriting, Writing
from core.db.engine import Database
from core.schema import migrate

END = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 30
BATCH = 1_000
RARE, RARE_CALLS = "xylophone", 20  # a word, and in how many calls it is, however many there are
_MODELS = (  # name, backend, share, dollars per token in and out, median milliseconds
    ("gpt-4o-mini", "openai", 46, "0.00000015", "0.0000006", 900),
    ("gpt-4o", "openai", 22, "0.0000025", "0.00001", 1_600),
    ("claude-sonnet-4-5", "anthropic", 14, "0.000003", "0.000015", 2_100),
    ("llama-3.1-8b", "ollama", 12, "", "", 1_200),
    ("extract", "builtin", 6, "0", "0", 35),
)
_PROSE = (
    "order lamp return refund parcel address invoice shipping delay colour blue green size replace broken glass "
    "warranty receipt customer account password login email change cancel subscription monthly yearly price offer "
    "discount code valid until tomorrow today yesterday weekend support agent chat phone call answer question help "
    "please thank you hello sorry problem solved open closed ticket number date delivery pickup store branch city"
)
_WORDS = _PROSE.split()
_STATUSES = ("ok", "upstream_error", "refused", "cancelled")


def calls(count: int, *, seed: int = 7) -> Iterator[CallRecord]:
    """So many calls, oldest first, more of them by day than by night."""
    dice = random.Random(seed)
    start = END - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / count
    last = 0
    for number in range(count):
        at = start + number * step
        at += timedelta(seconds=dice.random() * step.total_seconds())
        last = max(last + 1, ids.first_at(at))
        yield _call(dice, number, count, last, at)


def _call(dice: random.Random, number: int, count: int, call_id: int, at: datetime) -> CallRecord:
    model, backend, _, price_in, price_out, median = dice.choices(_MODELS, [entry[2] for entry in _MODELS])[0]
    status = dice.choices(_STATUSES, (95, 2, 2, 1))[0]
    asked = " ".join(dice.choices(_WORDS, k=18))
    answered = " ".join(dice.choices(_WORDS, k=34))
    if number % (count // RARE_CALLS) == 0:
        answered += f" {RARE}"
    tokens_in, tokens_out = dice.randint(20, 900), dice.randint(10, 400) if status == "ok" else 0
    total = median * dice.lognormvariate(0, 0.6)
    cost = Decimal(price_in) * tokens_in + Decimal(price_out) * tokens_out if price_in else None
    conversation = f"s{number // 4:07d}" if number % 3 else ""
    return CallRecord(
        id=call_id,
        project_id=1,
        at=at,
        status=status,
        http_status={"ok": 200, "upstream_error": 502, "refused": 429, "cancelled": 499}[status],
        error_kind="" if status == "ok" else "rate_limited",
        finish_reason="stop" if status == "ok" else "",
        route="/v1/chat/completions" if number % 20 else "playground",
        actor=f"key:{number % 7}",
        key_id=1 + number % 7,
        end_user=f"u{number // 200:05d}" if number % 2 else "",
        session=conversation,
        model_asked=model,
        model_served=model,
        backend=backend,
        alias="support" if number % 5 == 0 else "",
        is_stream=number % 2 == 0,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        is_estimated=number % 25 == 0,
        cost_usd=cost,
        price_source="genai-prices" if cost is not None else "unpriced",
        first_token_ms=total * 0.3 if status == "ok" else None,
        total_ms=total,
        own_ms=0.5,
        upstream_ms=total - 0.5,
        request_id=ids.shown("req", call_id),
        response_id=f"chatcmpl-{dice.getrandbits(64):016x}",
        asked_text=asked,
        answered_text=answered,
        request=f'{{"model":"{model}","messages":[{{"role":"user","content":"{asked}"}}]}}'.encode(),
        response=f'{{"choices":[{{"message":{{"role":"assistant","content":"{answered}"}}}}]}}'.encode(),
        tags=(("team", f"team-{number % 9}"), ("feature", f"feature-{number % 40}")) if number % 2 else (),
    )


def fill(db: Database, count: int) -> float:
    """Write so many calls into a migrated store and bring its statistics up to date; returns the seconds taken."""
    begun = time.monotonic()
    writing: Writing = SqliteWriting() if db.is_sqlite else PostgresWriting()
    pooled = db.writer.raw_connection()
    batch: list[CallRecord] = []
    for record in calls(count):
        batch.append(record)
        if len(batch) >= BATCH:
            writing.write(pooled.driver_connection, batch)
            batch = []
    if batch:
        writing.write(pooled.driver_connection, batch)
    pooled.close()
    raw = db.writer.raw_connection()
    connection = raw.driver_connection
    if db.is_sqlite:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA optimize")
    else:
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
        connection.autocommit = False
    raw.close()
    return time.monotonic() - begun


def main() -> None:
    url = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    db = Database(url)
    migrate.upgrade(db)
    print(f"{count:,} calls in {fill(db, count):.0f} s")
    db.close()


if __name__ == "__main__":
    main()
