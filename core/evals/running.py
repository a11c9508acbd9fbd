"""The worker of runs: takes one that is to go, has its cells asked, and goes on after a crash.

One process at a time has a run; when it dies, another takes it when its lease is over. The one that has it asks the
cells itself (`many`), or hands them to the processes of a cluster in chunks (`chunks`), where one is named.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from anyio import to_thread

from core import clock, ids
from core.calls import queries as calls
from core.db.engine import Database
from core.errors import GreenroomError
from core.evals import people
from core.evals.asking import Example, Json, case_of, row
from core.evals.cases import Case
from core.evals.chunks import Spread
from core.evals.many import LOOK_S, Many, Work, patiently
from core.evals.scorers import Human, PairwiseJudge
from core.experiments import actions, queries
from core.experiments.rules import Place, State
from core.ids import Ids
from core.polling import Outage, Poller
from core.serve.pipeline import Serve
from core.serve.prompted import Shelf

log = logging.getLogger("greenroom.evals")

MOST_AT_A_TIME = 2
"""Runs one process works on at once."""
OURS = "A mistake of ours: the log has it."


class Runner:
    """Works on runs until it is stopped; `wake` lets it look at once. `owner` is its name in the store: who has claimed
    a run under it may let it `work` on that run without `start`. With `spread` others ask the cells."""

    def __init__(
        self,
        db: Database,
        new: Ids,
        serve: Serve,
        shelf: Shelf,
        *,
        scorers_dir: Path | None = None,
        spread: Spread | None = None,
    ) -> None:
        self._db, self._ids = db, new
        self.many = Many(db, new, serve, shelf, scorers_dir=scorers_dir)
        self._spread = spread
        self.owner = f"process {new.process}"
        self._working: set[asyncio.Task[None]] = set()
        self._poller = Poller(
            self._look, pause_s=lambda: LOOK_S, outage=Outage(log, "runs could not be looked for: %s")
        )
        self.start, self.wake = self._poller.start, self._poller.wake

    async def stop(self) -> None:
        """Give runs back and end."""
        await self._poller.stop()
        for task in self._working:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working)
        if self._spread is not None:
            await self._spread.close()

    async def _look(self) -> None:
        while len(self._working) < MOST_AT_A_TIME and (run_id := await to_thread.run_sync(self._take)) is not None:
            task = asyncio.create_task(self.work(run_id))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    def _take(self) -> int | None:
        with self._db.write() as session:
            return actions.take(session, owner=self.owner, at=clock.now())

    async def work(self, run_id: int) -> None:
        """Ask what a run has not asked yet, and score it; then say that it is done, or why it is not."""
        try:
            work = await self.many.begin(run_id)
        except GreenroomError as error:
            await patiently(self._end, run_id, State.STOPPED, str(error))
            return
        except Exception:
            log.exception("the run %s could not begin", ids.shown("exp", run_id))
            await patiently(self._end, run_id, State.STOPPED, OURS)
            return
        renewing = asyncio.get_running_loop().create_task(self._renew(work))
        try:
            if self._spread is None:
                await self.many.ask(work, self.many.unasked(work.run), at_once=work.run.at_once)
            else:
                await self._spread.ask(self.many, work, owner=self.owner)
            if not work.is_over.is_set():
                await self._compare_all(work)
                await self._ask_people(work)
            if work.why or not work.is_over.is_set():
                state = State.STOPPED if work.why else State.DONE
                await patiently(self._end, run_id, state, work.why)
        except asyncio.CancelledError:
            await asyncio.shield(to_thread.run_sync(self._let_go, work))
            raise
        except Exception:
            log.exception("the run %s broke off", ids.shown("exp", run_id))
            await patiently(self._end, run_id, State.STOPPED, OURS)
        finally:
            renewing.cancel()

    # Comparing answers, once they are there

    async def _compare_all(self, work: Work) -> None:
        """Let pairwise judges compare every variant with the first, example by example."""
        pairwise = [one for one in work.scorers if isinstance(one, PairwiseJudge)]
        if not pairwise or len(work.run.arms) < 2:
            return
        after = 0
        while not work.is_over.is_set():
            examples, cases, done = await patiently(self._answered, work, after)
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
            await self._compare_some(work, pairs)
            after = examples[-1].key

    async def _compare_some(self, work: Work, pairs: Sequence[tuple[PairwiseJudge, Case, Case, Place]]) -> None:
        """As many at once as the run says; verdicts are written down as they come, and a stop waits for none."""
        loop, limit = asyncio.get_running_loop(), asyncio.Semaphore(work.run.at_once)
        asking = {loop.create_task(self._compare(work, limit, *pair)) for pair in pairs}
        stopping = loop.create_task(work.is_over.wait())
        try:
            while asking and not stopping.done():
                await asyncio.wait({*asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                said = {task for task in asking if task.done()}
                asking -= said
                if said:
                    paid, scores = work.paid(), [task.result() for task in said]
                    await patiently(self._keep_scores, work, scores, paid)
                if asking and work.cap_usd is not None and work.spent_usd >= work.cap_usd:
                    work.reach_cap()
        finally:
            for task in (*asking, stopping):
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    @staticmethod
    async def _compare(
        work: Work, limit: asyncio.Semaphore, scorer: PairwiseJudge, ours: Case, theirs: Case, place: Place
    ) -> tuple[Place, Json]:
        async with limit:
            return place, row(scorer.name, await work.cells.compare(scorer, ours, theirs, place))

    def _answered(self, work: Work, after: int) -> tuple[list[Example], dict[Place, Case], set[tuple[Place, str]]]:
        run = work.run
        examples, _ = self.many.page(run, after)
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

    def _keep_scores(self, work: Work, scores: Sequence[tuple[Place, Json]], paid: tuple[Decimal, int]) -> None:
        with self._db.write() as session:
            actions.keep_scores(session, run_id=work.run.id, scores=scores)
            actions.charge(session, run_id=work.run.id, usd=paid[0], unpriced=paid[1])

    async def _ask_people(self, work: Work) -> None:
        """Send what was answered to the queues whose people are to judge it; verdicts are collected as they come."""
        for scorer in (one for one in work.scorers if isinstance(one, Human)):
            while not work.is_over.is_set():
                sent = await to_thread.run_sync(self._send, work, scorer)
                if sent is None:
                    work.why = f"There is no open review queue named {scorer.queue!r}."
                if not sent:
                    break

    def _send(self, work: Work, scorer: Human) -> int | None:
        with self._db.write() as session:
            return people.send(session, work.run, scorer, at=clock.now(), ids=self._ids)

    # The life of the run

    async def _renew(self, work: Work) -> None:
        """Hold the lease; a run that was stopped, or taken by somebody else, ends here."""
        outage = Outage(log, f"the lease of the run {ids.shown('exp', work.run.id)} could not be renewed: %s")
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                is_ours = await to_thread.run_sync(self._still_ours, work)
            except Exception as error:
                outage.say(error)
                continue
            outage.over()
            if not is_ours:
                work.is_over.set()
                return

    def _still_ours(self, work: Work) -> bool:
        with self._db.write() as session:
            return actions.renew(session, run_id=work.run.id, owner=self.owner, at=clock.now(), why=work.waits)

    def _end(self, run_id: int, state: State, why: str) -> None:
        with self._db.write() as session:
            actions.end(session, run_id=run_id, owner=self.owner, state=state, why=why, at=clock.now())

    def _let_go(self, work: Work) -> None:
        with self._db.write() as session:
            actions.let_go(session, run_id=work.run.id, owner=self.owner)
