"""A house with policies, a queue and people who decide: what tests of held answers need, in a line each."""

from __future__ import annotations

import asyncio
from typing import Any

from core import clock
from core.db.engine import Database
from core.guard import actions as guard
from core.people.rules import Principal
from core.review import actions, rubrics
from core.review.rules import Said
from core.review.tables import ReviewItem
from tests.review.waiting import LEAD, person
from tests.support.house import House

MIA, NOAH = person("mia"), person("noah")


async def policy(house: House, *rules: dict[str, Any], name: str = "Rules", project_id: int = 1, **told: Any) -> int:
    """Word a policy and switch it on."""

    def word() -> int:
        at = clock.now()
        with house.runtime.db.write() as session:
            number = guard.create(session, project_id=project_id, name=name, rules=list(rules), by=LEAD, at=at, **told)
            guard.switch(session, policy_id=number, is_on=True, by=LEAD, at=at)
        house.runtime.refresh()
        return number

    return await asyncio.to_thread(word)


async def queue(house: House, **settings: Any) -> int:
    """Open the queue "Answers", whose verdicts take effect at once."""

    def make() -> int:
        with house.runtime.db.write() as session:
            told = {"undo_s": 0, **settings}
            row = rubrics.open_queue(session, project_id=1, name="Answers", by=LEAD, at=clock.now(), **told)
            return row.id or 0

    return await asyncio.to_thread(make)


def take(db: Database, queue_id: int, by: Principal) -> int | None:
    with db.write() as session:
        claimed = actions.claim(session, queue_id=queue_id, by=by, at=clock.now())
        return None if claimed is None else claimed.item_id


async def decided(house: House, queue_id: int, said: Said, *, by: Principal = MIA) -> int:
    """Wait until something waits, take it and decide; the item's id."""

    def decide() -> int | None:
        item_id = take(house.runtime.db, queue_id, by)
        if item_id is not None:
            with house.runtime.db.write() as session:
                actions.decide(session, item_id=item_id, said=said, by=by, at=clock.now(), ids=house.runtime.ids)
        return item_id

    for _ in range(500):
        if (item_id := await asyncio.to_thread(decide)) is not None:
            return item_id
        await asyncio.sleep(0.02)
    raise AssertionError("nothing waits in the queue")


async def item(house: House, item_id: int) -> ReviewItem:
    def read() -> ReviewItem:
        with house.runtime.db.read() as session:
            found = session.get(ReviewItem, item_id)
            assert found is not None
            return found

    return await asyncio.to_thread(read)
