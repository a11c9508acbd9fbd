"""What people do about webhooks: who may, what is refused, what the trail keeps, what the log shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import pytest

from core.audit import queries as trail
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids
from core.people.rules import CLI, Role
from core.vault import Vault
from core.webhooks import actions, queries, rules
from core.webhooks.actions import Heard
from core.webhooks.rules import CHOICES, Event, State
from tests.review.waiting import person
from tests.webhooks.hooked import Hooked


@pytest.fixture
def hooked(db: Database, vault: Vault, ids: Ids, at: datetime) -> Hooked:
    return Hooked(db, vault, ids, at)  # nothing here needs an event loop


URL = "https://hooks.example.com/in?token=abc"


def settle(hooked: Hooked, **heard: Any) -> State | None:
    with hooked.db.write() as session:
        (job,) = actions.claim_due(session, at=hooked.now, limit=1, each=1)
        return actions.settle(session, job=job, heard=Heard(**heard), at=hooked.now, dice=0.0)


def test_the_secret_is_shown_once_and_kept_unreadable(hooked: Hooked) -> None:
    webhook_id, secret = hooked.webhook(URL)
    assert secret.startswith("whsec_")
    assert len(rules.key_of(secret)) == 32
    cipher = hooked.row(webhook_id).secret_cipher
    assert secret.encode() not in cipher
    assert hooked.vault.decrypt(cipher) == secret
    with hooked.db.read() as session:
        told = trail.events(session, action="webhook.")
        assert trail.verify(session).ok
    said = orjson.dumps([event.after for event in told]).decode()
    assert "whsec" not in said
    assert "abc" not in said
    assert "https://hooks.example.com/in" in said


def test_only_engineers_and_admins_change_webhooks(hooked: Hooked) -> None:
    webhook_id, _ = hooked.webhook(URL)
    told = {"webhook_id": webhook_id, "at": hooked.now}
    for role in Role:
        by = person("somebody", role)
        if role in (Role.ENGINEER, Role.ADMIN):
            hooked.webhook(URL, by=by)
            continue
        with pytest.raises(NotAllowed):
            hooked.webhook(URL, by=by)
        with hooked.db.write() as session:
            for change in (
                lambda s, b: actions.change(s, by=b, events=[Event.FAILED], **told),
                lambda s, b: actions.rotate_secret(s, by=b, vault=hooked.vault, **told),
                lambda s, b: actions.set_on(s, by=b, is_on=False, **told),
                lambda s, b: actions.test(s, by=b, ids=hooked.ids, **told),
            ):
                with pytest.raises(NotAllowed):
                    change(session, by)


@pytest.mark.parametrize("events", [[], ["response.melted"], [Event.TEST]])
def test_a_webhook_is_told_of_events_there_are(hooked: Hooked, events: list[str]) -> None:
    with pytest.raises(Invalid, match="event"):
        hooked.webhook(URL, events=events)


def test_a_webhook_at_a_private_address_is_refused_unless_allowed_and_stays_so_when_changed(hooked: Hooked) -> None:
    with pytest.raises(Invalid):
        hooked.webhook("http://10.0.0.8/in", allows_private=False)
    webhook_id, _ = hooked.webhook("http://10.0.0.8/in")
    with pytest.raises(Invalid), hooked.db.write() as session:
        actions.change(session, webhook_id=webhook_id, allows_private=False, by=CLI, at=hooked.now)
    with hooked.db.write() as session:
        actions.change(session, webhook_id=webhook_id, url=URL, allows_private=False, by=CLI, at=hooked.now)
    assert hooked.row(webhook_id).url == URL
    with hooked.db.read() as session:
        (event,) = trail.events(session, action="webhook.changed")
    assert event.before is not None
    assert event.before["allows_private"] is True


def test_a_secret_that_leaked_signs_nothing_from_now_on(hooked: Hooked) -> None:
    webhook_id, old = hooked.webhook(URL)
    with hooked.db.write() as session:
        new = actions.rotate_secret(
            session, webhook_id=webhook_id, by=CLI, at=hooked.now, vault=hooked.vault, at_once=True
        )
    hooked.announce()
    with hooked.db.write() as session:
        (job,) = actions.claim_due(session, at=hooked.now, limit=1, each=1)
    assert [hooked.vault.decrypt(cipher) for cipher in job.ciphers] == [new]
    assert new != old


def test_a_test_message_goes_out_whatever_the_webhook_is_told_of_and_not_while_it_is_off(hooked: Hooked) -> None:
    webhook_id, _ = hooked.webhook(URL, events=[Event.FAILED])
    told = {"webhook_id": webhook_id, "by": CLI, "at": hooked.now}
    with hooked.db.write() as session:
        actions.test(session, ids=hooked.ids, **told)
        actions.set_on(session, is_on=False, **told)
    with hooked.db.write() as session, pytest.raises(Conflict, match="switched off"):
        actions.test(session, ids=hooked.ids, **told)
    assert hooked.only().event == "webhook.test"


def test_what_waits_already_is_not_sent_again_by_hand(hooked: Hooked) -> None:
    hooked.webhook(URL)
    hooked.announce()
    with hooked.db.write() as session, pytest.raises(Conflict, match="waiting"):
        actions.redeliver(session, delivery_id=hooked.only().id, by=CLI, at=hooked.now)
    with hooked.db.write() as session, pytest.raises(NotFound):
        actions.redeliver(session, delivery_id=1, by=CLI, at=hooked.now)


def test_the_log_comes_page_by_page_newest_first_and_by_state(hooked: Hooked) -> None:
    webhook_id, _ = hooked.webhook(URL)
    for status in (200, 500, 410):
        hooked.announce()
        settle(hooked, status=status, answer="said", ms=12.34)
        hooked.later(1)
    told: dict[str, Any] = {"webhook_id": webhook_id, "project_ids": [1]}
    with hooked.db.read() as session:
        first = queries.deliveries(session, limit=2, **told)
        second = queries.deliveries(session, limit=2, before=first.next_before, **told)
        assert [row.http_status for row in (*first.rows, *second.rows)] == [410, 500, 200]
        assert second.next_before is None
        (waiting,) = queries.deliveries(session, state=State.WAITING, **told).rows
        assert [(one.ms, one.answer) for one in waiting.attempts] == [(12.3, "said")]
        assert queries.deliveries(session, webhook_id=webhook_id, project_ids=[2]).rows == ()
        with pytest.raises(NotFound):
            queries.delivery(session, waiting.id, project_ids=[2])
        (view,) = queries.webhooks(session, project_ids=[1])
    assert (view.waiting, view.last, view.is_on, view.events) == (1, State.GONE, False, CHOICES)


def test_a_message_too_large_for_receivers_is_refused_before_it_is_kept(hooked: Hooked) -> None:
    hooked.webhook(URL)
    data = {"text": "x" * 300_000}
    with hooked.db.write() as session, pytest.raises(Invalid, match="larger"):
        actions.enqueue(session, project_id=1, event=Event.FAILED, data=data, at=hooked.now, ids=hooked.ids)
    assert hooked.log() == []


def test_a_message_is_forgotten_a_month_after_its_end(hooked: Hooked) -> None:
    hooked.webhook(URL)
    hooked.announce(3)
    settle(hooked, status=200)
    day, long = 86_400, 20 * 365 * 86_400  # ids are of this machine's clock, whichever year that is

    def forgotten(limit: int = 500) -> int:
        with hooked.db.write() as session:
            return actions.forget(session, at=hooked.now, limit=limit)

    hooked.later(29 * day)
    assert forgotten() == 0
    hooked.later(long)
    assert forgotten() == 1  # the others still wait, however old
    settle(hooked, status=200)
    settle(hooked, status=200)
    assert forgotten() == 0
    hooked.later(31 * day)
    assert [forgotten(limit=1), forgotten(limit=1), forgotten(limit=1)] == [1, 1, 0]
    assert hooked.log() == []
