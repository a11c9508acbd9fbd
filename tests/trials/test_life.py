"""The life of a test: what may change when, what it does to labels and aliases, and what stays for good."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from core.audit import queries as audit
from core.catalog import actions as catalog
from core.catalog import queries as catalog_queries
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.people.rules import SYSTEM
from core.prompts import actions as prompts
from core.prompts import queries as prompt_queries
from core.prompts import releases
from core.trials import actions, cards, queries
from core.trials.metrics import Measures, Metric, offered
from core.trials.rules import Arm, Condition, Ending, State
from core.trials.watcher import Watcher
from tests.prompts.shelf import content
from tests.trials.lab import ANN, BEN, EVE, GOAL, ROOT, SEES, Lab, design, plan


def prompt(lab: Lab) -> int:
    """A prompt with two versions, the first in production."""
    with lab.db.write() as session:
        told: dict[str, Any] = {"by": ANN, "at": lab.later()}
        made = prompts.create(session, project_id=1, name="support", content=content("One."), **told)
        prompts.save(session, prompt_id=made.prompt_id, content=content("Two."), **told)
        releases.move(session, prompt_id=made.prompt_id, label="production", number=1, ids=lab.ids, **told)
    return made.prompt_id


def labels(lab: Lab, prompt_id: int) -> Any:
    with lab.db.read() as session:
        return prompt_queries.prompt(session, prompt_id, project_ids=[1]).labels


OF_PROMPT = design("prompt:support", arms=(Arm("A"), Arm("B", model="prompt:support@2")))


def broken(lab: Lab, trial: int, units: int = 200) -> None:
    """Calls of which B's fail one time in three."""
    lab.write(
        [
            lab.call(trial, f"u{n}", n % 2, status="upstream_error" if n % 6 == 1 else "ok", total_ms=100.0)
            for n in range(2 * units)
        ]
    )


def test_promoting_moves_the_label_to_the_arms_version_and_freezes_the_report(lab: Lab) -> None:
    made = prompt(lab)
    trial = lab.started(OF_PROMPT)
    lab.write([lab.call(trial, f"u{n}", n % 2, cost_usd=Decimal(1 + n % 3) / 1000) for n in range(200)])
    card = lab.card(trial)
    assert lab.verb(actions.promote, trial) is Ending.PROMOTED
    assert labels(lab, made) == {"production": 2}
    view = lab.view(trial)
    assert (view.state, view.ending, view.ended_by) == (State.ENDED, "promoted", "person:ann")
    assert view.report is not None
    frozen = cards.card_in(view.report)
    assert (frozen.sentence, frozen.units, frozen.lines[0]) == (card.sentence, card.units, card.lines[0])
    lab.write([lab.call(trial, f"late{n}", 1) for n in range(10)])
    assert cards.card_in(lab.view(trial).report or {}) == frozen
    with pytest.raises(Conflict, match="was ended"):
        lab.verb(actions.roll_back, trial)


def test_promoting_what_nothing_is_known_of_has_to_be_said(lab: Lab) -> None:
    made = prompt(lab)
    trial = lab.started(OF_PROMPT)
    lab.write([lab.call(trial, f"u{n}", int(n % 5 == 0)) for n in range(400)])
    with pytest.raises(Conflict, match="did not split as planned") as refused:
        lab.verb(actions.promote, trial)
    assert refused.value.code == "split_is_off"
    assert (lab.view(trial).state, labels(lab, made)) == (State.RUNNING, {"production": 1})
    assert lab.verb(actions.promote, trial, is_blind=True) is Ending.PROMOTED
    assert labels(lab, made) == {"production": 2}


def test_promoting_to_a_protected_label_asks_and_moves_nothing(lab: Lab) -> None:
    made = prompt(lab)
    with lab.db.write() as session:
        releases.protect(session, project_id=1, label="production", is_protected=True, by=ROOT, at=lab.later())
    trial = lab.started(OF_PROMPT)
    assert lab.verb(actions.promote, trial) is Ending.ASKED
    assert labels(lab, made) == {"production": 1}
    with lab.db.read() as session:
        (request,) = prompt_queries.requests(session, project_ids=[1], state="open")
    assert (request.label, request.after, request.asked_by) == ("production", 2, "person:ann")
    assert request.evidence == ("live test Cheaper",)


def test_promoting_gives_the_alias_the_arms_model(lab: Lab, vault: Any) -> None:
    with lab.db.write() as session:
        told: dict[str, Any] = {"by": ROOT, "at": lab.later()}
        catalog.add_backend(session, name="double", base_url="http://127.0.0.1:9", key=None, vault=vault, **told)
        catalog.set_alias(session, name="support", steps=[("double", "a")], cache_ttl_s=5, **told)
    trial = lab.started()
    assert lab.verb(actions.promote, trial) is Ending.PROMOTED
    with lab.db.read() as session:
        (alias,) = catalog_queries.aliases(session)
    assert (alias.steps, alias.cache_ttl_s, alias.version) == ((("double", "b"),), 5, 2)


@pytest.mark.parametrize(
    ("target", "arm"),
    [
        ("support", Arm("B", parameters={"temperature": 0.1})),
        ("*", Arm("B", model="double/b")),
        ("support", Arm("B", model="prompt:support@2")),
        ("prompt:support", Arm("B", model="double/b")),
    ],
)
def test_what_no_label_or_alias_can_mean_is_not_promoted_and_the_test_goes_on(lab: Lab, target: str, arm: Arm) -> None:
    prompt(lab)
    trial = lab.started(design(target, arms=(Arm("A"), arm)))
    with pytest.raises(Invalid):
        lab.verb(actions.promote, trial)
    assert lab.view(trial).state is State.RUNNING


def test_what_decides_who_gets_what_is_frozen_once_it_has_run(lab: Lab) -> None:
    trial = lab.create()
    made = lab.view(trial).design
    assert made.salt
    assert lab.verb(actions.change, trial, design=design("other"), plan=plan("Other"))
    assert lab.view(trial).design.salt == made.salt
    assert lab.verb(actions.change, trial, design=design(), plan=plan())
    lab.verb(actions.start, trial)
    for told in (
        {"design": design("other"), "plan": plan()},
        {"design": design(arms=(Arm("A", 9), Arm("B", model="double/b"))), "plan": plan()},
        {"design": design(layer="x"), "plan": plan()},
        {"design": design(), "plan": plan(planned=2_000)},
        {"design": design(), "plan": plan(measures=dataclasses.replace(GOAL, level=0.9))},
    ):
        with pytest.raises(Conflict, match="cannot change any more"):
            lab.verb(actions.change, trial, **told)
    assert lab.verb(actions.change, trial, design=design(), plan=plan("New name", coverage=1))
    assert (lab.view(trial).name, lab.view(trial).coverage) == ("New name", 10_000)
    assert not lab.verb(actions.change, trial, design=design(), plan=plan("New name"))


def test_coverage_only_grows_and_a_pause_keeps_it(lab: Lab) -> None:
    trial = lab.started(planned=plan(coverage=500))
    with pytest.raises(Invalid, match="only grow"):
        lab.verb(actions.widen, trial, coverage=100)
    lab.verb(actions.widen, trial, coverage=2_500)
    lab.verb(actions.pause, trial)
    with lab.db.read() as session:
        assert not queries.snapshot(session).is_any(1)
    with pytest.raises(Conflict):
        lab.verb(actions.widen, trial, coverage=5_000)
    lab.verb(actions.start, trial)
    with lab.db.read() as session:
        snapshot = queries.snapshot(session)
    ((test,),) = snapshot.tests.values()
    assert (test.coverage, snapshot.is_any(1)) == (2_500, True)
    told = [event.what for event in events(lab, trial)]
    assert told == ["resumed", "paused", "widened", "started", "created"]


def events(lab: Lab, trial: int) -> tuple[queries.EventView, ...]:
    with lab.db.read() as session:
        return queries.events(session, trial)


def test_two_running_tests_of_one_name_must_exclude_each_other(lab: Lab) -> None:
    lab.started(design(layer="x", first=0, until=5_000))
    same = lab.create(design(), plan("Two"))
    with pytest.raises(Conflict, match="some users would be in both"):
        lab.verb(actions.start, same)
    apart = lab.create(design(layer="x", first=5_000, until=10_000), plan("Three"))
    lab.verb(actions.start, apart)
    other = lab.create(design("other"), plan("Four"))
    lab.verb(actions.start, other)


def test_a_version_that_is_not_there_is_found_at_the_start(lab: Lab) -> None:
    prompt(lab)
    trial = lab.create(design("prompt:support", arms=(Arm("A"), Arm("B", model="prompt:support@9"))))
    with pytest.raises(NotFound, match="no version 9"):
        lab.verb(actions.start, trial)


def test_a_holdout_is_set_while_no_test_has_begun(lab: Lab) -> None:
    assert lab.do(actions.hold_out, project_id=1, buckets=500)
    assert not lab.do(actions.hold_out, project_id=1, buckets=500)
    trial = lab.started()
    with lab.db.read() as session:
        assert queries.snapshot(session).holdouts == {1: 500}
    with pytest.raises(Conflict, match="move units"):
        lab.do(actions.hold_out, project_id=1, buckets=0)
    lab.verb(actions.roll_back, trial)
    assert lab.do(actions.hold_out, project_id=1, buckets=0)


def test_only_who_may_changes_a_test_and_others_do_not_see_it(lab: Lab) -> None:
    trial = lab.create()
    with pytest.raises(NotAllowed):
        lab.verb(actions.start, trial, by=SEES)
    with pytest.raises(NotFound):
        lab.verb(actions.start, trial, by=EVE)
    with lab.db.read() as session, pytest.raises(NotFound):
        queries.trial(session, trial, project_ids=[7])
    lab.verb(actions.start, trial, by=BEN)


def test_a_draft_can_be_removed_and_a_test_that_ran_cannot(lab: Lab) -> None:
    draft, ran = lab.create(planned=plan("Draft")), lab.started()
    lab.do(actions.remove, trial_id=draft)
    with pytest.raises(Conflict, match="has run"):
        lab.do(actions.remove, trial_id=ran)
    with lab.db.read() as session:
        assert [view.id for view in queries.trials(session, project_ids=[1])] == [ran]


def test_a_broken_guardrail_ends_the_test_once_with_its_figures_in_the_trail(lab: Lab) -> None:
    trial = lab.started()
    broken(lab, trial)
    announced: list[int] = []
    watchers = [Watcher(lab.db, lab.ids, lambda: announced.append(1), now=lambda: lab.at) for _ in range(2)]
    assert [watcher.look() for watcher in watchers] == [1, 0]
    view = lab.view(trial)
    assert (view.state, view.ending, view.ended_by) == (State.ENDED, "stopped by a guardrail", SYSTEM.actor)
    ended = events(lab, trial)[0]
    assert ended.what == "ended"
    assert ended.detail["guardrails"]["errors"]["standing"] == "broken"
    assert ended.detail["guardrails"]["errors"]["difference"].startswith("+34 points")
    with lab.db.read() as session:
        assert not queries.snapshot(session).is_any(1)
        found = session.execute(text("SELECT action FROM audit_event ORDER BY number DESC LIMIT 1")).scalar_one()
    assert found == "trial.ended"


def test_a_test_whose_arms_are_alike_is_not_ended_but_kept_count_of_hour_by_hour(lab: Lab) -> None:
    trial = lab.started()
    watcher = Watcher(lab.db, lab.ids, lambda: None, now=lambda: lab.at)
    for hour in range(3):
        lab.write([lab.call(trial, f"{hour}-{n}", n % 2, cost_usd=Decimal(1 + n // 2 % 4) / 1000) for n in range(80)])
        lab.later(hours=1)
        assert watcher.look() == 0
        assert watcher.look() == 0  # taken in hand half a minute ago
    with lab.db.read() as session:
        kept = queries.looks(session, trial)
    assert [look.n for look in kept] == [80, 160, 240]
    assert kept[0].low is None
    assert kept[2].low is not None
    assert kept[2].low < 0 < (kept[2].high or 0)


def test_a_schedule_widens_step_by_step_and_stays_where_the_traffic_is_off(lab: Lab) -> None:
    trial = lab.started(planned=plan(coverage=100, ramp_hours=24))
    watcher = Watcher(lab.db, lab.ids, lambda: None, now=lambda: lab.at)
    watcher.look()
    assert lab.view(trial).coverage == 100
    lab.later(hours=25)
    watcher.look()
    assert lab.view(trial).coverage == 500
    lab.write([lab.call(trial, f"u{n}", 0) for n in range(200)])
    lab.later(hours=25)
    watcher.look()
    assert lab.view(trial).coverage == 500
    assert lab.card(trial).is_off
    assert lab.card(trial).outcome == "unhealthy"


def test_every_verb_is_in_the_trail_with_what_changed(lab: Lab) -> None:
    trial = lab.started(planned=plan(coverage=100))
    lab.verb(actions.widen, trial, coverage=500)
    with lab.db.read() as session:
        rows = audit.events(session, project_id=1, limit=10)
    found = {row.action: (row.before, row.after) for row in rows}
    assert found["trial.widened"] == ({"coverage": 100}, {"coverage": 500})
    assert found["trial.started"] == (None, {"coverage": 100})
    assert (found["trial.created"][1] or {})["target"] == "support"


@pytest.mark.parametrize(
    ("measures", "words"),
    [
        (Measures(Metric.COST, (Metric.COST,)), "the goal already"),
        (Measures(Metric.ERRORS, (), offered(Metric.ERRORS)), "the goal already"),
        (Measures(Metric.COST, level=0.5), "level"),
    ],
)
def test_what_cannot_be_decided_by_is_refused(lab: Lab, measures: Measures, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        lab.create(planned=plan(measures=measures))
    with pytest.raises(Invalid, match="Plan between"):
        lab.create(planned=plan(planned=5))


def test_names_are_kept_as_any_database_takes_them_and_no_longer_than_a_name_is(lab: Lab) -> None:
    arms = (Arm("A"), Arm("B\0", model="double/b\0"), Arm("\ud800", model="double/c"))
    made = design("fa\0st", arms=arms, conditions=(Condition("ti\0er", ("\ud800", "gold")),), layer="l\0")
    view = lab.view(lab.create(made))
    assert (view.target, view.layer, [arm.name for arm in view.arms]) == ("fast", "l", ["A", "B", "\ufffd"])
    assert (view.arms[1].model, view.conditions) == ("double/b", (Condition("tier", ("\ufffd", "gold")),))
    long = "x" * 201
    for told in (
        {"arms": (Arm("A"), Arm("B", model=long))},
        {"arms": (Arm("A"), Arm(long, model="double/b"))},
        {"conditions": (Condition("tier", (long,)),)},
        {"layer": long},
    ):
        with pytest.raises(Invalid, match=r"200|tag and the values"):
            lab.create(design(**told), plan("Other"))
