"""A cluster on this machine as an operator starts it: a scheduler, and workers in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import program
from tests.support.house import free_port

PATIENCE_S = 40


@dataclass(slots=True)
class Cluster:
    """A running scheduler, and its workers in the order in which they were started."""

    address: str
    log: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    scheduler: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start the scheduler, the first or another one, at the address; wait until it listens."""
        host, port = self.address.removeprefix("tcp://").split(":")
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", host, "--port", port]
        before = self.said().count("Scheduler at") if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.scheduler = subprocess.Popen(
                [*command, "--no-dashboard"], env=dict(os.environ), stdout=out, stderr=out
            )
        until = time.monotonic() + PATIENCE_S
        while self.said().count("Scheduler at") == before:
            assert self.scheduler.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)

    def lose(self) -> None:
        """Kill the scheduler, as a power cut."""
        assert self.scheduler is not None
        self.scheduler.send_signal(signal.SIGKILL)
        self.scheduler.wait(20)

    def hire(self, data_dir: Path, database_url: str, **more: str) -> subprocess.Popen[bytes]:
        """Start one more worker, without waiting for it."""
        told = {"GREENROOM_WORKERS": self.address, **more}
        command = [program.GREENROOM, "worker"]
        with self.log.open("ab") as out:
            env = program.environment(data_dir, database_url, **told)
            process = subprocess.Popen(command, env=env, stdout=out, stderr=out)
        self.workers.append(process)
        return process

    async def ready(self, count: int) -> None:
        """Until so many workers have said that they ask."""
        for _ in range(PATIENCE_S * 20):
            if self.said().count("Asking for") >= count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(self.said()[-4_000:])

    def kill(self, number: int) -> None:
        """As a power cut: no signal handler runs."""
        self.workers[number].send_signal(signal.SIGKILL)
        self.workers[number].wait(20)

    def said(self) -> str:
        """What scheduler and workers wrote to their terminals."""
        return self.log.read_text(errors="replace")


@contextmanager
def standing(folder: Path) -> Iterator[Cluster]:
    """A scheduler without workers; gone at the end, with those that were hired."""
    port = free_port()
    cluster = Cluster(f"tcp://127.0.0.1:{port}", folder / "cluster.log")
    try:
        cluster.begin()
        yield cluster
    finally:
        going = [*cluster.workers, *([cluster.scheduler] if cluster.scheduler else [])]
        for process in going:
            if process.poll() is None:
                process.terminate()
        for process in going:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)
