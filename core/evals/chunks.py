"""Cells of a run asked by other processes: which go together, what they may cost, and how a process asks its part.

A chunk names cells and carries nothing of them: whoever asks it reads the run and its examples from the same store,
leaves out what has a row, and writes its own rows. So a chunk may be asked again, by another process, at any moment.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from anyio import to_thread

from core import clock, ids
from core.db import trouble
from core.errors import GreenroomError, NotFound
from core.evals.many import LOOK_S, PAGE, PATIENCE, Many, Unasked, Work, patiently
from core.experiments import queries
from core.experiments.queries import RunView
from core.experiments.rules import Place
from core.vault import Vault

log = logging.getLogger("greenroom.evals")

ROUNDS, MOST_CELLS = 12, 400
"""A chunk is so many times what is asked at once, so that its end, where less is under way, weighs little."""
MOST_FAILURES = 3


class End(StrEnum):
    """How the asking of a chunk ended. `dear`: at what it may cost; `over`: the run was stopped, or has another owner;
    `refused`: this process cannot ask it; `failed`: something broke, and it may be tried again."""

    ALL = "all"
    DEAR = "dear"
    OVER = "over"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Cells to ask, for the process `owner` that has the run. `proof` tells that both have the same secret key."""

    run_id: int
    owner: str
    proof: bytes
    places: tuple[Place, ...]
    at_once: int
    cap_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a chunk."""

    end: End
    why: str = ""


class Cluster(Protocol):
    """Processes that ask chunks."""

    async def seats(self) -> int:
        """How many chunks are asked at once, over all processes. Raises: GreenroomError when it cannot be reached."""
        ...

    async def ask(self, chunk: Chunk) -> Told:
        """Let one of them ask it; again, by another, when it dies. Raises: GreenroomError."""
        ...

    async def close(self) -> None: ...


def proof(vault: Vault, run_id: int) -> bytes:
    """What only a process with the installation's secret key can say of a run (HMAC-SHA256)."""
    return hmac.digest(vault.derive("workers"), str(run_id).encode(), hashlib.sha256)


Again = tuple[tuple[Place, ...], int]
"""Cells to hand out once more, and how often something broke while they were asked."""


# The process that has the run


@dataclass(slots=True)
class _Flying:
    """What is asked elsewhere at this moment."""

    chunk: Chunk
    failures: int


class Spread:
    """Hands the cells of runs to a cluster, no more chunks at a time than it has seats."""

    def __init__(self, cluster: Cluster, vault: Vault) -> None:
        self._cluster, self._vault = cluster, vault

    async def close(self) -> None:
        """Leave the cluster."""
        await self._cluster.close()

    async def ask(self, many: Many, work: Work, *, owner: str) -> None:
        """Have all cells asked that have no row; `work.why` says why not all were."""
        source = _pages(many, work.run)
        again: deque[Again] = deque()
        flying: dict[asyncio.Task[Told], _Flying] = {}
        stopping = asyncio.get_running_loop().create_task(work.is_over.wait())
        is_read, rest = False, deque[Place]()
        try:
            while not work.is_over.is_set():
                seats = await self._seats(work)
                while not work.is_over.is_set() and len(flying) < seats:
                    if not again and not rest and not is_read:
                        page = await anext(source, None)
                        is_read = page is None
                        rest.extend(page or ())
                        continue
                    if not again and not rest:
                        break
                    free = work.run.at_once - sum(one.chunk.at_once for one in flying.values())
                    at_once = -(-free // (seats - len(flying)))
                    cap = await patiently(self._share, many, work, list(flying.values()), seats)
                    if at_once < 1 or (cap is not None and cap <= 0 and flying):
                        break
                    if cap is not None and cap <= 0:
                        work.why = f"The cap of ${work.run.cap_usd:f} is reached."
                        work.is_over.set()
                        break
                    places, failures = again.popleft() if again else (_some(rest, at_once * ROUNDS), 0)
                    chunk = Chunk(work.run.id, owner, proof(self._vault, work.run.id), places, at_once, cap)
                    task = asyncio.get_running_loop().create_task(self._cluster.ask(chunk))
                    flying[task] = _Flying(chunk, failures)
                if not flying:
                    return
                # looked at every second: workers come, and when the last one goes nobody else would tell
                await asyncio.wait({stopping, *flying}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in [one for one in flying if one.done()]:
                    await self._settle(many, work, task, flying.pop(task), again)
        finally:
            for one in (stopping, *flying):
                one.cancel()
            await asyncio.gather(stopping, *flying, return_exceptions=True)

    async def _seats(self, work: Work) -> int:
        """At least one seat, waited for; 0 when the run is over meanwhile."""
        why = "There is no worker in the cluster."
        for attempt in range(PATIENCE):
            try:
                if (seats := await self._cluster.seats()) or work.is_over.is_set():
                    work.waits = ""
                    return min(seats, work.run.at_once)
            except GreenroomError as error:
                why = str(error)
            work.waits = f"It waits for workers. {why}"
            if not attempt:
                log.warning("the run %s waits for workers: %s", ids.shown("exp", work.run.id), why)
            await asyncio.sleep(LOOK_S)
        work.why = f"Nobody asked its cells for {PATIENCE * LOOK_S / 60:.0f} minutes: {why}"
        work.is_over.set()
        return 0

    async def _settle(
        self,
        many: Many,
        work: Work,
        task: asyncio.Task[Told],
        was: _Flying,
        again: deque[Again],
    ) -> None:
        try:
            told = task.result()
        except GreenroomError as error:
            told = Told(End.FAILED, str(error))
        if told.end is End.ALL:
            return
        if told.end is End.REFUSED:
            work.why = told.why
            work.is_over.set()
            return
        failures = was.failures + (told.end is End.FAILED)
        if failures > MOST_FAILURES:
            work.why = f"Its cells could not be asked: {told.why}"
            work.is_over.set()
            return
        if told.end is End.FAILED:
            log.warning("cells of the run %s are asked again: %s", ids.shown("exp", work.run.id), told.why)
        if told.end in (End.FAILED, End.OVER):  # over: this process learns the same, or the worker was mistaken
            await asyncio.sleep(LOOK_S)
        done = await patiently(_finished, many, work.run.id, was.chunk.places)
        if left := tuple(place for place in was.chunk.places if place not in done):
            again.append((left, failures))

    @staticmethod
    def _share(many: Many, work: Work, flying: Sequence[_Flying], seats: int) -> Decimal | None:
        """What one more chunk may cost: an equal part of what neither was spent nor is promised; 0 when that does not
        reach for one cell."""
        if work.run.cap_usd is None:
            return None
        with many.db.read() as session:
            run = queries.any_run(session, work.run.id)
        free = work.run.cap_usd - run.spent_usd - sum((one.chunk.cap_usd or Decimal(0) for one in flying), Decimal(0))
        each = run.spent_usd / (run.done + run.failed) if run.done + run.failed else Decimal(0)
        if free <= 0 or free < each:
            return Decimal(0)
        share = free / (seats - len(flying))
        return free if share < each * ROUNDS else share


async def _pages(many: Many, run: RunView) -> AsyncIterator[list[Place]]:
    async for some in many.unasked(run):
        if some:
            yield [place for place, _ in some]


def _some(rest: deque[Place], most: int) -> tuple[Place, ...]:
    return tuple(rest.popleft() for _ in range(min(len(rest), most, MOST_CELLS)))


def _finished(many: Many, run_id: int, places: Sequence[Place]) -> set[Place]:
    with many.db.read() as session:
        return queries.finished(session, run_id, sorted({place.item_key for place in places}))


# A process that asks a part


class Part:
    """Asks chunks with what this process has open, and never raises."""

    def __init__(self, many: Many, vault: Vault) -> None:
        self._many, self._vault = many, vault

    async def ask(self, chunk: Chunk) -> Told:
        """Ask the cells of a chunk that have no row."""
        if not hmac.compare_digest(chunk.proof, proof(self._vault, chunk.run_id)):
            return Told(End.REFUSED, "A worker has another secret key: give all the same GREENROOM_SECRET_KEY.")
        many = self._many
        try:
            work = await many.begin(chunk.run_id)
        except NotFound as error:
            if not await patiently(self._is_there, many, chunk.run_id):
                return Told(End.REFUSED, "A worker has another store: give all the same GREENROOM_DATABASE_URL.")
            return Told(End.REFUSED, str(error))
        except GreenroomError as error:
            return Told(End.REFUSED, str(error))
        except Exception as error:
            return _failed(chunk, error)
        watching = asyncio.get_running_loop().create_task(self._watch(many, work, chunk.owner))
        try:
            await many.ask(work, self._unasked(many, work, chunk), at_once=chunk.at_once)
        except Exception as error:
            return _failed(chunk, error)
        finally:
            watching.cancel()
        if work.why:
            return Told(End.DEAR)
        return Told(End.OVER if work.is_over.is_set() else End.ALL)

    async def _unasked(self, many: Many, work: Work, chunk: Chunk) -> AsyncIterator[list[Unasked]]:
        """The cells of a chunk, which are of one page; what those that have a row did cost is off its cap."""
        examples, done = await patiently(many.page, work.run, min(place.item_key for place in chunk.places) - 1)
        by_key = {example.key: example for example in examples}
        if chunk.cap_usd is not None:
            there = [place for place in chunk.places if place in done]
            work.cap_usd = chunk.cap_usd - (await patiently(self._spent, many, work.run, there) if there else 0)
        yield [(place, by_key[place.item_key]) for place in chunk.places if place not in done]

    @staticmethod
    def _spent(many: Many, run: RunView, there: Sequence[Place]) -> Decimal:
        with many.db.read() as session:
            keys, most = sorted({place.item_key for place in there}), PAGE * len(run.arms) * run.repeats
            cells = queries.cells(session, run.id, project_ids=[run.project_id], item_keys=keys, limit=most)
        return sum((cell.cost_usd or Decimal(0) for cell in cells if cell.place in set(there)), Decimal(0))

    async def _watch(self, many: Many, work: Work, owner: str) -> None:
        """A run that was stopped, or taken by somebody else, ends here within a second."""
        while not work.is_over.is_set():
            try:
                if not await to_thread.run_sync(self._holds, many, work.run.id, owner):
                    work.is_over.set()
            except Exception as error:
                if trouble.of(error) is None:
                    log.exception("the run %s could not be looked at", ids.shown("exp", work.run.id))
            await asyncio.sleep(LOOK_S)

    @staticmethod
    def _holds(many: Many, run_id: int, owner: str) -> bool:
        with many.db.read() as session:
            return queries.holds(session, run_id=run_id, owner=owner, at=clock.now())

    @staticmethod
    def _is_there(many: Many, run_id: int) -> bool:
        try:
            with many.db.read() as session:
                queries.any_run(session, run_id)
        except NotFound:
            return False
        return True


def _failed(chunk: Chunk, error: Exception) -> Told:
    log.error("cells of the run %s could not be asked", ids.shown("exp", chunk.run_id), exc_info=error)
    known = trouble.of(error)
    return Told(End.FAILED, str(known) if known else f"a worker met a mistake of ours ({type(error).__name__}).")
