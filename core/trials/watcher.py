"""Looks at running tests: closes an arm whose guardrail is broken, ends a test with no other left, widens one by its
schedule, keeps how the goals stand.

Any number of processes may look; whoever takes a test in hand has it for half a minute, and a test that ended
meanwhile is not ended again. A look may come late, never twice: intervals that hold at every look do not mind when.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from anyio import to_thread

from core import clock
from core.db.engine import Database
from core.ids import Ids
from core.people.rules import SYSTEM
from core.polling import Outage, Poller
from core.trials import clockwork, counting, looking, queries, reading
from core.trials.clockwork import Guarded
from core.trials.queries import TrialView

LOOK_S = 30.0
_log = logging.getLogger("greenroom.trials")


class Watcher:
    """The clock of live tests as one process has it; `announce` is called when a message for a webhook was written."""

    def __init__(
        self, db: Database, ids: Ids, announce: Callable[[], None], *, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._db, self._ids, self._announce, self._now = db, ids, announce, now
        self._has_news = False
        outage = Outage(_log, "live tests cannot be looked at now, they go on: %s")
        poller = Poller(self.turn, pause_s=lambda: LOOK_S, outage=outage)
        self.start, self.wake, self.stop = poller.start, poller.wake, poller.stop

    async def turn(self) -> int:
        """Look at every test that is due; how many were ended."""
        ended = await to_thread.run_sync(self.look)
        if self._has_news:
            self._has_news = False
            self._announce()
        return ended

    def look(self) -> int:
        """The same, in the calling thread."""
        before = self._now() - timedelta(seconds=LOOK_S * 0.9)
        with self._db.read() as session:
            due = queries.due(session, before=before)
        return sum(self._look_at(test, before) for test in due)

    def _look_at(self, test: TrialView, before: datetime) -> bool:
        with self._db.write() as session:
            if not looking.claim(session, trial_id=test.id, at=self._now(), before=before):
                return False
        self._look_back(test)
        with self._db.read() as session:  # the sums are read outside the transaction that others wait for
            counted = counting.counted(session, test, slices=False)
        card = reading.card(test.read_by, counted)
        at = self._now()
        with self._db.write() as session:
            done = clockwork.guard(session, trial_id=test.id, card=card, by=SYSTEM, at=at, ids=self._ids)
            if done is Guarded.OVER:
                return False
            if done is not Guarded.NOTHING:
                self._has_news = True
                _log.warning("of the live test %r %s: %s", test.name, done, card.sentence)
            if done is Guarded.ENDED:
                return True
            looking.note(session, trial_id=test.id, card=card, at=at)
            clockwork.step(session, trial_id=test.id, card=card, by=SYSTEM, at=at, ids=self._ids)
        return False

    def _look_back(self, test: TrialView) -> None:
        """A part of the users at each look, so that no look takes long."""
        for _ in range(4):
            with self._db.write() as session:
                if looking.look_back(session, trial_id=test.id) < looking.AT_ONCE:
                    return
