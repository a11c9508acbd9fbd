"""Connections are reused only when they are clean: no caller ever meets the answer to another's question."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
import threading
import time

import orjson
import pytest

from core.errors import BackendUnavailable
from core.wire.client import Client, Timeouts
from core.wire.exchange import Exchange
from tests.support.upstream import Double
from tests.wire.conftest import LIMIT, Asking

pytestmark = pytest.mark.anyio


async def until(condition, seconds: float = 1.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_who_leaves_is_seen_by_the_backend_within_a_second(asking: Asking, stream: bool) -> None:
    async def ask() -> None:
        how = {"tokens": 1000, "gap_s": 0.02} if stream else {"kind": "hang"}
        await (await asking.send("leaver", stream=stream, **how)).read(LIMIT)

    task = asyncio.create_task(ask())
    await until(lambda: asking.double.stats.requests == 1)
    await asyncio.sleep(0.05)
    left_at = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: bool(asking.double.stats.cancelled))
    (left,) = asking.double.stats.cancelled
    assert left.mark == "leaver"
    assert left.at - left_at < 0.5
    assert asking.pool.idle_count == 0


async def test_every_answer_carries_its_own_question_under_random_cancels(double: Double) -> None:
    client = Client(max_connections=40)
    asking = Asking(client, double)
    dice = random.Random(7)
    whole = 0

    async def ask(number: int) -> None:
        nonlocal whole
        mark = f"mark-{number}-end"
        stream = dice.random() < 0.5
        how = {"latency_s": dice.random() * 0.02} if dice.random() < 0.5 else {"gap_s": dice.random() * 0.004}
        answer = await (await asking.send(mark, stream=stream, **how)).read(LIMIT)
        assert mark.encode() in answer
        assert answer.count(b"mark-") == 1
        whole += 1

    async def ask_and_maybe_leave(number: int) -> None:
        task = asyncio.create_task(ask(number))
        if number % 2:
            await asyncio.sleep(dice.random() * 0.05)
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return

    for batch in range(4):
        await asyncio.gather(*(ask_and_maybe_leave(batch * 200 + n) for n in range(200)))
    assert whole >= 400
    assert double.stats.connections < 800
    await client.aclose()


async def test_a_reply_left_unread_closes_its_connection(asking: Asking) -> None:
    reply = await asking.send(kind="big")
    await reply.aclose()
    await reply.aclose()
    await until(lambda: asking.pool.open_count == 0)
    assert b"echo: after" in await asking.read("after")


async def test_leaving_the_iteration_early_and_closing_never_reuses(asking: Asking) -> None:
    reply = await asking.send(stream=True, tokens=50, gap_s=0.01)
    async for _ in reply.chunks():
        break
    await reply.aclose()
    await until(lambda: asking.pool.open_count == 0)


async def test_bytes_nobody_asked_for_end_an_idle_connection(asking: Asking) -> None:
    assert b"echo: first" in await asking.read("first", kind="unsolicited")
    await until(lambda: asking.pool.open_count == 0)
    assert b"echo: second" in await asking.read("second")


async def test_bytes_that_wait_unseen_in_the_socket_end_the_connection_when_it_is_taken() -> None:
    answer, forged = (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" + body for body in (b"honest", b"forged"))
    client = Client()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(2):
                sock, _ = listening.accept()
                with sock, contextlib.suppress(ConnectionError):
                    sock.recv(10_000)
                    sock.sendall(answer)
                    time.sleep(0.02)
                    sock.sendall(forged)
                    sock.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        assert await (await client.send("GET", url)).read(LIMIT) == b"honest"
        time.sleep(0.05)  # the loop stands still: the forged answer arrives and nobody has looked yet
        assert await (await client.send("GET", url)).read(LIMIT) == b"honest"
        await client.aclose()
        thread.join(2)


async def test_a_server_that_restarted_costs_the_next_caller_nothing(asking: Asking) -> None:
    await asyncio.gather(*(asking.read(f"warm {n}", latency_s=0.02) for n in range(8)))
    asking.double.close_connections()
    answers = await asyncio.gather(*(asking.read(f"again {n}") for n in range(8)))
    assert [f"again {n}".encode() in answer for n, answer in enumerate(answers)] == [True] * 8


async def test_a_warm_connection_that_dies_under_the_question_is_asked_once_more(asking: Asking) -> None:
    await asking.read("first")
    for wire in list(asking.double.open):
        wire.on_message_complete = wire.transport.abort
        wire._begin()
    assert b"echo: second" in await asking.read("second")
    assert asking.double.stats.marks["second"] == 1


async def test_a_new_connection_that_dies_is_not_asked_again(asking: Asking) -> None:
    with pytest.raises(Exception, match="closed the connection"):
        await asking.read("once", kind="close")
    assert asking.double.stats.marks["once"] == 1


async def test_those_who_wait_for_a_connection_get_one_in_turn(double: Double) -> None:
    client = Client(max_connections=2)
    asking = Asking(client, double)
    order: list[int] = []

    async def ask(number: int) -> None:
        await asking.read(f"q{number}", latency_s=0.01)
        order.append(number)

    await asyncio.gather(*(ask(n) for n in range(20)))
    assert double.stats.connections == 2
    assert [abs(place - number) <= 1 for place, number in enumerate(order)] == [True] * 20
    await client.aclose()


async def test_waiting_for_a_connection_too_long_is_a_connect_timeout_and_leaves_no_gap(double: Double) -> None:
    client = Client(max_connections=1)
    asking = Asking(client, double)
    slow = asyncio.create_task(asking.read("slow", latency_s=0.3))
    await until(lambda: double.stats.requests == 1)
    with pytest.raises(BackendUnavailable) as late:
        await asking.send("quick", timeouts=Timeouts(connect_s=0.05))
    assert late.value.code == "connect_timeout"
    assert b"slow" in await slow
    assert b"then" in await asking.read("then")
    await client.aclose()


async def test_a_caller_who_leaves_the_line_leaves_no_gap(double: Double) -> None:
    client = Client(max_connections=1)
    asking = Asking(client, double)
    slow = asyncio.create_task(asking.read("slow", latency_s=0.1))
    await until(lambda: double.stats.requests == 1)
    waiting = [asyncio.create_task(asking.read(f"w{n}")) for n in range(3)]
    await asyncio.sleep(0.02)
    waiting[0].cancel()
    await slow
    assert b"w1" in await waiting[1]
    assert b"w2" in await waiting[2]
    assert waiting[0].cancelled()
    await client.aclose()


async def test_an_idle_connection_is_closed_after_its_time(double: Double) -> None:
    client = Client(idle_s=0.05)
    asking = Asking(client, double)
    await asyncio.gather(*(asking.read(latency_s=0.01) for _ in range(5)))
    assert asking.pool.idle_count == 5
    await until(lambda: asking.pool.open_count == 0)
    await until(lambda: double.stats.open_connections == 0)
    await client.aclose()


async def test_an_early_refusal_of_a_large_request_is_read_and_not_reused(double: Double) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        body = orjson.dumps({"error": "too large"})
        writer.write(b"HTTP/1.1 413 X\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    gone = asyncio.Event()
    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1000)
    client = Client()
    port = server.sockets[0].getsockname()[1]
    reply = await client.send("POST", f"http://127.0.0.1:{port}/v1/x", content=b"x" * 50_000_000)
    assert reply.status == 413
    assert orjson.loads(await reply.read(LIMIT)) == {"error": "too large"}
    (pool,) = client._transport._pools.values()
    assert pool.idle_count == 0
    await client.aclose()
    await gone.wait()
    server.close()
    await server.wait_closed()


async def test_questions_leave_nothing_for_the_garbage_collector(asking: Asking) -> None:
    for _ in range(50):
        await asking.read()
    asking.double.stats.seen.clear()
    gc.collect()
    gc.disable()
    try:
        for _ in range(300):
            await asking.read()
        left = [thing for thing in gc.get_objects() if isinstance(thing, Exchange)]
    finally:
        gc.enable()
    assert len(left) <= 1
