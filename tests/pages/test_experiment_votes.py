"""From a run to people's votes on its answers, and from votes to production."""

from __future__ import annotations

from typing import Any

import pytest

from core.experiments import queries as experiments
from core.guard.tables import CallFinding
from core.people.rules import Role
from core.runtime import Runtime
from core.statistics.votes import Choice
from core.votes import queries
from core.votes.queries import ComparisonView
from tests.pages import signed_in
from tests.pages.test_experiment_runs import PAGE, ran, shown
from tests.pages.test_prompt_library import keep
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
    page.text_input(key="experiment_blind_1").input("Which?, blind")
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
    assert {"prompt=support", "to=2", "view=labels"} <= set(link.split("&"))
