"""Two runs beside each other on the page: chosen, swapped, and what is not compared said."""

from __future__ import annotations

from typing import Any

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.experiments.rules import Arm
from core.people.rules import CLI
from core.runtime import Runtime
from tests.experiments.made import EXACT, EXTRACT, RULES, TIME, dataset, edited, over, shown
from tests.pages.test_experiment_runs import PAGE
from tests.pages.visiting import visit, words


def test_a_run_with_one_variant_is_held_against_the_run_before(here: Runtime) -> None:
    number = dataset(here, 4)
    one = over(here, number, RULES, name="Before")
    alone = visit(PAGE, experiment=shown(one))
    assert "compare" not in [option.content for option in alone.segmented_control(key="view_tabs").proto.options]
    edited(here, number)
    other = over(here, number, EXTRACT, version=2, name="After")
    page = visit(PAGE, experiment=shown(other), view="compare")
    told = words(page)
    assert "“Before”**: `builtin/rules`" in told
    assert "“After”**: `builtin/extract`" in told
    assert "Not compared. 1 example: asked or expected differently in the other version; 1 example: in one" in told
    assert "“There is not enough text" in told  # the answers of the later run, and of the earlier one
    assert "“I have no answer prepared" in told
    page.button(key="experiment_swap").click().run()
    assert not page.exception
    assert page.query_params["experiment"] == shown(one)
    assert page.query_params["with"] == shown(other)


def test_runs_of_one_name_are_told_apart_by_their_order(here: Runtime) -> None:
    number = dataset(here, 2)
    one = over(here, number, RULES, Arm("B", model="builtin/extract"))
    other = over(here, number, RULES, Arm("B", model="builtin/extract"))
    assert "of the earlier run" not in words(visit(PAGE, experiment=shown(other), view="compare"))
    told = words(visit(PAGE, experiment=shown(other), view="compare", **{"with": shown(one)}))
    assert "B of the earlier run" in told, "the variant that is the same as this run's last"
    assert "B of the later run" in told


def test_a_run_that_cannot_be_held_against_this_one_is_passed_over(here: Runtime) -> None:
    number = dataset(here, 2)
    run = over(here, number, RULES, Arm("B", model="builtin/extract"))
    for strange in ("exp_0000000000001", "nonsense", shown(run)):
        page = visit(PAGE, experiment=shown(run), view="compare", **{"with": strange})
        assert "of “" not in words(page)


def test_scorers_that_differ_are_named(here: Runtime) -> None:
    number = dataset(here, 2)
    one = over(here, number, RULES, name="Before", scorers=[EXACT, {"kind": "length", "name": "long", "most": 5}])
    other = over(here, number, RULES, name="After", scorers=[EXACT, {"kind": "length", "name": "long", "most": 9}])
    told = words(visit(PAGE, experiment=shown(other), view="compare", **{"with": shown(one)}))
    assert "`long`: it is set differently in the two runs" in told


def test_turns_of_one_conversation_are_told_to_be_clusters(here: Runtime) -> None:
    turn = {"role": "user", "content": "What is 1?"}
    later = [turn, {"role": "assistant", "content": "One."}, {"role": "user", "content": "And 2?"}]
    number = dataset(here, 3)
    at = clock.now()
    with here.db.write() as session:
        told: dict[str, Any] = {"dataset_id": number, "by": CLI, "at": at}
        datasets.write(session, entry=Entry(Example(Kind.ITEM, {"messages": later})), ids=here.ids, **told)
        datasets.keep(session, note="", **told)
    run = over(here, number, RULES, Arm("B", model="builtin/extract"), version=2, scorers=[TIME])
    assert "they form 3 independent clusters" in words(visit(PAGE, experiment=shown(run), view="compare"))
    assert "are clustered" in words(visit(PAGE, experiment=shown(run)))
