"""Runs over datasets: every cell asked once and scored, failures apart, stopped, capped, resumed, retried."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from core import clock
from core.calls.tables import CallTag
from core.catalog import actions as catalog
from core.datasets.tables import DatasetItem
from core.evals import people
from core.evals import scorers as settings
from core.evals.running import Runner
from core.experiments import actions, queries, rules
from core.experiments.rules import Arm, Place, State
from core.experiments.tables import ExperimentCell
from core.people.rules import CLI
from core.prompts.versions import Variable
from core.serve.prompted import Shelf
from tests.evals.runs import DOUBLE, EXACT, create, dataset, ended, started, view
from tests.gateway.test_prompts import keep
from tests.gateway.test_store_trouble import set_read_only
from tests.prompts.shelf import content
from tests.review.waiting import APPROVE, REJECT, edit
from tests.support.house import House
from tests.support.reviewing import decided, queue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


def read(house: House, query: Any, *args: Any, **told: Any) -> Any:
    with house.runtime.db.read() as session:
        return query(session, *args, **told)


def summed(house: House, run_id: int) -> dict[tuple[str, str], queries.Summed]:
    return {(one.scorer, one.arm): one for one in read(house, queries.summed, run_id, project_ids=[1])}


async def test_every_example_is_asked_of_every_variant_as_often_as_wished_and_scored(house: House) -> None:
    number = await keep(house, "support", content("{{ n }}", model="double/m", variables=(Variable("n"),)))
    prompt = house.runtime.prompts.entry(1, "support")
    arms = (DOUBLE, Arm("B", prompt.id, "support", number), Arm("C", model="double/m", parameters={"temperature": 0.5}))
    long = {"kind": "length", "name": "short", "unit": "words", "most": 2}
    run_id = await started(house, 7, arms=arms, scorers=(EXACT, long), repeats=2)
    run = await ended(house, run_id)
    assert (run.state, run.done, run.failed, run.cells, run.left) == (State.DONE, 42, 0, 42, 0)
    found = summed(house, run_id)
    assert {key: (one.n, one.mean) for key, one in found.items() if key[0] == "exact"} == {
        ("exact", "A"): (14, 1.0), ("exact", "B"): (14, 1.0), ("exact", "C"): (14, 1.0),
    }  # fmt: skip
    assert found[("short", "A")].passed == 0
    calls = house.calls()
    assert len(calls) == 42
    assert {call.route for call in calls} == {"experiment"}
    assert {call.prompt_version for call in calls} == {None, 1}
    with house.runtime.db.read() as session:
        tags = session.exec(select(CallTag.name, CallTag.value).where(CallTag.name == "variant")).all()
    assert {value for _, value in tags} == {"A", "B", "C"}


async def test_a_cell_that_failed_has_no_value_and_is_asked_again_alone(house: House) -> None:
    run_id = await started(house, 6, arms=(DOUBLE, Arm("B", model="gone/m")), scorers=(EXACT,))
    run = await ended(house, run_id)
    assert (run.state, run.done, run.failed) == (State.DONE, 6, 6)
    one = summed(house, run_id)[("exact", "B")]
    assert (one.n, one.mean, one.failed) == (0, None, 6)
    before = len(house.calls())

    def again() -> int:
        with house.runtime.db.write() as session:
            return actions.retry(session, run_id=run_id, by=CLI, at=clock.now())

    assert await asyncio.to_thread(again) == 6
    house.runtime.runner.wake()
    run = await ended(house, run_id)
    assert (run.done, run.failed) == (6, 6)
    assert len(house.calls()) == before + 6


async def test_a_run_that_another_process_left_goes_on_and_repeats_no_cell(house: House) -> None:
    dataset_id = await asyncio.to_thread(dataset, house, 30)
    await house.runtime.runner.stop()
    run_id = await asyncio.to_thread(lambda: create(house, dataset_id, 30))

    def leave() -> None:
        """As if a process had asked ten cells and died."""
        with house.runtime.db.write() as session:
            assert actions.take(session, owner="process 99", at=clock.now() - 2 * actions.LEASE) == run_id
            keys = [row[0] for row in _keys(session, dataset_id)][:10]
            cells = [actions.Kept(key, "A", 1, "answered", clock.now(), cost_usd=Decimal("0.5")) for key in keys]
            assert actions.keep(session, run_id=run_id, cells=cells) == 10
            assert actions.keep(session, run_id=run_id, cells=cells) == 0

    await asyncio.to_thread(leave)
    runner = Runner(house.runtime.db, house.runtime.ids, house.runtime.serve, _shelf(house))
    runner.start()
    run = await ended(house, run_id)
    await runner.stop()
    assert (run.state, run.done, run.spent_usd) == (State.DONE, 30, Decimal(5))
    assert len(house.calls()) == 20


def _keys(session: Any, dataset_id: int) -> Any:
    return session.exec(select(DatasetItem.key, DatasetItem.id).where(DatasetItem.dataset_id == dataset_id)).all()


def _shelf(house: House) -> Any:
    return Shelf.of(house.runtime.db, lambda: house.runtime.prompts)


async def test_a_run_is_stopped_where_it_is_and_goes_on(house: House) -> None:
    run_id = await started(house, 2_000, at_once=1)

    def stop() -> None:
        with house.runtime.db.write() as session:
            actions.stop(session, run_id=run_id, by=CLI, at=clock.now())

    for _ in range(500):
        if (await asyncio.to_thread(view, house, run_id)).done >= 20:
            break
        await asyncio.sleep(0.01)
    await asyncio.to_thread(stop)
    await asyncio.sleep(2)
    run = await asyncio.to_thread(view, house, run_id)
    assert run.state is State.STOPPED
    assert 20 <= run.done < 2_000
    done = run.done
    await asyncio.sleep(0.5)
    assert (await asyncio.to_thread(view, house, run_id)).done == done

    def go_on() -> None:
        with house.runtime.db.write() as session:
            actions.start(session, run_id=run_id, by=CLI, at=clock.now())

    await asyncio.to_thread(go_on)
    house.runtime.runner.wake()
    run = await ended(house, run_id)
    assert (run.state, run.done) == (State.DONE, 2_000)
    with house.runtime.db.read() as session:
        answered = session.exec(select(ExperimentCell.call_id)).all()
    assert len(set(answered)) == 2_000


async def test_a_run_ends_at_its_cap(house: House) -> None:
    def price() -> None:
        with house.runtime.db.write() as session:
            catalog.set_price(
                session, backend="double", model="m", starts_at=clock.now().replace(year=2020), by=CLI, at=clock.now(),
                input_usd=Decimal(100_000), output_usd=Decimal(100_000),
            )  # fmt: skip
        house.runtime.refresh()

    await asyncio.to_thread(price)
    run_id = await started(house, 100, at_once=1, cap_usd=Decimal(10))
    run = await ended(house, run_id)
    assert run.state is State.STOPPED
    assert "cap" in run.why
    assert 0 < run.spent_usd <= 10
    assert 0 < run.done < 100


async def test_what_a_prompt_cannot_be_filled_with_is_a_failed_cell(house: House) -> None:
    number = await keep(house, "support", content("{{ gone }}", model="double/m", variables=(Variable("gone"),)))
    prompt = house.runtime.prompts.entry(1, "support")
    run_id = await started(house, 3, arms=(Arm("A", prompt.id, "support", number),))
    run = await ended(house, run_id)
    assert (run.state, run.failed) == (State.DONE, 3)
    (cell, *_) = read(house, queries.cells, run_id, project_ids=[1])
    assert "'gone'" in cell.error
    assert cell.call_id is None


async def test_judges_grade_compare_and_are_counted_where_they_say_nothing(house: House) -> None:
    judge = {"kind": "judge", "name": "kind", "model": "double/m", "rubric": "Is it kind?"}
    pair = {"kind": "pairwise judge", "name": "better", "model": "double/m", "rubric": "Which is kinder?"}
    arms = (DOUBLE, Arm("B", model="double/m", parameters={"temperature": 0.1}))
    run_id = await started(house, 2, arms=arms, scorers=(judge, pair))
    run = await ended(house, run_id)
    assert (run.state, run.done) == (State.DONE, 4)
    found = summed(house, run_id)
    assert found[("kind", "A")].invalid == 2  # the double echoes: that is no verdict
    assert found[("better", "B")].invalid == 2
    assert ("better", "A") not in found
    assert len(house.calls()) == 4 + 4 + 2 * 2


async def test_a_stop_waits_for_no_judge_and_what_was_said_stays(house: House) -> None:
    """The 40 pairs of this run take the judge 12 seconds: each is asked both ways at once, and answered after 0.3."""
    pair = {"kind": "pairwise judge", "name": "better", "model": "double/m", "rubric": "Which?", "with_expected": True}
    arms = (DOUBLE, Arm("B", model="double/m", parameters={"temperature": 0.1}))
    dataset_id = await asyncio.to_thread(lambda: dataset(house, 40, expects="double(latency_s=0.3) {n}"))
    run_id = await asyncio.to_thread(lambda: create(house, dataset_id, 40, arms=arms, scorers=(pair,), at_once=1))
    house.runtime.runner.wake()

    def said() -> int:
        found = summed(house, run_id).get(("better", "B"))
        return 0 if found is None else found.invalid

    for _ in range(1_000):
        if await asyncio.to_thread(said):
            break
        await asyncio.sleep(0.02)
    assert 0 < await asyncio.to_thread(said) < 20  # each is there as soon as it is said

    def stop() -> None:
        with house.runtime.db.write() as session:
            actions.stop(session, run_id=run_id, by=CLI, at=clock.now())

    await asyncio.to_thread(stop)
    await asyncio.sleep(2)
    at_the_stop = len(house.calls())
    await asyncio.sleep(2)
    assert len(house.calls()) <= at_the_stop + 2  # the two that were under way may be recorded late
    assert 0 < await asyncio.to_thread(said) < 30


async def test_what_judges_cost_is_the_runs_money_and_counts_towards_its_cap(house: House) -> None:
    def price() -> None:
        with house.runtime.db.write() as session:
            catalog.set_price(
                session, backend="double", model="judge", starts_at=clock.now().replace(year=2020), by=CLI,
                at=clock.now(), input_usd=Decimal(1_000), output_usd=Decimal(1_000),
            )  # fmt: skip
        house.runtime.refresh()

    await asyncio.to_thread(price)
    judge = {"kind": "judge", "name": "kind", "model": "double/judge", "rubric": "Is it kind?"}
    dataset_id = await asyncio.to_thread(dataset, house, 10)
    run_id = await asyncio.to_thread(lambda: create(house, dataset_id, 10, scorers=(judge,), at_once=1))
    run = await ended(house, run_id)
    costs = [call.cost_usd for call in house.calls() if call.model_served == "judge"]
    assert len(costs) == 10
    assert run.spent_usd == sum(cost for cost in costs if cost is not None) > 0
    assert run.unpriced == 10  # the answers: nobody knows what m costs

    cap = round(run.spent_usd / 3, 4)
    run_id = await asyncio.to_thread(lambda: create(house, dataset_id, 10, scorers=(judge,), at_once=1, cap_usd=cap))
    capped = await ended(house, run_id)
    assert capped.state is State.STOPPED
    assert "cap" in capped.why
    assert 0 < capped.done < 6


async def test_people_of_a_queue_are_a_scorer(house: House) -> None:
    queue_id = await queue(house)
    human = {"kind": "human", "name": "people", "queue": "Answers", "edited_counts": 0.5}
    run_id = await started(house, 3, scorers=(human,))
    run = await ended(house, run_id)
    assert run.state is State.DONE
    for said in (APPROVE, REJECT, edit("Better.")):
        await decided(house, queue_id, said)

    def collect() -> int:
        with house.runtime.db.write() as session:
            (scorer,) = settings.parse([human])
            return people.collect(session, run, scorer)  # type: ignore[arg-type]

    assert await asyncio.to_thread(collect) == 3
    assert await asyncio.to_thread(collect) == 0
    found = summed(house, run_id)[("people", "A")]
    assert (found.n, found.mean, found.passed) == (3, 0.5, 1)


async def test_a_queue_that_is_not_there_is_said(house: House) -> None:
    human = {"kind": "human", "name": "people", "queue": "Nobody", "edited_counts": 0.5}
    run = await ended(house, await started(house, 1, scorers=(human,)))
    assert (run.state, run.done) == (State.STOPPED, 1)
    assert "'Nobody'" in run.why


async def test_another_projects_run_is_not_there(house: House) -> None:
    run_id = await started(house, 1)
    await ended(house, run_id)
    for query in (queries.run, queries.summed, queries.cells):
        with pytest.raises(queries.NotFound):
            read(house, query, run_id, project_ids=[7])


async def test_two_workers_never_have_one_run(house: House) -> None:
    await house.runtime.runner.stop()
    dataset_id = await asyncio.to_thread(dataset, house, 1)
    run_id = await asyncio.to_thread(lambda: create(house, dataset_id, 1))

    def take(name: str) -> int | None:
        with house.runtime.db.write() as session:
            return actions.take(session, owner=name, at=clock.now())

    taken = await asyncio.gather(*(asyncio.to_thread(take, f"process {n}") for n in range(8)))
    assert [one for one in taken if one is not None] == [run_id]


def test_the_cells_of_an_example_are_asked_close_together() -> None:
    assert list(rules.places([7, 8], ["A", "B"], 2))[:5] == [
        Place(7, "A", 1), Place(7, "B", 1), Place(7, "A", 2), Place(7, "B", 2), Place(8, "A", 1),
    ]  # fmt: skip


async def test_nothing_is_lost_while_the_store_is_away(house: House) -> None:
    arm = Arm("A", model="double/m", parameters={"x_double": {"latency_s": 0.02}})
    run_id = await started(house, 300, arms=(arm,), at_once=8)
    for _ in range(500):
        if (await asyncio.to_thread(view, house, run_id)).done >= 50:
            break
        await asyncio.sleep(0.02)
    await asyncio.to_thread(set_read_only, house, on=True)
    await asyncio.sleep(3)
    await asyncio.to_thread(set_read_only, house, on=False)
    run = await ended(house, run_id)
    assert (run.state, run.why, run.done, run.failed) == (State.DONE, "", 300, 0)
    marks = house.double.stats.marks
    assert len(marks) == 300
    assert sum(marks.values()) <= 300 + 8 * 10  # who waits for the store asks once a second at most


async def test_two_runs_at_once_go_on_side_by_side(house: House) -> None:
    arm = Arm("A", model="double/m", parameters={"x_double": {"latency_s": 0.02}})
    dataset_id = await asyncio.to_thread(dataset, house, 400)

    def both() -> list[int]:
        return [create(house, dataset_id, 400, arms=(arm,), at_once=8) for _ in range(2)]

    one, two = await asyncio.to_thread(both)
    house.runtime.runner.wake()
    first = await ended(house, one)
    second = await asyncio.to_thread(view, house, two)
    assert first.done == 400
    assert second.done >= 200
    assert (await ended(house, two)).done == 400


async def test_a_run_whose_model_is_gone_says_so_in_each_cell(house: House) -> None:
    run = await ended(house, await started(house, 2, arms=(Arm("A", model="gone/m"),)))
    assert (run.state, run.done, run.failed) == (State.DONE, 0, 2)
    cells = read(house, queries.cells, run.id, project_ids=[1])
    assert all("gone/m" in cell.error for cell in cells)
