"""How many users a live test takes, from what the record knows, on the form of a new one."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import bridge, clock
from core.calls import actions as feedback
from core.calls import queries as calls_of
from core.calls.filters import Filters
from core.catalog import actions as catalog
from core.catalog import queries as catalog_queries
from core.runtime import Runtime
from core.trials import queries
from tests.calls.records import record
from tests.pages.test_live_tests import PAGE
from tests.pages.visiting import visit, words
from tests.trials.lab import ANN, ROOT


def asked(here: Runtime, name: str, users: int = 80, **told: Any) -> None:
    """So many users with three calls each by a name; one in ten of them has errors only."""
    for n in range(3 * users):
        is_off = n % users % 10 == 0
        made = {"status": "upstream_error" if is_off else "ok", "cost_usd": Decimal(n % users % 7 + 1) / 1_000}
        made |= {"end_user": f"u{n % users}", "model_asked": name, "alias": name} | told
        bridge.call(here.recorder.record, record(here.ids.next(), at=clock.now(), **made))


def form(here: Runtime, *, goal: str = "errors") -> AppTest:
    """The form of a test of an alias that applications ask for."""
    with here.db.read() as session:
        first, *_ = [(one.backend, one.name) for one in catalog_queries.models(session) if one.is_enabled]
    with here.db.write() as session:
        catalog.set_alias(session, name="fast", steps=[first], by=ROOT, at=clock.now())
    here.refresh()
    page = visit(PAGE, test="new")
    page.segmented_control(key="trial_template").set_value("model").run()
    page.selectbox(key="trial_goal").select(goal).run()
    assert not page.exception
    return page


def inputs(page: AppTest) -> dict[str, float]:
    """The numbers of the planning box, by label."""
    return {one.label: one.value for one in page.number_input if one.value is not None}


def test_what_nobody_knows_is_read_from_the_record(here: Runtime) -> None:
    asked(here, "fast")
    page = form(here)
    said = words(page).replace("\\", "")
    told = inputs(page)
    assert "From 80 users of the last hour (240 calls). Change what you know better." in said
    assert (told["It is now (%)"], told["Worth finding (points)"], told["Users a day"]) == (10, 2, 80)
    assert re.search(r"\*\*[\d,]+ users\*\* find it four times in five, whenever you look. At 80 a day: \d+ days", said)
    assert re.search(
        r"In 1 week \(560 users\) it finds [\d.]+ points, in 2 weeks \(1,120 users\) [\d.]+, in 4 weeks", said
    )
    assert "Most is needed" not in said
    limits = page.table[0].value
    assert limits["Guardrail"].tolist() == [
        "cost per call, at most 10 % more",
        "flagged by policies, at most 1 point more",
    ]
    assert limits["From"].tolist() == ["80 users", "80 users"]
    assert limits["Now"].tolist()[1] == "0.0 %"
    assert re.search(r"p95 latency \(8\d\d ms now\); its limits", said)
    assert "by the delta method; a limit in % is that part of the value now" in said
    # each user is all errors or none: one of them is one draw, not three
    size = re.search(r"\*\*([\d,]+) users\*\* find", said)
    assert size is not None
    assert int(size[1].replace(",", "")) > 0.95 * 2 * (3.03 + 0.84) ** 2 * 2 * 0.09 / 0.02**2
    worth = next(one for one in page.number_input if one.label == "Worth finding (points)")
    worth.set_value(20.0).run()
    assert inputs(page)["Worth finding (points)"] == 20
    assert "Most is needed to know that the limit on cost per call holds: " in words(page)
    assert not page.exception


def test_a_metric_that_is_no_share_begins_with_a_tenth_of_what_it_is(here: Runtime) -> None:
    asked(here, "fast")
    told = inputs(form(here, goal="cost"))
    spread = next(value for label, value in told.items() if label.startswith("Differs between them"))
    found = next(value for label, value in told.items() if label.startswith("Worth finding"))
    assert spread == pytest.approx(0.002, rel=0.05)
    assert found == pytest.approx(0.00039, rel=0.05)


def test_a_metric_that_few_tell_of_is_planned_from_those_few(here: Runtime) -> None:
    asked(here, "fast", 120)
    with here.db.read() as session:
        made = calls_of.page(session, Filters(), project_ids=[1], limit=60).rows
    with here.db.write() as session:
        for number, row in enumerate(made):
            given = {"thumb": 1 if number % 5 else -1, "by": ANN, "at": clock.now(), "ids": here.ids}
            feedback.give(session, call_id=row.id, **given)
    page = form(here, goal="thumbs")
    assert "From the 60 of whom it is known, among 120 users of the last hour (360 calls)." in words(page)
    assert inputs(page)["It is now (%)"] == 80


def test_what_cannot_be_planned_for_says_why(here: Runtime) -> None:
    asked(here, "fast", 4, cost_usd=None)
    asked(here, "fast", 4, end_user="")
    page = form(here)
    said = words(page)
    assert "Of 4 users of the last hour (12 calls) only 4 tell of errors. The figures below are a guess" in said
    assert "12 calls named no user and would be in no arm." in said
    assert "12 of 12 calls have no price, and a test would not know it either" in said
    page.selectbox(key="trial_goal").select("cost").run()
    assert "12 of 12 calls have no price, so nobody knows the cost." in words(page)
    page.selectbox(key="trial_goal").select("latency").run()
    said = words(page)
    assert "ms now." in said
    assert "No size can be told for p95 latency: its limits come from how the slowest calls lie" in said
    assert "four times in five" not in said
    page.button(key="trial_keep").click().run()
    assert not page.exception
    with here.db.read() as session:
        (row,) = queries.trials(session, project_ids=[1])
    assert row.planned >= 1_000
