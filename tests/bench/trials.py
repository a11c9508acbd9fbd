"""How long the page of a live test waits for its figures: 100,000 users, 300,000 calls, feedback on one in ten."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
from sqlalchemy import text

from core.clock import now
from core.db.engine import Database
from core.ids import Ids, first_at
from core.schema import migrate
from core.trials import counting, reading
from core.trials.metrics import Measures, Metric, offered
from tests.support import postgres
from tests.trials.lab import Lab, plan

UNITS, CALLS_EACH = 100_000, 3
MEASURES = Measures(Metric.THUMBS, (Metric.RATING, Metric.UNCHANGED, Metric.TOKENS_OUT), offered())


def seconds(url: str, units: int = UNITS) -> float:
    """The best of five: every sum read and the card made of them."""
    db = Database(url)
    try:
        migrate.upgrade(db)
        lab = Lab(db, Ids(1), now() - timedelta(days=2))
        trial = lab.started(planned=plan(measures=MEASURES, planned=2 * units, slice_tag="tier"))
        _fill(db, trial, units, first_at(now() - timedelta(days=1)))
        view, best = lab.view(trial), 60.0
        for _ in range(5):
            began = time.perf_counter()
            with db.read() as session:
                counted = counting.counted(session, view)
            card = reading.card(view.read_by, counted)
            best = min(best, time.perf_counter() - began)
        assert card.seen == units, card.seen
        return best
    finally:
        db.close()


def _fill(db: Database, trial: int, units: int, base: int) -> None:
    told = {"trial": trial, "units": units, "calls": units * CALLS_EACH, "base": base, "each": CALLS_EACH}
    numbers = "generate_series(1, {most}) AS s(n)"
    if db.is_sqlite:
        numbers = "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {most}) SELECT n FROM s) s"
    at = "0" if db.is_sqlite else "now()"
    with db.write() as session:
        for query in (
            "INSERT INTO trial_unit (trial_id, unit, arm, first_at, slice, calls, errors, flagged, fallbacks,"
            f" tokens_in, tokens_out, cost_usd) SELECT :trial, 'user-' || n, n % 2, {at}, 'tier-' || (n % 4), :each,"
            f" n % 7 / 6, 0,"
            f" n % 50 / 49, 60, 20 + n % 300, 1000000 + n % 977 * 1000 FROM {numbers.format(most=':units')}",
            "INSERT INTO trial_call (call_id, trial_id, arm, version, unit, is_fallback) SELECT :base + n, :trial,"
            " (n % :units + 1) % 2, 2, 'user-' || (n % :units + 1), "
            f"{'0' if db.is_sqlite else 'false'} FROM {numbers.format(most=':calls')}",
            "INSERT INTO feedback (id, call_id, project_id, at, actor, end_user, thumb, rating, reason, comment,"
            f" correction) SELECT :base + n, :base + n * 10, 1, {at}, 'key:1', '', 1 - n % 3 / 2 * 2, 1 + n % 5, '',"
            f" '', '' FROM {numbers.format(most=':calls / 10')}",
        ):
            session.execute(text(query), {name: value for name, value in told.items() if f":{name}" in query})
    with db.writer.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()


@contextmanager
def stores() -> Iterator[list[tuple[str, str]]]:
    """A store of each kind."""
    where = Path(tempfile.mkdtemp(prefix="trials-"))
    found = [("sqlite", f"sqlite:///{where / 'greenroom.db'}")]
    bindir = postgres.binaries()
    server = postgres.Server(bindir) if bindir else None
    if server is not None:
        name = f"trials_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        found.append(("postgres", f"{server.url().rsplit('/', 1)[0]}/{name}"))
    try:
        yield found
    finally:
        if server is not None:
            server.close()
        shutil.rmtree(where, ignore_errors=True)


def main() -> None:
    """Print what was reached on each kind of store."""
    with stores() as found:
        for name, url in found:
            print(f"  {name:<10} {seconds(url) * 1000:7,.0f} ms for {UNITS:,} users, {UNITS * CALLS_EACH:,} calls")
