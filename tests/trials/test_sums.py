"""What calls add to a test: units, arms, joined feedback and verdicts, all mergeable and the same on both databases."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from core.calls import actions as calls
from core.ids import first_at
from core.people.rules import Principal
from core.review import actions as review
from core.review import rubrics
from core.review.rules import Said, Source, Verdict
from core.statistics import means
from core.trials import actions, counting, looking, queries
from core.trials.metrics import Measures, Metric, offered
from core.trials.rules import Unit
from tests.calls.records import record
from tests.review.waiting import LEAD, person
from tests.trials.lab import ANN, Lab, design, plan

EVERYTHING = Measures(
    Metric.THUMBS, (Metric.RATING, Metric.UNCHANGED),
    offered(Metric.ERRORS, Metric.COST, Metric.LATENCY, Metric.REJECTED),
)  # fmt: skip


def test_a_call_without_a_price_is_no_call_for_nothing(lab: Lab) -> None:
    trial = lab.started(planned=plan(measures=Measures(Metric.TOKENS_OUT, (), offered(Metric.COST))))
    lab.write([lab.call(trial, f"u{n}", n % 2, cost_usd=Decimal("0.01") if n % 2 == 0 else None) for n in range(400)])
    card = lab.card(trial)
    cost = next(line for line in card.lines if line.metric == Metric.COST)
    assert (card.unpriced, cost.arms, cost.standing) == (200, ("–", "–"), "not yet known")
    assert "−100 %" not in card.sentence


def test_sums_of_units_are_those_of_their_calls(lab: Lab) -> None:
    """Against moments of the same values, unit by unit, in plain Python."""
    trial = lab.started()
    dice = random.Random(7)
    made, units = [], defaultdict(lambda: [0, 0, 0.0, 0])
    for number in range(1_000):
        arm, unit = number % 2, f"{number % 2}-{dice.randrange(150)}"
        failed, cost = dice.random() < 0.1, Decimal(dice.randrange(1, 50_000)) / 1_000_000
        tokens = dice.randrange(1, 900)
        made.append(
            lab.call(
                trial, unit, arm, status="upstream_error" if failed else "ok", cost_usd=cost, tokens_out=tokens,
                total_ms=100.0 + number,
            )
        )  # fmt: skip
        own = units[(arm, unit)]
        units[(arm, unit)] = [own[0] + 1, own[1] + failed, own[2] + float(cost), own[3] + (0 if failed else tokens)]
    lab.write(made)
    with lab.db.read() as session:
        counted = counting.counted(session, lab.view(trial))
    for number, arm in enumerate(counted.arms):
        mine = [own for (its, _), own in units.items() if its == number]
        assert (arm.units, arm.calls) == (len(mine), 500)
        for metric, place in ((Metric.ERRORS, 1), (Metric.COST, 2), (Metric.TOKENS_OUT, 3)):
            # tokens are per answer: a call that failed is no short one
            below = [own[0] - own[1] if metric is Metric.TOKENS_OUT else own[0] for own in mine]
            found, wanted = arm.joints[metric], means.joint([own[place] for own in mine], below)
            for one, other in (
                (found.first.mean, wanted.first.mean), (found.first.squares, wanted.first.squares),
                (found.second.squares, wanted.second.squares), (found.products, wanted.products),
            ):  # fmt: skip
                assert one == pytest.approx(other, rel=1e-9, abs=1e-12)
        assert arm.latencies.count == 500
        assert arm.latencies.quantile(0.5) == pytest.approx(600, rel=0.02)
    assert counted.twice == 0


@pytest.mark.parametrize("said", [0, 60])  # nothing, or a part before it broke off
def test_an_arm_that_fails_answers_neither_shorter_nor_longer(lab: Lab, said: int) -> None:
    trial = lab.started(planned=plan(measures=Measures(Metric.COST, (Metric.TOKENS_OUT,), offered(Metric.ERRORS))))
    lab.write(
        [
            lab.call(trial, f"u{n}", n % 2, tokens_out=said, status="upstream_error")
            if n % 4 == 1
            else lab.call(trial, f"u{n}", n % 2, tokens_out=100)
            for n in range(400)
        ]
    )
    tokens = next(line for line in lab.card(trial).lines if line.metric == Metric.TOKENS_OUT)
    assert [arm.split(" ")[0] for arm in tokens.arms] == ["100", "100"]


def test_a_unit_of_two_arms_and_calls_without_a_unit_are_counted(lab: Lab) -> None:
    trial = lab.started()
    lab.write(
        [
            lab.call(trial, "mia", 0), lab.call(trial, "mia", 0), lab.call(trial, "mia", 1, is_fallback=True),
            lab.call(trial, "ben", 1), lab.call(trial, "", None), lab.call(trial, "", None), record(lab.ids.next()),
        ]
    )  # fmt: skip
    with lab.db.read() as session:
        counted = counting.counted(session, lab.view(trial))
        shown = session.execute(text("SELECT count(*) FROM trial_call")).scalar_one()
    assert [(arm.units, arm.calls, arm.fallbacks) for arm in counted.arms] == [(1, 2, 0), (2, 2, 1)]
    assert (counted.twice, counted.missing, shown) == (1, 2, 4)
    card = lab.card(trial)
    assert card.twice_share == 1 / 2
    assert card.fallback_shares == (0.0, 0.5)


def test_feedback_and_verdicts_count_for_the_arm_of_their_call_as_they_stand_now(lab: Lab) -> None:
    trial = lab.started(planned=plan(measures=EVERYTHING))
    made = lab.write([lab.call(trial, f"u{number // 2}", number // 2 % 2) for number in range(8)])
    with lab.db.write() as session:
        for number, thumb in ((0, 1), (1, -1), (2, 1), (4, 1)):
            calls.give(session, call_id=made[number].id, thumb=thumb, by=ANN, at=lab.later(), ids=lab.ids)
        calls.give(session, call_id=made[3].id, rating=4, by=ANN, at=lab.later(), ids=lab.ids)
    ada = person("ada")
    queue = lab.do(rubrics.open_queue, by=LEAD, project_id=1, name="Answers").id
    for number, verdict in ((0, Verdict.APPROVE), (2, Verdict.REJECT), (3, Verdict.EDIT)):
        send_and_decide(lab, made[number].id, queue, ada, verdict)
    with lab.db.read() as session:
        a, b = counting.counted(session, lab.view(trial)).arms
    assert (total(a, Metric.THUMBS), total(b, Metric.THUMBS)) == ((2, 3), (1, 1))
    assert (total(a, Metric.RATING), total(b, Metric.RATING)) == ((0, 0), (4, 1))
    assert (total(a, Metric.UNCHANGED), total(b, Metric.UNCHANGED)) == ((1, 1), (0, 2))
    assert (total(a, Metric.REJECTED), total(b, Metric.REJECTED)) == ((0, 1), (1, 2))


def total(arm: queries.ArmSums, metric: Metric) -> tuple[int, int]:
    joint = arm.joints[metric]
    return round(joint.first.mean * joint.n), round(joint.second.mean * joint.n)


def send_and_decide(lab: Lab, call_id: int, queue: int, by: Principal, verdict: Verdict) -> None:
    with lab.db.write() as session:
        review.send(
            session, call_id=call_id, queue_id=queue, source=Source.MANUAL, by=LEAD, at=lab.later(), ids=lab.ids
        )
    said = Said(verdict, reasons=("wrong",) if verdict is Verdict.REJECT else (), edited="Else.")
    with lab.db.write() as session:
        work = review.claim(session, queue_id=queue, by=by, at=lab.later())
        assert work is not None
        review.decide(session, item_id=work.item_id, said=said, by=by, at=lab.later(), ids=lab.ids)


def test_slices_are_of_the_tag_a_unit_came_with(lab: Lab) -> None:
    trial = lab.started(planned=plan(slice_tag="tier"))
    lab.write([lab.call(trial, f"u{n}", n % 2, piece="gold" if n < 6 else "") for n in range(10)])
    with lab.db.read() as session:
        slices = counting.counted(session, lab.view(trial)).slices
    assert {name: [arm.units for arm in arms] for name, arms in slices.items()} == {"gold": [3, 3], "(none)": [2, 2]}


def test_what_users_did_before_is_looked_up_once_and_only_of_the_two_weeks(lab: Lab) -> None:
    trial = lab.create()
    for days, user, cost in ((1, "mia", "0.5"), (13, "mia", "0.25"), (15, "mia", "9"), (2, "ben", "0.1")):
        moment = lab.at - timedelta(days=days)
        lab.write([record(first_at(moment) + days, at=moment, end_user=user, cost_usd=Decimal(cost))])
    lab.verb(actions.start, trial)
    lab.write([lab.call(trial, user, 0) for user in ("mia", "ben", "new")])
    with lab.db.write() as session:
        assert looking.look_back(session, trial_id=trial) == 3
        assert looking.look_back(session, trial_id=trial) == 0
    with lab.db.read() as session:
        rows = session.execute(text("SELECT unit, before_calls, before_cost_usd FROM trial_unit ORDER BY unit")).all()
        (a, _) = counting.counted(session, lab.view(trial)).before
    assert [tuple(row) for row in rows] == [("ben", 1, 100_000_000), ("mia", 2, 750_000_000), ("new", 0, 0)]
    assert (a.known.n, a.new.n) == (2, 1)
    assert a.known.second.mean == pytest.approx(0.425)


def test_a_test_by_calls_has_a_unit_per_call(lab: Lab) -> None:
    trial = lab.started(design(unit=Unit.CALL))
    lab.write([lab.call(trial, str(number), number % 2) for number in range(6)])
    assert lab.card(trial).units == (3, 3)
