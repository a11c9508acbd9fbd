"""Sampling from production: reproducible, fair, and nothing that is hidden."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlmodel import select

from core.calls import filters
from core.calls.tables import Call
from core.calls.writing import PostgresWriting, SqliteWriting
from core.datasets import actions, sampling
from core.datasets.rules import Kind
from core.datasets.sampling import Sample
from core.errors import Invalid
from core.guard import queries as guard
from tests.calls.records import record
from tests.datasets.sets import Sets


def called(sets: Sets, count: int, **changes: Any) -> list[int]:
    """So many recorded calls; their ids."""
    told = [record(sets.ids.next(), at=sets.at, asked=f"Question {n}?", **changes) for n in range(count)]
    pooled = sets.db.writer.raw_connection()
    (SqliteWriting() if sets.db.is_sqlite else PostgresWriting()).write(pooled.driver_connection, told)
    pooled.close()
    return [one.id for one in told]


def drawn(sets: Sets, count: int = 5, *, seed: str = "a", bar: str = "", **told: Any) -> Sample:
    with sets.db.read() as session:
        given = {"kind": Kind.ITEM, "project_ids": [1], "at": sets.at, "private": guard.private} | told
        return sampling.draw(session, filters.parse(bar), count=count, seed=seed, **given)


def test_a_seed_draws_the_same_calls_again_and_another_seed_others(sets: Sets) -> None:
    called(sets, 40)
    one = [call for call, _ in drawn(sets).picks]
    assert one == [call for call, _ in drawn(sets).picks]
    assert set(one) != {call for call, _ in drawn(sets, seed="b").picks}
    assert len(set(one)) == 5


def test_every_call_has_the_same_chance() -> None:
    times = Counter(min(range(10), key=lambda call: sampling.rank(str(seed), call)) for seed in range(5_000))
    # 5,000 draws of one in ten: five standard deviations are 106
    assert all(abs(times[call] - 500) < 106 for call in range(10))


def test_what_was_drawn_is_kept_with_its_call_and_its_filter_is_in_the_trail(sets: Sets) -> None:
    numbers = called(sets, 8)
    called(sets, 8, model_served="other")
    sample = drawn(sets, 20, bar="model:gpt-4o-mini")
    assert (len(sample.picks), sample.seen, sample.is_cut) == (8, 8, False)
    told = {"entries": sample.picks, "origin": "calls", "calls": {call: call for call, _ in sample.picks}}
    assert sets.do(actions.take, **told, ids=sets.ids) == []
    assert {row.call_id for row in sets.listed()} == set(numbers)
    refused = sets.do(actions.take, **told, ids=sets.ids)
    assert len(refused) == 8


def test_calls_without_bodies_with_private_words_or_errors_are_passed_over_and_counted(sets: Sets) -> None:
    good = called(sets, 2)
    called(sets, 3, request=b"", response=b"")
    called(sets, 1, response=b'{"error": {"message": "no"}}')
    finding: dict[str, Any] = {
        "side": "input",
        "place": "messages.0.content",
        "family": "personal",
        "kind": "email",
        "start": 0,
    }
    finding |= {"stop": 3, "confidence": 1.0, "detector": "x", "policy": "p", "act": "flag"}
    with sets.db.write() as session:
        from core.guard.tables import CallFinding

        hidden = good[0]
        session.add(CallFinding(call_id=hidden, number=0, project_id=1, **finding))
    sample = drawn(sets, 10)
    assert [call for call, _ in sample.picks] == good[1:]
    assert (sample.seen, sample.without_body, sample.private, sample.unusable) == (6, 3, 1, 1)
    assert {call for call, _ in drawn(sets, 10, revealed={hidden}).picks} == set(good)
    guessed = drawn(sets, 10, bar='"Question 0"')
    assert hidden not in {call for call, _ in guessed.picks}
    assert guessed.private == 0


def test_calls_of_another_project_are_not_drawn(sets: Sets) -> None:
    called(sets, 3)
    assert drawn(sets, project_ids=[2]).seen == 0
    with sets.db.read() as session:
        assert len(session.exec(select(Call.id)).all()) == 3


@pytest.mark.parametrize("told", [{"count": 0}, {"count": 501}, {"kind": Kind.PREFERENCE}])
def test_a_draw_that_makes_no_sense_is_refused(sets: Sets, told: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        drawn(sets, **told)
