"""Policies in the store: worded, reworded, switched, in force; what was found in calls, as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import Session

from core.audit import queries as trail
from core.db import marks
from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.guard import actions, names, queries, rows
from core.guard.findings import Failure, Family, Side
from core.guard.rules import decide
from core.guard.tables import CallFinding, PolicyVersion
from core.people import actions as people
from core.people.rules import SYSTEM, Role
from tests.guard.policies import context, finding, on, policy, rule
from tests.review.waiting import LEAD, person

RULES = [rule("hold", on("personal"))]
READER = person("reader", Role.REVIEWER)


@pytest.fixture
def store(db: Database, at: datetime) -> Database:
    with db.write() as session:
        people.ensure_default_project(session, by=SYSTEM, at=at)
    return db


def create(session: Session, at: datetime, **told: Any) -> int:
    return actions.create(session, **{"project_id": 1, "name": "Mail", "rules": RULES, "by": LEAD, "at": at} | told)


def test_a_new_policy_is_off_until_it_is_switched_on(store: Database, at: datetime) -> None:
    with store.write() as session:
        number = create(session, at, routes=["support"])
        assert queries.snapshot(session).policies == {}
        before = marks.read(session)["guard"]
        actions.switch(session, policy_id=number, is_on=True, by=LEAD, at=at)
        assert marks.read(session)["guard"] == before + 1
        found = queries.snapshot(session)
        assert [one.label for one in found.of(1, "/v1/chat/completions", "support")] == ["Mail/1"]
        assert found.of(1, "/v1/chat/completions", "sales") == ()
        assert found.of(2, "/v1/chat/completions", "support") == ()
        actions.switch(session, policy_id=number, is_on=False, by=LEAD, at=at)
        assert queries.snapshot(session).policies == {}
    with store.read() as session:
        told = [event.action for event in trail.events(session, limit=10)]
    assert [one for one in told if one.startswith("policy.")] == [
        "policy.switched_off",
        "policy.switched_on",
        "policy.created",
    ]


def test_rewording_makes_a_version_and_keeps_the_old_one(store: Database, at: datetime) -> None:
    stricter = [rule("refuse", on("personal"))]
    with store.write() as session:
        number = create(session, at)
        assert actions.change(session, policy_id=number, rules=RULES, by=LEAD, at=at) == 1
        assert actions.change(session, policy_id=number, rules=stricter, by=LEAD, at=at, expected_version=1) == 2
        with pytest.raises(Conflict, match="Someone else"):
            actions.change(session, policy_id=number, rules=RULES, by=LEAD, at=at, expected_version=1)
        history = queries.versions(session, number, project_ids=[1])
        assert [(one.version, one.rules[0]["act"]) for one in history] == [(2, "refuse"), (1, "hold")]
        assert queries.policy(session, number, project_ids=[1]).version == 2
        assert [one.name for one in queries.policies(session, project_ids=[1])] == ["Mail"]
        assert queries.policies(session, project_ids=[2]) == ()


def test_a_policy_that_cannot_work_is_not_stored(store: Database, at: datetime) -> None:
    with store.write() as session:
        with pytest.raises(Invalid, match="Rule 1"):
            create(session, at, rules=[rule("hold", on("feelings"))])
        for name in ("", "a/b", "x" * 65):
            with pytest.raises(Invalid, match="name"):
                create(session, at, name=name)
        create(session, at)
        with pytest.raises(Conflict, match="already"):
            create(session, at)


def test_only_who_may_change_reviewing_changes_policies(store: Database, at: datetime) -> None:
    with store.write() as session:
        number = create(session, at)
        with pytest.raises(NotAllowed):
            create(session, at, name="Other", by=READER)
        with pytest.raises(NotAllowed):
            actions.change(session, policy_id=number, rules=RULES, by=READER, at=at)
        with pytest.raises(NotAllowed):
            actions.switch(session, policy_id=number, is_on=True, by=READER, at=at)
        with pytest.raises(NotFound):
            actions.switch(session, policy_id=99, is_on=True, by=LEAD, at=at)
        with pytest.raises(NotFound):
            queries.policy(session, number, project_ids=[2])


def test_a_policy_that_needs_what_is_not_installed_is_not_switched_on(store: Database, at: datetime) -> None:
    if names.missing() == "":
        pytest.skip("presidio and a model are installed")
    with store.write() as session:
        number = create(session, at, settings={"names": True})
        with pytest.raises(Invalid, match="not looked for"):
            actions.switch(session, policy_id=number, is_on=True, by=LEAD, at=at)


def test_a_stored_wording_nobody_understands_is_named_and_not_skipped_in_silence(store: Database, at: datetime) -> None:
    with store.write() as session:
        number = create(session, at)
        actions.switch(session, policy_id=number, is_on=True, by=LEAD, at=at)
        version = session.get(PolicyVersion, (number, 1))
        assert version is not None
        version.rules = [{"name": "from the future", "act": "teleport", "when": []}]
        session.add(version)
        session.flush()
        found = queries.snapshot(session)
    assert found.policies == {}
    assert found.unreadable[1].startswith("Mail: Rule 1 “from the future”")


def test_what_was_found_in_a_call_is_rows_without_its_text(store: Database) -> None:
    held = policy(rule("hold", on("personal")), rule("refuse", on("secret")))
    broken = Failure(Family.SECRET, Side.OUTPUT, "choices.0.message.content", "secret/1", "RuntimeError: no")
    decision = decide([held], [finding(start=4, stop=9), finding("link", "link")], context(), [broken])
    with store.write() as session:
        session.execute(insert(CallFinding), rows.findings(7, 1, decision))
        found = queries.findings(session, 7, project_ids=[1])
        newest = queries.with_family(session, "personal", project_ids=[1])
        assert queries.findings(session, 7, project_ids=[2]) == ()
    assert [(one.family, one.kind, one.act, one.policy) for one in found] == [
        ("link", "link", "pass", ""),
        ("personal", "email", "hold", "P1/1"),
        ("secret", "failed", "refuse", "P1/1"),
    ]
    assert [(one.call_id, one.start, one.stop) for one in newest] == [(7, 4, 9)]


def test_a_call_full_of_findings_keeps_the_strictest(store: Database) -> None:
    held = policy(rule("hold", on("personal")))
    many = [finding("link", "link", start=n, stop=n + 1) for n in range(500)] + [finding(start=900, stop=905)]
    made = rows.findings(7, 1, decide([held], many, context()))
    assert len(made) == rows.MOST
    assert made[-1]["act"] == "hold"
