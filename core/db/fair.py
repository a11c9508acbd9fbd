"""A connection pool that serves who has waited longest.

SQLAlchemy's queue lets a thread that has just given a connection back take it again before those it wakes: with
fifty people at one writer, somebody waits for minutes.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool


class FairPool(QueuePool):
    """A pool whose connections are handed on in the order in which people came, none beyond its size."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gate = threading.Lock()
        self._turns: deque[threading.Lock] = deque()
        self._left = self.size()

    def _do_get(self) -> Any:
        self._await_turn()
        try:
            return super()._do_get()
        except BaseException:
            self._pass_turn()
            raise

    def _do_return_conn(self, record: Any) -> None:
        super()._do_return_conn(record)
        self._pass_turn()

    def _await_turn(self) -> None:
        with self._gate:
            if self._left:
                self._left -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._turns.append(mine)
        if mine.acquire(timeout=self._timeout):
            return
        with self._gate:
            if mine in self._turns:
                self._turns.remove(mine)
                raise PoolTimeout(f"nobody gave a connection back for {self._timeout:.0f} s")
        # it was handed over in this very moment

    def _pass_turn(self) -> None:
        with self._gate:
            if self._turns:
                self._turns.popleft().release()
            else:
                self._left += 1
