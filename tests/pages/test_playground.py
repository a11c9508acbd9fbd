"""The playground as a person uses it: nothing typed is lost, runs reopen, errors are sentences."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from sqlmodel import Session
from streamlit.testing.v1 import AppTest

from core import clock, ids
from core.calls import actions as calls_actions
from core.calls import queries
from core.calls.filters import Filters
from core.calls.views import CallRow
from core.catalog import actions
from core.people import actions as people_actions
from core.people.rules import LOCAL
from core.prompts import stored
from core.prompts.rules import Message, RunState, Speaker, Variant
from core.runtime import Runtime
from tests.pages.visiting import made, visit, words

PAGE = "prompt_playground.py"


def typed(page: AppTest, text: str, *, letter: str = "A", mark: int = 2) -> AppTest:
    return page.text_area(key=f"play_{letter}_m{mark}").set_value(text).run()


def ran(page: AppTest) -> AppTest:
    page.button(key="play_go").click().run()
    assert not page.exception, page.exception
    return page


def param(page: AppTest, name: str) -> str:
    value = page.query_params.get(name, "")
    return value if isinstance(value, str) else value[0]


HELLO = Message(Speaker.USER, "Hello")


def asking(model: str, text: str) -> RunState:
    return RunState((Variant("A", model).said(Message(Speaker.SYSTEM), Message(Speaker.USER, text)),))


def kept(here: Runtime, state: RunState) -> AppTest:
    """The playground with this state on it, opened by its link."""
    with here.db.write() as session:
        data = stored.to_dict(state)
        number = calls_actions.save_run(session, project_id=1, by=LOCAL, at=clock.now(), ids=here.ids, state=data)
    return visit(PAGE, draft=ids.shown("run", number))


def calls_of(here: Runtime, run: str) -> tuple[CallRow, ...]:
    with here.db.read() as session:
        return queries.page(session, Filters(tags=(("run", run),)), project_ids=[1]).rows


def test_a_question_is_answered_recorded_and_priced(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "Hello there"))
    rows = calls_of(here, param(page, "run"))
    assert [(row.route, row.status, row.asked) for row in rows] == [("playground", "ok", "Hello there")]
    said = words(page)
    assert f"{rows[0].tokens_in:,} tokens in, {rows[0].tokens_out:,} out" in said
    assert "total" in said
    assert rows[0].answered.split()[0] in said


def test_the_link_of_a_run_reopens_it_with_its_answer(here: Runtime) -> None:
    first = visit(PAGE)
    first.number_input(key="play_A_temperature").set_value(0.3)
    first = ran(typed(first, "Hello {{name}}").text_area(key="play_var_name").set_value("Mia").run())
    answer = calls_of(here, param(first, "run"))[0].answered
    again = visit(PAGE, run=param(first, "run"))
    assert again.text_area(key="play_A_m2").value == "Hello {{name}}"
    assert again.text_area(key="play_var_name").value == "Mia"
    assert again.number_input(key="play_A_temperature").value == 0.3
    assert answer.split("\n")[0][:20] in words(again)
    assert len(calls_of(here, param(first, "run"))) == 1


def test_what_is_typed_is_there_for_who_comes_back_without_a_link(here: Runtime) -> None:
    page = typed(visit(PAGE), "half a though")
    page.button(key="play_add_variant").click().run()
    typed(page, "another", letter="B")
    back = visit(PAGE)
    assert back.text_area(key="play_A_m2").value == "half a though"
    assert back.text_area(key="play_B_m2").value == "another"


def test_two_tabs_do_not_write_into_each_others_draft(here: Runtime) -> None:
    one = typed(visit(PAGE), "from the first tab")
    two = visit(PAGE, draft=param(one, "draft"))
    two = typed(two, "from the second tab")
    one = typed(one, "the first goes on")
    assert param(one, "draft") != param(two, "draft")
    assert visit(PAGE, draft=param(one, "draft")).text_area(key="play_A_m2").value == "the first goes on"
    assert visit(PAGE, draft=param(two, "draft")).text_area(key="play_A_m2").value == "from the second tab"


def test_a_changed_prompt_gets_a_link_of_its_own_and_the_run_stays(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "before"))
    run = param(page, "run")
    page = typed(page, "after")
    assert param(page, "run") == run
    assert "The prompt has changed since this answer." in words(page)
    assert visit(PAGE, run=run).text_area(key="play_A_m2").value == "before"
    both = visit(PAGE, run=run, draft=param(page, "draft"))
    assert both.text_area(key="play_A_m2").value == "after"


def test_variants_copy_the_last_and_leave_one_another_alone(here: Runtime) -> None:
    page = typed(visit(PAGE), "same")
    for _ in range(3):
        page.button(key="play_add_variant").click().run()
    assert page.button(key="play_add_variant").disabled
    typed(page, "different", letter="C")
    page.button(key="play_remove_B").click().run()
    assert [page.text_area(key=f"play_{x}_m2").value for x in "ACD"] == ["same", "different", "same"]


def test_one_variants_trouble_is_a_sentence_in_its_column_while_others_answer(here: Runtime) -> None:
    page = ran(kept(here, asking("builtin/tiny", "Hello").added().changed(Variant("B", "builtin/nobody").said(HELLO))))
    assert sorted(row.status for row in calls_of(here, param(page, "run"))) == ["ok", "refused"]
    assert len(page.error) == 1
    assert "nobody" in page.error[0].value
    assert "Traceback" not in words(page)


def test_repetitions_are_counted_by_what_they_say(here: Runtime) -> None:
    page = typed(visit(PAGE), "Hello there")
    page.number_input(key="play_A_seed").set_value(7)
    page.number_input(key="play_A_temperature").set_value(0.0)
    page.number_input(key="play_repeats").set_value(3).run()
    page = ran(page)
    assert len(calls_of(here, param(page, "run"))) == 3
    assert "3 of 3 answered, all the same" in words(page)


def test_continuing_keeps_the_answer_and_asks_on(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "Hello there"))
    page.button(key="play_continue_A").click().run()
    answer = page.text_area(key="play_A_m3").value
    assert answer
    page = ran(typed(page, "Thank you", mark=4))
    request = _request(here, calls_of(here, param(page, "run"))[0].id)
    assert [m["role"] for m in request["messages"]] == ["user", "assistant", "user"]
    assert request["messages"][1]["content"] == answer


def test_an_answer_one_went_on_from_does_not_offer_itself_again(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "Hello there"))
    page.button(key="play_continue_A").click().run()
    assert "play_continue_A" not in [button.key for button in page.button]
    page.button(key="play_drop_A_3").click().run()
    assert "play_continue_A" in [button.key for button in page.button]


def test_what_keeps_a_prompt_from_being_sent_stands_where_its_price_will(here: Runtime) -> None:
    page = visit(PAGE)
    assert "There is no question yet" in words(page).replace("\\", "")
    assert "There is no question yet" not in words(typed(page, "Hello there")).replace("\\", "")


def test_repetitions_that_all_fail_are_told_once(here: Runtime) -> None:
    page = kept(here, replace(asking("builtin/nobody", "Hello"), repeats=3))
    page = ran(page)
    assert [error.proto.title for error in page.error] == ["3 of 3 gave no answer."]
    assert "answered" not in words(page)
    assert "together" not in words(page)


def test_an_answer_that_is_json_is_shown_line_by_line(here: Runtime) -> None:
    variant = replace(asking("builtin/extract", "Hi").variants[0], extra={"response_format": {"type": "json_object"}})
    page = ran(kept(here, RunState((variant,))))
    assert [block.value[:4] for block in page.code] == ["{\n  "]


def test_only_parameters_that_are_set_are_sent(here: Runtime) -> None:
    page = typed(visit(PAGE), "Hello there")
    page.number_input(key="play_A_max_tokens").set_value(5).run()
    page = ran(page)
    request = _request(here, calls_of(here, param(page, "run"))[0].id)
    assert set(request) == {"model", "messages", "max_tokens", "stream", "stream_options"}
    assert "Cut off: the answer reached max tokens." in words(page)


def test_probabilities_are_shown_shaded_and_escaped(here: Runtime) -> None:
    page = typed(visit(PAGE), "Hello there")
    page.toggle(key="play_A_logprobs").set_value(True).run()
    page = ran(page)
    assert any("Instead of it:" in element.value for element in page.html)


def test_a_recorded_call_opens_as_it_was_said(here: Runtime) -> None:
    call_id = made(here, request=_call("Literally {{this}} and {% that %}"), said=("x", "y"))
    page = visit(PAGE, **{"from": ids.shown("call", call_id)})
    assert page.number_input(key="play_A_temperature").value == 0.25
    page.selectbox(key="play_A_model").set_value("builtin/tiny").run()
    page = ran(page)
    request = _request(here, calls_of(here, param(page, "run"))[0].id)
    assert request["messages"] == [{"role": "user", "content": "Literally {{this}} and {% that %}"}]
    assert request["user"] == "u-1"


@pytest.mark.parametrize(
    "params", [{"run": "run_0000000000000"}, {"run": "nonsense"}, {"from": "call_1"}, {"draft": "x"}]
)
def test_a_link_to_nothing_says_so(here: Runtime, params: dict[str, str]) -> None:
    page = visit(PAGE, **params)
    assert page.warning
    assert page.text_area(key="play_A_m2").value == ""


def test_a_run_of_another_project_is_as_if_it_were_not_there(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "secret"))
    with here.db.write() as session:
        people_actions.create_project(session, name="other", by=LOCAL, at=clock.now())
    other = visit(PAGE, project="other", run=param(page, "run"))
    assert "secret" not in words(other)
    assert other.text_area(key="play_A_m2").value == ""


def test_a_mistake_in_a_template_names_its_line_and_nothing_is_sent(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "one\ntwo {{ three"))
    assert "Line 2" in "".join(error.proto.title for error in page.error)
    assert not page.query_params.get("run")


def test_an_unfilled_variable_is_asked_for_by_name(here: Runtime) -> None:
    page = ran(typed(visit(PAGE), "Hello {{ first }} {{ second }}"))
    assert page.error
    assert "“first” has no value" in page.error[0].proto.title.replace("\\", "")
    assert page.text_area(key="play_var_second").value == ""
    page.text_area(key="play_var_first").set_value("a")
    page.text_area(key="play_var_second").set_value("b").run()
    assert not ran(page).error


def test_new_starts_empty_and_the_old_stays_under_its_link(here: Runtime) -> None:
    page = typed(visit(PAGE), "old thought")
    link = param(page, "draft")
    page.button(key="play_new").click().run()
    assert page.text_area(key="play_A_m2").value == ""
    page = typed(page, "new thought")
    assert param(page, "draft") != link
    assert visit(PAGE, draft=link).text_area(key="play_A_m2").value == "old thought"


def test_a_price_is_told_before_with_its_upper_bound(here: Runtime) -> None:
    with here.db.write() as session:
        actions.add_backend(
            session, name="mine", base_url="http://127.0.0.1:9/v1", by=LOCAL, at=clock.now(), vault=here.vault
        )
        _price(session)
    here.refresh()
    page = kept(here, asking("mine/m", "Hello there"))
    assert "for the question, the answer comes on top" in words(page)
    page.number_input(key="play_A_max_tokens").set_value(1_000_000).run()
    assert "at most" in words(page)


def _price(session: Session) -> None:
    actions.set_price(
        session,
        backend="mine",
        model="m",
        input_usd=Decimal(1),
        output_usd=Decimal(2),
        starts_at=clock.now(),
        by=LOCAL,
        at=clock.now(),
    )


def _call(text: str) -> bytes:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], "temperature": 0.25, "user": "u-1"}
    return orjson.dumps(body)


def _request(here: Runtime, call_id: int) -> dict[str, Any]:
    with here.db.read() as session:
        found: dict[str, Any] = orjson.loads(queries.payload(session, call_id, [1]).raw_request)
    return found
