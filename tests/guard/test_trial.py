"""What a policy would have done with the calls on record, within bounds and without changing anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlmodel import Session

from core.calls.record import CallRecord
from core.calls.tables import Feedback
from core.calls.writing import PostgresWriting, SqliteWriting
from core.catalog.tables import Alias, AliasVersion
from core.db.engine import Database
from core.guard.trial import Trial, dry_run
from core.ids import first_at
from core.people import actions as people
from core.people.rules import SYSTEM
from tests.calls.records import record
from tests.guard.policies import on, policy, rule

HOUR = timedelta(hours=1)
MAIL = policy(
    rule("flag", on("personal", side="input"), name="asked"),
    rule("hold", on("personal", side="output"), name="told"),
)


def fill(db: Database, at: datetime, per_hour: list[int], **changes: Any) -> list[CallRecord]:
    """So many calls in each hour before `at`; every fourth answer names an address."""
    with db.write() as session:
        people.ensure_default_project(session, by=SYSTEM, at=at)
    made = []
    for hours, count in enumerate(per_hour, 1):
        for number in range(count):
            moment = at - hours * HOUR + timedelta(seconds=number * 3_500 / count)
            answer = "Write to jane@example.org." if number % 4 == 0 else "All is well."
            made.append(record(first_at(moment) + number % 1_000, at=moment, answered=answer, **changes))
    writing = SqliteWriting() if db.is_sqlite else PostgresWriting()
    pooled = db.writer.raw_connection()
    for start in range(0, len(made), 500):
        writing.write(pooled.driver_connection, made[start : start + 500])
    pooled.close()
    return made


def run(session: Session, at: datetime, chosen: Any = MAIL, **told: Any) -> Trial:
    return dry_run(session, chosen, **{"since": at - timedelta(days=7), "until": at} | told)


@pytest.fixture
def sharp(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def test_a_dry_run_says_what_a_policy_would_have_done(db: Database, sharp: datetime) -> None:
    made = fill(db, sharp, [20, 0, 12])
    with db.read() as session:
        told = run(session, sharp)
    assert (told.calls, told.looked, told.share, told.is_complete) == (32, 32, 1.0, True)
    assert {act: count.calls for act, count in told.acts.items()} == {"hold": 8, "pass": 24}
    assert told.rules["told"].calls == 8
    assert "asked" not in told.rules
    held = [one.id for one in made if one.answered_text.startswith("Write")]
    assert set(told.rules["told"].examples) == set(held)


def test_a_dry_run_changes_nothing(db: Database, sharp: datetime) -> None:
    fill(db, sharp, [8])
    with db.read() as session:
        run(session, sharp)
        assert session.execute(text("SELECT count(*) FROM call_finding")).scalar_one() == 0
        assert not session.dirty
        assert not session.new


def test_of_more_calls_than_the_limit_a_share_of_every_hour_is_looked_at(db: Database, sharp: datetime) -> None:
    fill(db, sharp, [400, 100, 300])
    with db.read() as session:
        told = run(session, sharp, limit=80)
        again = run(session, sharp, limit=80)
    assert told == again
    assert told.calls == 800
    assert 60 <= told.looked <= 80
    assert told.share == told.looked / 800
    held = told.acts["hold"].calls / told.looked
    assert 0.15 < held < 0.35
    assert len(told.rules["told"].examples) == 10


def test_a_dry_run_stops_when_it_is_told_to(db: Database, sharp: datetime) -> None:
    fill(db, sharp, [150, 150])
    with db.read() as session:
        told = run(session, sharp, goes_on=lambda _: False)
        heard: list[Trial] = []

        def goes_on(so_far: Trial) -> bool:
            heard.append(so_far)
            return True

        whole = run(session, sharp, goes_on=goes_on)
    assert (told.looked, told.is_complete) == (100, False)
    assert [(one.looked, one.calls, one.is_complete) for one in heard] == [
        (100, 300, False),
        (150, 300, False),
        (250, 300, False),
    ]
    assert heard[0] == told
    assert (whole.looked, whole.is_complete) == (300, True)


def test_calls_of_other_projects_and_other_times_are_not_looked_at(db: Database, sharp: datetime) -> None:
    fill(db, sharp, [5, 5])
    with db.read() as session:
        other = policy(rule("hold", on("personal")))
        assert run(session, sharp, since=sharp - HOUR).looked == 5
        elsewhere = type(other)(1, 2, "P", 1, (), other.rules, other.settings)
        assert run(session, sharp, elsewhere).looked == 0


def test_tags_reports_and_new_versions_count_in_a_dry_run(db: Database, sharp: datetime) -> None:
    made = fill(db, sharp, [6])
    with db.write() as session:
        session.add(Alias(name="support", version=3, created_at=sharp))
        session.flush()
        number = session.execute(text("SELECT id FROM alias WHERE name = 'support'")).scalar_one()
        session.add(
            AliasVersion(
                alias_id=number, version=3, steps=[], cache_ttl_s=0, answers_by_rules=False, note="", made_by="x",
                made_at=sharp - timedelta(days=30),
            )
        )  # fmt: skip
        session.add(Feedback(id=1, call_id=made[2].id, project_id=1, at=sharp, actor="x", thumb=-1, reason="wrong"))
    chosen = policy(
        rule("flag", {"on": "tag", "name": "team", "value": "returns"}, name="tagged"),
        rule("flag", {"on": "report"}, name="reported"),
        rule("flag", {"on": "new version", "of": "alias", "calls": 2}, name="new"),
        rule("flag", on("judge"), name="judged"),
        judge={"model": "m", "categories": {"x": "y"}},
    )
    with db.read() as session:
        told = run(session, sharp, chosen)
    assert {name: count.calls for name, count in told.rules.items()} == {"tagged": 6, "reported": 1, "new": 2}
    assert told.rules["reported"].examples == (made[2].id,)
    assert set(told.rules["new"].examples) == {made[0].id, made[1].id}
    assert told.not_looked == ("judge",)


def test_bodies_nobody_can_read_are_looked_at_without_breaking(db: Database, sharp: datetime) -> None:
    event = {"choices": [{"index": 0, "delta": {"content": "jane@example.org"}, "finish_reason": "stop"}]}
    stream = b"data: " + orjson.dumps(event) + b"\n\ndata: [DONE]\n\n"
    with db.write() as session:
        people.ensure_default_project(session, by=SYSTEM, at=sharp)
    writing = SqliteWriting() if db.is_sqlite else PostgresWriting()
    pooled = db.writer.raw_connection()
    moment = sharp - HOUR / 2
    bodies = (b"\xff\x00broken", b"[]", stream)
    some = [record(first_at(moment) + n, at=moment, request=b, response=b) for n, b in enumerate(bodies)]
    writing.write(pooled.driver_connection, some)
    pooled.close()
    with db.read() as session:
        told = run(session, sharp, since=sharp - HOUR)
    assert told.looked == 3
    assert told.acts["hold"].examples == (some[2].id,)
