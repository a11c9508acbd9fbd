"""People at work, as their browsers speak: sessions over Streamlit's websocket that rerun a page.

A process of its own:
`python -m tests.bench.people HOST:PORT PAGE SESSIONS SECONDS` prints as JSON how long each run took (milliseconds, from
asking to the last message of the run), while every session asks again a second after it was answered.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

PAUSE_S = 1.0


def _ask(page: str) -> bytes:
    asked = BackMsg()
    asked.rerun_script.page_name = page
    asked.rerun_script.query_string = ""
    return asked.SerializeToString()


async def _run(session: ClientConnection, page: str) -> float:
    """One run of the page; milliseconds until its last message."""
    began = time.perf_counter()
    await session.send(_ask(page))
    while True:
        heard = ForwardMsg()
        heard.ParseFromString(await session.recv(decode=False))
        if heard.WhichOneof("type") == "script_finished":
            return (time.perf_counter() - began) * 1000


async def _session(host: str, page: str, until: float) -> list[float]:
    took = []
    async with connect(f"ws://{host}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as session:  # type: ignore[list-item]
        while time.monotonic() < until:
            took.append(await _run(session, page))
            await asyncio.sleep(PAUSE_S)
    return took


async def work(host: str, page: str, sessions: int, seconds: float) -> list[float]:
    """So many people on one page for so long; milliseconds of each run but every session's first."""
    until = time.monotonic() + seconds
    took = await asyncio.gather(*(_session(host, page, until) for _ in range(sessions)))
    return [one for each in took for one in each[1:]]


def main() -> None:
    host, page, sessions, seconds = sys.argv[1:]
    sys.stdout.buffer.write(orjson.dumps(asyncio.run(work(host, page, int(sessions), float(seconds)))))


if __name__ == "__main__":
    main()
