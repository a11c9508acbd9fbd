"""Live tests on pages: made in words, started, read by their card, ended; what is frozen stays as it was."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from streamlit.testing.v1 import AppTest

from core import bridge, clock
from core.calls.record import Exposure
from core.catalog import actions as catalog
from core.catalog import queries as catalog_queries
from core.prompts import queries as prompt_queries
from core.prompts import releases
from core.runtime import Runtime
from core.statistics import means
from core.trials import actions, queries, reading
from core.trials.metrics import Measures, Metric, offered
from core.trials.queries import TrialView
from core.trials.rules import Arm, Condition, State, Unit
from core.trials.sums import ArmSums, Counted
from core.trials.watcher import Watcher
from pages.parts import charts
from tests.calls.records import record
from tests.pages.test_prompt_library import keep
from tests.pages.visiting import visit, words
from tests.prompts.shelf import content
from tests.trials.lab import ANN, ARMS, ROOT, design, plan

PAGE = "live_tests.py"
HOSTILE = "<script>alert(1)</script> ![x](http://attack.invalid/x.png) **bold** :material/delete:"


def made(here: Runtime, *, is_started: bool = True, name: str = "Cheaper", **told: Any) -> int:
    with here.db.write() as session:
        given: dict[str, Any] = {"by": ANN, "at": clock.now(), "ids": here.ids}
        trial = actions.create(
            session, project_id=1, design=told.pop("design", design()), plan=plan(name, **told), **given
        )
        if is_started:
            actions.start(session, trial_id=trial, **given)
    here.refresh()
    return trial


def calls(
    here: Runtime, trial: int, count: int = 240, *, failing: int = 0, piece: str = "", shares: tuple[int, int] = (1, 1)
) -> None:
    """So many users, half in each arm, with a call each; every `failing`-th of B's fails; costs by `shares`."""
    for n in range(count):
        is_off = bool(failing) and n % 2 == 1 and n // 2 % failing == 0
        bridge.call(
            here.recorder.record,
            record(
                here.ids.next(), at=clock.now(), exposure=Exposure(trial, 2, n % 2, f"u{n}", piece),
                status="upstream_error" if is_off else "ok", cost_usd=Decimal(1 + n // 2 % 7) * shares[n % 2] / 1000,
            ),
        )  # fmt: skip


def view(here: Runtime, trial: int) -> TrialView:
    with here.db.read() as session:
        return queries.trial(session, trial, project_ids=[1])


def table(page: Any) -> str:
    return "\n".join(str(element.value.to_dict()) for element in page.table).replace("\\", "")


def said_by(page: Any) -> str:
    """What the page says, as a reader sees what was disarmed."""
    return words(page).replace("\\", "").replace("&#58;\u200b", ":")


def test_an_empty_list_says_what_a_live_test_is(here: Runtime) -> None:
    said = words(visit(PAGE))
    assert "There is no live test yet." in said


def test_a_test_is_made_in_words_started_and_widened(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    page = visit(PAGE)
    page.button(key="trial_new").click().run()
    page.text_input(key="trial_question").input("Kinder answers.")
    page.text_input(key="trial_locale").input("de, at")
    page.selectbox(key="trial_goal").select("errors").run()
    said = words(page)
    assert "find it four times in five" in said
    assert "asymptotic confidence sequence" in said
    assert "is on record in the last 14 days. The figures below are a guess" in said
    assert "a guess" in table(page)
    assert "Not planned for: p95 latency; its limits come from how the slowest calls lie" in said
    assert "Not planned for: cost per call. Too little is on record" in said
    page.button(key="trial_keep").click().run()
    assert not page.exception
    with here.db.read() as session:
        (row,) = queries.trials(session, project_ids=[1])
    assert (row.target, row.arms[1], row.state) == ("prompt:support", Arm("B", model="prompt:support@2"), State.DRAFT)
    assert row.conditions == (Condition("locale", ("de", "at")),)
    assert row.planned > 1_000
    assert page.query_params["test"] == str(row.id)
    assert "Kinder answers" in words(page)
    page.button(key="trial_start").click().run()
    assert view(here, row.id).state is State.RUNNING
    page.button(key="trial_widen_500").click().run()
    assert view(here, row.id).coverage == 500
    page.button(key="trial_pause").click().run()
    assert view(here, row.id).state is State.PAUSED
    assert not page.exception


def test_any_tag_can_be_a_condition_and_none_is_passed_over_without_values(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    page = visit(PAGE, test="new")
    page.text_input(key="trial_slice").input("tier")
    page.text_input(key="trial_tag").input("channel").run()
    assert "thumbs up is not told by" in words(page) + said_by(page)
    page.button(key="trial_keep").click().run()
    assert "Such as locale" in page.error[0].value
    with here.db.read() as session:
        assert queries.trials(session, project_ids=[1]) == ()
    page.text_input(key="trial_values").input("chat, phone").run()
    page.button(key="trial_keep").click().run()
    with here.db.read() as session:
        (row,) = queries.trials(session, project_ids=[1])
    assert row.conditions == (Condition("channel", ("chat", "phone")),)
    assert Metric.REJECTED not in row.measures.margins  # nobody reviews here


def test_another_model_begins_as_a_draft_that_can_be_kept(here: Runtime) -> None:
    page = visit(PAGE, test="new")
    tried = (
        page.segmented_control(key="trial_template").set_value("model").run().segmented_control(key="trial_template")
    )
    assert sum(len(option.content) for option in tried.proto.options) <= 36  # beside each other on a phone
    assert "Another model behind the name that applications ask for." in words(page)
    model = page.selectbox(key="trial_target").value
    page.button(key="trial_keep").click().run()
    assert not page.error
    with here.db.read() as session:
        (row,) = queries.trials(session, project_ids=[1])
    assert row.target == model != row.arms[1].model


def test_an_alias_is_not_tried_against_the_model_it_means(here: Runtime) -> None:
    with here.db.read() as session:
        first, second, *_ = [(one.backend, one.name) for one in catalog_queries.models(session) if one.is_enabled]
    with here.db.write() as session:
        catalog.set_alias(session, name="fast", steps=[first], by=ROOT, at=clock.now())
    here.refresh()
    page = visit(PAGE, test="new")
    page.segmented_control(key="trial_template").set_value("model").run()
    assert page.selectbox(key="trial_target").value == "fast"
    assert page.multiselect(key="trial_models_fast").value == ["/".join(second)]


def test_the_card_says_how_a_running_test_stands(here: Runtime) -> None:
    trial = made(here, slice_tag="tier")
    calls(here, trial, piece="gold")
    page = visit(PAGE, test=str(trial))
    said = said_by(page)
    assert "Not decided yet" in said
    assert "No difference between B and A is shown on cost per call" in said
    assert "errors: at most 1 point more than A" in said
    assert "B − A: 0.0 points" in said
    assert "With 1,000 users a difference of about 0.000" in said
    assert "sequential multinomial" in said
    assert "Seen in both arms: 0" in said
    assert "About 1 day left" in said
    figures = table(page)
    assert "cost per call (goal)" in figures
    assert re.search(r"8\d\d ms \(", figures)
    assert "n 120 calls" in figures
    assert "gold" in figures
    assert "covers 100 %" in said
    assert "it takes any user" in figures


def test_a_running_test_says_for_whom_it_is_and_what_the_clock_does(here: Runtime) -> None:
    arms = (Arm("A", 4), ARMS[1])
    told = {"conditions": (Condition("tier", ("gold",)),), "layer": "checkout", "first": 0, "until": 5_000}
    trial = made(here, design=design(arms=arms, **told), coverage=500, ramp_hours=6)
    bridge.call(here.recorder.record, record(here.ids.next(), at=clock.now(), exposure=Exposure(trial, 2, None)))
    page = visit(PAGE, test=str(trial))
    figures = table(page)
    assert "users, 80 % A, 20 % B" in figures
    assert "gold" in figures
    assert "checkout" in figures
    assert "only those from 0 % to 50 % of its users" in figures
    assert "by itself, a step after every 6 hours; 25 % is next" in figures
    assert "1 call named no user and got A, in no arm." in said_by(page)


def test_what_nobody_has_said_anything_of_has_no_p(here: Runtime) -> None:
    trial = made(here, measures=Measures(Metric.COST, (Metric.RATING, Metric.ERRORS), offered(Metric.FLAGGED)))
    calls(here, trial)
    told = visit(PAGE, test=str(trial)).table[0].value
    p = {row["Metric"]: row["p"] for _, row in told.iterrows()}
    assert p["rating"] == ""
    assert p["errors"] == "1.000"


def test_a_small_sum_of_money_is_written_out(here: Runtime) -> None:
    at = [clock.now(), clock.now() + timedelta(hours=1)]
    axis = charts.band(at, [0, 1e-5], [-1e-4, 0], [1e-4, 2e-4], unit="USD", step=timedelta(hours=1)).layout.yaxis
    assert axis.exponentformat == "none"
    joint = means.joint([value / 1_000_000 for value in range(1, 101)], [1.0] * 100)
    arms = (ArmSums(100, 100, 0, {Metric.COST: joint}),) * 2
    design = reading.Design((Arm("A"), Arm("B", model="x")), Unit.USER, Measures(Metric.COST), 4_000)
    assert "about 0.0000" in reading.card(design, Counted(arms)).said[0].finds


def test_a_better_arm_whose_limits_are_open_is_neither_called_no_difference_nor_rolled_back(here: Runtime) -> None:
    trial = made(here, planned=200)
    calls(here, trial, shares=(9, 1))
    page = visit(PAGE, test=str(trial))
    said = said_by(page)
    assert "B is cheaper" in said
    assert "B is better, but not every limit is known to hold" in said
    assert "No difference is shown" not in said
    assert not [one for one in page.button if one.key == "trial_roll_back" and one.proto.type == "primary"]


def test_a_broken_guardrail_is_ended_by_the_watcher_and_its_report_stays(here: Runtime) -> None:
    trial = made(here)
    calls(here, trial, failing=2)
    Watcher(here.db, here.ids, lambda: None, now=lambda: clock.now() + timedelta(minutes=1)).look()
    assert view(here, trial).state is State.ENDED  # by this look, or by that of the process itself
    page = visit(PAGE, test=str(trial))
    said = words(page)
    assert "Keep A" in said
    assert "as it stood at the end" in said
    assert "wider where those of one user are all slow or all fast" in said
    assert "beyond the limit" in said
    assert "Why: a guardrail is broken (errors); the goal may be better or worse" in said
    before = table(page)
    calls(here, trial, 20)
    assert table(visit(PAGE, test=str(trial))) == before
    assert not [one for one in page.button if one.key and one.key in ("trial_start", "trial_roll_back")]
    assert "stopped by a guardrail" in words(visit(PAGE)) + str(visit(PAGE).markdown)


def test_promoting_moves_the_label_and_a_protected_one_is_asked_for(here: Runtime) -> None:
    for is_protected, wanted in ((False, 2), (True, 1)):
        name = f"support{int(is_protected)}"
        keep(here, name, content("One."), "production")
        keep(here, name, content("Two."))
        with here.db.write() as session:
            releases.protect(
                session, project_id=1, label="production", is_protected=is_protected, by=ROOT, at=clock.now()
            )
        arms = (Arm("A"), Arm("B", model=f"prompt:{name}@2"))
        trial = made(here, name=name, design=design(f"prompt:{name}", arms=arms))
        page = visit(PAGE, test=str(trial))
        page.text_input(key="trial_promote_why").input("It is kinder.")
        page.button(key="trial_promote").click().run()
        assert not page.exception
        with here.db.read() as session:
            assert prompt_queries.named(session, name, project_id=1).labels["production"] == wanted
        assert view(here, trial).ending == ("promotion asked for" if is_protected else "promoted")


def link(page: AppTest) -> tuple[str, str]:
    """The label of the page's only link, and what its address asks for."""
    (found,) = page.get("page_link")
    return found.proto.label.replace("\\", ""), found.proto.query_string


def test_an_ended_test_leads_to_where_what_it_tried_is_changed(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    arms = (Arm("A"), Arm("B", model="prompt:support@2"))
    trial = made(here, design=design("prompt:support", arms=arms))
    page = visit(PAGE, test=str(trial))
    assert not page.get("page_link")
    page.button(key="trial_promote").click().run()
    assert link(visit(PAGE, test=str(trial))) == ("Labels of `support`: roll back there", "prompt=support&view=labels")
    trial = made(here, name="Alias", design=design("fast"))
    visit(PAGE, test=str(trial)).button(key="trial_roll_back").click().run()
    assert link(visit(PAGE, test=str(trial))) == (
        "Aliases in Backends and models", "backends_view=Aliases&alias=fast"
    )  # fmt: skip


def test_a_draft_is_removed_and_a_running_test_rolled_back(here: Runtime) -> None:
    draft, running = made(here, is_started=False, name="Draft"), made(here)
    page = visit(PAGE, test=str(draft))
    assert "double/b" in table(page)
    page.button(key="trial_remove").click().run()
    assert "Draft" not in words(visit(PAGE))
    page = visit(PAGE, test=str(running))
    page.button(key="trial_roll_back").click().run()
    assert view(here, running).ending == "rolled back"
    assert "Ended before anything was decided" in words(visit(PAGE, test=str(running)))


def test_a_split_that_is_off_is_said_before_anything_else(here: Runtime) -> None:
    trial = made(here)
    calls(here, trial, 100)
    for n in range(100):
        shown = Exposure(trial, 2, 0, f"more{n}")
        bridge.call(here.recorder.record, record(here.ids.next(), at=clock.now(), exposure=shown))
    page = visit(PAGE, test=str(trial))
    assert "Something is wrong with this test" in words(page)
    assert "did not split as planned" in words(page)
    assert page.button(key="trial_promote").disabled
    page.checkbox(key="trial_promote_blind").check().run()
    assert not page.button(key="trial_promote").disabled
    assert not visit(PAGE, test=str(made(here, name="Other", design=design("other")))).checkbox


def blocks(block: Any) -> list[Any]:
    """A block of the page and all within it."""
    return [block, *(one for child in block.children.values() if hasattr(child, "children") for one in blocks(child))]


def test_a_refusal_to_start_is_told_below_the_buttons(here: Runtime) -> None:
    trial = made(here, is_started=False, design=design("prompt:support", arms=(Arm("A"), Arm("B", model="prompt:x@2"))))
    page = visit(PAGE, test=str(trial))
    page.button(key="trial_start").click().run()
    assert len(page.error) == 1
    (row,) = [block for block in blocks(page.main) if block.proto and block.proto.id.endswith("trial_verbs")]
    assert (len(row.button), len(row.error)) == (2, 0)
    assert view(here, trial).state is State.DRAFT


def test_names_and_targets_are_shown_and_never_read_as_markup(here: Runtime) -> None:
    trial = made(here, name=HOSTILE, question=HOSTILE, slice_tag="tier", design=design(HOSTILE))
    calls(here, trial, 120, piece=HOSTILE[:60])
    for page in (visit(PAGE), visit(PAGE, test=str(trial))):
        said = words(page)
        assert "bold" in said
        assert "**bold**" not in re.sub("`[^`]*`", "", said)
        assert not page.exception


def test_the_holdout_is_set_before_any_test_has_begun(here: Runtime) -> None:
    page = visit(PAGE)
    page.number_input(key="trial_holdout_0").set_value(5.0)
    page.button(key="trial_holdout_set").click().run()
    with here.db.read() as session:
        assert queries.holdout(session, 1) == 500
    assert "5 % of users are in no test." in page.toast[0].value
    assert "Holdout: 5 %" in [door.proto.popover.label for door in visit(PAGE).get("popover")]


def test_another_projects_test_is_not_there(here: Runtime) -> None:
    assert "There is no such live test" in words(visit(PAGE, test="999"))
