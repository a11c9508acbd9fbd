"""What the pages' queries cost over ten thousand and over a million calls, side by side, with the ratio.

`python -m tests.bench.queries [FOLDER] [--sqlite | --postgres]` makes the stores it lacks (minutes each) and keeps
SQLite's files in FOLDER.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import Session

from core.calls import filters, queries
from core.db.engine import Database
from core.ids import first_at
from core.schema import migrate
from tests.bench import million
from tests.support import postgres

SMALL, LARGE = 10_000, 1_000_000
TARGET = 1.5
REPEATS = 15
_SPAN: dict[str, Any] = {
    "project_ids": [1],
    "start": million.END - timedelta(days=30),
    "end": million.END,
}
_DEEP = first_at(million.END - timedelta(days=15))


def _page(bar: str, **more: Any) -> Callable[[Session], Any]:
    wanted = filters.parse(bar)
    return lambda session: queries.page(session, wanted, project_ids=[1], at=million.END, **more)


def _usage(**more: Any) -> Callable[[Session], Any]:
    return lambda session: queries.usage(session, **_SPAN, **more)


def _breakdown(dimension: str) -> Callable[[Session], Any]:
    return lambda session: queries.breakdown(session, dimension=dimension, **_SPAN)


QUERIES: dict[str, Callable[[Session], Any]] = {
    "usage by day": _usage(step="day", zone="Europe/Berlin"),
    "usage by hour": _usage(step="hour"),
    "usage by day, one model": _usage(step="day", dimension="model", value="gpt-4o"),
    "totals against before": lambda session: queries.compared(session, **_SPAN),
    "breakdown by model": _breakdown("model"),
    "breakdown by key": _breakdown("key"),
    "breakdown by tag": _breakdown("tag"),
    "attention": lambda session: queries.attention(session, project_ids=[1], at=million.END),
    "calls, first page": _page(""),
    "calls, page in the depth": _page("", before=_DEEP),
    "calls of a model": _page("model:gpt-4o"),
    "calls that failed": _page("status:error"),
    "calls of a route": _page("route:playground"),
    "calls with a tag": _page("tag.team:team-3"),
    "calls of a conversation": _page("session:s0000421"),
    "calls of a user": _page("user:u00007"),
    "calls, failed, of a model, last week": _page("status:error model:gpt-4o since:7d"),
    "calls, slow and dear": _page("latency:>9000 cost:>0.002"),
    "calls that match nothing": _page("latency:>900000"),
    "search, a common word": _page("lamp"),
    "search, a rare word": _page(million.RARE),
    "search, a word never said": _page("zeppelin"),
    "search, two words": _page("broken glass"),
    "search, a phrase": _page('"broken glass"'),
    "search, a word among failed": _page("lamp status:error"),
}


def measure(db: Database) -> dict[str, float]:
    """Median milliseconds of each query, after one run to warm the cache."""
    found = {}
    for name, query in QUERIES.items():
        times = []
        for turn in range(REPEATS + 1):
            with db.read() as session:
                begun = time.perf_counter()
                query(session)
                if turn:
                    times.append((time.perf_counter() - begun) * 1000)
        found[name] = statistics.median(times)
    return found


def _filled(url: str, count: int) -> Database:
    db = Database(url)
    if migrate.revision(db) is None:
        migrate.upgrade(db)
        print(f"{db.url.get_backend_name()}: {count:,} calls made in {million.fill(db, count):.0f} s", flush=True)
    return db


def _compare(title: str, small: Database, large: Database) -> None:
    few, many = measure(small), measure(large)
    print(f"\n{title:38} {SMALL:>9,}  {LARGE:>9,}   ratio")
    for name in QUERIES:
        ratio = many[name] / few[name]
        mark = "" if ratio <= TARGET else "  above the target"
        print(f"{name:38} {few[name]:6.2f} ms  {many[name]:6.2f} ms  {ratio:5.2f}{mark}")


def sqlite(folder: Path) -> None:
    stores = [_filled(f"sqlite:///{folder / name}.db", count) for name, count in (("10k", SMALL), ("1m", LARGE))]
    _compare("SQLite", *stores)
    for db in stores:
        db.close()


def on_postgres() -> None:
    if (bindir := postgres.binaries()) is None:
        print(postgres.INSTALL)
        return
    server = postgres.Server(bindir)
    try:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE few")
            connection.execute("CREATE DATABASE many")
        stores = [_filled(server.url(name), count) for name, count in (("few", SMALL), ("many", LARGE))]
        _compare("Postgres", *stores)
        for db in stores:
            db.close()
    finally:
        server.close()


def main() -> None:
    if "--postgres" not in sys.argv:
        folders = [word for word in sys.argv[1:] if not word.startswith("--")]
        sqlite(Path(folders[0]) if folders else Path(tempfile.mkdtemp(prefix="gr-bench-")))
    if "--sqlite" not in sys.argv:
        on_postgres()


if __name__ == "__main__":
    main()
