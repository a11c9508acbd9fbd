"""The one running Greenroom of this process: settings, vault, store, recorder, caches and `serve`, put together.

The server's lifespan starts it; a page under AppTest, or a command that needs it, starts it on first use.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import from_thread, to_thread

from core import bridge, clock, log, vault
from core import settings as configured
from core.calls.recorder import Recorder
from core.catalog import actions as catalog_actions
from core.catalog import prices
from core.catalog import queries as catalog_queries
from core.catalog.rules import Snapshot
from core.db import marks, process, trouble
from core.db.checkpoints import Checkpoints
from core.db.engine import Database
from core.evals import spreading
from core.evals.chunks import Spread
from core.evals.running import Runner
from core.evals.spreading import Dask
from core.guard import detecting
from core.guard import queries as guard_queries
from core.guard.queries import Snapshot as Policies
from core.guard.rules import families
from core.ids import Ids
from core.people import actions as people_actions
from core.people import queries as people_queries
from core.people.keys import KeyRing
from core.people.rules import SYSTEM
from core.polling import Outage, Poller
from core.prompts import queries as prompt_queries
from core.prompts.views import Book
from core.schema import migrate
from core.serve.comparing import Comparing
from core.serve.holding import Holding
from core.serve.pipeline import Serve
from core.serve.prompted import Shelf
from core.settings import Settings
from core.trials import queries as trial_queries
from core.trials.running import Snapshot as Trials
from core.trials.watcher import Watcher
from core.vault import Vault
from core.webhooks.sender import Sender
from core.wire.client import Client

WORKER = "worker"
"""A process that asks cells for others, and takes no run of its own."""
LOOK_AGAIN_S = 1.0
SWITCH_INTERVAL_S = 0.002  # shorter than Python's 5 ms: a page's thread must not hold the gateway's loop up

_log = logging.getLogger("greenroom.runtime")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the caches were read from, swapped as a whole."""

    marks: dict[str, int]
    catalog: Snapshot
    keyring: KeyRing
    policies: Policies
    prompts: Book
    trials: Trials


class Runtime:
    """Everything that is open. `catalog` and `keyring` are never older than a second."""

    def __init__(self, settings: Settings, *, kind: str) -> None:
        log.configure(json=settings.log == "json")
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self._takes_runs = kind != WORKER
        if settings.workers:
            spreading.check()
        self.vault: Vault = vault.open_vault(settings.data_dir, settings.secret_key)
        self.db = Database(settings.url, durability=settings.durability)
        migrate.upgrade(self.db)
        with self.db.write() as session:
            self.ids = Ids(process.register(session, kind))
            people_actions.ensure_default_project(session, by=SYSTEM, at=clock.now())
            catalog_actions.ensure_builtin(session, by=SYSTEM, at=clock.now())
        self._refreshing = threading.Lock()
        self._seen = self._look()
        _warm(self._seen.policies)
        self.recorder = Recorder(self.db)
        self.checkpoints = Checkpoints(self.db)
        self.client: Client
        self.serve: Serve
        self.sender: Sender
        self.holding: Holding
        self.trials_watcher: Watcher
        self.runner: Runner
        self.comparing: Comparing
        self._stale = Outage(_log, "the catalog and the keys could not be read again, what was known stays in use: %s")
        self._refresher = Poller(self._refresh, pause_s=lambda: LOOK_AGAIN_S, outage=self._stale)
        self._to_warm: list[Callable[[], None]] = [prices.warm]
        self._looked_ms = 0.0

    @property
    def catalog(self) -> Snapshot:
        return self._seen.catalog

    @property
    def policies(self) -> Policies:
        return self._seen.policies

    @property
    def prompts(self) -> Book:
        return self._seen.prompts

    @property
    def keyring(self) -> KeyRing:
        return self._seen.keyring

    def _look(self) -> _Seen:
        with self.db.read() as session:
            return _Seen(
                marks.read(session),
                catalog_queries.snapshot(session, self.vault),
                people_queries.keyring(session, self.vault),
                guard_queries.snapshot(session),
                prompt_queries.book(session),
                trial_queries.snapshot(session),
            )

    def refresh(self) -> None:
        """Read the catalog and the keys again if they changed, here or in another process."""
        with self._refreshing:
            with self.db.read() as session:
                same = marks.read(session) == self._seen.marks
            if not same:
                before, after = self._seen, self._look()
                _warm(after.policies)
                self._seen = after
                if before.catalog is not self._seen.catalog and hasattr(self, "serve"):
                    self.serve.forget()

    async def looked_again(self) -> bool:
        """Refresh out of turn; False when that was done a moment ago."""
        now_ms = clock.ticks_ms()
        if now_ms - self._looked_ms < LOOK_AGAIN_S * 200:
            return False
        self._looked_ms = now_ms
        try:
            await to_thread.run_sync(self.refresh)
        except Exception as error:
            self._stale.say(error)
            return False
        return True

    async def start(self, *, for_good: bool = False, takes_runs: bool = True) -> None:
        """Open what needs the event loop it is called on; `for_good` in a process that does nothing else. Without
        `takes_runs` it works on the runs it is told of, and looks for no others."""
        self.client = Client()
        await to_thread.run_sync(self.checkpoints.start)
        self.recorder.start()
        self.sender = Sender(self.db, self.vault)
        self.holding = Holding(self.db, self.ids, self.sender.wake)
        shelf = Shelf.of(self.db, lambda: self._seen.prompts)
        self.serve = Serve(
            recorder=self.recorder,
            ids=self.ids,
            client=self.client,
            catalog=lambda: self._seen.catalog,
            policies=lambda: self._seen.policies,
            trials=lambda: self._seen.trials,
            prompts=shelf,
            holding=self.holding,
        )
        self.trials_watcher = Watcher(self.db, self.ids, self.sender.wake)
        if for_good:
            self._to_warm.append(_settle)
        self._refresher.start()
        self.sender.start()
        self.holding.start()
        self.trials_watcher.start()
        spread = None
        if self.settings.workers and self._takes_runs:
            spread = Spread(Dask(self.settings.workers), self.vault)
        self.runner = Runner(self.db, self.ids, self.serve, shelf, scorers_dir=self.settings.scorers_dir, spread=spread)
        if takes_runs and self._takes_runs:
            self.runner.start()
        self.comparing = Comparing(self.db, self.ids, self.serve.answer)
        self.comparing.start()

    async def _refresh(self) -> None:
        while self._to_warm:
            await to_thread.run_sync(self._to_warm.pop(0))
        await to_thread.run_sync(self.refresh)

    async def stop(self) -> None:
        """Write what is still on its way, then close."""
        await self._refresher.stop()  # to its end: its thread may be reading the store that is closed below
        await self.trials_watcher.stop()
        await self.runner.stop()
        await self.comparing.stop()
        await self.holding.stop()
        await self.serve.drain()
        await self.sender.stop()
        await to_thread.run_sync(self.recorder.stop)
        await to_thread.run_sync(self.checkpoints.stop)
        await self.client.aclose()
        self.db.close()


def _warm(policies: Policies) -> None:
    """Read the word lists and models that the policies' detectors use, where no caller waits for it."""
    for some in policies.policies.values():
        detecting.warm(families(some))


def _settle() -> None:
    """What a process holds once it has started it holds to its end: no later collection walks it, or stops callers
    for as long as that takes."""
    gc.collect()
    gc.freeze()


_current: Runtime | None = None
_starting = threading.Lock()


def current() -> Runtime:
    """The runtime of this process; starts one where no server did (AppTest, a command)."""
    global _current
    if _current is None:
        with _starting:
            if _current is None:
                runtime = Runtime(configured.load(), kind="console")
                bridge.call(runtime.start)
                _current = runtime
    return _current


def serving() -> Runtime:
    """The runtime on whose loop this code runs. Raises: RuntimeError before the server's start and after its end."""
    if _current is None:
        raise RuntimeError("Greenroom is not running")
    return _current


def forget() -> None:
    """Close the runtime of this process and let the next use start another (tests; settings are read again)."""
    global _current
    if _current is not None:
        bridge.call(_current.stop)
        _current = None
    configured.load.cache_clear()


@asynccontextmanager
async def running(kind: str) -> AsyncIterator[Runtime]:
    """The runtime as long as a server runs, on the server's own loop.

    Raises: StoreUnavailable, or Invalid for a setting that cannot be used.
    """
    global _current
    if kind == "console":
        sys.setswitchinterval(SWITCH_INTERVAL_S)
    with trouble.told():
        runtime = await to_thread.run_sync(lambda: Runtime(configured.load(), kind=kind))
    await runtime.start(for_good=True)
    async with from_thread.BlockingPortal() as portal:
        bridge.connect(portal)
        _current = runtime
        try:
            yield runtime
        finally:
            _current = None
            bridge.connect(None)
            await runtime.stop()
