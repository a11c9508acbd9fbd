"""Twenty people with the board of the review queues open: what it costs, and how soon each of them sees what changed.

A process of its own plays their browsers: `python -m tests.bench.boards HOST:PORT PAGE PEOPLE SECONDS` runs the page
and, as a browser does, every fragment that asks to be run again and again. Each line that it prints is the moment
(Unix time) at which somebody's board first said one of the `CHANGES`.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from sqlmodel import Session
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from core.clock import now
from core.db.engine import Database
from core.ids import Ids
from core.review import actions
from core.schema import migrate
from tests.bench.servers import Running
from tests.bench.whole import start_console
from tests.review.waiting import Waiting, person
from tests.support import postgres

PEOPLE = 20
WAITING = 500
SECONDS = 12.0
CHANGES = {"a new answer": b"501", "somebody else's claim": b"lookinghere"}


class _Browser:
    """One browser's session: it tells what it reads, and asks again where it is told to."""

    def __init__(self, session: ClientConnection, page: str) -> None:
        self._session, self._page, self._hash = session, page, ""
        self._again: list[asyncio.Task[None]] = []
        self._seen: set[str] = set()

    async def work(self) -> None:
        await self._ask("")
        while True:
            raw = await self._session.recv(decode=False)
            heard = ForwardMsg()
            heard.ParseFromString(raw)
            kind = heard.WhichOneof("type")
            if kind == "new_session":
                self._hash = heard.new_session.page_script_hash
            elif kind == "auto_rerun":
                again = self._repeat(heard.auto_rerun.interval, heard.auto_rerun.fragment_id)
                self._again.append(asyncio.create_task(again))
            elif kind == "delta":
                for what, words in CHANGES.items():
                    if what not in self._seen and words in raw:
                        self._seen.add(what)
                        print(f"{time.time():.3f} {what}", flush=True)

    async def _repeat(self, interval_s: float, fragment: str) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._ask(fragment)

    async def _ask(self, fragment: str) -> None:
        asked = BackMsg()
        asked.rerun_script.page_name = self._page
        asked.rerun_script.page_script_hash = self._hash
        asked.rerun_script.fragment_id = fragment
        asked.rerun_script.is_auto_rerun = bool(fragment)
        await self._session.send(asked.SerializeToString())


async def look(host: str, page: str, people: int, seconds: float) -> None:
    """So many people look at a page for so long."""

    async def one(number: int) -> None:
        await asyncio.sleep(number * 0.17)  # nobody opens it in the same moment
        address = f"ws://{host}/_stcore/stream"
        async with connect(address, subprotocols=["streamlit"], max_size=None) as session:  # type: ignore[list-item]
            await _Browser(session, page).work()

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(people))), seconds)


def _spent_s(running: Running) -> float:
    spent = psutil.Process(running.pid).cpu_times()
    return float(spent.user + spent.system)


def _changed(db: Database, waiting: Waiting) -> dict[str, float]:
    """Let an answer arrive and somebody take one in hand; when each was there for all to see."""
    told: dict[str, float] = {}

    def do(what: str, change: Callable[[Session], object]) -> None:
        with db.write() as session:
            change(session)
        told[what] = time.time()
        time.sleep(4)

    def send(session: Session) -> None:
        waiting.send(session, waiting.unsent.pop())

    def claim(session: Session) -> None:
        assert actions.claim(session, queue_id=waiting.queue_id, by=person("lookinghere"), at=now()) is not None

    do("a new answer", send)
    do("somebody else's claim", claim)
    return told


def _measure(folder: Path, url: str, page: str) -> None:
    db = Database(url)
    migrate.upgrade(db)
    waiting = Waiting(db, Ids(4_003), now()).open(WAITING + 1)
    with db.write() as session:
        for call_id in waiting.unsent[:WAITING]:
            waiting.send(session, call_id)
    waiting.unsent = waiting.unsent[WAITING:]
    with start_console(folder, GREENROOM_DATABASE_URL=url) as (running, _):
        host = running.url.removeprefix("http://").removesuffix("/v1")
        time.sleep(5)  # until the start is over
        idle = _spent_s(running)
        time.sleep(4)
        idle = (_spent_s(running) - idle) / 3
        command = [sys.executable, "-m", "tests.bench.boards", host, page, str(PEOPLE), str(SECONDS + 16)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as browsers:
            time.sleep(8)  # until everybody is there
            began, spent = time.time(), _spent_s(running)
            time.sleep(SECONDS)
            share = (_spent_s(running) - spent) / (time.time() - began) - idle
            told = _changed(db, waiting)
            lines, _ = browsers.communicate()
    print(f"   {PEOPLE} boards of {WAITING} waiting answers: {share:.1%} of a core more than none")
    for what, at in told.items():
        late = sorted(float(line.split()[0]) - at for line in lines.splitlines() if line.endswith(what))
        seen = f"{len(late)} of {PEOPLE} saw it"
        print(f"   {what}: {seen}, median {statistics.median(late):.2f} s, the last {late[-1]:.2f} s" if late else seen)
    db.close()


def main(page: str = "review") -> None:
    """Print both databases."""
    with tempfile.TemporaryDirectory(prefix="gr-bench-") as name:
        print("   sqlite")
        _measure(Path(name), f"sqlite:///{name}/greenroom.db", page)
    bindir = postgres.binaries()
    if bindir is None:
        print(postgres.INSTALL)
        return
    server = postgres.Server(bindir)
    try:
        with tempfile.TemporaryDirectory(prefix="gr-bench-") as name:
            print("   postgres")
            _measure(Path(name), server.url(), page)
    finally:
        server.close()


if __name__ == "__main__":
    host, page, people, seconds = sys.argv[1:]
    asyncio.run(look(host, page, int(people), float(seconds)))
