"""A process that records calls and says which are durable: `python -m tests.calls.writer_process URL NUMBER CALLS`.

It prints the id of each call after `record` returned; whoever started it may kill it at any moment.
"""

from __future__ import annotations

import asyncio
import sys

from core.calls.recorder import Recorder
from core.db.engine import Database
from core.ids import Ids
from tests.calls.records import record

AT_ONCE = 16


def main() -> None:
    url, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    recorder, ids = Recorder(Database(url)), Ids(number)
    recorder.start()
    source = iter(range(count))

    async def caller() -> None:
        for _ in source:
            made = record(ids.next())
            await recorder.record(made)
            sys.stdout.write(f"{made.id}\n")
            sys.stdout.flush()

    async def run() -> None:
        await asyncio.gather(*(caller() for _ in range(AT_ONCE)))

    asyncio.run(run())
    recorder.stop()


if __name__ == "__main__":
    main()
