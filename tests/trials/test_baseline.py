"""How a name is today, from the record: the same figures a test of it would have, by indexes, of the newest calls."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from core import clock
from core.calls import actions as calls
from core.calls.record import CallRecord
from core.ids import first_at
from core.prompts import actions as prompts
from core.review import rubrics
from core.review.rules import Verdict
from core.serve.asked import HELD
from core.trials import baseline, comparing, counting
from core.trials.metrics import Measures, Metric, offered
from core.trials.rules import Condition, Unit
from core.trials.sizing import Baseline
from tests.calls.records import record
from tests.prompts.shelf import content
from tests.review.waiting import LEAD, person
from tests.trials.lab import ANN, Lab, plan
from tests.trials.test_sums import send_and_decide

FLAG = {
    "number": 0, "side": "asked", "place": "messages.0.content", "family": "personal", "kind": "email", "start": 0,
    "stop": 3, "confidence": 0.9, "detector": "personal/1", "policy": "P/1", "act": "flag",
}  # fmt: skip


def read(lab: Lab, target: str = "support", unit: Unit = Unit.USER, **told: Any) -> Baseline:
    with lab.db.read() as session:
        return baseline.read(session, project_id=1, target=target, unit=unit, at=clock.now(), **told)


def call(lab: Lab, user: str, **told: Any) -> CallRecord:
    number = told.pop("id", None) or lab.ids.next()
    if told.pop("is_flagged", False):
        told["findings"] = ({**FLAG, "call_id": number, "project_id": 1},)
    return record(number, **({"at": lab.at, "end_user": user} | told))


def test_it_is_what_a_test_of_the_same_calls_counts(lab: Lab) -> None:
    """Every metric's value and the variance of a unit, against the sums of a live test that had these calls in A."""
    every = Measures(Metric.THUMBS, (Metric.RATING, Metric.UNCHANGED, Metric.TOKENS_OUT), offered())
    trial = lab.started(planned=plan(measures=every))
    dice = random.Random(4)
    made = []
    for _ in range(400):
        failed = dice.random() < 0.2
        made.append(
            lab.call(
                trial, f"u{dice.randrange(90)}", 0, status="upstream_error" if failed else "ok",
                tokens_out=0 if failed else dice.randrange(1, 900), total_ms=dice.lognormvariate(6, 1),
                cost_usd=Decimal(dice.randrange(1, 50_000)) / 1_000_000,
            )
        )  # fmt: skip
    for one in made[::9]:
        one.findings = ({**FLAG, "call_id": one.id, "project_id": 1},)
    lab.write(made)
    with lab.db.write() as session:
        for one in made[::4]:
            calls.give(
                session, call_id=one.id, thumb=dice.choice([1, -1]), rating=dice.randrange(1, 6), by=ANN,
                at=lab.later(), ids=lab.ids,
            )  # fmt: skip
    queue = lab.do(rubrics.open_queue, by=LEAD, project_id=1, name="Answers").id
    for number, verdict in enumerate([Verdict.APPROVE, Verdict.REJECT, Verdict.EDIT, Verdict.APPROVE]):
        send_and_decide(lab, made[number].id, queue, person("ada"), verdict)
    found = read(lab)
    with lab.db.read() as session:
        arm = counting.counted(session, lab.view(trial)).arms[0]
    assert (found.units, found.calls, found.nameless, found.unpriced) == (arm.units, arm.calls, 0, 0)
    for metric in set(Metric) - {Metric.LATENCY}:
        wanted, figure = comparing.ratio_of(metric, arm.joints[metric]), found.figures[metric]
        assert figure.value == pytest.approx(wanted.value), metric
        assert figure.variance == pytest.approx(wanted.standard_error**2 * wanted.n, rel=1e-6), metric
        assert figure.units == arm.joints[metric].n
        assert figure.seen == pytest.approx(figure.units / arm.units)
    slow = found.figures[Metric.LATENCY]
    assert slow.value == pytest.approx(arm.latencies.quantile(0.95), rel=0.03)


def test_only_what_a_test_of_the_name_would_split_counts(lab: Lab) -> None:
    trial = lab.started()
    long_ago = first_at(clock.now() - timedelta(days=15))
    lab.write(
        [
            call(lab, "ann"), call(lab, "ann"), call(lab, ""),
            call(lab, "ben", status="refused", cost_usd=None, tokens_in=0, tokens_out=0),
            call(lab, "old", id=long_ago), call(lab, "try", route="playground"), call(lab, "far", project_id=2),
            call(lab, "else", model_asked="prompt:x", alias="support"),  # a prompt that asks the alias is not its name
            lab.call(trial, "b", 1), lab.call(trial, "a", 0),
        ]
    )  # fmt: skip
    found = read(lab)
    assert (found.units, found.calls, found.nameless) == (3, 4, 1)
    assert found.figures[Metric.ERRORS].value == 1 / 4
    assert read(lab, unit=Unit.CALL).units == 5
    assert read(lab, "*").units == 4  # "else" too
    assert read(lab, "nobody asks for this") == Baseline()


def test_a_model_and_a_prompt_are_found_with_what_was_refused_before_they_were_asked(lab: Lab) -> None:
    with lab.db.write() as session:
        saved = prompts.create(session, name="kind", content=content(), project_id=1, by=ANN, at=lab.later())
    of_prompt = {"prompt_id": saved.prompt_id, "prompt_version": 1, "alias": "", "model_served": "rules"}
    none = {"status": "refused", "model_served": "", "backend": "", "alias": "", "cost_usd": None, "tokens_in": 0}
    none["tokens_out"] = 0
    model = {"model_asked": "double/a", "model_served": "a", "backend": "double", "alias": ""}
    lab.write(
        [
            call(lab, "ann", model_asked="prompt:kind", **of_prompt),
            call(lab, "ben", model_asked="prompt:kind@production", **of_prompt),
            call(lab, "cy", model_asked="prompt:kind@staging", **of_prompt),
            call(lab, "dan", model_asked="prompt:kind@1", **of_prompt),
            call(lab, "eve", **(none | {"model_asked": "prompt:kind"})),
            call(lab, "fay", **model), call(lab, "gus", **(none | {"model_asked": "double/a"})),
            call(lab, "hal", **(model | {"backend": "other", "model_asked": "other/a"})),
        ]
    )  # fmt: skip
    assert (read(lab, "prompt:kind@production").units, read(lab, "prompt:kind@staging").units) == (3, 1)
    assert read(lab, "prompt:kind").figures[Metric.ERRORS].value == 1 / 3
    assert read(lab, "double/a").figures[Metric.ERRORS].value == 1 / 2
    assert read(lab, "prompt:gone").units == 0


def test_a_cost_nobody_knows_is_no_figure(lab: Lab) -> None:
    lab.write([call(lab, f"u{n}", cost_usd=None if n == 3 else Decimal(n + 1) / 1_000) for n in range(60)])
    found = read(lab)
    assert found.unpriced == 1
    assert Metric.COST not in found.figures
    assert found.enough(Metric.ERRORS) is not None


def test_conditions_leave_out_who_would_not_take_part(lab: Lab) -> None:
    lab.write(
        [
            call(lab, f"u{n}", session=f"s{n % 4}", tags=(("locale", ("de", "at", "fr")[n % 3]), ("tier", "gold")))
            for n in range(12)
        ]
    )
    german = Condition("locale", ("de", "at"))
    assert read(lab, conditions=(german,)).units == 8
    assert read(lab, conditions=(german, Condition("tier", ("silver",)))).units == 0
    assert read(lab, unit=Unit.SESSION, conditions=(german,)).units == 4


@pytest.mark.parametrize("target", ["support", "*"])
def test_only_the_newest_are_read_and_the_days_are_theirs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(baseline, "NEWEST", 10)
    now = clock.now()
    lab.write(
        [
            call(
                lab, f"u{n}", id=first_at(now - timedelta(hours=6 * (n + 1))),
                route="/v1/responses" if n % 2 else "/v1/chat/completions",
            )
            for n in range(40)
        ]
    )  # fmt: skip
    found = read(lab, target)
    assert found.calls == 10
    assert found.days == pytest.approx(2.5, abs=0.01)
    assert found.per_day == 4


def test_it_costs_the_same_however_long_the_history(lab: Lab) -> None:
    """Every statement that touches what grows goes by an index."""
    lab.write([call(lab, f"u{n}", tags=(("locale", "de"),), is_flagged=True) for n in range(30)])
    asked: list[tuple[str, Any]] = []
    event.listen(lab.db.reader, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    for target in ("support", "*", "double/a", "prompt:kind"):
        read(lab, target, conditions=(Condition("locale", ("de",)),))
    big = ("call", "call_tag", "call_finding", "feedback", "review_item", "trial_call")
    reads = [one for one in asked if one[0].lstrip().startswith("SELECT")]
    assert len(reads) >= 8
    with lab.db.reader.connect() as connection:
        if not lab.db.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")  # a table this small is quicker read whole
        for said, values in reads:
            explain = "EXPLAIN QUERY PLAN" if lab.db.is_sqlite else "EXPLAIN"
            lines = [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {said}", values)]
            scans = [line for line in lines if any(f"Seq Scan on {name}" in line for name in big)]
            scans += [line for line in lines if line.startswith("SCAN") and "json_each" not in line]
            assert not scans, (said, lines)


def test_the_routes_are_those_that_are_split() -> None:
    assert set(baseline.ROUTES) == HELD
