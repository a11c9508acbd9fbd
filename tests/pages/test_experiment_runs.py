"""The page of experiments: made in words, estimated, watched, compared in a sentence, led to production."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest

from core import clock, ids
from core.evals.comparing import Arm as Scored
from core.experiments import actions, queries
from core.experiments.queries import RunView
from core.experiments.rules import Arm, lettered
from core.experiments.tables import Experiment, ExperimentScore
from core.people.rules import CLI
from core.review import rubrics
from core.runtime import Runtime
from pages.parts import experiment_beside, experiment_scores
from tests.experiments.made import dataset, ended, ran, shown
from tests.pages.test_prompt_library import keep, protect
from tests.pages.visiting import visit, words
from tests.prompts.shelf import content

PAGE = "experiment_runs.py"
HOSTILE = "<script>alert(1)</script> ![x](http://attack.invalid/x.png)"


def form(name: str = "", *, b: str = "builtin/extract") -> AppTest:
    """The form of a new run, with its first variant and this second one."""
    page = visit(PAGE, experiment="new")
    page.text_input(key="experiment_name").input(name)
    page.selectbox(key="experiment_what_A").select("builtin/rules")
    page.selectbox(key="experiment_what_B").select(b).run()
    return page


def started(here: Runtime, page: AppTest) -> RunView:
    """The only run there is, once it has ended."""
    page.button(key="experiment_start").click().run()
    assert not page.exception
    with here.db.read() as session:
        (row,) = queries.runs(session, project_ids=[1])
    return ended(here, row.id)


def test_an_empty_page_says_what_an_experiment_is(here: Runtime) -> None:
    assert "There is no experiment yet." in words(visit(PAGE))
    assert "There is no dataset to test with." in words(visit(PAGE, experiment="new"))


def test_a_run_is_made_in_words_and_started(here: Runtime) -> None:
    dataset(here)
    page = form("Which is better?")
    said = words(page)
    assert "Answers: 8" in said
    assert "Calls: 8" in said
    assert " min" not in said  # nobody needs to be told that it takes 0.0 minutes
    assert "assumed to have 250 tokens" in said
    run = started(here, page)
    assert (run.done, run.failed, run.name) == (8, 0, "Which is better?")
    assert [arm.label for arm in run.arms] == ["builtin/rules", "builtin/extract"]
    assert "8 of 8 answered" in words(visit(PAGE))


def test_judges_are_in_the_estimate_asked_as_often_as_they_will_be(here: Runtime) -> None:
    dataset(here)
    page = form()
    page.multiselect(key="experiment_scorers").set_value(["judge", "pairwise"]).run()
    for judge in ("judge", "pair"):
        page.selectbox(key=f"experiment_{judge}_model").select("builtin/tiny")
        page.text_area(key=f"experiment_{judge}_rubric").input("Is it kind?")
    page.number_input(key="experiment_judge_repeats").set_value(3).run()
    assert not page.exception
    said = words(page)
    assert "Answers: 8" in said
    assert "Calls: 40" in said  # 8 answers, each judged 3 times, and 4 pairs both ways


def test_a_scorer_that_lacks_something_is_told_and_not_left_out_in_silence(here: Runtime) -> None:
    dataset(here)
    page = form()
    page.multiselect(key="experiment_scorers").set_value(["exact", "text", "judge"]).run()
    assert "Not ready yet: “It contains certain words”, “A model judges it by a rubric”." in words(page)
    assert page.button(key="experiment_start").disabled
    page.text_area(key="experiment_words").input("refund").run()
    page.text_area(key="experiment_judge_rubric").input("Is it kind?").run()
    assert "Not ready yet" not in words(page)
    assert not page.button(key="experiment_start").disabled


def test_every_kind_of_scorer_is_chosen_in_words(here: Runtime) -> None:
    dataset(here)
    page = form("All of them")
    page.multiselect(key="experiment_scorers").set_value(["edits", "phrases", "schema", "similar", "function"]).run()
    said = words(page)
    assert "Not ready yet" in said
    assert "GREENROOM_SCORERS_DIR" in said
    assert "No backend has an embedding model" in said
    page.multiselect(key="experiment_scorers").set_value(["edits", "phrases", "schema"]).run()
    page.text_area(key="experiment_schema").input("{nonsense").run()
    assert "This is not JSON" in words(page)
    page.text_area(key="experiment_schema").input('{"type": "nonsense"}').run()
    assert page.error
    page.text_area(key="experiment_schema").input('{"type": "object"}').run()
    row = started(here, page)
    assert [scorer["kind"] for scorer in row.scorers] == ["levenshtein", "bleu", "json schema"]


def test_a_variant_has_every_parameter_that_models_know_and_says_which_are_set(here: Runtime) -> None:
    dataset(here)
    page = form("Short and cold", b="builtin/rules")
    assert "the same as another" in words(page)
    page.number_input(key="experiment_temperature_B").set_value(0.2)
    page.number_input(key="experiment_max_tokens_B").set_value(50)
    page.number_input(key="experiment_seed_B").set_value(7).run()
    assert "Temperature 0.2 · max tokens 50 · seed 7" in words(page).replace("\\", "")
    run = started(here, page)
    assert run.failed == 0
    assert [dict(arm.parameters) for arm in run.arms] == [{}, {"temperature": 0.2, "max_tokens": 50, "seed": 7}]


def test_a_model_alone_is_not_started_over_examples_that_only_fill_a_prompt(here: Runtime) -> None:
    dataset(here, example={"variables": {"topic": "refunds"}})
    page = form("Nothing asked")
    said = words(page).replace("\\", "")
    assert "An example has no messages, only what fills a prompt. Choose a prompt for it" in said
    assert page.button(key="experiment_start").disabled


def test_texts_to_stop_at_are_told_apart() -> None:
    one, other = (
        Arm(letter, model="m", parameters={"stop": stop})
        for letter, stop in zip("AB", (["a b"], ["a", "b"]), strict=True)
    )
    assert [arm.label for arm in lettered((one, other))] == ["m (stop “a b”)", "m (stop “a” “b”)"]


def test_several_of_a_kind_each_have_a_figure_with_a_name(here: Runtime) -> None:
    dataset(here)
    page = form("Two patterns")
    page.multiselect(key="experiment_scorers").set_value(["exact", "pattern"]).run()
    page.text_input(key="experiment_pattern").input("refund").run()
    page.button(key="experiment_more_pattern").click().run()
    assert "Not ready yet: “It matches a pattern (regular expression)” (2)." in words(page)
    page.text_input(key="experiment_pattern_2").input("[0-9]+").run()
    page.text_input(key="experiment_name_pattern").input("exact").run()
    assert "Two scorers are called “exact”" in words(page)
    page.text_input(key="experiment_name_pattern").input("about refunds").run()
    row = started(here, page)
    told = [(one["name"], one.get("pattern")) for one in row.scorers]
    assert told == [("exact", None), ("about refunds", "refund"), ("pattern 2", "[0-9]+")]


def test_two_variants_that_are_the_same_are_told_at_once(here: Runtime) -> None:
    dataset(here)
    page = form(b="builtin/rules")
    assert "the same as another" in words(page)


def test_a_variant_whose_model_nobody_has_is_a_warning_and_is_not_started(here: Runtime) -> None:
    keep(here, "support", content("Help.", model="zzgone"), "production")
    dataset(here)
    page = form(b="prompt:support@production")
    (warned,) = page.warning
    assert warned.proto.title == "Variant B cannot be asked: every answer would fail."
    assert warned.value.replace("\\", "") == "There is no model or alias named 'zzgone'. Choose one of the list."
    assert "/v1/" not in words(page)
    assert page.button(key="experiment_start").disabled
    page.selectbox(key="experiment_on_B").select("builtin/extract").run()
    assert not page.warning
    assert not page.button(key="experiment_start").disabled


def test_a_prompt_that_these_examples_do_not_fill_is_told_before(here: Runtime) -> None:
    keep(here, "support", content("Help {{ customer }}.", model="builtin/rules"), "production")
    dataset(here)
    page = visit(PAGE, experiment="new")
    page.selectbox(key="experiment_what_A").select("prompt:support@production").run()
    said = words(page)
    assert "cannot be asked some of these examples" in said
    assert "customer" in said
    assert page.button(key="experiment_start").disabled


def test_what_every_variant_scored_is_on_its_page(here: Runtime) -> None:
    run = ran(here)
    said = words(visit(PAGE, experiment=shown(run)))
    assert "8 of 8 answered" in said
    assert "4 examples of" in said


def test_two_variants_are_compared_in_a_sentence_with_the_examples_behind_it(here: Runtime) -> None:
    run = ran(here)
    page = visit(PAGE, experiment=shown(run), view="compare", scorer="exact", list="same")
    said = words(page)
    assert "exact" in said
    assert "What is 0?" in said
    assert not page.exception


def test_no_difference_has_no_sign(here: Runtime) -> None:
    run = ran(here, scorers=[{"kind": "cost", "name": "cost"}])
    table = str(visit(PAGE, experiment=shown(run), view="compare").table[0].value)
    assert "$0" in table
    assert "+" not in table


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("ms", "27 ms (0 ms to 239 ms)"),
        ("USD", "$27.30 ($0 to $239.00)"),
        ("tokens", "27.30 tokens (0.00 tokens to 239.00 tokens)"),
        ("words", "27.30 words (0.00 words to 239.00 words)"),
        ("cosine", "27.30 cosine (-184.40 cosine to 239.00 cosine)"),
    ],
)
def test_an_interval_of_what_cannot_be_less_than_nothing_begins_at_zero(unit: str, said: str) -> None:
    wide = Scored(n=4, mean=27.3, low=-184.4, high=239.0, judged=0, passed=0, failed=0, invalid=0)
    assert experiment_scores.told(wide, unit).replace("\\", "") == said


def test_a_run_whose_answers_are_being_compared_says_how_far_that_is(here: Runtime) -> None:
    pair = {"kind": "pairwise judge", "name": "compared", "model": "builtin/tiny", "rubric": "Which is kinder?"}
    run = ran(here, scorers=[{"kind": "exact", "name": "exact"}, pair])
    with here.db.write() as session:  # as it is between the last answer and the last verdict
        row = session.get(Experiment, run.id)
        assert row is not None
        row.state, row.owner, row.lease_until = "running", "another", clock.now() + timedelta(hours=1)
    assert "All are answered; now they are compared: 4 of up to 4 pairs." in words(visit(PAGE, experiment=shown(run)))


def test_what_a_judge_preferred_stands_beside_the_other_scorers(here: Runtime) -> None:
    pair = {"kind": "pairwise judge", "name": "kinder", "model": "builtin/tiny", "rubric": "Which is kinder?"}
    models = {"A": "builtin/rules", "B": "builtin/extract", "C": "builtin/answer"}
    arms = tuple(Arm(letter, model=model) for letter, model in models.items())
    run = ran(here, arms=arms, scorers=[{"kind": "exact", "name": "exact"}, pair])
    with here.db.write() as session:  # the embedded models give no verdict; these are as a judge would give them
        rows = session.exec(select(ExperimentScore).where(ExperimentScore.scorer == "kinder")).all()
        for place, score in enumerate(rows):
            score.state, score.value = "scored", (1.0, 0.5)[place % 2]
    page = visit(PAGE, experiment=shown(run), view="compare", one="A", other="B", scorer="kinder", list="better")
    said = words(page)
    assert "share of direct comparisons" in said
    assert "kinder" in str(page.table[0].value)
    other = visit(PAGE, experiment=shown(run), view="compare", one="B", other="C")
    assert "compared every variant with A only" in words(other)
    assert "kinder" not in str(other.table[0].value)


def test_failed_cells_are_shown_and_asked_again(here: Runtime) -> None:
    run = ran(here, arms=(Arm("A", model="builtin/rules"), Arm("B", model="gone/model")))
    assert (run.done, run.failed) == (4, 4)
    page = visit(PAGE, experiment=shown(run), view="failed")
    assert "no model or alias" in words(page).lower() or "gone" in words(page)
    assert "The answer is an error" not in words(page)  # it is told once, not by every scorer
    page.button(key="experiment_retry").click().run()
    assert not page.exception
    again = ended(here, run.id)
    assert (again.done, again.failed) == (4, 4)


def test_what_is_scored_anew_is_shown_though_there_are_as_many_scores(here: Runtime) -> None:
    run = ran(here)
    views = ({"experiment": shown(run)}, {"experiment": shown(run), "view": "compare", "scorer": "exact"})
    assert "0 of 4 passed" in str(visit(PAGE, **views[0]).table[0].value)
    assert "0, 0, 4" in str(visit(PAGE, **views[1]).table[0].value)
    with here.db.write() as session:
        for score in session.exec(select(ExperimentScore).where(ExperimentScore.scorer == "exact")):
            if score.arm == "B":
                score.value, score.passed = 1.0, True
    assert "4 of 4 passed" in str(visit(PAGE, **views[0]).table[0].value)
    assert "4, 0, 0" in str(visit(PAGE, **views[1]).table[0].value)


def test_a_question_with_a_picture_is_words_and_the_picture(here: Runtime) -> None:
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{dot}"}}
    run = ran(here, 1, said=[{"type": "text", "text": "What is on it?"}, picture])
    page = visit(PAGE, experiment=shown(run), view="failed")
    assert "What is on it?" in words(page)
    assert "<img" in words(page)
    assert "image_url" not in words(page)


def test_a_run_that_reached_its_cap_goes_on_under_a_higher_one(here: Runtime) -> None:
    run = ran(here)
    with here.db.write() as session:  # as it is after a run that stopped at its cap
        row = session.get(Experiment, run.id)
        assert row is not None
        row.state, row.cap_usd, row.spent_usd, row.done = "stopped", Decimal("0.02"), Decimal("0.021"), 4
    page = visit(PAGE, experiment=shown(run))
    (cap,) = [one for one in page.number_input if one.label == "Stop at (dollars)"]
    assert cap.value == 0.05
    cap.set_value(0.10)
    page.button(key="experiment_go").click().run()
    assert not page.exception
    with here.db.read() as session:
        assert queries.run(session, run.id, project_ids=[1]).cap_usd == Decimal("0.10")


def test_the_way_leads_to_production_with_the_run_as_evidence(here: Runtime) -> None:
    keep(here, "support", content("Help.", model="builtin/rules"), "production")
    prompt = keep(here, "support", content("Help kindly.", model="builtin/rules"))
    arms = tuple(Arm(letter, prompt, "support", number) for letter, number in (("A", 1), ("B", 2)))
    run = ran(here, arms=arms)
    page = visit(PAGE, experiment=shown(run))
    assert "What next" in words(page)
    links = [one.proto.label for one in page.get("page_link")]
    assert "Put B in production" in links
    assert "Put A in production" not in links  # it is there already
    assert "exact 0\\.00" in words(visit("prompt_library.py", prompt="support"))
    page = visit("prompt_library.py", prompt="support", view="labels", to="2", evidence=shown(run))
    assert page.selectbox(key=f"prompt_move_to_{prompt}_2").value == 2


def test_examples_begin_with_the_first_list_that_has_any(here: Runtime) -> None:
    told = {"parameters": {"temperature": 0.5}}
    run = ran(here, arms=(Arm("A", model="builtin/rules"), Arm("B", model="builtin/rules", **told)))
    lists = visit(PAGE, experiment=shown(run), view="compare").segmented_control(key="list_tabs")
    counts = {name: option.content for name, option in zip(experiment_beside.LISTS, lists.proto.options, strict=True)}
    assert lists.value == next(name for name, label in counts.items() if not label.endswith("(0)"))
    empty = next(name for name, label in counts.items() if label.endswith("(0)"))
    assert "None." in words(visit(PAGE, experiment=shown(run), view="compare", list=empty))


def test_who_decides_about_a_protected_label_sees_what_the_run_came_to(here: Runtime) -> None:
    prompt = keep(here, "support", content("Help.", model="builtin/rules"), "production")
    keep(here, "support", content("Help kindly.", model="builtin/rules"))
    protect(here)
    arms = tuple(Arm(letter, prompt, "support", number) for letter, number in (("A", 1), ("B", 2)))
    run = ran(here, arms=arms)
    page = visit("prompt_library.py", prompt="support", view="labels", to="2", evidence=shown(run))
    assert page.multiselect(key=f"prompt_move_evidence_{prompt}_2").value == [shown(run)]
    page.text_input(key=f"prompt_move_why_{prompt}").input("Kinder.")
    page.button(key="prompt_ask").click().run()
    page = visit("prompt_library.py", prompt="support", view="labels")
    beside = visit(PAGE, experiment=shown(run), view="compare")
    (sentence,) = [one.value.removeprefix("#### ") for one in beside.markdown if one.value.startswith("#### ")]
    assert sentence in words(page)
    assert "A is support, version 1, B is support, version 2" in words(page).replace("\\", "")
    assert not page.exception


def test_a_difference_in_passes_is_told_as_one_says_it() -> None:
    told = [experiment_beside._often(rate) for rate in (-0.5667, 0.0, 0.0001, 0.1)]
    assert told == ["56.7 points less often than", "as often as", "as often as", "10.0 points more often than"]


def test_how_many_answers_wait_for_people_is_told(here: Runtime) -> None:
    with here.db.write() as session:
        rubrics.open_queue(session, project_id=1, name="Answers", by=CLI, at=clock.now())
    run = ran(here, scorers=[{"kind": "human", "name": "people", "queue": "Answers"}])
    said = words(visit(PAGE, experiment=shown(run)))
    assert "0 of 8 answers judged; the others wait in the queue" in said


@pytest.mark.parametrize("view", ["scores", "compare", "answers"])
def test_hostile_examples_are_shown_as_text(here: Runtime, view: str) -> None:
    run = ran(here, 2, said=HOSTILE + " {n}")
    page = visit(PAGE, experiment=shown(run), view=view, list="same")
    assert "<script>" not in words(page)
    read_as_markdown = [str(one.value) for kind in ("markdown", "caption", "title") for one in page.get(kind)]
    assert not [said for said in read_as_markdown if "![x](" in said]


def test_another_projects_run_is_not_there(here: Runtime) -> None:
    assert "There is no such run" in words(visit(PAGE, experiment=ids.shown("exp", 12345)))
    assert "cut short" in words(visit(PAGE, experiment="exp_1"))


def test_of_two_runs_of_one_name_the_one_that_was_named_speaks_for_a_version(here: Runtime) -> None:
    prompt = keep(here, "support", content("Help.", model="builtin/rules"), "production")
    keep(here, "support", content("Help kindly.", model="builtin/rules"))
    protect(here)
    arms = tuple(Arm(letter, prompt, "support", number) for letter, number in (("A", 1), ("B", 2)))
    run = ran(here, arms=arms)
    with here.db.write() as session:
        second = actions.create(
            session, project_id=1, name=run.name, dataset_id=run.dataset_id, dataset_version=1, items=4, arms=arms,
            scorers=list(run.scorers), by=CLI, at=clock.now(), ids=here.ids,
        )  # fmt: skip
    for named in (shown(run), ids.shown("exp", second)):
        page = visit("prompt_library.py", prompt="support", view="labels", to="2", evidence=named)
        page.run()  # the browser says which by its words
        assert page.multiselect(key=f"prompt_move_evidence_{prompt}_2").value == [named]
