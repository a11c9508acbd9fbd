"""Runs over ten thousand examples: how near they come to what the backend allows, and what a process holds meanwhile.

The run is made in a store and the gateway started over it, as after a restart: it goes on by itself, and from outside
its progress, memory and processor time are read. With a latency of L seconds and N at once nobody can ask more than
N/L cells a second: the share of that is what is printed, beside how long the first cells took to come.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.db.engine import Database
from core.experiments import actions, queries
from core.experiments.rules import Arm
from core.ids import Ids
from core.people.rules import CLI
from tests.bench.gateway import gateway_command, prepared
from tests.bench.servers import Running, free_port, started
from tests.support import postgres

CELLS, AT_ONCE = 10_000, 64
EXACT = {"kind": "exact", "name": "exact"}
FIVE = (
    EXACT,
    {"kind": "contains", "name": "contains", "texts": ["question"]},
    {"kind": "length", "name": "length", "unit": "words", "most": 40},
    {"kind": "latency", "name": "latency", "most_ms": 10_000},
    {"kind": "chrf", "name": "chrf", "least": 0.5},
)


def made(db: Database, count: int, latency_s: float, scorers: Any) -> int:
    """A dataset of so many questions, each answered after the latency, and a run over it that is to go."""
    ids, at = Ids(4_001), clock.now()
    text = f"question {{n}} double(latency_s={latency_s:g})" if latency_s else "question {n}"
    with db.write() as session:
        row = datasets.create(session, project_id=1, name="Questions", by=CLI, at=at)
        assert row.id is not None
        for start in range(0, count, 500):
            entries = [
                (n, Entry(asked(text.format(n=n)), source=f"bench_{n}")) for n in range(start, min(start + 500, count))
            ]
            told = datasets.take(session, dataset_id=row.id, entries=entries, origin="bench", by=CLI, at=at, ids=ids)
            assert told == []
        datasets.keep(session, dataset_id=row.id, note="", by=CLI, at=at)
    with db.write() as session:
        run_id = actions.create(
            session, project_id=1, name="Bench", dataset_id=row.id, dataset_version=1, items=count,
            arms=(Arm("A", model="double/small"),), scorers=scorers, by=CLI, at=at, ids=ids, at_once=AT_ONCE,
        )  # fmt: skip
        actions.start(session, run_id=run_id, by=CLI, at=at)
    return run_id


def asked(text: str) -> Example:
    """A question with the answer that the double gives to it."""
    said = {"role": "assistant", "content": f"echo: {text}"}
    return Example(Kind.ITEM, {"messages": [{"role": "user", "content": text}]}, said)


def measured(upstream: Running, folder: Path, database_url: str, latency_s: float, scorers: Any) -> str:
    """One run, from the start of the process to its end; what was read of it."""
    prepared(folder, upstream.url, database_url)
    url = database_url or f"sqlite:///{folder / 'greenroom.db'}"
    db = Database(url)
    run_id = made(db, CELLS, latency_s, scorers)
    port = free_port()
    settings = {"GREENROOM_DATA_DIR": str(folder), "GREENROOM_DATABASE_URL": database_url}
    sizes: list[str] = []
    first: tuple[float, int, float] | None = None
    with started(gateway_command(port), port, **settings) as running:
        process = psutil.Process(running.pid)
        while True:
            with db.read() as session:
                run = queries.any_run(session, run_id)
            now, kept = time.perf_counter(), run.done + run.failed
            cpu_s = sum(process.cpu_times()[:2])
            if first is None and kept:
                first = (now, kept, cpu_s)
            if kept >= 2_000 * (len(sizes) + 1):
                sizes.append(f"{process.memory_info().rss / 1e6:.0f}")
            if run.state != "running":
                break
            time.sleep(0.05)
    db.close()
    assert first is not None
    assert (run.state, run.failed, run.done) == ("done", 0, CELLS), (run.state, run.why, run.failed, run.done)
    per_s = (kept - first[1]) / (now - first[0])
    cpu_ms = (cpu_s - first[2]) / (kept - first[1]) * 1000
    share = f"{per_s * latency_s / AT_ONCE:5.1%} of {AT_ONCE / latency_s:,.0f}" if latency_s else "no latency"
    return f"{per_s:6,.0f} cells/s ({share})  {cpu_ms:.2f} ms CPU a cell  MB at each 2,000: {' '.join(sizes)}"


def main(upstream: Running) -> None:
    """Print every combination of store, latency and scorers."""
    bindir = postgres.binaries()
    for what in ("sqlite", "postgres"):
        if what == "postgres" and bindir is None:
            print(postgres.INSTALL)
            return
        for latency_s in (0.2, 0.05):
            for label, scorers in (("one exact scorer", (EXACT,)), ("five scorers", FIVE)):
                server = postgres.Server(bindir) if what == "postgres" and bindir else None
                try:
                    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
                        url = server.url() if server else ""
                        said = measured(upstream, Path(folder), url, latency_s, scorers)
                        print(f"   {what:8} {latency_s * 1000:3.0f} ms, {label:16} {said}", flush=True)
                finally:
                    if server:
                        server.close()
