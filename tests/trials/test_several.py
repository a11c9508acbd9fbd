"""Live tests of several arms: each beside the control, one closed while the others go on, one made everybody's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlmodel import select

from core.errors import Conflict, NotAllowed, NotFound
from core.people.rules import SYSTEM
from core.statistics.margins import Margin, Worse
from core.trials import actions, cards, clockwork, looking, queries
from core.trials.clockwork import Guarded
from core.trials.metrics import Measures, Metric
from core.trials.rules import BUCKETS, Arm, Ending, Facts, Out, State, assigned
from core.trials.running import Given
from core.trials.watcher import Watcher
from core.webhooks.rules import Event
from core.webhooks.tables import Delivery, Webhook
from tests.trials.lab import EVE, SEES, Lab, design, plan
from tests.trials.test_life import events, labels, prompt

THREE = (Arm("A"), Arm("B", model="prompt:support@2"), Arm("C", parameters={"temperature": 0.1}))
GOAL = Measures(Metric.COST, (Metric.TOKENS_OUT,), {Metric.ERRORS: Margin(0.1, Worse.HIGHER)})


def begun(lab: Lab, **told: object) -> int:
    return lab.started(design("prompt:support", arms=THREE), plan(measures=GOAL, **told))


def seen(lab: Lab, trial: int, *, arms: int = 3, units: int = 900, start: int = 0, failing: int = -1) -> None:
    """Users by turns in each arm; C's answers cost half; of the `failing` arm's every second one fails."""
    lab.write(
        [
            lab.call(
                trial, f"u{start + n}", n % arms, total_ms=100.0,
                cost_usd=Decimal(100 + n // arms % 7) / (2 if n % arms == 2 else 1) / 1000,
                status="upstream_error" if n % arms == failing and n // arms % 2 else "ok",
            )
            for n in range(units)
        ]
    )  # fmt: skip


def test_each_arm_is_told_beside_the_control_and_the_best_leads(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab)
    seen(lab, trial)
    card = lab.card(trial)
    assert (card.units, card.outcome, card.leader, card.level) == ((300, 300, 300), "ship", 2, 0.975)
    assert [(line.metric, line.arm) for line in card.lines] == [
        (metric, arm) for metric in (Metric.COST, Metric.TOKENS_OUT, Metric.ERRORS) for arm in (1, 2)
    ]
    assert card.sentence.startswith("C is cheaper: ")
    assert "97.5 % always-valid" in card.sentence
    assert card.sentence.endswith("B is not shown to differ.")
    assert [one.name for one in card.said] == ["B", "C"]
    assert "more users, up to the" in card.of(1).changes[-1]
    lab.verb(actions.close_arm, trial, arm=2)
    assert "67 more users of A and B, up to the 667 planned." in lab.card(trial).of(1).changes[-1]
    assert cards.card_in(cards.told(card)) == card


def test_an_interval_of_three_arms_is_wider_than_of_two(lab: Lab) -> None:
    two = lab.started(design(), plan("Two", measures=GOAL))
    three = lab.started(
        design("other", arms=(*design().arms, Arm("C", model="double/c"))), plan("Three", measures=GOAL)
    )
    for trial in (two, three):
        seen(lab, trial, arms=2, units=600)
    narrow, wide = (next(line for line in lab.card(one).lines if line.arm == 1) for one in (two, three))
    assert (narrow.high or 0) - (narrow.low or 0) < (wide.high or 0) - (wide.low or 0)


def test_a_guardrail_closes_its_arm_and_the_others_go_on(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab, planned=3_000)
    with lab.db.write() as session:
        told = {"url": "https://hooks.invalid", "secret_cipher": b"", "created_at": lab.at}
        session.add(Webhook(project_id=1, events=[Event.ARM_CLOSED], **told))
    seen(lab, trial, failing=1)
    watcher = Watcher(lab.db, lab.ids, lambda: None, now=lambda: lab.at)
    assert watcher.look() == 0
    view = lab.view(trial)
    assert (view.state, tuple(view.closed), view.read_by.open) == (State.RUNNING, (1,), (2,))
    event = events(lab, trial)[0]
    assert (event.what, event.by, event.detail["broken"]) == ("closed", SYSTEM.actor, ["errors"])
    before = lab.card(trial)
    assert before.of(1).is_closed
    assert before.of(1).sentence.startswith("B is beyond the limit for errors")
    seen(lab, trial, arms=2, units=200, start=1_000)  # a straggler's calls change nothing that is told of B
    after = lab.card(trial)
    assert after.of(1) == before.of(1)
    assert [line for line in after.lines if line.arm == 1] == [line for line in before.lines if line.arm == 1]
    assert "B was closed, beyond a limit." in after.sentence
    with lab.db.read() as session:
        (delivery,) = session.exec(select(Delivery))
    assert orjson.loads(delivery.payload)["data"]["broken"] == ["errors"]
    lab.later(minutes=5)
    assert watcher.look() == 0
    assert [event.what for event in events(lab, trial)].count("closed") == 1


def test_units_of_a_closed_arm_are_in_none_and_nobody_else_moves(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab)
    lab.verb(actions.close_arm, trial, arm=1)
    made = lab.view(trial).design
    with lab.db.read() as session:
        snapshot = queries.snapshot(session)
    for number in range(400):
        facts = Facts(f"u{number}", "", "")
        before = assigned(made, facts, coverage=BUCKETS)
        given = snapshot.given(1, "prompt:support", facts)
        if before == 1:
            assert given is None
            assert assigned(made, facts, coverage=BUCKETS, closed={1}) is Out.CLOSED
        else:
            assert isinstance(given, Given)
            assert given.exposure.arm == before


def test_a_closed_arm_is_no_part_of_the_split(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab)
    seen(lab, trial, units=300)
    lab.verb(actions.close_arm, trial, arm=1)
    lab.write([lab.call(trial, f"later{n}", 2 * (n % 2)) for n in range(600)])
    card = lab.card(trial)
    assert not card.is_off
    assert card.split.startswith("A 400 where 400 were due, C 400 where 400 were due")


def test_when_the_last_arm_breaks_its_limit_the_test_ends(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab)
    lab.verb(actions.close_arm, trial, arm=2)
    seen(lab, trial, failing=1)
    assert Watcher(lab.db, lab.ids, lambda: None, now=lambda: lab.at).look() == 1
    view = lab.view(trial)
    assert (view.state, view.ending) == (State.ENDED, Ending.STOPPED)
    assert events(lab, trial)[0].detail["guardrails"]["B: errors"]["standing"] == "broken"


def test_two_arms_that_break_at_once_end_the_test_at_once(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab)
    lab.write(
        [lab.call(trial, f"u{n}", n % 3, status="upstream_error" if n % 3 and n % 2 else "ok") for n in range(900)]
    )
    assert Watcher(lab.db, lab.ids, lambda: None, now=lambda: lab.at).look() == 1
    assert lab.view(trial).ending == Ending.STOPPED


def test_any_arm_can_be_made_everybodys_and_the_report_says_which(lab: Lab) -> None:
    made = prompt(lab)
    trial = lab.started(design("prompt:support", arms=(*THREE[:1], THREE[2], Arm("D", model="prompt:support@2"))))
    assert lab.verb(actions.promote, trial, arm=2) is Ending.PROMOTED
    assert labels(lab, made) == {"production": 2}
    assert cards.card_in(lab.view(trial).report or {}).promoted == 2
    assert events(lab, trial)[0].detail["arm"] == "D"


def test_what_cannot_be_closed_or_promoted_is_refused(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab)
    for arm in (0, 3, -1):
        with pytest.raises(NotFound, match="no such arm"):
            lab.verb(actions.close_arm, trial, arm=arm)
        with pytest.raises(NotFound, match="no such arm"):
            lab.verb(actions.promote, trial, arm=arm)
    with pytest.raises(NotFound):
        lab.verb(actions.close_arm, trial, arm=1, by=EVE)
    with pytest.raises(NotAllowed):
        lab.verb(actions.close_arm, trial, arm=1, by=SEES)
    lab.verb(actions.close_arm, trial, arm=1)
    for verb in (actions.close_arm, actions.promote):
        with pytest.raises(Conflict, match="out of this test") as refused:
            lab.verb(verb, trial, arm=1)
        assert refused.value.code == "arm_closed"
    with pytest.raises(Conflict, match="last arm"):
        lab.verb(actions.close_arm, trial, arm=2)


def test_every_arm_has_its_own_line_through_time(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab, planned=3_000)
    watcher = Watcher(lab.db, lab.ids, lambda: None, now=lambda: lab.at)
    for hour in range(2):
        seen(lab, trial, units=300, start=300 * hour)
        lab.later(hours=1)
        watcher.look()
    with lab.db.read() as session:
        found = {arm: queries.looks(session, trial, arm=arm) for arm in (1, 2)}
        (last,) = queries.last_looks(session, [trial]).values()
    assert [len(looks) for looks in found.values()] == [2, 2]
    assert (found[2][-1].high or 0) < 0 < (found[1][-1].high or 0)
    assert last.sentence == found[1][-1].sentence


def waiting(lab: Lab) -> int:
    """How many wait for what others hold; of SQLite, where one writes at a time, it is not known."""
    with lab.db.read() as session:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return 1 if lab.db.is_sqlite else int(session.execute(text(query)).scalar_one())


def test_who_ends_a_test_and_who_looks_at_it_do_not_wait_for_each_other(lab: Lab) -> None:
    prompt(lab)
    trial = begun(lab, planned=3_000)
    seen(lab, trial, units=300)
    card, told = lab.card(trial), {"by": SYSTEM, "at": lab.at, "ids": lab.ids}
    with ThreadPoolExecutor(1) as pool:
        with lab.db.write() as session:
            assert clockwork.guard(session, trial_id=trial, card=card, **told) is Guarded.NOTHING
            looking.note(session, trial_id=trial, card=card, at=lab.at)
            ended = pool.submit(lab.verb, actions.roll_back, trial)
            while not waiting(lab):
                pass
            assert not clockwork.step(session, trial_id=trial, card=card, **told)
        ended.result()
    assert lab.view(trial).ending == Ending.ROLLED_BACK
    with lab.db.write() as session:
        assert clockwork.guard(session, trial_id=trial, card=card, **told) is Guarded.OVER


@pytest.mark.parametrize("verbs", [(actions.close_arm, actions.close_arm), (actions.close_arm, actions.promote)])
def test_of_two_who_act_on_the_last_arms_at_once_one_is_refused(lab: Lab, verbs: tuple[Any, Any]) -> None:
    prompt(lab)
    trial = begun(lab)

    def go(verb: Any, arm: int) -> bool:
        try:
            lab.verb(verb, trial, arm=arm)
        except Conflict:
            return False
        return True

    numbers = (1, 2) if verbs[1] is actions.close_arm else (1, 1)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(go, verbs, numbers)) == [False, True]
    view = lab.view(trial)
    assert view.state is State.ENDED or len(view.read_by.open) == 1
