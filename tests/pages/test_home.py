"""Home: what is done, what today was like, what needs a person."""

from __future__ import annotations

from datetime import timedelta

from core import clock
from core.catalog import actions
from core.people import queries
from core.people.rules import LOCAL
from core.runtime import Runtime
from tests.pages.visiting import made, visit, words


def test_nothing_is_done_on_the_first_visit_and_the_next_steps_are_named(here: Runtime) -> None:
    said = words(visit("home_today.py"))
    assert said.count("radio_button_unchecked") == 3
    assert "No call since midnight" in said
    assert "Nothing needs you" in said


def test_a_step_is_done_when_the_store_says_so(here: Runtime) -> None:
    made(here, route="playground")
    said = words(visit("home_today.py"))
    assert ":green[:material/check_circle:] **2. Try a prompt**" in said
    assert ":gray[:material/radio_button_unchecked:] **3. Point your app here**" in said


def test_when_all_steps_are_done_the_numbers_come_first(here: Runtime) -> None:
    made(here, route="playground")
    made(here)
    with here.db.write() as session:
        url = "http://127.0.0.1:9/v1"
        actions.add_backend(session, name="mine", base_url=url, by=LOCAL, at=clock.now(), vault=here.vault)
    here.refresh()
    page = visit("home_today.py")
    assert [head.value for head in page.subheader] == ["Today", "Needs attention", "Another application"]


def test_a_key_made_in_place_works_and_is_shown_once(here: Runtime) -> None:
    page = visit("home_today.py")
    page.button(key="home_key_create").click().run()
    assert not page.exception
    key = next(code.value for code in page.code if code.value.startswith("gr_"))
    assert any(f"Authorization: Bearer {key}" in code.value for code in page.code)
    assert here.keyring.find(f"Bearer {key}", clock.now()).name == "my first app"
    page.button(key="home_key_copied").click().run()
    assert key not in words(page)
    with here.db.read() as session:
        assert [row.name for row in queries.keys(session, project_id=1)] == ["my first app"]


def test_todays_numbers_say_what_is_not_known(here: Runtime) -> None:
    for _ in range(3):
        made(here, ago=timedelta(seconds=2))
    made(here, ago=timedelta(seconds=1), cost_usd=None, price_source="unpriced", is_estimated=True)
    said = words(visit("home_today.py"))
    assert "Calls: 4" in said
    assert "25 % of calls unpriced" in said
    assert "25 % estimated" in said


def test_a_failing_backend_and_a_model_without_a_price_need_attention(here: Runtime) -> None:
    for number in range(4):
        made(here, ago=timedelta(seconds=30 + number), status="upstream_error", http_status=502, cost_usd=None)
    made(here, cost_usd=None)
    said = words(visit("home_today.py"))
    assert "**`openai`: 4 of 5 calls (80 %) failed** in the last two hours." in said
    assert "**`gpt-4o` has no price**" in said


def test_a_backend_left_alone_is_told_with_the_time_it_is_tried_again(here: Runtime) -> None:
    for _ in range(5):
        here.serve.breakers.failed("mine", now_s=clock.ticks_ms() / 1000)
    assert "**`mine` failed 5 times in a row** and is left alone" in words(visit("home_today.py"))
