"""The worker of runs: takes one that is to go, asks its cells, writes them down, and goes on after a crash.

What is done has a row. Memory does not grow with a run: examples are read page by page, and no more cells are under
way than are asked at once. One process at a time has a run; when it dies, another takes it when its lease is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from anyio import to_thread

from core import clock, ids
from core.calls import queries as calls
from core.datasets import queries as datasets
from core.datasets.rules import Kind
from core.db.engine import Database
from core.errors import GreenroomError
from core.evals import people
from core.evals import scorers as settings
from core.evals.asking import Cells, Example, Json, Ready, case_of, row
from core.evals.cases import Case
from core.evals.scorers import Human, PairwiseJudge, Scorer
from core.experiments import actions, queries, rules
from core.experiments.actions import Kept
from core.experiments.queries import RunView
from core.experiments.rules import Place, State
from core.ids import Ids
from core.serve.pipeline import Serve
from core.serve.prompted import Shelf

log = logging.getLogger("greenroom.evals")

PAGE = 200
LOOK_S, RENEW_S, FLUSH_S = 1.0, 5.0, 0.1
MOST_AT_A_TIME = 2
"""Runs one process works on at once."""


@dataclass(slots=True)
class _Work:
    """A run under way in this process."""

    run: RunView
    cells: Cells
    scorers: tuple[Scorer, ...]
    spent: Decimal
    under_way: int = 0
    asked: int = 0
    kept: list[Kept] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""

    @property
    def is_dear(self) -> bool:
        """Whether what is under way may already reach the cap, going by what cells cost until now."""
        if self.run.cap_usd is None:
            return False
        answered = self.run.done + self.asked - self.under_way
        each = self.spent / answered if answered else Decimal(0)
        return self.spent + each * (self.under_way + 1) > self.run.cap_usd or self.spent >= self.run.cap_usd


class Runner:
    """Works on runs until it is stopped; `wake` lets it look at once."""

    def __init__(self, db: Database, new: Ids, serve: Serve, shelf: Shelf, *, scorers_dir: Path | None = None) -> None:
        self._db, self._ids, self._serve, self._shelf = db, new, serve, shelf
        self._scorers_dir = scorers_dir
        self._owner = f"process {new.process}"
        self._woken = asyncio.Event()
        self._ending = False
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._working: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to look for runs, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._looking = self._loop.create_task(self._look())

    def wake(self) -> None:
        """There is something to do; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._woken.set)

    async def stop(self) -> None:
        """Give runs back and end."""
        self._ending = True
        self._woken.set()
        if self._looking is not None:
            await self._looking
        for task in self._working:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)

    async def _look(self) -> None:
        while not self._ending:
            try:
                if len(self._working) < MOST_AT_A_TIME and (run_id := await to_thread.run_sync(self._take)) is not None:
                    task = asyncio.get_running_loop().create_task(self.work(run_id))
                    self._working.add(task)
                    task.add_done_callback(self._working.discard)
                    continue
            except Exception:
                log.exception("runs could not be looked for")
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_S)

    def _take(self) -> int | None:
        with self._db.write() as session:
            return actions.take(session, owner=self._owner, at=clock.now())

    async def work(self, run_id: int) -> None:
        """Ask what a run has not asked yet, and score it; then say that it is done, or why it is not."""
        try:
            work = await self._begin(run_id)
        except GreenroomError as error:
            await to_thread.run_sync(self._end, run_id, State.STOPPED, str(error))
            return
        except Exception:
            log.exception("the run %s could not begin", ids.shown("exp", run_id))
            await to_thread.run_sync(self._end, run_id, State.STOPPED, "A mistake of ours: the log has it.")
            return
        renewing = asyncio.get_running_loop().create_task(self._renew(work))
        try:
            await self._ask_all(work)
            if not work.is_over.is_set():
                await self._compare_all(work)
                await self._ask_people(work)
            if work.why or not work.is_over.is_set():
                state = State.STOPPED if work.why else State.DONE
                await to_thread.run_sync(self._end, run_id, state, work.why)
        except asyncio.CancelledError:
            await asyncio.shield(to_thread.run_sync(self._let_go, work))
            raise
        except Exception:
            log.exception("the run %s broke off", ids.shown("exp", run_id))
            await to_thread.run_sync(self._end, run_id, State.STOPPED, "A mistake of ours: the log has it.")
        finally:
            renewing.cancel()

    async def _begin(self, run_id: int) -> _Work:
        def read() -> RunView:
            with self._db.read() as session:
                return queries.any_run(session, run_id)

        run = await to_thread.run_sync(read)
        ready = []
        for arm in run.arms:
            if arm.prompt_id is None or arm.number is None:
                ready.append(Ready(arm))
            else:
                content, fragments = await self._shelf.ready(arm.prompt_id, arm.number)
                ready.append(Ready(arm, content, fragments))
        scorers = settings.parse(list(run.scorers))
        cells = Cells(
            run_id=run_id, project_id=run.project_id, actor=run.created_by, arms=ready, scorers=scorers,
            ask=self._serve.answer, new_id=self._ids.next, scorers_dir=self._scorers_dir,
        )  # fmt: skip
        return _Work(run, cells, scorers, run.spent_usd)

    # Asking

    async def _ask_all(self, work: _Work) -> None:
        """As many at once as the run says, until all cells have a row, the cap is reached, or somebody stops it."""
        waiting: asyncio.Queue[tuple[Place, Example] | None] = asyncio.Queue(maxsize=work.run.at_once)
        loop = asyncio.get_running_loop()
        all_asked = asyncio.Event()
        flushing = loop.create_task(self._flush_often(work, all_asked))
        workers = [loop.create_task(self._worker(work, waiting)) for _ in range(work.run.at_once)]
        try:
            async for cell in self._unasked(work):
                if not await _put(waiting, cell, work.is_over):
                    break
            for _ in workers:
                await _put(waiting, None, work.is_over)
            await asyncio.gather(*workers)
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            all_asked.set()  # not cancelled: what it is writing must be there before the run is called done
            await asyncio.shield(flushing)

    async def _unasked(self, work: _Work) -> AsyncIterator[tuple[Place, Example]]:
        run, after = work.run, 0
        letters = [arm.letter for arm in run.arms]
        while True:
            examples, done = await to_thread.run_sync(self._page, run, after)
            if not examples:
                return
            by_key = {example.key: example for example in examples}
            for place in rules.places(list(by_key), letters, run.repeats):
                if place not in done:
                    yield place, by_key[place.item_key]
            after = examples[-1].key

    def _page(self, run: RunView, after: int) -> tuple[list[Example], set[Place]]:
        with self._db.read() as session:
            found = datasets.in_order(
                session, dataset_id=run.dataset_id, kind=Kind.ITEM, after=after, limit=PAGE,
                version=run.dataset_version, split=run.split,
            )  # fmt: skip
            examples = [Example(row.key, row.input, row.expected, row.notes) for row in found.rows]
            done = queries.finished(session, run.id, [example.key for example in examples])
        return examples, done

    async def _worker(self, work: _Work, waiting: asyncio.Queue[tuple[Place, Example] | None]) -> None:
        while not work.is_over.is_set():
            cell = await waiting.get()
            if cell is None:
                return
            if work.is_dear:
                work.why = f"The cap of ${work.run.cap_usd:f} is reached."
                work.is_over.set()
                return
            work.under_way += 1
            work.asked += 1
            asking = asyncio.get_running_loop().create_task(work.cells.cell(*cell))
            stopping = asyncio.get_running_loop().create_task(work.is_over.wait())
            try:
                await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not asking.done() and not work.why:  # a person stopped it: nobody waits for what is under way
                    asking.cancel()
                kept = await asking
            except asyncio.CancelledError:
                asking.cancel()
                raise
            finally:
                stopping.cancel()
                work.under_way -= 1
            work.spent += kept.cost_usd or Decimal(0)
            work.kept.append(kept)

    async def _flush_often(self, work: _Work, all_asked: asyncio.Event) -> None:
        """Write down what was answered, ten times a second, and the rest when all is asked."""
        is_last = False
        while not is_last:
            with suppress(TimeoutError):
                await asyncio.wait_for(all_asked.wait(), FLUSH_S)
            is_last = all_asked.is_set()
            cells, work.kept = work.kept, []
            try:
                if cells:
                    await to_thread.run_sync(self._keep, work, cells)
            except Exception:
                work.kept = [*cells, *work.kept]  # answered and paid for: tried again, not asked again
                if is_last:
                    raise
                log.exception("cells of the run %s could not be kept", ids.shown("exp", work.run.id))
                await asyncio.sleep(LOOK_S)

    def _keep(self, work: _Work, cells: Sequence[Kept]) -> None:
        with self._db.write() as session:
            actions.keep(session, run_id=work.run.id, cells=cells)

    # Comparing answers, once they are there

    async def _compare_all(self, work: _Work) -> None:
        """Let pairwise judges compare every variant with the first, example by example."""
        pairwise = [one for one in work.scorers if isinstance(one, PairwiseJudge)]
        if not pairwise or len(work.run.arms) < 2:
            return
        after = 0
        while not work.is_over.is_set():
            examples, cases, done = await to_thread.run_sync(self._answered, work, after)
            if not examples:
                return
            first = work.run.arms[0].letter
            pairs = [
                (scorer, case, before, place)
                for place, case in cases.items()
                if place.arm != first and (before := cases.get(Place(place.item_key, first, place.repeat))) is not None
                for scorer in pairwise
                if (place, scorer.name) not in done
            ]
            limit = asyncio.Semaphore(work.run.at_once)
            scores = await asyncio.gather(*(self._compare(work, limit, *one) for one in pairs))
            await to_thread.run_sync(self._keep_scores, work, scores)
            after = examples[-1].key

    @staticmethod
    async def _compare(
        work: _Work, limit: asyncio.Semaphore, scorer: PairwiseJudge, ours: Case, theirs: Case, place: Place
    ) -> tuple[Place, Json]:
        async with limit:
            return place, row(scorer.name, await work.cells.compare(scorer, ours, theirs, place))

    def _answered(self, work: _Work, after: int) -> tuple[list[Example], dict[Place, Case], set[tuple[Place, str]]]:
        run = work.run
        examples, _ = self._page(run, after)
        by_key = {example.key: example for example in examples}
        with self._db.read() as session:
            mine, keys, most = [run.project_id], list(by_key), len(by_key) * len(run.arms) * run.repeats
            cells = queries.cells(session, run.id, project_ids=mine, item_keys=keys, limit=most) if keys else ()
            scores = queries.scores(session, run.id, project_ids=mine, item_keys=keys) if keys else ()
            numbers = [cell.call_id for cell in cells if cell.call_id is not None]
            said = calls.payloads(session, numbers, [run.project_id])
        cases = {}
        for cell in cells:
            payload = said.get(cell.call_id or 0)
            example = by_key[cell.place.item_key]
            if payload is not None and isinstance(payload.request, dict) and isinstance(payload.response, dict):
                cases[cell.place] = case_of(
                    request=payload.request, response=payload.response, expected=example.expected,
                    notes=example.notes, error=cell.error,
                )  # fmt: skip
        return examples, cases, {(score.place, score.scorer) for score in scores}

    def _keep_scores(self, work: _Work, scores: Sequence[tuple[Place, Json]]) -> None:
        with self._db.write() as session:
            actions.keep_scores(session, run_id=work.run.id, scores=scores)

    async def _ask_people(self, work: _Work) -> None:
        """Send what was answered to the queues whose people are to judge it; verdicts are collected as they come."""
        for scorer in (one for one in work.scorers if isinstance(one, Human)):
            while not work.is_over.is_set():
                sent = await to_thread.run_sync(self._send, work, scorer)
                if sent is None:
                    work.why = f"There is no open review queue named {scorer.queue!r}."
                if not sent:
                    break

    def _send(self, work: _Work, scorer: Human) -> int | None:
        with self._db.write() as session:
            return people.send(session, work.run, scorer, at=clock.now(), ids=self._ids)

    # The life of the run

    async def _renew(self, work: _Work) -> None:
        """Hold the lease; a run that was stopped, or taken by somebody else, ends here."""
        while True:
            await asyncio.sleep(RENEW_S if work.is_over.is_set() else LOOK_S)
            try:
                is_ours = await to_thread.run_sync(self._still_ours, work)
            except Exception:
                log.exception("the lease of the run %s could not be renewed", ids.shown("exp", work.run.id))
                continue
            if not is_ours:
                work.is_over.set()
                return

    def _still_ours(self, work: _Work) -> bool:
        with self._db.write() as session:
            return actions.renew(session, run_id=work.run.id, owner=self._owner, at=clock.now())

    def _end(self, run_id: int, state: State, why: str) -> None:
        with self._db.write() as session:
            actions.end(session, run_id=run_id, owner=self._owner, state=state, why=why, at=clock.now())

    def _let_go(self, work: _Work) -> None:
        with self._db.write() as session:
            actions.let_go(session, run_id=work.run.id, owner=self._owner)


async def _put(
    waiting: asyncio.Queue[tuple[Place, Example] | None], cell: tuple[Place, Example] | None, is_over: asyncio.Event
) -> bool:
    """Hand a cell to a worker; False when the run is over before one has room."""
    while not is_over.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(waiting.put(cell), 0.5)
            return True
    return False
