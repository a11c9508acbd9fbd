"""Runs the named benches and prints what was reached, as numbers and as ratios to the baseline of the same run.

`uv run bench` runs all but the LONG ones, `uv run bench wire` one; `--seconds` says how long each measurement takes.
A bench is a function from `Rig` to nothing, listed in BENCHES.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.bench import aa as watching
from tests.bench import boards as watched_boards
from tests.bench import compared as comparing
from tests.bench import guard as guarding
from tests.bench import queries as over_a_million
from tests.bench import recorder as recording
from tests.bench import review as reviewing
from tests.bench import runs as running
from tests.bench import trials as live_tests
from tests.bench import whole
from tests.bench.gateway import start_gateway
from tests.bench.load import Result, load
from tests.bench.servers import Running, start_baseline, start_ours, start_upstream

QUESTION = {"model": "double-small", "messages": [{"role": "user", "content": "Say one short sentence about rivers."}]}
PACED = QUESTION | {"x_double": {"tokens": 40, "gap_s": 0.02}}
STREAM_S = 0.8  # what a paced stream takes: callers that begin within it meet each other at every point of an answer
CONCURRENCIES = (1, 16, 64)


@dataclass(frozen=True, slots=True)
class Rig:
    """What every bench is given: the upstream, and how long to measure."""

    upstream: Running
    seconds: float


def measure(
    server: Running, concurrency: int, seconds: float, *, stream: bool = False, spread_s: float = 0.0
) -> Result:
    """Warm up, then load a server's chat completions; `stream` asks for paced streams, begun within `spread_s`."""
    body = orjson.dumps((PACED if stream else QUESTION) | {"model": server.model})
    headers = {"authorization": f"Bearer {server.key}"} if server.key else {}
    told = {"concurrency": concurrency, "body": body, "headers": headers, "stream": stream, "spread_s": spread_s}
    load(server.chat, seconds=min(1.0, seconds), **told)
    return load(server.chat, seconds=seconds, pid=server.pid, **told)


def compare(name: str, server: Running, baseline: Running, direct: Running, seconds: float) -> None:
    """Print a server next to the baseline and the bare upstream, whole answers and paced streams."""
    for concurrency in CONCURRENCIES:
        print(f"-- {concurrency} at once")
        alone = measure(direct, concurrency, seconds)
        before = measure(baseline, concurrency, seconds)
        after = measure(server, concurrency, seconds)
        print(f"   {'upstream':10} {alone.line()}")
        print(f"   {'baseline':10} {before.line()}")
        print(f"   {name:10} {after.line()}")
        print(
            f"   {after.per_s / before.per_s:.2f} × the baseline's requests/s, {_share(after, before)} × its CPU,"
            f" p50 added {after.p50_ms - alone.p50_ms:+.2f} ms (baseline {before.p50_ms - alone.p50_ms:+.2f})"
        )
    for what, spread_s in (("64 paced streams", STREAM_S), ("64 paced streams, all begun in one moment", 0.0)):
        print(f"-- {what}")
        alone, before, after = (
            measure(one, 64, seconds, stream=True, spread_s=spread_s) for one in (direct, baseline, server)
        )
        for label, result in (("upstream", alone), ("baseline", before), (name, after)):
            print(f"   {label:10} {result.line()}")
        print(
            f"   first token p99 added {after.first_p99_ms - alone.first_p99_ms:+.2f} ms"
            f" (baseline {before.first_p99_ms - alone.first_p99_ms:+.2f})"
        )


def wire(rig: Rig) -> None:
    """Our client in a bare pass-through against httpx over httpx-aiohttp in the same one."""
    with start_baseline(rig.upstream) as baseline, start_ours(rig.upstream) as ours:
        compare("ours", ours, baseline, rig.upstream, rig.seconds)


def gateway(rig: Rig) -> None:
    """Greenroom's gateway, recording on and durable in SQLite, against the bare pass-through."""
    with start_baseline(rig.upstream) as baseline, start_gateway(rig.upstream) as ours:
        compare("greenroom", ours, baseline, rig.upstream, rig.seconds)


def start(rig: Rig) -> None:
    """Seconds to ready and resident memory of console and gateway in one process."""
    whole.start(rig.upstream)


def memory(rig: Rig) -> None:
    """Resident memory over 50,000 calls."""
    whole.memory(rig.upstream)


def console(rig: Rig) -> None:
    """Ten console sessions rerunning Usage beside the gateway."""
    whole.console(rig.upstream)


def recorder(_rig: Rig) -> None:
    """What writing a call down costs, on SQLite and Postgres."""
    recording.main()


def queries(_rig: Rig) -> None:
    """Usage and Calls over a million calls against ten thousand, on SQLite and Postgres; minutes to fill both."""
    with tempfile.TemporaryDirectory(prefix="gr-bench-") as folder:
        over_a_million.sqlite(Path(folder))
    over_a_million.on_postgres()


def review(_rig: Rig) -> None:
    """Verdicts per second of up to fifty people at one queue, on SQLite and Postgres, best of several rounds."""
    reviewing.main()


def boards(_rig: Rig) -> None:
    """Twenty people with the board of the review queues open: its cost, and how soon each sees what changed."""
    watched_boards.main()


def guard(_rig: Rig) -> None:
    """What each detector costs, finds and mistakes, and what a stream's window adds."""
    guarding.run()


def runs(rig: Rig) -> None:
    """Runs of 10,000 cells, 64 at once, against a backend that takes 200 and 50 ms: speed, memory, processor time."""
    running.main(rig.upstream)


def compared(_rig: Rig) -> None:
    """How long the page of a run over 10,000 cells takes to open, on SQLite and Postgres."""
    comparing.main()


def aa(_rig: Rig) -> None:
    """A/A tests looked at after every unit: false positives of a naive z test and of our confidence sequences."""
    watching.main()


def trials(_rig: Rig) -> None:
    """How long the figures of a live test take at 100,000 users, on SQLite and Postgres."""
    live_tests.main()


BENCHES: dict[str, Callable[[Rig], None]] = {
    "wire": wire,
    "gateway": gateway,
    "start": start,
    "memory": memory,
    "console": console,
    "recorder": recorder,
    "queries": queries,
    "review": review,
    "boards": boards,
    "guard": guard,
    "runs": runs,
    "compared": compared,
    "aa": aa,
    "trials": trials,
}
LONG = frozenset({"queries", "review", "boards", "guard", "runs", "compared", "aa", "trials"})
"""Too slow to run unasked."""


def _share(after: Result, before: Result) -> str:
    return f"{after.cpu_ms / before.cpu_ms:.2f}" if before.cpu_ms else "?"


def main() -> None:
    """Run benches by name; without one all that are not long."""
    parser = argparse.ArgumentParser(description="Measure Greenroom against a bare pass-through.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHES)}; without one all but {', '.join(LONG)}")
    parser.add_argument("--seconds", type=float, default=4.0, help="per measurement")
    options = parser.parse_args()
    for name in options.names or [name for name in BENCHES if name not in LONG]:
        if name not in BENCHES:
            parser.error(f"there is no bench {name!r}; there are {', '.join(BENCHES)}")
        print(f"== {name}: {BENCHES[name].__doc__}")
        with start_upstream() as upstream:
            BENCHES[name](Rig(upstream, options.seconds))


if __name__ == "__main__":
    main()
