"""The load generator: a process of its own that asks as fast as it may and writes down when answers came.

`load(url, …)` starts it and gives a Result. Raw asyncio and httptools, so that it costs less than what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import httptools
import orjson
import psutil
import uvloop


@dataclass(frozen=True, slots=True)
class Result:
    """What a load did to a server."""

    requests: int
    errors: int
    seconds: float
    per_s: float
    p50_ms: float
    p99_ms: float
    first_p50_ms: float  # to the first piece of the body
    first_p99_ms: float
    cpu_ms: float  # of the watched process, per request; 0 without one

    def line(self) -> str:
        return (
            f"{self.per_s:8.0f}/s  p50 {self.p50_ms:7.2f} ms  p99 {self.p99_ms:7.2f} ms"
            f"  first p50 {self.first_p50_ms:7.2f} p99 {self.first_p99_ms:7.2f} ms"
            f"  cpu {self.cpu_ms:.3f} ms  n {self.requests}  errors {self.errors}"
        )


class _Caller(asyncio.Protocol):
    """One connection that asks the same question again and again."""

    transport: asyncio.Transport

    def __init__(self, question: bytes, plan: _Plan) -> None:
        self.question = question
        self.plan = plan
        self.asked_at = self.first_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.ask()

    def ask(self) -> None:
        if not self.plan.may_ask():
            self.transport.close()
            return
        self.parser = httptools.HttpResponseParser(self)
        self.first_at = 0.0
        self.asked_at = time.perf_counter()
        self.transport.write(self.question)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if not self.first_at:
            self.first_at = time.perf_counter()

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        if self.parser.get_status_code() == 200:
            self.plan.took.append(now - self.asked_at)
            self.plan.first.append((self.first_at or now) - self.asked_at)
        else:
            self.plan.errors += 1
        asyncio.get_running_loop().call_soon(self.ask)

    def connection_lost(self, exc: Exception | None) -> None:
        self.plan.lost(self)


class _Plan:
    """When to stop, and what was measured."""

    def __init__(self, concurrency: int, count: int, seconds: float) -> None:
        self.left = count
        self.until = time.perf_counter() + seconds if seconds else float("inf")
        self.open = concurrency
        self.took: list[float] = []
        self.first: list[float] = []
        self.errors = 0
        self.over = asyncio.Event()

    def may_ask(self) -> bool:
        self.left -= 1
        return self.left >= 0 and time.perf_counter() < self.until

    def lost(self, caller: _Caller) -> None:
        self.open -= 1
        if not self.open:
            self.over.set()


def question(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of one request."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def _run(
    url: str, ask: bytes, concurrency: int, count: int, seconds: float, watch: int, spread_s: float
) -> Result:
    parts = urlsplit(url)
    plan = _Plan(concurrency, count, seconds)
    watched = _family(watch)
    cpu_before = _cpu(watched)
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(concurrency):
        await loop.create_connection(lambda: _Caller(ask, plan), parts.hostname or "", parts.port or 80)
        await asyncio.sleep(spread_s / concurrency)
    await plan.over.wait()
    took = time.perf_counter() - began
    cpu_s = _cpu(watched) - cpu_before
    done = len(plan.took)
    whole, first = sorted(plan.took), sorted(plan.first)
    return Result(
        requests=done,
        errors=plan.errors,
        seconds=took,
        per_s=done / took,
        p50_ms=_at(whole, 0.5),
        p99_ms=_at(whole, 0.99),
        first_p50_ms=_at(first, 0.5),
        first_p99_ms=_at(first, 0.99),
        cpu_ms=cpu_s * 1000 / done if done else 0.0,
    )


def _family(pid: int) -> list[psutil.Process]:
    if not pid:
        return []
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(spent.user + spent.system for spent in times))


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else 0.0


def load(
    url: str,
    *,
    concurrency: int,
    body: bytes,
    seconds: float = 0.0,
    count: int = 1 << 40,
    headers: Mapping[str, str] | None = None,
    stream: bool = False,
    pid: int = 0,
    spread_s: float = 0.0,
) -> Result:
    """Ask `url` over and over from a process of its own, for so many seconds or requests.

    The callers begin within `spread_s`, all at once by default. `stream` sets the body's `stream` field; `pid` is the
    server whose CPU (with its children's) is counted.
    """
    if stream:
        body = orjson.dumps(orjson.loads(body) | {"stream": True})
    order: dict[str, object] = {
        "url": url,
        "concurrency": concurrency,
        "count": count,
        "seconds": seconds,
        "watch": pid,
        "spread_s": spread_s,
    }
    order |= {"headers": dict(headers or {}), "body": body.decode()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"], input=orjson.dumps(order), capture_output=True, check=True
    )
    return Result(**orjson.loads(done.stdout))


def main() -> None:
    """Read an order from standard input, print the Result as JSON."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    order = orjson.loads(sys.stdin.buffer.read())
    body, headers = order.pop("body").encode(), order.pop("headers")
    result = uvloop.run(_run(ask=question(order["url"], body, headers), **order))
    sys.stdout.buffer.write(orjson.dumps(asdict(result)))


if __name__ == "__main__":
    main()
