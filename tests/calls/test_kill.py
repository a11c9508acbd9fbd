"""A call that was acknowledged survives `kill -9`, and the hourly sums never disagree with the rows."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from core.db.engine import Database
from tests.calls import stored


def _start(url: str, number: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.calls.writer_process", url, str(number), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _killed(url: str, number: int, after_s: float) -> set[int]:
    """Start a writer, kill it some time after its first acknowledgement; the ids it acknowledged."""
    process = _start(url, number, 1_000_000)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after_s)
    process.kill()
    lines = [first, *process.stdout.read().splitlines(keepends=True)]
    process.stdout.close()
    process.wait()
    return {int(line) for line in lines if line.endswith("\n")}


def _check(url: str, times: int) -> None:
    dice, told = random.Random(3), set[int]()
    for turn in range(times):
        told |= _killed(url, turn + 1, dice.uniform(0.0, 0.3))
        db = Database(url)
        assert told <= stored.ids(db)
        assert stored.sums(db) == stored.rows_summed(db)
        counts = stored.counts(db)
        assert counts["call"] == counts["call_payload"] == counts["call_text"] == counts["call_tag"]
        db.close()


def test_an_acknowledged_call_survives_a_kill(store_url: str) -> None:
    _check(store_url, 3)


@pytest.mark.long
def test_twenty_kills_lose_no_acknowledged_call(store_url: str) -> None:
    _check(store_url, 20)


def test_three_processes_writing_at_once_lose_no_count(store_url: str) -> None:
    writers = [_start(store_url, number, 600) for number in (1, 2, 3)]
    told: set[int] = set()
    for writer in writers:
        out, _ = writer.communicate(timeout=120)
        assert writer.returncode == 0
        told |= {int(line) for line in out.split()}
    db = Database(store_url)
    assert len(told) == 1_800
    assert stored.ids(db) == told
    assert stored.sums(db) == stored.rows_summed(db)
    assert stored.counts(db)["tag"] == 1_800
    db.close()
