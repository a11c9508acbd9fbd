"""What readers said is grouped by mood and reason, told by day, and read page by page, of one's own projects only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.calls import feedback_queries as queries
from core.calls.feedback_queries import Mood
from core.calls.recorder import Recorder
from core.calls.tables import Feedback
from core.db.engine import Database
from core.ids import first_at
from tests.calls import stored
from tests.calls.records import AT, record

WEEK = timedelta(days=7)
MINE: dict[str, Any] = {"project_ids": (1,), "since": AT - WEEK, "until": AT}


def said(db: Database, *rows: dict[str, Any]) -> list[int]:
    """Keep feedback, each row `ago` before the moment; its ids."""
    made = []
    with db.write() as session:
        for number, row in enumerate(rows):
            at = AT - row.pop("ago", timedelta(hours=1))
            given: dict[str, Any] = {"call_id": 1 + number, "project_id": 1, "actor": "key:1"} | row
            made.append(first_at(at) + number)
            session.add(Feedback(id=made[-1], at=at, **given))
    return made


@pytest.mark.parametrize(
    ("given", "mood"),
    [
        ({"thumb": -1}, Mood.DOWN), ({"thumb": 1}, Mood.UP), ({"thumb": 1, "rating": 1}, Mood.UP),
        ({"rating": 2}, Mood.DOWN), ({"rating": 3}, Mood.NEITHER), ({"rating": 4}, Mood.UP),
        ({"comment": "Hm."}, Mood.NEITHER),
    ],
)  # fmt: skip
def test_the_thumb_says_the_mood_and_without_one_the_rating(db: Database, given: dict[str, Any], mood: Mood) -> None:
    said(db, given)
    with db.read() as session:
        (group,) = queries.summary(session, **MINE).groups
        (entry,) = queries.entries(session, **MINE).rows
    assert (group.mood, entry.mood) == (mood, mood)


def test_reasons_are_counted_beside_the_period_before(db: Database) -> None:
    said(
        db,
        {"thumb": -1, "reason": "wrong", "call_id": 5},
        {"thumb": -1, "reason": "wrong", "call_id": 5, "correction": "Thirty days."},
        {"thumb": -1, "reason": "wrong", "call_id": 6},
        {"rating": 1, "reason": "rude"},
        {"thumb": 1},
        {"thumb": -1, "reason": "wrong", "ago": timedelta(days=8)},
        {"thumb": -1, "reason": "slow", "ago": timedelta(days=8)},
        {"thumb": -1, "reason": "wrong", "ago": timedelta(days=15)},
        {"thumb": -1, "reason": "theirs", "project_id": 2},
    )
    with db.read() as session:
        told = queries.summary(session, **MINE)
        assert not queries.summary(session, project_ids=(3,), since=AT - WEEK, until=AT).groups
        assert queries.is_any(session, project_ids=(2,))
        assert not queries.is_any(session, project_ids=(3,))
    assert (told.count, told.down, told.up, told.corrected, told.before, told.down_before) == (5, 4, 1, 1, 2, 2)
    assert [(group.mood, group.reason, group.count, group.calls, group.before) for group in told.groups] == [
        (Mood.DOWN, "wrong", 3, 2, 1),
        (Mood.DOWN, "rude", 1, 1, 0),
        (Mood.UP, "", 1, 1, 0),
    ]
    assert told.unlisted == 0
    assert len({group.token for group in told.groups}) == 3


def test_more_reasons_than_anyone_reads_are_counted_and_not_listed(db: Database) -> None:
    said(db, *({"thumb": -1, "reason": f"reason {number}"} for number in range(queries.MOST_GROUPS + 7)))
    with db.read() as session:
        told = queries.summary(session, **MINE)
    assert (len(told.groups), told.unlisted) == (queries.MOST_GROUPS, 7)


def test_every_day_of_the_reader_has_a_row(db: Database) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    late = datetime(2026, 10, 31, 23, 30, tzinfo=berlin)
    said(db, {"thumb": -1, "ago": AT - late}, {"thumb": 1, "ago": AT - late - timedelta(hours=2)}, {"rating": 3})
    with db.read() as session:
        told = queries.days(session, **MINE, zone="Europe/Berlin")
    assert [day.at.day for day in told] == [26, 27, 28, 29, 30, 31, 1, 2]
    assert [(day.at.day, day.down, day.up, day.neither) for day in told if day.down + day.up + day.neither] == [
        (31, 1, 0, 0),
        (1, 0, 1, 0),
        (2, 0, 0, 1),
    ]


def test_entries_are_read_newest_first_and_page_by_page(db: Database) -> None:
    made = said(db, *({"thumb": -1, "reason": "wrong", "ago": timedelta(minutes=9 - n)} for n in range(5)))
    said(db, {"thumb": -1, "reason": "wrong", "project_id": 2, "ago": timedelta(minutes=20)})
    found, before = [], None
    with db.read() as session:
        for _ in range(9):
            page = queries.entries(session, **MINE, before=before, limit=2)
            found += [row.id for row in page.rows]
            before = page.next_before
            if before is None:
                break
    assert found == made[::-1]


def test_entries_of_one_mood_reason_or_with_a_better_answer(db: Database) -> None:
    made = said(
        db,
        {"thumb": -1, "reason": "wrong", "correction": "Thirty days."},
        {"thumb": -1, "reason": "wrong"},
        {"thumb": 1, "reason": "wrong"},
        {"thumb": -1},
        {"thumb": -1, "ago": timedelta(days=9)},
    )

    def found(**more: Any) -> list[int]:
        with db.read() as session:
            return [row.id for row in queries.entries(session, **MINE, **more).rows]

    assert found(mood=Mood.DOWN, reason="wrong") == [made[1], made[0]]
    assert found(mood=Mood.DOWN, reason="") == [made[3]]
    assert found(mood=Mood.DOWN, has_correction=True) == [made[0]]
    assert found(has_correction=False) == [made[3], made[2], made[1]]


def test_an_entry_has_the_first_words_of_question_and_answer(db: Database, recorder: Recorder) -> None:
    assert stored.write(recorder, [record(first_at(AT))]) == [None]
    said(db, {"thumb": -1, "call_id": first_at(AT)}, {"thumb": -1, "call_id": 77, "ago": timedelta(hours=2)})
    with db.read() as session:
        kept, gone = queries.entries(session, **MINE).rows
    assert kept.asked == "May I return the blue lamp?"
    assert kept.answered.startswith("Returns are free")
    assert (gone.asked, gone.answered) == ("", "")
