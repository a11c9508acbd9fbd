"""Nothing may block the event loop: a call that waits for a disk, a database or a socket there fails the test.

Only what Greenroom's own code does counts. A test may look into the store itself, by a function that is not async.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from blockbuster import blockbuster as buster
from sqlalchemy import Connection
from sqlalchemy.pool import Pool

import core

ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
TESTS = str(Path(__file__).resolve().parents[1])
STORE = ((Connection, "execute"), (Connection, "exec_driver_sql"), (Connection, "begin"), (Pool, "connect"))


@pytest.fixture(autouse=True)
def nothing_blocks() -> Iterator[None]:
    """Blocking calls on a running loop raise where they are made; one that was caught fails the test at its end."""
    with watching() as seen:
        yield
    assert not seen, "\n\n".join(seen)


@contextmanager
def watching() -> Iterator[list[str]]:
    """What blocks raises, and is listed with where it was called."""
    seen: list[str] = []

    class Blocked(buster.BlockingError):
        def __init__(self, function: str) -> None:
            super().__init__(function)
            seen.append("".join([f"{function} on the event loop:\n", *traceback.format_stack()[-12:-2]]))

    watch = buster.BlockBuster(core)
    for owner, name in STORE:
        watch.functions[f"{owner.__name__}.{name}"] = buster.BlockBusterFunction(owner, name, scanned_modules=core)
    for function in watch.functions.values():
        function.can_block_predicate = _or_asked_by_a_test(function.can_block_predicate)
    watch.activate()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buster, "BlockingError", Blocked)
            yield seen
    finally:
        watch.deactivate()


def _or_asked_by_a_test(may: Callable[..., bool]) -> Callable[..., bool]:
    def decided(*args: Any, **kwargs: Any) -> bool:
        return may(*args, **kwargs) or _is_a_tests_own()

    return decided


def _is_a_tests_own() -> bool:
    """Whether a plain function of the tests stands between the loop and this call."""
    frame: FrameType | None = sys._getframe(3)  # above: this, the predicate, blockbuster's own
    while frame is not None:
        if frame.f_code.co_filename.startswith(TESTS) and not frame.f_code.co_flags & ASYNC:
            return True
        frame = frame.f_back
    return False
