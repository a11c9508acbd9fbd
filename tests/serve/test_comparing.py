"""Answers of comparisons are made ahead, as calls of their own; what fails says why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlmodel import select

from core import bridge, clock
from core.calls import queries as calls
from core.calls.filters import Filters
from core.errors import Invalid
from core.people.rules import LOCAL
from core.runtime import Runtime
from core.serve import comparing
from core.serve.asked import Answer, Asked
from core.votes import actions, making, queries
from core.votes.queries import ComparisonView
from core.votes.rules import Entrant, Question, State
from core.votes.tables import CompareAnswer
from tests.prompts.shelf import ANN, content
from tests.votes.arena import asks


def compared(here: Runtime, *contestants: Entrant, questions: Sequence[Question] = ()) -> ComparisonView:
    """A comparison whose answers came, whether this asked for them or the process itself did so first."""
    with here.db.write() as session:
        number = actions.create(
            session, project_id=1, name="Which?", question="Which is better?", contestants=contestants,
            questions=questions or asks("How do I get a refund?"), by=LOCAL, at=clock.now(), ids=here.ids,
        )  # fmt: skip
    until = time.monotonic() + 20
    while True:
        bridge.call(here.comparing.turn)
        with here.db.read() as session:
            found = queries.comparison(session, number, project_ids=[1])
        if not found.made.waiting:
            return found
        assert time.monotonic() < until, found.made
        time.sleep(0.02)


def test_answers_are_made_and_each_is_a_call(here: Runtime) -> None:
    found = compared(here, Entrant("rules", "builtin/rules"), Entrant("extract", "builtin/extract"))
    assert found.made == queries.Made(ready=2)
    with here.db.read() as session:
        rows = calls.page(session, Filters(), project_ids=[1]).rows
        kept = making.answers(session, comparison=found)
    assert {row.route for row in rows} == {"compare"}
    assert {row.model_served for row in rows} == {"rules", "extract"}
    assert {one.call_id for one in kept} == {row.id for row in rows}
    assert all(one.text for one in kept)


def test_a_version_of_a_prompt_contends_as_it_was(here: Runtime) -> None:
    from core.prompts import actions as prompts

    with here.db.write() as session:
        told = {"project_id": 1, "name": "support", "by": ANN, "at": clock.now()}
        prompts.create(session, content=content("You are kind."), **told)
    here.refresh()
    found = compared(here, Entrant("kind", "prompt:support@1"), Entrant("extract", "builtin/extract"))
    assert found.made.ready == 2
    with here.db.read() as session:
        rows = calls.page(session, Filters(), project_ids=[1]).rows
    assert {row.prompt_version for row in rows} == {1, None}


def test_prompts_are_filled_with_what_a_question_has_for_them(here: Runtime) -> None:
    from core.prompts import actions as prompts

    with here.db.write() as session:
        told = {"project_id": 1, "by": ANN, "at": clock.now()}
        prompts.create(session, name="warm", content=content("Be warm.", "Greet {{ customer }}."), **told)
        prompts.create(session, name="dry", content=content("Be dry.", "Say hello to {{ customer }}."), **told)
    here.refresh()
    contend = (Entrant("warm", "prompt:warm@1"), Entrant("dry", "prompt:dry@1"))
    found = compared(here, *contend, questions=[Question((), "ex_1", {"customer": "Ada", "unused": [1]})])
    assert found.made == queries.Made(ready=2)
    with here.db.read() as session:
        numbers = [one.call_id or 0 for one in making.answers(session, comparison=found)]
        sent = [said.messages[-1].text for said in calls.payloads(session, numbers, [1]).values()]
        assert {one.asked for one in making.answers(session, comparison=found)} == {"customer: Ada, unused: [1]"}
    assert set(sent) == {"Greet Ada.", "Say hello to Ada."}


def test_a_prompt_that_a_question_does_not_fill_is_refused_before_anything_is_asked(here: Runtime) -> None:
    from core.prompts import actions as prompts

    with here.db.write() as session:
        told = {"project_id": 1, "by": ANN, "at": clock.now()}
        prompts.create(session, name="warm", content=content("Greet {{ customer }}."), **told)
    contend = (Entrant("warm", "prompt:warm@1"), Entrant("rules", "builtin/rules"))
    with pytest.raises(Invalid, match=r"'customer', and 1 of 2 questions have none"):
        compared(here, *contend, questions=[*asks("Hi"), Question(asks("Ho")[0].messages, "", {"customer": "Ada"})])
    with pytest.raises(Invalid, match="builtin/rules is no prompt, and 1 of 1 questions only fill one"):
        compared(here, *contend, questions=[Question((), "", {"customer": "Ada"})])
    with here.db.read() as session:
        assert queries.comparisons(session, project_ids=[1]) == ()


def test_an_answer_that_takes_long_stays_in_the_hands_of_who_asks(
    here: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.call(here.comparing.stop)
    with here.db.write() as session:
        number = actions.create(
            session, project_id=1, name="Slow?", question="Which is better?",
            contestants=(Entrant("rules", "builtin/rules"), Entrant("extract", "builtin/extract")),
            questions=asks("Hi"), by=LOCAL, at=clock.now(), ids=here.ids,
        )  # fmt: skip
    monkeypatch.setattr(comparing, "RENEW_S", 0.05)
    seen: list[datetime] = []

    async def slow(asked: Asked) -> Answer:
        for _ in range(4):
            await asyncio.sleep(0.1)
            seen.extend(in_hand(here))
        return await here.serve.answer(asked)

    made = comparing.Comparing(here.db, here.ids, slow)
    assert bridge.call(made.turn) == 2
    assert len(set(seen)) > 2, "the lease grew while it was asked"
    with here.db.read() as session:
        assert queries.comparison(session, number, project_ids=[1]).made == queries.Made(ready=2)


def in_hand(here: Runtime) -> list[datetime]:
    """Until when the answers under way are in somebody's hands."""
    with here.db.read() as session:
        return [until for until in session.exec(select(CompareAnswer.lease_until)) if until is not None]


def test_an_answer_that_nobody_gives_fails_with_its_reason(here: Runtime) -> None:
    found = compared(here, Entrant("rules", "builtin/rules"), Entrant("nobody", "builtin/nobody"))
    assert found.made == queries.Made(ready=1, failed=1)
    with here.db.read() as session:
        (failed,) = making.answers(session, comparison=found, state=State.FAILED)
    assert "nobody" in failed.error
