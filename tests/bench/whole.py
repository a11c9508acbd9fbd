"""The whole process under measurement: memory over many calls, the start, and people at work beside applications."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil

from core.db.engine import Database
from tests.bench.gateway import MODEL, gateway_command, prepared
from tests.bench.load import Result, load
from tests.bench.million import fill
from tests.bench.servers import Running, free_port, started

QUESTION = {"model": MODEL, "messages": [{"role": "user", "content": "Say one short sentence about rivers."}]}


@contextlib.contextmanager
def start_console(folder: Path, **environment: str) -> Iterator[tuple[Running, float]]:
    """Console and gateway in one process, as `greenroom serve` starts it; seconds until it was ready."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    command += ["--server.address=127.0.0.1", f"--server.port={port}", "--server.enableAgentApi=true"]
    began = time.perf_counter()
    with started(command, port, GREENROOM_DATA_DIR=str(folder), **environment) as running:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).read()
                break
            time.sleep(0.01)
        yield running, time.perf_counter() - began


def memory_mb(pid: int) -> float:
    """Resident megabytes of a process and its children."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 1e6


def start(upstream: Running) -> None:
    """Seconds to ready and resident memory, cold and warm; one visit of Home in between."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name:
        for what in ("first start", "again", "again"):
            with start_console(Path(name)) as (running, seconds):
                before = memory_mb(running.pid)
                _visit(running, "")
                after = memory_mb(running.pid)
                print(f"   {what:12} ready in {seconds:.2f} s, {before:.0f} MB; {after:.0f} MB after Home")


def memory(upstream: Running, calls: int = 50_000) -> None:
    """Resident memory after each ten thousand calls."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name:
        key = prepared(Path(name), upstream.url)
        with start_console(Path(name)) as (running, _):
            headers = {"authorization": f"Bearer {key}"}
            body = orjson.dumps(QUESTION)
            load(running.chat, concurrency=16, body=body, count=2_000, headers=headers)
            sizes = [memory_mb(running.pid)]
            for _ in range(calls // 10_000):
                load(running.chat, concurrency=16, body=body, count=10_000, headers=headers)
                sizes.append(memory_mb(running.pid))
            shown, grown = " ".join(f"{size:.0f}" for size in sizes), sizes[-1] / sizes[1] - 1
            print(f"   MB after 2,000 calls and each 10,000 more: {shown}; {grown:+.1%} since 12,000")


def _visit(running: Running, page: str) -> float:
    """One run of a page in a session of its own, through the agent API; milliseconds."""
    began = time.perf_counter()
    address = running.url.removesuffix("/v1") + "/_stcore/agent/interact"
    asked = orjson.dumps({"page": page} if page else {})
    request = urllib.request.Request(address, asked, {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=60).read()
    return (time.perf_counter() - began) * 1000


def console(upstream: Running, sessions: int = 10, calls: int = 20_000) -> None:
    """Gateway p99 at 4 callers, alone and while ten sessions rerun Usage: in one process, then in two."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name:
        folder = Path(name)
        key = prepared(folder, upstream.url)
        db = Database(f"sqlite:///{folder / 'greenroom.db'}")
        fill(db, calls)
        db.close()
        headers = {"authorization": f"Bearer {key}"}
        body = orjson.dumps(QUESTION)
        with start_console(folder) as (running, _):
            _visit(running, "usage")
            alone = load(running.chat, concurrency=4, body=body, seconds=5, headers=headers)
            beside, visits = _beside(running, running, sessions, body, headers)
            _told("one process", alone.p99_ms, beside.p99_ms, visits)
            port = free_port()
            with started(gateway_command(port), port, GREENROOM_DATA_DIR=name) as face:
                alone = load(face.chat, concurrency=4, body=body, seconds=5, headers=headers)
                beside, visits = _beside(face, running, sessions, body, headers)
                _told("two processes", alone.p99_ms, beside.p99_ms, visits)


def _beside(
    face: Running, people: Running, sessions: int, body: bytes, headers: dict[str, str]
) -> tuple[Result, list[float]]:
    """The gateway's times while sessions rerun Usage a second after each answer, and how long their runs took (ms)."""
    host = people.url.removeprefix("http://").removesuffix("/v1")
    command = [sys.executable, "-m", "tests.bench.people", host, "usage", str(sessions), "14"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as at_work:
        time.sleep(4)  # until everybody is there
        result = load(face.chat, concurrency=4, body=body, seconds=8, headers=headers)
        took, _ = at_work.communicate()
    return result, orjson.loads(took)


def _told(what: str, alone_ms: float, beside_ms: float, visits: list[float]) -> None:
    page = f"{len(visits)} runs of Usage, median {statistics.median(visits):.0f} ms" if visits else "no run of Usage"
    print(f"   {what:14} p99 {alone_ms:.1f} → {beside_ms:.1f} ms: {beside_ms / alone_ms:.2f} ×; {page}")
