"""Many cells of a run at once: asked, scored, and written down as they come.

What is done has a row; memory does not grow with a run, for examples are read page by page and no more cells are under
way than are asked at once. While the store is away nothing is given up: who waits for it asks again when it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from anyio import to_thread

from core import ids
from core.datasets import queries as datasets
from core.datasets.rules import Kind
from core.db import trouble
from core.db.engine import Database
from core.errors import StoreUnavailable
from core.evals import scorers as settings
from core.evals.asking import Cells, Example, Ready, content_of
from core.evals.scorers import Scorer
from core.experiments import actions, queries, rules
from core.experiments.actions import Kept
from core.experiments.queries import RunView
from core.experiments.rules import Place
from core.ids import Ids
from core.serve.pipeline import Serve
from core.serve.prompted import Shelf

log = logging.getLogger("greenroom.evals")

PAGE = 200
LOOK_S, FLUSH_S = 1.0, 0.1
PATIENCE = 120
"""How often a store that is away is tried again, a second apart, before a run breaks off."""

Unasked = tuple[Place, Example]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Work:
    """A run, or a part of one, under way in this process. `why` is said where it ends before all was asked,
    `waits` while it cannot go on.

    `cap_usd` is what may be spent here, `spent_usd` what was; `before` what the run's cells had cost, and how many
    they were, when this began: what the next may cost is guessed from all of them.
    """

    run: RunView
    cells: Cells
    scorers: tuple[Scorer, ...]
    cap_usd: Decimal | None
    before: tuple[Decimal, int]
    spent_usd: Decimal = Decimal(0)
    answered: int = 0
    under_way: int = 0
    kept: list[Kept] = field(default_factory=list)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""
    waits: str = ""

    def paid(self) -> tuple[Decimal, int]:
        """What judges cost since this was asked last, to be written down, and how many of their calls have no price."""
        usd, unpriced = self.cells.judged()
        self.spent_usd += usd
        return usd, unpriced

    def reach_cap(self) -> None:
        """Ask nothing more: the money is spent."""
        self.why = f"The cap of ${self.run.cap_usd:f} is reached."
        self.is_over.set()

    @property
    def each_usd(self) -> Decimal:
        """What a cell cost until now, on average; 0 when none was asked."""
        spent = self.before[0] + self.spent_usd + self.cells.judging_usd
        count = self.before[1] + self.answered
        return spent / count if count else Decimal(0)

    @property
    def is_dear(self) -> bool:
        """Whether what is under way may already reach the cap, going by what cells cost until now."""
        if self.cap_usd is None:
            return False
        spent = self.spent_usd + self.cells.judging_usd
        return spent + self.each_usd * (self.under_way + 1) > self.cap_usd or spent >= self.cap_usd


class Many:
    """Asks cells of runs with what this process has open."""

    def __init__(self, db: Database, new: Ids, serve: Serve, shelf: Shelf, *, scorers_dir: Path | None = None) -> None:
        self.db, self._ids, self._serve, self._shelf = db, new, serve, shelf
        self._scorers_dir = scorers_dir

    async def begin(self, run_id: int) -> Work:
        """Get ready for cells of a run. Raises: NotFound for the run or a version of a prompt, Invalid for a scorer."""
        run = await patiently(self._run, run_id)
        ready = []
        for arm in run.arms:
            if arm.prompt_id is None or arm.number is None:
                ready.append(Ready(arm, content_of(arm.messages, arm.model) if arm.messages else None))
            else:
                content, fragments = await self._shelf.ready(arm.prompt_id, arm.number)
                ready.append(Ready(arm, content, fragments))
        scorers = settings.parse(list(run.scorers))
        cells = Cells(
            run_id=run_id, project_id=run.project_id, actor=run.created_by, arms=ready, scorers=scorers,
            ask=self._serve.answer, new_id=self._ids.next, scorers_dir=self._scorers_dir,
        )  # fmt: skip
        cap = None if run.cap_usd is None else run.cap_usd - run.spent_usd
        return Work(run, cells, scorers, cap, (run.spent_usd, run.done + run.failed))

    def _run(self, run_id: int) -> RunView:
        with self.db.read() as session:
            return queries.any_run(session, run_id)

    # What there is to ask

    async def unasked(self, run: RunView) -> AsyncIterator[list[Unasked]]:
        """The cells without a row, a page of examples at a time."""
        after, letters = 0, [arm.letter for arm in run.arms]
        while True:
            examples, done = await patiently(self.page, run, after)
            if not examples:
                return
            by_key = {example.key: example for example in examples}
            places = rules.places(list(by_key), letters, run.repeats)
            yield [(place, by_key[place.item_key]) for place in places if place not in done]
            after = examples[-1].key

    def page(self, run: RunView, after: int) -> tuple[list[Example], set[Place]]:
        """The examples behind one, and their cells that have a row."""
        with self.db.read() as session:
            found = datasets.in_order(
                session, dataset_id=run.dataset_id, kind=Kind.ITEM, after=after, limit=PAGE,
                version=run.dataset_version, split=run.split,
            )  # fmt: skip
            examples = [Example(row.key, row.input, row.expected, row.notes) for row in found.rows]
            done = queries.finished(session, run.id, [example.key for example in examples])
        return examples, done

    # Asking

    async def ask(self, work: Work, unasked: AsyncIterator[list[Unasked]], *, at_once: int) -> None:
        """So many at once, until all have a row, the cap is reached, or somebody stops it: then what is under way is
        given up, and what was answered is kept."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[Unasked | None] = asyncio.Queue(maxsize=at_once)
        all_asked = asyncio.Event()
        flushing = loop.create_task(self._flush_often(work, all_asked))
        feeding = loop.create_task(_feed(unasked, waiting, at_once))
        workers = [loop.create_task(_worker(work, waiting)) for _ in range(at_once)]
        everyone: asyncio.Future[list[None]] = asyncio.gather(feeding, *workers)
        stopping = loop.create_task(work.is_over.wait())
        watched: set[asyncio.Future[Any]] = {everyone, stopping}
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if work.is_over.is_set():
                feeding.cancel()
                if work.why:  # whoever is under way may end; who waits for more goes
                    while not waiting.empty():
                        waiting.get_nowait()
                    for _ in workers:
                        waiting.put_nowait(None)
                    await asyncio.gather(*workers)
            else:
                await everyone
        finally:
            for task in (stopping, feeding, *workers):
                task.cancel()
            await asyncio.gather(everyone, stopping, feeding, *workers, return_exceptions=True)
            all_asked.set()  # not cancelled: what it is writing must be there before the run is called done
            await asyncio.shield(flushing)

    async def _flush_often(self, work: Work, all_asked: asyncio.Event) -> None:
        """Write down what was answered, ten times a second, and the rest when all is asked."""
        is_last = False
        while not is_last:
            with suppress(TimeoutError):
                await asyncio.wait_for(all_asked.wait(), FLUSH_S)
            is_last = all_asked.is_set()
            cells, work.kept = work.kept, []
            paid = work.paid()
            if cells or any(paid):
                await patiently(self._keep, work, cells, paid)  # answered and paid for: kept later, not asked again

    def _keep(self, work: Work, cells: Sequence[Kept], paid: tuple[Decimal, int]) -> None:
        with self.db.write() as session:
            actions.keep(session, run_id=work.run.id, cells=cells)
            actions.charge(session, run_id=work.run.id, usd=paid[0], unpriced=paid[1])


async def patiently(function: Callable[P, T], *args: P.args, **told: P.kwargs) -> T:
    """Call it in a thread; again while the store is away. Raises: what it raises, the store's trouble after minutes."""
    for attempt in range(PATIENCE):
        try:
            return await to_thread.run_sync(lambda: function(*args, **told))
        except Exception as error:
            known = trouble.of(error)
            if known is None:
                raise
            if not attempt:
                log.warning("a run waits for the store: %s", known.message)
        await asyncio.sleep(LOOK_S)
    return await to_thread.run_sync(lambda: function(*args, **told))


async def _feed(unasked: AsyncIterator[list[Unasked]], waiting: asyncio.Queue[Unasked | None], at_once: int) -> None:
    async for some in unasked:
        for one in some:
            await waiting.put(one)
    for _ in range(at_once):
        await waiting.put(None)


async def _worker(work: Work, waiting: asyncio.Queue[Unasked | None]) -> None:
    while not work.is_over.is_set():
        unasked = await waiting.get()
        if unasked is None:
            return
        if work.is_dear:
            work.reach_cap()
            return
        work.under_way += 1
        try:
            kept = await _asked(work, *unasked)
        finally:
            work.under_way -= 1
        work.answered += 1
        work.spent_usd += kept.cost_usd or Decimal(0)
        work.kept.append(kept)


async def _asked(work: Work, place: Place, example: Example) -> Kept:
    """The cell; asked again when its answer could not be recorded, for that is no failure of the model."""
    for attempt in range(PATIENCE):
        try:
            return await work.cells.cell(place, example)
        except StoreUnavailable as error:
            if not attempt:
                shown = ids.shown("exp", work.run.id)
                log.warning("a cell of the run %s is asked again: %s", shown, error.message)
        await asyncio.sleep(LOOK_S)
    return await work.cells.cell(place, example)
