"""Calls: found by filter and words, understood one by one, taken away."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from core import ids
from core.runtime import Runtime
from tests.pages.attacks import ATTACKS, HOST
from tests.pages.visiting import made, visit, words

PAGE = "call_list.py"


def rows(page) -> list[str]:
    """The questions the list shows, in its order."""
    return list(page.dataframe[0].value["asked"]) if page.dataframe else []


def test_an_empty_record_says_what_feeds_it(here: Runtime) -> None:
    assert "No call was made yet." in words(visit(PAGE))


def test_the_newest_call_is_first(here: Runtime) -> None:
    made(here, ago=timedelta(hours=2), said=("older", "a"))
    made(here, ago=timedelta(hours=1), said=("newer", "b"))
    assert rows(visit(PAGE)) == ["newer", "older"]


def test_what_judges_were_asked_is_shown_when_asked_for(here: Runtime) -> None:
    call_id = made(here, ago=timedelta(hours=2), said=("where is my parcel", "there"))
    assert "calls_f_judges" not in {one.key for one in filtering(visit(PAGE)).toggle}
    judge = {"route": "judge", "tags": (("judges", ids.shown("call", call_id)),), "model_served": "grader"}
    judge_id = made(here, said=("<text-3fa1>\ngrade this\n</text-3fa1>", "0.9"), **judge)
    page = filtering(visit(PAGE))
    assert rows(page) == ["where is my parcel"]
    page.toggle(key="calls_f_judges").set_value(True).run()
    assert rows(page) == ["grade this", "where is my parcel"]
    assert page.query_params["judges"] == "yes"
    assert "calls of judges are not among these" in words(visit(PAGE, model="grader"))
    page = visit(PAGE, call=ids.shown("call", call_id))
    page.button(key=f"call_judge_{ids.shown('call', judge_id)}").click().run()
    assert page.query_params["call"] == ids.shown("call", judge_id)
    page.button(key=f"call_judge_{ids.shown('call', call_id)}").click().run()
    assert page.query_params["call"] == ids.shown("call", call_id)


def filtering(page):
    """The page with its filters open."""
    page.session_state["calls_filters"] = True
    return page.run()


def test_the_url_filters_and_the_bar_says_it(here: Runtime) -> None:
    made(here, said=("a failure", ""), status="upstream_error", http_status=502)
    made(here, said=("a success", "yes"))
    page = visit(PAGE, status="error", since="7d")
    assert rows(page) == ["a failure"]
    assert page.text_input(key="calls_bar").value == "since:7d status:error"


def test_typing_in_the_bar_rewrites_the_url(here: Runtime) -> None:
    made(here, said=("where is my parcel", "there"))
    made(here, said=("hello", "hi"), model_served="tiny", backend="builtin")
    page = visit(PAGE)
    page.text_input(key="calls_bar").set_value("model:gpt-4o parcel").run()
    assert rows(page) == ["where is my parcel"]
    assert page.query_params["model"] == "gpt-4o"
    assert page.query_params["q"] == "parcel"
    page.button(key="calls_clear").click().run()
    assert len(rows(page)) == 2
    assert "model" not in page.query_params


def test_a_bar_that_cannot_be_meant_is_refused_with_a_reason_and_stays_as_typed(here: Runtime) -> None:
    made(here)
    page = visit(PAGE)
    page.text_input(key="calls_bar").set_value("modl:gpt-4o").run()
    assert not page.exception
    assert "Did you mean “model”?" in page.warning[0].value.replace("\\", "")
    assert page.text_input(key="calls_bar").value == "modl:gpt-4o"
    assert len(rows(page)) == 1


def test_a_url_that_cannot_be_meant_says_so_and_offers_a_way_out(here: Runtime) -> None:
    made(here)
    page = visit(PAGE, status="broken")
    assert page.error
    page.button(key="calls_reset").click().run()
    assert len(rows(page)) == 1


def test_pages_go_older_and_newer_again(here: Runtime) -> None:
    for number in range(53):
        made(here, ago=timedelta(minutes=100 - number), said=(f"q{number}", "a"))
    page = visit(PAGE)
    assert rows(page)[0] == "q52"
    page.button(key="calls_older").click().run()
    assert rows(page) == ["q2", "q1", "q0"]
    page.button(key="calls_newer").click().run()
    assert rows(page)[0] == "q52"
    assert "before" not in page.query_params


def test_one_call_shows_its_words_its_price_and_how_to_ask_again(here: Runtime) -> None:
    price = {"provider": "openai", "model": "gpt-4o", "prices": {"input_mtok": "2.5", "output_mtok": "10"}}
    tries = [{"backend": "openai", "model": "gpt-4o", "began_ms": 1, "ended_ms": 899, "status": 200, "waited_ms": 0}]
    number = made(here, detail={"tries": tries, "price": price}, session="s1", tags=(("team", "search"),))
    said = words(visit(PAGE, call=ids.shown("call", number)))
    for part in ("What is a green room?", "A room behind the stage.", "Cost: $0.00012", "curl http", "900 ms in all"):
        assert part in said
    tables = [table.value.to_string() for table in visit(PAGE, call=ids.shown("call", number)).table]
    assert "search" in tables[0]
    assert "openai/gpt-4o" in tables[1]


@pytest.mark.parametrize("shown", ["call_0000000000000", "nonsense", "call_zzzzzzzzzzzzz"])
def test_a_call_that_is_not_there_is_a_sentence(here: Runtime, shown: str) -> None:
    page = visit(PAGE, call=shown)
    assert page.error
    assert not page.exception


def test_a_call_of_another_project_is_as_if_it_were_not_there(here: Runtime) -> None:
    number = made(here, project_id=2)
    assert visit(PAGE, call=ids.shown("call", number)).error
    assert rows(visit(PAGE)) == []


def test_an_estimated_and_an_unpriced_call_say_so(here: Runtime) -> None:
    number = made(here, cost_usd=None, price_source="unpriced", is_estimated=True)
    said = words(visit(PAGE, call=ids.shown("call", number)))
    assert "Unpriced" in said
    assert "Tokens in: est. 12" in said
    assert visit(PAGE).dataframe[0].value["cost"][0] == "unpriced"


def test_a_conversation_shows_every_turn_once(here: Runtime) -> None:
    first = [{"role": "user", "content": "one?"}]
    second = [*first, {"role": "assistant", "content": "one."}, {"role": "user", "content": "two?"}]
    for minutes, messages in ((9, first), (8, second)):
        made(
            here,
            ago=timedelta(minutes=minutes),
            session="s1",
            request=orjson.dumps({"messages": messages}),
            response=orjson.dumps({"choices": [{"message": {"role": "assistant", "content": "said."}}]}),
        )
    said = words(visit(PAGE, conversation="s1"))
    assert said.count("one?") == 1
    assert said.count("two?") == 1


def test_hostile_words_stay_words_everywhere_on_the_page(here: Runtime) -> None:
    attack = "\n".join(ATTACKS).replace("\ud800", "").replace("\x00", "")
    number = made(
        here,
        said=(attack, attack),
        model_asked=ATTACKS[0],
        end_user=ATTACKS[2],
        session=ATTACKS[3],
        error_text=ATTACKS[0],
        status="upstream_error",
        http_status=502,
        tags=((ATTACKS[0][:60], ATTACKS[2]),),
    )
    page = visit(PAGE, call=ids.shown("call", number))
    for element in page.get("html"):
        assert "<img" not in element.proto.body
        assert "<script" not in element.proto.body
    for kind in ("markdown", "caption", "error"):
        for element in page.get(kind):
            if HOST in element.value:
                assert "](" not in element.value.replace("\\]\\(", "") or element.value.count("`") >= 2


def test_the_export_says_how_many_calls_and_hands_out_links_that_end(here: Runtime) -> None:
    for _ in range(3):
        made(here)
    page = visit(PAGE)
    page.session_state["calls_export"] = True
    page.run()
    assert "**3 calls** of `default`" in words(page)
