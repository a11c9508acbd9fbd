"""Usage and cost: the headline tells what is not known, the parts add up, the URL is the state."""

from __future__ import annotations

from datetime import timedelta

from core.runtime import Runtime
from tests.pages.visiting import made, visit, words

PAGE = "usage_cost.py"


def test_a_period_without_calls_says_what_feeds_it(here: Runtime) -> None:
    assert "No call in the last 7 days." in words(visit(PAGE))


def test_the_headline_counts_calls_errors_and_what_is_unpriced(here: Runtime) -> None:
    for _ in range(8):
        made(here)
    made(here, status="upstream_error", http_status=502)
    made(here, cost_usd=None, is_estimated=True)
    said = words(visit(PAGE))
    assert "Calls: 10" in said
    assert "Errors, 10 %: 1" in said
    assert "Cost: $0.0011" in said
    assert "10 % of calls unpriced" in said


def test_the_url_keeps_the_period_the_breakdown_and_the_part_looked_at(here: Runtime) -> None:
    made(here)
    made(here, model_served="tiny", backend="builtin")
    made(here, ago=timedelta(days=20))
    page = visit(PAGE, usage_span="30d", usage_by="backend")
    assert sorted(page.dataframe[0].value["name"]) == ["builtin", "openai"]
    assert "Calls: 3" in words(page)
    part = visit(PAGE, usage_part="model:tiny")
    assert "Calls: 1" in words(part)
    assert "Only model `tiny`" in words(part)
    part.button(key="usage_all").click().run()
    assert "Calls: 2" in words(part)


def test_a_change_is_told_against_the_period_before(here: Runtime) -> None:
    for days in (1, 2, 3, 10):
        made(here, ago=timedelta(days=days))
    page = visit(PAGE)
    calls = next(metric for metric in page.metric if metric.label == "Calls")
    assert (calls.value, calls.delta) == ("3", "×3.0")


def test_every_chart_says_what_it_shows(here: Runtime) -> None:
    for _ in range(3):
        made(here, ago=timedelta(hours=2))
    page = visit(PAGE, usage_span="24h")
    alts = [chart.proto.alt for chart in page.get("plotly_chart")]
    assert len(alts) == 4
    assert alts[0].startswith("Calls per hour: 3 calls (0 failed) in all, highest 3 calls at ")
    assert all(alts)


def test_an_address_nobody_can_mean_falls_back_to_everything(here: Runtime) -> None:
    made(here)
    assert "Calls: 1" in words(visit(PAGE, usage_part="nonsense", usage_span="3y", usage_by="x"))
