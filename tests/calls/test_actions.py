"""Feedback is checked before it is kept; a run that was made cannot be changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from core.calls import actions, queries
from core.calls.recorder import Recorder
from core.calls.tables import PlaygroundRun
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids, first_at
from core.people.rules import LOCAL, Principal
from tests.calls import stored
from tests.calls.records import AT, record

FIRST = first_at(AT)
NOBODY = Principal(actor="person:9", name="Nobody", grants={})


@pytest.fixture
def call_id(recorder: Recorder) -> int:
    assert stored.write(recorder, [record(FIRST)]) == [None]
    return FIRST


def _give(db: Database, call_id: int, ids: Ids, at: datetime, **said: Any) -> None:
    with db.write() as session:
        actions.give(session, call_id=call_id, ids=ids, at=at, **({"by": LOCAL} | said))


def test_feedback_is_shown_with_its_call(db: Database, call_id: int, ids: Ids, at: datetime) -> None:
    _give(db, call_id, ids, at, thumb=-1, comment=" wrong lamp ", end_user="ann")
    _give(db, call_id, ids, at, rating=4)
    with db.read() as session:
        first, second = queries.call(session, call_id, [1]).feedback
    assert (first.thumb, first.comment, first.end_user, first.actor) == (-1, "wrong lamp", "ann", LOCAL.actor)
    assert second.rating == 4


@pytest.mark.parametrize(
    "said",
    [{}, {"comment": "  "}, {"thumb": 2}, {"thumb": True}, {"rating": 0}, {"rating": 6}, {"comment": "x" * 10_001},
     {"thumb": 1, "end_user": "x" * 201}],
)  # fmt: skip
def test_feedback_that_says_nothing_or_too_much_is_refused(
    db: Database, call_id: int, ids: Ids, at: datetime, said: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        _give(db, call_id, ids, at, **said)


def test_feedback_to_a_call_one_may_not_see_finds_none(db: Database, call_id: int, ids: Ids, at: datetime) -> None:
    with pytest.raises(NotFound):
        _give(db, call_id, ids, at, thumb=1, by=NOBODY)
    with pytest.raises(NotFound):
        _give(db, call_id + 1, ids, at, thumb=1)


def test_a_draft_is_kept_while_typing_and_found_again(db: Database, ids: Ids, at: datetime) -> None:
    who: dict[str, Any] = {"project_id": 1, "by": LOCAL, "at": at}
    with db.write() as session:
        run_id = actions.save_run(session, ids=ids, state={"system": "Be brief"}, **who)
        assert actions.save_run(session, ids=ids, state={"system": "Be kind\0"}, run_id=run_id, **who) == run_id
    with db.read() as session:
        draft = queries.draft(session, LOCAL.actor, 1)
        assert queries.draft(session, "person:2", 1) is None
    assert draft is not None
    assert (draft.id, draft.state, draft.is_draft) == (run_id, {"system": "Be kind"}, True)


def test_a_frozen_run_stays_as_it_was(db: Database, ids: Ids, at: datetime) -> None:
    who: dict[str, Any] = {"project_id": 1, "by": LOCAL, "at": at}
    with db.write() as session:
        run_id = actions.save_run(session, ids=ids, state={"n": 1}, **who)
        actions.freeze(session, run_id, state={"n": 2}, **who)
    for change in (lambda s: actions.save_run(s, ids=ids, state={}, run_id=run_id, **who),
                   lambda s: actions.freeze(s, run_id, state={}, **who)):  # fmt: skip
        with pytest.raises(Conflict), db.write() as session:
            change(session)
    with db.read() as session:
        assert queries.run(session, run_id, [1]).state == {"n": 2}
        assert queries.draft(session, LOCAL.actor, 1) is None
        with pytest.raises(NotFound):
            queries.run(session, run_id, [2])


def _drafts(db: Database) -> list[tuple[str, int, Any]]:
    with db.read() as session:
        runs = session.exec(select(PlaygroundRun).order_by(col(PlaygroundRun.id))).all()
    return [(run.actor, run.project_id, run.state.get("n")) for run in runs if run.is_draft]


def test_a_persons_oldest_drafts_give_way_and_nobody_elses(db: Database, ids: Ids, at: datetime) -> None:
    other = replace(LOCAL, actor="person:2")
    with db.write() as session:
        actions.save_run(session, project_id=1, by=other, at=at, ids=ids, state={"n": "theirs"})
        actions.save_run(session, project_id=2, by=LOCAL, at=at, ids=ids, state={"n": "elsewhere"})
        first = actions.save_run(session, project_id=1, by=LOCAL, at=at, ids=ids, state={"n": 0})
        for n in range(1, actions.MOST_DRAFTS):
            actions.save_run(session, project_id=1, by=LOCAL, at=at + timedelta(seconds=n), ids=ids, state={"n": n})
        # the first is typed in again, so the second is the one longest untouched
        later = at + timedelta(minutes=5)
        actions.save_run(session, project_id=1, by=LOCAL, at=later, ids=ids, state={"n": 0}, run_id=first)
        actions.save_run(session, project_id=1, by=LOCAL, at=later, ids=ids, state={"n": "new"})
    mine = [n for who, project, n in _drafts(db) if (who, project) == (LOCAL.actor, 1)]
    assert mine == [0, *range(2, actions.MOST_DRAFTS), "new"]
    assert ("person:2", 1, "theirs") in _drafts(db)
    assert (LOCAL.actor, 2, "elsewhere") in _drafts(db)


def test_a_draft_nobody_touched_for_a_month_goes_and_runs_stay(db: Database, ids: Ids, at: datetime) -> None:
    who: dict[str, Any] = {"project_id": 1, "by": LOCAL, "ids": ids}
    with db.write() as session:
        actions.save_run(session, at=at, state={"n": "forgotten"}, **who)
        run_id = actions.save_run(session, at=at, state={"n": "run"}, **who)
        actions.freeze(session, run_id, project_id=1, by=LOCAL, at=at, state={"n": "run"})
        actions.save_run(session, at=at + timedelta(days=1), state={"n": "recent"}, **who)
        actions.save_run(session, at=at + actions.DRAFT_KEPT + timedelta(hours=1), state={"n": "new"}, **who)
    assert [n for _, _, n in _drafts(db)] == ["recent", "new"]
    with db.read() as session:
        assert queries.run(session, run_id, [1]).state == {"n": "run"}


def test_the_playground_needs_its_right(db: Database, ids: Ids, at: datetime) -> None:
    with pytest.raises(NotAllowed), db.write() as session:
        actions.save_run(session, project_id=1, by=NOBODY, at=at, ids=ids, state={})
