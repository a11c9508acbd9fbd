"""A crowd at one queue: threads that claim, decide, dawdle, pass on and crash, and what must hold afterwards."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import col, select

from core.errors import Conflict
from core.review import actions
from core.review.rules import State
from core.review.tables import ReviewDecision, ReviewItem, ReviewSlot
from tests.review.waiting import APPROVE, Waiting, person


@dataclass
class Crowd:
    """`decided` are the decisions people were told had been taken; `refused` those who came too late; `seconds` went
    by until the last decision. `first` is the number of the first of them, where several crowds meet."""

    waiting: Waiting
    reviewers: int
    first: int = 0
    decided: list[tuple[int, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[BaseException] = field(default_factory=list)
    seconds: float = 0.0
    ended: float = 0.0

    def run(self, *, dawdlers: float = 0.0, lapses: bool = True) -> Crowd:
        """Everybody works until nothing is left. A dawdler lets the lease run out and decides all the same.

        Without `lapses` no lease ends while anybody works, as when everybody decides within a lease's minutes.
        """
        clock = _Clock(self.waiting)
        began = time.perf_counter()
        threads = [
            threading.Thread(target=self._work, args=(number, dawdlers, clock, lapses))
            for number in range(self.first, self.first + self.reviewers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = self.ended - began
        if self.failures:
            raise self.failures[0]
        return self

    def _work(self, number: int, dawdlers: float, clock: _Clock, lapses: bool) -> None:
        me, dice, idle = person(f"r{number:03}"), random.Random(number), 0
        try:
            while idle < 60:
                with self.waiting.db.write() as session:
                    taken = actions.claim(session, queue_id=self.waiting.queue_id, by=me, at=clock.now())
                if taken is None:
                    idle += 1
                    if lapses and dice.random() < 0.3:
                        clock.sleep(400)  # what others let lapse is free by then
                    else:
                        time.sleep(0.005)  # were every lease over before its holder's next turn, nobody would decide
                    continue
                idle = 0
                if dice.random() < dawdlers:
                    clock.sleep(400)
                try:
                    with self.waiting.db.write() as session:
                        actions.decide(
                            session, item_id=taken.item_id, said=APPROVE, by=me, at=clock.now(), ids=self.waiting.ids
                        )
                except Conflict as error:
                    self.refused[error.code] += 1
                else:
                    self.decided.append((taken.item_id, me.actor))
                    self.ended = time.perf_counter()
        except BaseException as error:
            self.failures.append(error)

    def check(self, *, each: int) -> None:
        """Every item has exactly `each` verdicts of as many people; what people were told is what is there."""
        with self.waiting.db.read() as session:
            rows = session.exec(select(ReviewDecision.item_id, ReviewDecision.reviewer)).all()
            states = Counter(session.exec(select(ReviewItem.state)).all())
            open_slots = session.exec(select(ReviewSlot.item_id).where(col(ReviewSlot.decided_at).is_(None))).all()
        assert Counter(rows) == Counter(self.decided)
        assert len(rows) == len(set(rows))
        assert Counter(item for item, _ in rows) == dict.fromkeys(self.waiting.items, each)
        assert states == {State.SETTLED: len(self.waiting.items)}
        assert open_slots == []


class _Clock:
    """The time of the crowd: it only moves on when somebody sleeps, so nobody waits for a lease to end."""

    def __init__(self, waiting: Waiting) -> None:
        self._now = waiting.at
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self._now += timedelta(microseconds=1)
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)
