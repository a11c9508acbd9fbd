"""Side by side on its page: made, voted on without names, revealed, ranked; each sees what they may."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from streamlit.testing.v1 import AppTest

from core import bridge, clock, ids, runtime
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.people.rules import LOCAL, Principal, Role
from core.runtime import Runtime
from core.statistics.votes import Choice, Vote, table
from core.votes import actions, making, queries
from core.votes.queries import ComparisonView
from core.votes.rules import Draws, Entrant
from pages.parts import compare_charts
from tests.pages import signed_in
from tests.pages.attacks import ATTACKS
from tests.pages.visiting import PAGES, made, visit, words
from tests.votes.arena import asks, differ, person

PAGE = "side_by_side.py"
SECRET = ("vendor/zeta-9", "vendor/theta-7")
Says = Callable[[str, str], str]


def compare(
    here: Runtime,
    *models: str,
    says: Says = differ,
    questions: tuple[str, ...] = ("one?", "two?", "three?"),
    **told: Any,
) -> int:
    """A comparison whose answers are there; "" is a failure."""
    given: dict[str, Any] = {"name": "Which?", "question": "Which helps more?", "by": LOCAL} | told
    with here.db.write() as session:
        number = actions.create(
            session, project_id=1, contestants=[Entrant("", model) for model in models or SECRET],
            questions=asks(*questions), at=clock.now(), ids=here.ids, **given,
        )  # fmt: skip
        for task in making.take(session, at=clock.now(), limit=100):
            text = says(task.model, task.messages[-1]["content"])
            made: dict[str, Any] = {"error": "" if text else "It is down.", "call_id": None, "served": ()}
            making.settle(session, task, text=text, at=clock.now(), **made)
    return number


def voted(here: Runtime, number: int, choice: Choice, by: Principal, times: int = 1) -> None:
    for _ in range(times):
        with here.db.write() as session:
            told = {"by": by, "at": clock.now()}
            pair_id = actions.serve(session, comparison_id=number, ids=here.ids, draws=Draws(0, 0, 0), **told)
            assert pair_id is not None
            actions.vote(session, pair_id=pair_id, choice=choice, **told)


def view(here: Runtime, number: int) -> ComparisonView:
    with here.db.read() as session:
        return queries.comparison(session, number, project_ids=[1])


def press(page: AppTest, name: str) -> AppTest:
    """The button whose key begins so."""
    button = next(one for one in page.button if one.key and one.key.startswith(f"compare_{name}_"))
    button.click().run()
    assert not page.exception, page.exception
    return page


def everything(page: AppTest) -> str:
    """All that was sent to the browser: words, labels, help, keys, addresses."""
    return repr([str(getattr(element, "proto", element)) for element in page.main]) + repr(dict(page.query_params))


def test_an_empty_page_says_what_would_fill_it(here: Runtime) -> None:
    assert "Nothing is compared yet." in words(visit(PAGE))


def test_questions_of_a_dataset_are_taken_and_what_cannot_be_asked_is_counted(here: Runtime) -> None:
    at = clock.now()
    asked = {"messages": [{"role": "user", "content": "How do I get a refund?"}]}
    with here.db.write() as session:
        row = datasets.create(session, project_id=1, name="Questions", by=LOCAL, at=at)
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        shown = {"messages": [{"role": "user", "content": [picture]}]}
        # who fills a prompt asks nothing by itself
        for given in (asked, shown, {"variables": {"city": "Bonn"}}, {"variables": {"city": "Ulm"}}):
            entry = Entry(Example(Kind.ITEM, given))
            datasets.write(session, dataset_id=row.id or 0, entry=entry, by=LOCAL, at=at, ids=here.ids)
    page = visit(PAGE, comparison="new")
    page.segmented_control(key="compare_source").set_value("A dataset").run()
    assert not page.exception, page.exception
    assert "3 questions. 1 passed over" in words(page)
    page.multiselect(key="compare_contestants").set_value(["builtin/rules", "builtin/extract"]).run()
    assert "2 of them only fill a prompt, and stay out" in words(page)
    assert "2 answers will be asked for: 1 question, each to 2 contestants." in words(page)


def test_a_comparison_is_made_and_its_answers_with_it(here: Runtime) -> None:
    page = visit(PAGE, comparison="new")
    page.text_input(key="compare_name").input("Refunds")
    page.multiselect(key="compare_contestants").select("builtin/rules").select("builtin/extract")
    page.text_area(key="compare_typed").input("builtin/tiny temperature=0.2 max_tokens=20")
    page.text_area(key="compare_questions").input("How do I get a refund?\nWhere is my parcel?").run()
    assert "6 answers will be asked for" in words(page)
    page.button(key="compare_create").click().run()
    assert not page.exception, page.exception
    bridge.call(here.comparing.turn)
    with here.db.read() as session:
        (row,) = queries.comparisons(session, project_ids=[1])
    assert (row.name, row.questions, row.made.all) == ("Refunds", 2, 6)
    assert [one.name for one in row.contestants][2] == "builtin/tiny temperature=0.2 max_tokens=20"
    assert row.contestants[2].parameters == {"temperature": 0.2, "max_tokens": 20}


def test_what_is_missing_is_said_and_what_was_typed_stays(here: Runtime) -> None:
    page = visit(PAGE, comparison="new")
    page.text_input(key="compare_name").input("Refunds")
    page.text_area(key="compare_typed").input("builtin/tiny heat=2").run()
    assert "is no parameter" in words(page)
    page.text_area(key="compare_typed").input("builtin/tiny").run()
    page.button(key="compare_create").click().run()
    assert "2 to 20 contestants" in words(page)
    assert page.text_input(key="compare_name").value == "Refunds"


def test_questions_come_from_calls_and_keep_their_source_and_lose_their_instructions(here: Runtime) -> None:
    request = {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi?"}],
    }
    made(here, request=orjson.dumps(request))
    page = visit(PAGE, comparison="new")
    page.segmented_control(key="compare_source").set_value("Recorded calls").run()
    page.text_input(key="compare_calls").input("status:ok")
    page.button(key="compare_draw").click().run()
    page.text_input(key="compare_name").input("Calls")
    page.multiselect(key="compare_contestants").select("builtin/rules").select("builtin/extract")
    page.button(key="compare_create").click().run()
    assert not page.exception, page.exception
    with here.db.write() as session:
        tasks = making.take(session, at=clock.now(), limit=9)
    with here.db.read() as session:
        (row,) = queries.comparisons(session, project_ids=[1])
    assert row.questions == 1
    assert all(task.messages == [{"role": "user", "content": "Hi?"}] for task in tasks)


def test_before_the_vote_nothing_sent_to_the_browser_names_a_contestant(here: Runtime) -> None:
    number = compare(here)
    page = visit(PAGE, comparison=str(number), show="vote")
    sent = everything(page)
    assert "ONE?" in sent or "TWO?" in sent or "THREE?" in sent
    assert not [word for word in ("zeta", "theta", "vendor", "call_") if word in sent]


def test_a_vote_reveals_names_and_the_next_pair_comes_on_request(here: Runtime) -> None:
    number = compare(here)
    page = visit(PAGE, comparison=str(number), show="vote")
    page.text_input[0].input("Much better.")
    press(page, "left")
    said = words(page)
    assert "A is better" in said
    assert "zeta-9" in said
    assert "theta-7" in said
    assert view(here, number).votes == 1
    assert "zeta-9" in everything(page)
    press(page, "next")
    assert "zeta-9" not in everything(page)
    press(page, "skip")
    press(page, "both_bad")
    assert view(here, number).votes == 2
    press(page, "next")
    assert "That was all" in words(page)


def test_keys_of_a_vote_are_printed_on_its_buttons(here: Runtime) -> None:
    page = visit(PAGE, comparison=str(compare(here)), show="vote")
    shortcuts = {one.label: one.proto.shortcut for one in page.button if one.proto.shortcut}
    assert shortcuts == {"A is better": "1", "B is better": "2", "Tie": "3", "Both bad": "4", "Skip": "s"}


def test_where_names_stay_hidden_the_next_pair_follows_and_voters_see_no_board(here: Runtime) -> None:
    number = compare(here, stays_hidden=True)
    page = visit(PAGE, comparison=str(number), show="vote")
    press(page, "tie")
    assert view(here, number).votes == 1
    assert "zeta-9" not in everything(page)
    assert [one for one in page.button if one.key and one.key.startswith("compare_tie_")]


def test_a_late_vote_from_a_second_tab_is_refused_with_a_sentence(here: Runtime) -> None:
    number = compare(here)
    one, other = (visit(PAGE, comparison=str(number), show="vote") for _ in range(2))
    press(one, "left")
    press(other, "right")
    assert "You have voted on this pair already" in words(other)
    assert view(here, number).votes == 1


def test_hostile_answers_stay_text(here: Runtime) -> None:
    number = compare(here, says=lambda model, question: f"{model}\n\n" + "\n\n".join(ATTACKS), questions=("x <b>?",))
    page = visit(PAGE, comparison=str(number), show="vote")
    html = "".join(element.proto.body for element in page.get("html"))
    assert "<script" not in html.lower()
    assert "<img" not in html.lower()


def test_the_board_says_who_is_ahead_how_surely_and_what_would_teach_most(here: Runtime) -> None:
    number = compare(here, "m/a", "m/b", "m/c", questions=tuple(f"{one}?" for one in range(9)))
    for voter in ("ada", "ben", "cat"):
        voted(here, number, Choice.LEFT, person(voter), 4)
    page = visit(PAGE, comparison=str(number), show="board")
    said = words(page)
    assert "12 votes of 3 voters" in said
    assert "would teach most now" in said
    assert "Every vote between" in said
    table = page.dataframe[0].value
    assert list(table["Rank"]) == sorted(table["Rank"])
    assert table["Votes"].sum() == 24
    assert len(page.dataframe[1].value) == 3


def test_where_cells_have_no_room_the_matrix_is_told_in_numbers_and_nobody_without_answers_is_put_forward(
    here: Runtime,
) -> None:
    models = [f"m/{letter}" for letter in "abcdefghi"]
    number = compare(here, *models, questions=("a?",), says=lambda model, _: "" if model == "m/a" else f"I {model}.")
    voted(here, number, Choice.LEFT, person("ada"), 3)
    page = visit(PAGE, comparison=str(number), show="board")
    said = words(page)
    assert not page.exception
    assert "Green: the row wins more often" in said
    tip = next(line for line in said.splitlines() if "would teach most now" in line)
    assert "m/a" not in tip
    told = page.dataframe[1].value
    assert told.shape == (9, 10)
    assert {cell for cell in told.to_numpy()[:, 1:].ravel() if cell} == {"100 · n 1", "0 · n 1"}


def test_pairs_behind_a_cell_are_opened(here: Runtime) -> None:
    number = compare(here, "m/a", "m/b", "m/c")
    voted(here, number, Choice.TIE, person("ada"), 2)
    one, other, *_ = (contestant.id for contestant in view(here, number).contestants)
    page = visit(PAGE, comparison=str(number), show="board", one=str(one), other=str(other))
    told = [expander.label for expander in page.expander]
    assert len(told) == 1
    assert "a tie" in told[0]
    assert page.selectbox(key="compare_one").value == str(one)


def test_votes_on_answers_that_name_a_model_can_be_left_out(here: Runtime) -> None:
    number = compare(here, says=lambda model, question: f"I am {model.partition('/')[2]}. {question}")
    voted(here, number, Choice.LEFT, person("ada"), 2)
    page = visit(PAGE, comparison=str(number), show="board")
    assert "2 votes of 1 voter" in words(page)
    page.toggle(key="compare_named").set_value(True).run()
    assert "0 votes of 0 voters" in words(page)
    assert "No vote counts" in words(page)
    assert "would teach most" not in words(page)  # the vote would be left out as well
    assert page.query_params["named"] in ("out", ["out"])
    assert "named a model or a vendor in 3 answers of 3" in words(visit(PAGE, comparison=str(number), show="answers"))


def test_failed_answers_are_shown_and_asked_again(here: Runtime) -> None:
    number = compare(here, says=lambda model, _: "" if "zeta" in model else "Yes.")
    page = visit(PAGE, comparison=str(number), show="answers")
    assert "3 answers failed." in words(page)
    assert "It is down" in words(page)
    page.button(key=f"compare_retry_{number}").click().run()
    assert not page.exception
    bridge.call(here.comparing.turn)
    for _ in range(200):  # the console's own turn may be the one that asks
        with here.db.read() as session:
            errors = {one.error for one in making.answers(session, comparison=view(here, number)) if one.error}
        if errors:
            return
        time.sleep(0.05)
    raise AssertionError("nothing was asked again")
    assert "It is down." not in errors


def test_a_constant_contestant_is_told_to_leads(here: Runtime) -> None:
    number = compare(here, says=lambda model, question: "42" if "zeta" in model else question)
    assert "is constant" in words(visit(PAGE, comparison=str(number), show="answers"))


def test_nothing_odd_is_said_of_answers_that_are_not_there(here: Runtime) -> None:
    number = compare(here, says=lambda *_: "")
    said = words(visit(PAGE, comparison=str(number), show="answers"))
    assert "What is odd is known once there are answers." in said
    assert "no contestant is constant" not in said
    number = compare(here, name="Answered", questions=("one?", "two?"))
    assert "no contestant is constant" in words(visit(PAGE, comparison=str(number), show="answers"))


def test_a_comparison_is_closed_and_opened_again(here: Runtime) -> None:
    number = compare(here)
    voted(here, number, Choice.LEFT, person("ada"))
    page = visit(PAGE, comparison=str(number))
    page.button(key=f"compare_switch_{number}").click().run()
    assert not view(here, number).is_open
    assert "Vote" not in {one.label for one in page.button}
    page.button(key=f"compare_switch_{number}").click().run()
    assert view(here, number).is_open


def test_a_comparison_of_another_project_is_not_there(here: Runtime) -> None:
    assert "There is no such comparison" in words(visit(PAGE, comparison="4711"))


@pytest.fixture
def house(store_url: str, tmp_path: Any) -> Any:
    with signed_in.greenroom(tmp_path / "data", store_url) as found:
        yield found


def test_a_reviewer_votes_and_neither_leads_nor_sees_others_votes(house: Runtime) -> None:
    signed_in.person(house, "rea", Role.REVIEWER)
    number = compare(house, stays_hidden=True)
    voted(house, number, Choice.LEFT, person("ada"))
    page = signed_in.opened(user=signed_in.claims("rea"), comparison=str(number), show="board")
    page.switch_page(str(PAGES / PAGE)).run()
    assert not page.exception, page.exception
    assert "Names stay hidden until this comparison is closed." in words(page)
    assert not [one for one in page.button if one.key and one.key.startswith("compare_switch")]
    assert "zeta" not in everything(page)
    assert runtime.current() is house


def test_a_name_with_tags_is_no_markup_in_a_chart() -> None:
    assert compare_charts.short("<b>x</b> & y") == "&lt;b>x&lt;/b> &amp; y"
    assert compare_charts.two_lines("<b>vendor</b>/model-large") == "&lt;b>vendor&lt;/b>/<br>model-large"


def test_words_on_coloured_cells_are_dark_in_the_light_theme() -> None:
    cells = table([Vote(left="x", right="y", choice=Choice.LEFT, voter="Ada")], ("x", "y"))
    (one, other) = compare_charts.matrix(cells, is_light=True).layout.annotations
    assert {one.font.color, other.font.color} == {"#0b1611"}
    assert compare_charts.matrix(cells).layout.annotations[0].font.color is None  # the dark theme's own is light


def test_who_votes_does_not_learn_from_the_calls_whose_an_answer_is_until_it_is_closed(house: Runtime) -> None:
    signed_in.person(house, "vera", Role.REVIEWER)
    signed_in.person(house, "max", Role.PRODUCT_MANAGER)
    number = compare(house, *SECRET)
    call_id = made(
        house, route="compare", model_served=SECRET[0], tags=(("comparison", str(number)),), said=("one?", "Ours.")
    )
    made(house, said=("Another?", "Yes."))

    def shows(subject: str, page: str, **params: str) -> str:
        found = signed_in.opened(user=signed_in.claims(subject), **params)
        found.switch_page(str(PAGES / page)).run()
        assert not found.exception
        return everything(found) + "".join(one.value.to_json() for one in found.dataframe)

    for params in ({}, {"call": ids.shown("call", call_id)}, {"q": "model:theta-9"}):
        assert "zeta-9" not in shows("vera", "call_list.py", **params)
    assert "Another?" in shows("vera", "call_list.py")
    for page, name in (("call_list.py", "call"), ("prompt_playground.py", "from")):
        assert "belongs to a blind comparison" in shows("vera", page, **{name: ids.shown("call", call_id)})
    assert "zeta-9" in shows("max", "call_list.py")
    with house.db.write() as session:
        actions.switch(session, comparison_id=number, is_open=False, by=LOCAL, at=clock.now())
    assert "zeta-9" in shows("vera", "call_list.py")
