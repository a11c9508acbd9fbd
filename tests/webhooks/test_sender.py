"""Messages on their way: delivered, tried again, given up, refused, and sent by one of many senders."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest
import standardwebhooks
from anyio import to_thread

from core import clock
from core.db.engine import Database
from core.people.rules import CLI
from core.webhooks import actions, rules
from core.webhooks.actions import LEASE_S, Heard
from core.webhooks.rules import Event, State
from core.webhooks.sender import SWEEP_MS
from core.webhooks.tables import Delivery, Webhook
from tests.support.receiver import Answer, Receiver, receiving
from tests.webhooks.hooked import QUICK, Hooked

pytestmark = pytest.mark.anyio


async def test_a_message_arrives_once_signed_and_readable(hooked: Hooked) -> None:
    async with receiving() as receiver:
        _, secret = hooked.webhook(receiver.url + "?team=search")
        hooked.now = clock.now()  # the official library compares with the wall clock
        hooked.announce()
        sender = hooked.sender()
        assert await hooked.send(sender) == 1
        assert await hooked.send(sender) == 0
        (got,) = receiver.received
    assert got.path == "/hooks?team=search"
    assert got.headers["content-type"] == "application/json"
    told = standardwebhooks.Webhook(secret).verify(got.body, got.headers)
    assert (told["type"], told["data"]) == ("response.completed", {"id": "resp_0"})
    sent = hooked.only()
    assert (sent.state, sent.tries, sent.http_status, sent.message_id) == (State.DELIVERED, 1, 200, got.id)
    assert [(one.status, one.answer) for one in sent.attempts] == [(200, "ok")]


async def test_a_failed_message_is_tried_again_on_schedule_under_the_same_id_with_a_new_time(hooked: Hooked) -> None:
    last_on_its_connection = Answer(302, headers=(("connection", "close"),))
    async with receiving(
        Answer(500, b"broken"), Answer(hangs=True), last_on_its_connection, Answer(cut=True), Answer()
    ) as receiver:
        _, secret = hooked.webhook(receiver.url)
        hooked.announce()
        sender = hooked.sender(timeouts=QUICK)
        for wait in (5, 300, 1800, 7200):
            assert await hooked.send(sender) == 1
            assert hooked.only().state == State.WAITING
            hooked.later(wait - 1)
            assert await hooked.send(sender) == 0
            hooked.later(1)
        await hooked.send(sender)
        assert [rules.verify(m.headers, m.body, [secret], at=hooked.now, tolerance_s=10_000) for m in receiver.received]
    assert len({message.id for message in receiver.received}) == 1
    assert len({message.headers["webhook-timestamp"] for message in receiver.received}) == 5
    sent = hooked.only()
    assert (sent.state, sent.tries) == (State.DELIVERED, 5)
    assert [(one.status, one.error) for one in sent.attempts] == [
        (500, "The receiver answered 500."),
        (None, "No answer within 1 seconds."),
        (302, "The receiver answered 302."),
        (None, "The receiver closed the connection without an answer."),
        (200, ""),
    ]
    assert sent.attempts[0].answer == "broken"


async def test_a_message_nobody_hears_is_given_up_after_the_schedule_and_can_be_sent_again(hooked: Hooked) -> None:
    async with receiving(Answer(503)) as receiver:
        hooked.webhook(receiver.url)
        hooked.announce()
        sender = hooked.sender()
        while await hooked.send(sender):
            hooked.later(90_000)
        given_up = hooked.only()
        assert (given_up.state, given_up.tries, len(receiver.received)) == (State.GIVEN_UP, 10, 10)
        receiver.answers = [Answer(200)]
        with hooked.db.write() as session:
            actions.redeliver(session, delivery_id=given_up.id, by=CLI, at=hooked.now)
        await hooked.send(sender)
    assert hooked.only().state == State.DELIVERED
    assert {message.id for message in receiver.received} == {given_up.message_id}


async def test_a_receiver_that_is_gone_switches_its_webhook_off(hooked: Hooked) -> None:
    async with receiving(Answer(410)) as receiver:
        webhook_id, _ = hooked.webhook(receiver.url)
        hooked.announce()
        sender = hooked.sender()
        await hooked.send(sender)
        hooked.announce()
        hooked.later(90_000)
        assert await hooked.send(sender) == 0
        assert len(receiver.received) == 1
    assert hooked.only().state == State.GONE
    assert not hooked.row(webhook_id).is_on
    assert "410" in hooked.row(webhook_id).off_because


async def test_a_receiver_that_asks_for_patience_is_left_alone_for_so_long(hooked: Hooked) -> None:
    async with receiving(Answer(429, headers=(("Retry-After", "900"),)), Answer()) as receiver:
        hooked.webhook(receiver.url)
        hooked.announce()
        sender = hooked.sender()
        await hooked.send(sender)
        hooked.later(899)
        assert await hooked.send(sender) == 0
        hooked.later(1)
        assert await hooked.send(sender) == 1


async def test_during_a_rotation_both_secrets_sign_and_after_a_day_only_the_new_one(hooked: Hooked) -> None:
    async with receiving() as receiver:
        webhook_id, old = hooked.webhook(receiver.url)
        with hooked.db.write() as session:
            new = actions.rotate_secret(session, webhook_id=webhook_id, by=CLI, at=hooked.now, vault=hooked.vault)
        sender = hooked.sender()
        hooked.announce()
        await hooked.send(sender)
        hooked.later(24 * 3600)
        hooked.announce()
        await hooked.send(sender)
        first, second = receiver.received
    for secret in (old, new):
        rules.verify(first.headers, first.body, [secret], at=hooked.now, tolerance_s=90_000)
    assert second.headers["webhook-signature"].count("v1,") == 1
    rules.verify(second.headers, second.body, [new], at=hooked.now)


async def test_a_long_answer_costs_64_kilobytes_and_leaves_500_characters(hooked: Hooked) -> None:
    async with receiving(Answer(200, "\0é".encode() + b"x" * 5_000_000)) as receiver:
        hooked.webhook(receiver.url)
        hooked.announce()
        await hooked.send(hooked.sender())
    sent = hooked.only()
    assert sent.state == State.DELIVERED
    assert sent.attempts[0].answer == "é" + "x" * 498


async def test_a_receiver_that_hangs_keeps_no_other_waiting(hooked: Hooked) -> None:
    async with receiving(Answer(waits=True)) as slow, receiving() as quick:
        hooked.webhook(slow.url)
        hooked.webhook(quick.url)
        hooked.announce(6)
        sender = hooked.sender()
        assert await sender.turn() == 8  # four of each
        await quick.arrived(4)
        while await sender.turn() or len(quick.received) < 6:
            await asyncio.sleep(0.01)
        assert len(slow.received) == 4
        slow.let_go()
        await sender.drained()


async def test_a_webhook_that_is_off_is_not_sent_to_until_it_is_on_again(hooked: Hooked) -> None:
    async with receiving() as receiver:
        webhook_id, _ = hooked.webhook(receiver.url)
        hooked.announce()
        for is_on, count in ((False, 0), (True, 1)):
            with hooked.db.write() as session:
                actions.set_on(session, webhook_id=webhook_id, is_on=is_on, by=CLI, at=hooked.now)
            assert await hooked.send(hooked.sender()) == count


async def test_a_private_address_is_refused_when_it_is_sent_to_whatever_was_said_before(hooked: Hooked) -> None:
    async with receiving() as receiver:
        webhook_id, _ = hooked.webhook(receiver.url)
        with hooked.db.write() as session:
            row = session.get_one(Webhook, webhook_id)
            row.allows_private = False
        hooked.announce()
        await hooked.send(hooked.sender())
        assert receiver.connections == 0
    sent = hooked.only()
    assert (sent.state, sent.http_status) == (State.WAITING, None)
    assert "127.0.0.1" in sent.error


class Names:
    """A name server whose answers change between one question and the next."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"])
@pytest.mark.parametrize("answer", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["169.254.169.254"]])
async def test_a_name_that_comes_to_mean_a_private_address_is_refused(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    async with receiving() as receiver:
        hooked.webhook(f"http://hooks.example.com:{receiver.port}/", allows_private=False)
        hooked.announce()
        names = Names(answer)
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        await hooked.send(hooked.sender())
        assert (receiver.connections, names.asked) == (0, 1)
    assert "where nothing may be sent" in hooked.only().error


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"])
async def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_not_asked_twice(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as receiver:
        hooked.webhook(f"http://hooks.example.com:{receiver.port}/", allows_private=True)
        hooked.announce()
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
        await hooked.send(hooked.sender())
        (got,) = receiver.received
        assert (got.headers["host"], names.asked) == (f"hooks.example.com:{receiver.port}", 1)


async def test_two_senders_at_once_send_each_message_once(hooked: Hooked, store_url: str) -> None:
    async with receiving() as receiver:
        hooked.webhook(receiver.url)
        hooked.webhook(receiver.url)
        hooked.announce(20)
        other = Database(store_url, pool_size=4)
        senders = [hooked.sender(), hooked.sender(other)]
        while any(await asyncio.gather(*(hooked.send(sender) for sender in senders))):
            pass
        await hooked.stack.aclose()
        other.close()
        assert len(receiver.received) == 40
        assert Counter(message.id for message in receiver.received).most_common(1)[0][1] == 1
    assert {(one.state, one.tries) for one in hooked.log()} == {(State.DELIVERED, 1)}


async def test_a_sender_killed_between_sending_and_settling_leaves_it_to_be_sent_again_under_the_same_id(
    hooked: Hooked, store_url: str
) -> None:
    async with receiving(Answer(waits=True), Answer()) as receiver:
        hooked.webhook(receiver.url)
        hooked.now = clock.now()
        hooked.announce()
        code = "from tests.webhooks.sending_process import main; main()"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, store_url)
        await receiver.arrived(1)
        process.kill()
        await process.wait()
        receiver.let_go()
        sender = hooked.sender()
        with hooked.db.read() as session:
            lease_until = session.get_one(Delivery, hooked.only().id).lease_until
        assert lease_until is not None
        hooked.now = lease_until - timedelta(seconds=1)
        assert await hooked.send(sender) == 0  # the dead one has it still
        hooked.now = lease_until
        assert await hooked.send(sender) == 1
    assert len({message.id for message in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert (hooked.only().state, hooked.only().tries) == (State.DELIVERED, 2)


async def test_a_sender_that_wakes_up_after_its_lease_changes_nothing(hooked: Hooked) -> None:
    hooked.webhook("http://127.0.0.1:9/")
    hooked.announce()

    def claim() -> actions.Job:
        with hooked.db.write() as session:
            (job,) = actions.claim_due(session, at=hooked.now, limit=9, each=9)
            return job

    late = await to_thread.run_sync(claim)
    hooked.later(LEASE_S)
    mine = await to_thread.run_sync(claim)
    told = {"at": hooked.now, "dice": 0.0}
    with hooked.db.write() as session:
        assert actions.settle(session, job=late, heard=actions.Heard(500), **told) is None
        assert actions.settle(session, job=mine, heard=actions.Heard(200), **told) is State.DELIVERED


async def test_a_running_sender_sends_when_woken_and_what_it_is_stopped_over_is_tried_again(hooked: Hooked) -> None:
    async with receiving(Answer(), Answer(waits=True)) as receiver:
        hooked.webhook(receiver.url)
        hooked.now = clock.now()
        sender = hooked.sender(now=clock.now)
        sender.start()
        for count in (1, 2):
            hooked.announce()
            await to_thread.run_sync(sender.wake)
            await receiver.arrived(count)
        await sender.stop()
    first, second = hooked.log()
    assert first.state == State.DELIVERED
    assert (second.state, second.tries) == (State.WAITING, 1)
    assert "stopped" in second.error


async def test_a_secret_that_cannot_be_read_stops_only_its_own_webhook(hooked: Hooked) -> None:
    async with receiving() as receiver:
        broken, _ = hooked.webhook(receiver.url)
        hooked.webhook(receiver.url)
        with hooked.db.write() as session:
            session.get_one(Webhook, broken).secret_cipher = b"of another installation"
        hooked.announce()
        await hooked.send(hooked.sender())
        assert len(receiver.received) == 1
    assert "Rotate it" in next(one for one in hooked.log() if one.webhook_id == broken).error


async def test_an_announcement_is_undone_with_what_it_tells_of(hooked: Hooked) -> None:
    hooked.webhook("http://127.0.0.1:9/")

    def announce_and_fail() -> None:
        with hooked.db.write() as session:
            actions.enqueue(session, project_id=1, event=Event.FAILED, data={}, at=hooked.now, ids=hooked.ids)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        announce_and_fail()
    assert hooked.log() == []


async def test_only_those_who_asked_for_an_event_are_told(hooked: Hooked) -> None:
    async with receiving() as one, receiving() as two:
        hooked.webhook(one.url, events=[Event.FAILED])
        hooked.webhook(two.url, events=[Event.COMPLETED, Event.FAILED])
        hooked.announce(event=Event.COMPLETED)
        hooked.announce(event=Event.FAILED)
        sender = hooked.sender()
        await hooked.send(sender)
        assert types(one) == ["response.failed"]
        assert sorted(types(two)) == ["response.completed", "response.failed"]


def types(receiver: Receiver) -> list[str]:
    return [orjson.loads(message.body)["type"] for message in receiver.received]


def delivered(hooked: Hooked, url: str) -> int:
    """A message that had its end; its webhook's id."""
    webhook_id, _ = hooked.webhook(url)
    hooked.announce()
    with hooked.db.write() as session:
        (job,) = actions.claim_due(session, at=hooked.now, limit=1, each=1)
        assert job.webhook_id == webhook_id
        actions.settle(session, job=job, heard=Heard(status=200), at=hooked.now, dice=0.0)
    return webhook_id


async def test_a_sender_forgets_what_is_old(hooked: Hooked) -> None:
    delivered(hooked, "https://hooks.example.com/in")
    sender = hooked.sender()
    assert sender.sweep() == 0
    hooked.later(20 * 365 * 86_400)
    assert sender.sweep() == 1
    assert hooked.log() == []


@pytest.mark.parametrize(("minutes", "left"), [(0.99, 2), (1.01, 1)])
async def test_a_running_sender_forgets_once_a_minute(hooked: Hooked, minutes: float, left: int) -> None:
    async with receiving() as receiver:
        delivered(hooked, receiver.url)
        hooked.later(20 * 365 * 86_400)
        hooked.announce()
        sender = hooked.sender(ticks_ms=lambda: minutes * SWEEP_MS)
        sender.start()
        await receiver.arrived(1)
        await sender.stop()  # the turn that sent it is over then, with what else belongs to it
    assert len(hooked.log()) == left
