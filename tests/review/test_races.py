"""However many people reach for an item, it is decided exactly as often as it must be, and no verdict is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from core.db.engine import Database
from core.ids import Ids
from tests.review.crowd import Crowd
from tests.review.waiting import Waiting


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


@pytest.mark.long
@pytest.mark.parametrize("each", [1, 2])
def test_fifty_people_at_ten_thousand_items(crowded: Waiting, each: int) -> None:
    crowd = Crowd(crowded.fill(10_000, reviewers=each), reviewers=50).run(dawdlers=0.02)
    crowd.check(each=each)
    print(f"\n{len(crowd.decided) / crowd.seconds:.0f} decisions/s, refused {dict(crowd.refused)}")
