"""What recording costs: CPU per call and calls per second, alone and with many waiting, on SQLite and Postgres."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from core.calls.recorder import Recorder
from core.db.engine import Database
from core.ids import Ids
from core.schema import migrate
from tests.calls.records import record
from tests.support import postgres

CALLS = 20_000


def _measure(url: str, waiting: int, calls: int) -> str:
    db = Database(url)
    migrate.upgrade(db)
    ids = Ids(waiting)
    records = [record(ids.next(), tags=()) for _ in range(calls)]
    recorder = Recorder(db)
    recorder.start()

    async def run() -> tuple[float, float, list[float]]:
        source = iter(records)
        times: list[float] = []

        async def caller() -> None:
            for item in source:
                begun = time.perf_counter()
                await recorder.record(item)
                times.append(time.perf_counter() - begun)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(caller() for _ in range(waiting)))
        return time.perf_counter() - wall, time.process_time() - cpu, times

    wall, cpu, times = asyncio.run(run())
    recorder.stop()
    db.close()
    times.sort()
    return (
        f"{waiting:3} waiting: {calls / wall:7,.0f} calls/s  {cpu / calls * 1e6:5.0f} µs CPU a call  "
        f"p50 {times[len(times) // 2] * 1e3:.2f} ms  p99 {times[int(len(times) * 0.99)] * 1e3:.2f} ms"
    )


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="gr-bench-"))
    try:
        for waiting in (1, 16, 64):
            calls = CALLS if waiting > 1 else CALLS // 4
            print("sqlite  ", _measure(f"sqlite:///{folder / f'{waiting}.db'}", waiting, calls))
    finally:
        shutil.rmtree(folder)
    if (bindir := postgres.binaries()) is None:
        print(postgres.INSTALL)
        return
    server = postgres.Server(bindir)
    try:
        for waiting in (1, 16, 64):
            print("postgres", _measure(server.url(), waiting, CALLS if waiting > 1 else CALLS // 4))
    finally:
        server.close()


if __name__ == "__main__":
    main()
