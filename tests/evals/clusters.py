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
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    with cluster.log.open("ab") as out:
        scheduler = subprocess.Popen([*command, "--no-dashboard"], env=dict(os.environ), stdout=out, stderr=out)
    try:
        until = time.monotonic() + PATIENCE_S
        while "Scheduler at" not in cluster.said():
            assert scheduler.poll() is None, cluster.said()
            assert time.monotonic() < until, cluster.said()
            time.sleep(0.05)
        yield cluster
    finally:
        for process in [*cluster.workers, scheduler]:
            if process.poll() is None:
                process.terminate()
        for process in [*cluster.workers, scheduler]:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)
