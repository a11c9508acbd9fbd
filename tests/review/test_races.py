"""However many people reach for an item, it is decided exactly as often as it must be, and no verdict is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event

from core.db.engine import Database
from core.ids import Ids
from core.review import actions
from tests.review.crowd import Crowd
from tests.review.waiting import Waiting, person


@pytest.fixture
def crowded(store_url: str, ids: Ids, at: datetime) -> Iterator[Waiting]:
    db = Database(store_url)
    yield Waiting(db, ids, at)
    db.close()


@pytest.mark.parametrize("each", [1, 2])
def test_a_crowd_decides_each_item_as_often_as_it_must(crowded: Waiting, each: int) -> None:
    crowd = Crowd(crowded.fill(60, reviewers=each), reviewers=12).run(dawdlers=0.2)
    crowd.check(each=each)
    assert crowd.refused.keys() <= {"already_decided", "claim_lost"}


def test_the_next_item_is_found_without_looking_at_all_that_wait(crowded: Waiting, at: datetime) -> None:
    db, said = crowded.fill(200).db, list[tuple[str, Any]]()

    @event.listens_for(db.writer, "before_cursor_execute")
    def _note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    with db.write() as session:
        assert actions.claim(session, queue_id=crowded.queue_id, by=person("ann"), at=at)
    taking = next(one for one in said if one[0].lstrip().startswith("UPDATE"))
    with db.writer.connect() as connection:
        explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {taking[0]}", taking[1]))
    assert "ix_review_slot_open" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.long
@pytest.mark.parametrize("each", [1, 2])
def test_fifty_people_at_ten_thousand_items(crowded: Waiting, each: int) -> None:
    crowd = Crowd(crowded.fill(10_000, reviewers=each), reviewers=50).run(dawdlers=0.02)
    crowd.check(each=each)
    print(f"\n{len(crowd.decided) / crowd.seconds:.0f} decisions/s, refused {dict(crowd.refused)}")
