"""Live tests of several arms on pages: told at a glance, closed, chosen, named as evidence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core import bridge, clock
from core.calls.record import Exposure
from core.runtime import Runtime
from core.trials import actions, queries
from core.trials.rules import Arm, State
from tests.calls.records import record
from tests.pages.test_live_tests import PAGE, calls, made, said_by, view
from tests.pages.test_prompt_library import keep, protect
from tests.pages.visiting import visit, words
from tests.prompts.shelf import content
from tests.trials.lab import ANN, design


def test_several_arms_are_made_told_closed_and_one_promoted(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    for more in ("Two.", "Three."):
        keep(here, "support", content(more))
    page = visit(PAGE, test="new")
    (versions,) = [one for one in page.multiselect if one.key.startswith("trial_versions_")]
    versions.set_value([3, 2]).run()
    page.selectbox(key="trial_goal").select("cost").run()
    page.button(key="trial_keep").click().run()
    assert not page.exception
    with here.db.read() as session:
        (row,) = queries.trials(session, project_ids=[1])
    assert [(arm.name, arm.model, arm.weight) for arm in row.arms] == [
        ("A", "", 1), ("B", "prompt:support@3", 1), ("C", "prompt:support@2", 1),
    ]  # fmt: skip
    page.button(key="trial_start").click().run()
    for n in range(450):
        bridge.call(
            here.recorder.record,
            record(
                here.ids.next(), at=clock.now(), exposure=Exposure(row.id, 2, n % 3, f"u{n}"),
                cost_usd=Decimal(1 + n // 3 % 7) * (1, 1, 9)[n % 3] / 1000,
            ),
        )  # fmt: skip
    page = visit(PAGE, test=str(row.id))
    said = said_by(page)
    assert "2 arms are compared with A, so each interval is at 97.5 %: together they hold with 95 %" in said
    assert "C is dearer" in said
    assert "B, errors: at most 1 point more than A" in said
    assert page.table[0].value["Arm"].tolist() == ["B", "C"]
    assert page.table[0].value["users"].tolist() == ["150", "150"]
    page.segmented_control(key="trial_arm").set_value(2).run()
    assert "C − A" in page.table[1].value
    page.segmented_control(key="trial_close_arm").set_value(2).run()
    page.button(key="trial_close").click().run()
    assert tuple(view(here, row.id).closed) == (2,)
    said = said_by(visit(PAGE, test=str(row.id)))
    assert "C, as it was when it was closed" in said + str([one.label for one in page.expander])
    assert "C was closed." in said
    page.button(key="trial_promote").click().run()
    assert view(here, row.id).state is State.ENDED
    assert "B promoted" in said_by(visit(PAGE, test=str(row.id)))
    assert not page.exception


def test_an_arm_that_does_not_lead_and_was_chosen_comes_first(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    arms = (Arm("A"), Arm("B", model="prompt:support@2"), Arm("C", parameters={"temperature": 0.1}))
    trial = made(here, design=design("prompt:support", arms=arms))
    for n in range(450):
        cost = Decimal(1 + n // 3 % 7) * (9, 8, 1)[n % 3] / 1000
        told = {"exposure": Exposure(trial, 2, n % 3, f"u{n}"), "cost_usd": cost}
        bridge.call(here.recorder.record, record(here.ids.next(), at=clock.now(), **told))
    page = visit(PAGE, test=str(trial))
    page.segmented_control(key="trial_promote_arm").set_value(1).run()
    page.button(key="trial_promote").click().run()
    page = visit(PAGE, test=str(trial))
    said = said_by(page)
    assert "B was chosen" in said
    assert "between B and A" in said
    assert page.segmented_control(key="trial_arm").value == 1


def test_a_live_test_is_offered_as_evidence_and_told_of_the_version_that_is_asked_for(here: Runtime) -> None:
    prompt = keep(here, "support", content("One."), "production")
    for more in ("Two.", "Three."):
        keep(here, "support", content(more))
    protect(here)
    arms = (Arm("A"), Arm("B", model="prompt:support@3"), Arm("C", model="prompt:support@2"))
    calls(here, made(here, design=design("prompt:support", arms=arms), name="Which?"))
    page = visit("prompt_library.py", prompt="support", view="labels", to="2")
    evidence = page.multiselect(key=f"prompt_move_evidence_{prompt}_2")
    assert evidence.options == ["live test Which?"]
    evidence.set_value(["live test Which?"])
    page.text_input(key=f"prompt_move_why_{prompt}").input("Kinder.")
    page.button(key="prompt_ask").click().run()
    said = words(visit("prompt_library.py", prompt="support", view="labels")).replace("\\", "")
    assert "C is version 2; 240 users. It has not ended yet." in said
    assert not page.exception


def closed(here: Runtime, trial: int, arm: int) -> None:
    with here.db.write() as session:
        actions.close_arm(session, trial_id=trial, arm=arm, by=ANN, at=clock.now(), ids=here.ids)
    here.refresh()


@pytest.mark.parametrize("others", [2, 3])
def test_who_presses_for_an_arm_that_was_closed_meanwhile_gets_no_other(here: Runtime, others: int) -> None:
    keep(here, "support", content("One."), "production")
    for number in range(others):
        keep(here, "support", content(f"{number}."))
    arms = (Arm("A"), *(Arm("BCD"[n], model=f"prompt:support@{n + 2}") for n in range(others)))
    trial = made(here, design=design("prompt:support", arms=arms))
    calls(here, trial, 60)
    for what in ("close", "promote")[3 - others :]:
        page = visit(PAGE, test=str(trial))
        arm = view(here, trial).read_by.open[-1]
        page.segmented_control(key=f"trial_{what}_arm").set_value(arm).run()
        closed(here, trial, arm)
        before = view(here, trial)
        page.button(key=f"trial_{what}").click().run()
        assert f"{arms[arm].name} is out of this test" in said_by(page)
        assert view(here, trial) == before
        assert not page.exception
