"""From a run to people's votes on its answers, and from votes to production."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.experiments import queries as experiments
from core.experiments.rules import Arm
from core.experiments.tables import Experiment
from core.guard.tables import CallFinding
from core.people.rules import Role
from core.runtime import Runtime
from core.statistics.votes import Choice
from core.votes import queries
from core.votes.queries import ComparisonView
from tests.experiments.made import ran, shown
from tests.pages import signed_in
from tests.pages.test_experiment_runs import PAGE
from tests.pages.test_prompt_library import keep, protect
from tests.pages.test_side_by_side import PAGE as SIDE_BY_SIDE
from tests.pages.test_side_by_side import compare, voted
from tests.pages.visiting import PAGES, visit, words
from tests.prompts.shelf import content
from tests.votes.arena import person


@pytest.fixture
def house(store_url: str, tmp_path: Any) -> Any:
    with signed_in.greenroom(tmp_path / "data", store_url) as found:
        yield found


def comparisons(here: Runtime) -> tuple[ComparisonView, ...]:
    with here.db.read() as session:
        return queries.comparisons(session, project_ids=[1])


def test_people_are_asked_from_a_run_and_their_votes_are_a_click_away(here: Runtime) -> None:
    run = ran(here, 3)
    page = visit(PAGE, experiment=shown(run))
    page.button(key="experiment_blind_go").click().run()
    assert not page.exception
    (made,) = comparisons(here)
    assert (made.name, made.run_id, made.questions) == ("Which?, blind", run.id, 3)
    page = visit(PAGE, experiment=shown(run))
    (link,) = [one for one in page.get("page_link") if "votes of people so far" in one.proto.label]
    assert f"comparison={made.id}" in link.proto.query_string
    assert page.text_input(key="experiment_blind_Which?, blind 2").value == "Which?, blind 2"
    page.text_input(key="experiment_blind_Which?, blind 2").input("Which?, blind")
    page.button(key="experiment_blind_go").click().run()
    assert "There is a comparison named" in words(page)


def test_who_may_vote_only_reads_no_answers_of_the_run_meanwhile(house: Runtime) -> None:
    signed_in.person(house, "vera", Role.REVIEWER)
    signed_in.person(house, "max", Role.PRODUCT_MANAGER)
    run = ran(house, 2)

    def said(subject: str) -> str:
        found = signed_in.opened(user=signed_in.claims(subject), experiment=shown(run))
        found.switch_page(str(PAGES / PAGE)).run()
        found.segmented_control(key="view_tabs").set_value("answers").run()
        assert not found.exception
        return words(found)

    before = said("vera")
    assert "Let people vote" not in before
    page = signed_in.opened(user=signed_in.claims("max"), experiment=shown(run))
    page.switch_page(str(PAGES / PAGE)).run()
    page.button(key="experiment_blind_go").click().run()
    assert len(comparisons(house)) == 1
    assert "belongs to a blind comparison" not in before + said("max")
    assert "I have no answer prepared" in before
    told = said("vera")
    assert told.count("This answer belongs to a blind comparison") == 4
    assert "I have no answer prepared" not in told, "nor in a scorer's reason"
    assert "`exact` 0.00" in told


def test_what_is_masked_in_an_answer_is_not_quoted_by_a_scorer_either(here: Runtime) -> None:
    run = ran(here, 1)
    with here.db.read() as session:
        cells = experiments.cells(session, run.id, project_ids=[1])
    with here.db.write() as session:
        session.add_all(
            CallFinding(
                call_id=cell.call_id or 0, number=0, project_id=1, side="output", place="choices.0", family="personal",
                kind="email", start=0, stop=4, confidence=1.0, detector="pii",
            )
            for cell in cells
        )  # fmt: skip
    told = words(visit(PAGE, experiment=shown(run), view="answers"))
    assert "It has private words: open it in Calls." in told
    assert "`exact` 0.00" in told
    assert "I have no answer prepared" not in told


def test_who_is_clearly_best_goes_to_production_from_the_board(here: Runtime) -> None:
    for text in ("You are kind.", "You are brief."):
        keep(here, "support", content(text))
    number = compare(here, "prompt:support@1", "prompt:support@2")

    def links() -> list[str]:
        page = visit(SIDE_BY_SIDE, comparison=str(number), show="board")
        return [link.proto.query_string for link in page.get("page_link") if "production" in link.proto.label]

    assert links() == []
    for place in range(12):
        voted(here, number, Choice.LEFT if place % 2 else Choice.RIGHT, person(f"p{place}"))
    assert links() == [], "nobody is clearly ahead"
    for place in range(36):  # whoever stands right is version 2
        voted(here, number, Choice.RIGHT, person(f"q{place}"))
    (link,) = links()
    told = dict(part.split("=") for part in link.split("&"))
    assert (told["prompt"], told["to"], told["view"]) == ("support", "2", "labels")
    page = visit("prompt_library.py", **told)
    assert [one for one in page.multiselect if told["evidence"] in (one.value or [])] == [], "one person moves it"
    protect(here)
    page = visit("prompt_library.py", **told)
    prompt = next(one.key for one in page.multiselect if (one.key or "").startswith("prompt_move_evidence"))
    assert page.multiselect(key=prompt).value == [told["evidence"]]
    number = prompt.split("_")[3]
    page.text_input(key=f"prompt_move_why_{number}").input("People prefer it.")
    page.button(key="prompt_ask").click().run()
    said = words(visit("prompt_library.py", prompt="support", view="labels")).replace("\\", "")
    assert "\nPeople prefer “" in said
    assert "48 votes of 48 voters." in said
    assert "Nothing was named" not in said


def test_the_votes_of_who_was_too_fast_can_be_left_out(here: Runtime) -> None:
    number = compare(here, "m/one", "m/two")
    for place in range(6):
        voted(here, number, Choice.LEFT if place < 2 else Choice.RIGHT, person(f"p{place}"))
    page = visit(SIDE_BY_SIDE, comparison=str(number), show="board")
    assert "6 votes of 6 voters" in words(page)
    page.multiselect(key=f"compare_without_{number}").set_value(["person:p0", "person:p1"]).run()
    assert "4 votes of 4 voters" in words(page)


def test_of_several_answers_to_an_example_each_can_be_read(here: Runtime) -> None:
    run = ran(here, 1, repeats=3)
    page = visit(PAGE, experiment=shown(run), view="answers")
    with here.db.read() as session:
        cells = experiments.cells(session, run.id, project_ids=[1])
    times = {cell.place.repeat: f"{cell.total_ms:.0f} ms" for cell in cells if cell.place.arm == "A" and cell.total_ms}
    assert page.selectbox(key="experiment_repeat").value == 1
    page.selectbox(key="experiment_repeat").select(3).run()
    assert f"The answer took {times[3]}" in words(page).replace("\\", "")


def test_a_run_under_a_cap_of_less_than_a_cent_can_be_opened(here: Runtime) -> None:
    run = ran(here, 2)
    with here.db.write() as session:
        row = session.get(Experiment, run.id)
        assert row is not None
        row.state, row.done, row.cap_usd, row.spent_usd = "stopped", 2, Decimal("0.001"), Decimal("0.0008")
    page = visit(PAGE, experiment=shown(run))
    (cap,) = [one for one in page.number_input if one.label == "Stop at (dollars)"]
    assert cap.value == 0.01


def test_a_run_that_answered_nothing_leads_nowhere(here: Runtime) -> None:
    prompt = keep(here, "support", content("Help.", "Hi", model="builtin/nobody"))
    arms = (Arm("A", prompt, "support", 1), Arm("B", model="builtin/nobody"))
    run = ran(here, 2, arms=arms)
    assert run.failed == 4
    assert "What next" not in words(visit(PAGE, experiment=shown(run)))
