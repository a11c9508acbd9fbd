"""A whole Greenroom sends what is announced in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import clock
from core.people.rules import CLI
from core.webhooks import actions
from core.webhooks.rules import Event
from tests.support import upstream
from tests.support.house import standing
from tests.support.receiver import receiving

pytestmark = pytest.mark.anyio


async def test_a_running_greenroom_sends_what_is_announced(sqlite_url: str, tmp_path: Path) -> None:
    async with (
        upstream.running() as double,
        receiving() as receiver,
        standing(tmp_path / "data", sqlite_url, double) as house,
    ):
        told = {"project_id": 1, "at": clock.now()}
        with house.runtime.db.write() as session:
            actions.create(
                session,
                url=receiver.url,
                events=[Event.COMPLETED],
                allows_private=True,
                vault=house.runtime.vault,
                by=CLI,
                **told,
            )
            actions.enqueue(session, event=Event.COMPLETED, data={"id": "resp_1"}, ids=house.runtime.ids, **told)
        house.runtime.sender.wake()
        await receiver.arrived(1)
