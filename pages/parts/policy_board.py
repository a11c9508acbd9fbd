"""The policies of a project: what each does in words, on or off, its dry run and history; and the form for more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from core import clock, ids
from core.errors import GreenroomError
from core.guard import actions, detecting, policies, queries, rules, trial
from core.guard.findings import Family, Passage, Side
from core.guard.queries import PolicyRow, Silence
from core.guard.trial import Trial
from core.people.queries import ProjectView
from core.people.rules import Principal
from pages.parts import (
    access,
    acting,
    amounts,
    hostile,
    moments,
    policy_details,
    policy_rule,
    policy_words,
    reads,
    states,
)
from pages.parts.links import CALLS

LOOKED = 1_000  # recorded calls that a dry run on a page looks at, spread over the week
_HOUR = timedelta(hours=1)
TRIED, RESULT = "policy_tried", "policy_dry_run"


def draw(by: Principal, project: ProjectView, queues: Sequence[str], *, may_change: bool) -> None:
    """The list, then the form."""
    rows = reads.fresh(queries.policies, project_ids=(project.id,))
    if not rows:
        states.empty(
            "No policy is in force.",
            "Every answer is delivered as it comes. A policy decides which are redacted, replaced, refused, or held "
            "until a person has looked.",
            icon=":material/shield:",
        )
    silent = {}
    if any(row.is_on and row.settings.get("judge") for row in rows):
        silent = reads.fresh(queries.silent_judges, project_ids=(project.id,), since=clock.now() - _HOUR)
    for row in rows:
        silence = silent.get(row.settings["judge"]["model"]) if row.is_on and row.settings.get("judge") else None
        _policy(row, by, project, queues, silence, may_change=may_change)
    if may_change:
        _new(by, project, queues)
    _try(rows, project)


def _policy(
    row: PolicyRow,
    by: Principal,
    project: ProjectView,
    queues: Sequence[str],
    silence: Silence | None,
    *,
    may_change: bool,
) -> None:
    with st.container(border=True, key=f"policy_{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                st.subheader(hostile.sentence(row.name), anchor=False, width="content")
                st.badge("On" if row.is_on else "Off", color="green" if row.is_on else "gray")
                st.caption(f"version {row.version}", width="content")
            if may_change:
                with st.container(horizontal=True, width="content", gap="small"):
                    st.button(
                        "Dry run on the last 7 days", key=f"policy_try_{row.id}", icon=":material/history:",
                        on_click=_tried, args=(row.id,), help="What it would have done. Nothing is changed.",
                    )  # fmt: skip
                    pressed = st.button(
                        "Switch off" if row.is_on else "Switch on", key=f"policy_switch_{row.id}_{row.is_on}",
                        type="secondary" if row.is_on else "primary",
                    )  # fmt: skip
                    if pressed and acting.done(
                        actions.switch, policy_id=row.id, is_on=not row.is_on, by=by, at=clock.now()
                    ):
                        acting.tell("The policy is off." if row.is_on else "The policy is on.")
        where = ", ".join(hostile.label(one) for one in row.routes) or "every route and model"
        st.caption(f"For {where}.")
        if silence is not None:
            _silent(silence, row)
        for number, rule in enumerate(row.rules):
            _rule(row, number, rule, by, may_change=may_change)
        if st.session_state.get(TRIED) == row.id:
            _dry_run(row, project)
        if may_change:
            _more(row, by, queues)


def _silent(silence: Silence, row: PolicyRow) -> None:
    """That the judge of a policy is down, and what it did not look at."""
    times = f"{'' if silence.is_all else 'at least '}{amounts.count(silence.count, 'time')}"
    why = f"The newest reason: {silence.why.rstrip('.')}. " if silence.why else ""
    asks = [rule for rule in row.rules if any(one.get("family") == Family.JUDGE for one in rule["when"])]
    is_strict = any(rule["act"] in policies.STRICT for rule in asks)
    then = "What was not judged is treated as found." if is_strict else "What was not judged is treated as not found."
    st.warning(
        hostile.sentence(f"{why}{then}"),
        title=f"Its judge gave no verdict {times} in the last hour.",
        icon=":material/error:",
    )
    shown = {"call": ids.shown("call", silence.call_id)}
    st.page_link(CALLS, label="The newest of these calls", icon=":material/receipt_long:", query_params=shown)


def _rule(row: PolicyRow, number: int, rule: Mapping[str, Any], by: Principal, *, may_change: bool) -> None:
    words, button = st.columns([6, 1], vertical_alignment="center")
    with words:
        st.markdown(hostile.sentence(policy_words.rule(rule)))
        for line in policy_details.of(rule, row.settings):
            st.caption(hostile.sentence(line))
    with button:
        if may_change and len(row.rules) > 1:
            gone = st.button(
                "Remove", key=f"policy_drop_{row.id}_{row.version}_{number}", icon=":material/delete:", type="tertiary"
            )
            if gone:
                kept = [one for place, one in enumerate(row.rules) if place != number]
                _change(row, kept, row.settings, by)


def _more(row: PolicyRow, by: Principal, queues: Sequence[str]) -> None:
    with st.expander("Add a rule, or look at earlier versions", icon=":material/tune:"):
        drafted = policy_rule.draw(f"policy_{row.id}_{row.version}", queues)
        if st.button("Add the rule", key=f"policy_add_{row.id}_{row.version}", type="primary"):
            added = {**drafted.rule, "name": _name(drafted.rule, [one["name"] for one in row.rules])}
            _change(row, [*row.rules, added], _merged(row.settings, drafted.settings), by)
        for old in reads.fresh(queries.versions, row.id, project_ids=(row.project_id,), limit=10):
            st.markdown(f"**Version {old.version}**")
            moments.ago(old.made_at, clock.now())
            for rule in old.rules:
                details = " ".join([policy_words.rule(rule), *policy_details.of(rule, old.settings)])
                st.caption(hostile.sentence(details))


def _change(row: PolicyRow, changed: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], by: Principal) -> None:
    told: dict[str, Any] = {"rules": changed, "settings": settings, "routes": row.routes}
    if acting.done(actions.change, policy_id=row.id, expected_version=row.version, by=by, at=clock.now(), **told):
        acting.tell("The policy is worded anew.")


def _new(by: Principal, project: ProjectView, queues: Sequence[str]) -> None:
    turn = st.session_state.get("policy_turn", 0)
    with st.expander("New policy", icon=":material/add:", expanded=False, key=f"policy_new_{turn}"):
        name = st.text_input("Name", key=f"policy_name_{turn}", max_chars=64, placeholder="Personal data in answers")
        where = st.text_input(
            "For which models or routes", key=f"policy_where_{turn}", placeholder="All; or: support, /v1/responses",
            help="Aliases or models by name, routes beginning with a slash; * at the end stands for anything.",
        )  # fmt: skip
        drafted = policy_rule.draw(f"policy_form_{turn}", queues)
        st.caption("It stays off until you switch it on: look at its dry run first.")
        if st.button("Create policy", key=f"policy_create_{turn}", type="primary", icon=":material/add:"):
            rule = {**drafted.rule, "name": _name(drafted.rule, [])}
            routes = [one.strip() for one in where.split(",") if one.strip()]
            made = acting.do(
                actions.create, project_id=project.id, name=name, rules=[rule], settings=drafted.settings,
                routes=routes, by=by, at=clock.now(),
            )  # fmt: skip
            if made is not None:
                st.session_state["policy_turn"] = turn + 1
                st.session_state[TRIED] = made
                acting.tell("The policy is written, and off. This is its dry run.")


def _tried(policy_id: int) -> None:
    """Show a dry run, of the calls that there are now."""
    st.session_state[TRIED] = policy_id
    st.session_state.pop(RESULT, None)


def _dry_run(row: PolicyRow, project: ProjectView) -> None:
    try:
        policy = _ready(row)
    except GreenroomError as error:
        acting.show(error)
        return
    known = st.session_state.get(RESULT)
    if known is None or known[:2] != (row.id, row.version):
        _look(policy, row)
        st.rerun()
    found: Trial = known[2]
    with st.container(border=True):
        if not found.is_complete:
            what = "only the newest calls were looked at" if found.looked else "no call was looked at"
            st.caption(f":material/stop_circle: Stopped early: {what}.")
            if not found.looked:
                return
        if not found.calls:
            st.markdown("There were no calls in the last 7 days.")
            return
        acts = [
            f"{amounts.count(count.calls)} × {policy_words.ACTS[policies.Act(act)]}"
            for act, count in found.acts.items()
        ]
        spread = ", spread over the week" if found.is_complete else ""
        of_all = "" if found.looked >= found.calls else f" (of {amounts.count(found.calls)}{spread})"
        st.markdown(f"Of {amounts.count(found.looked, 'call')}{of_all}: {'; '.join(acts) or 'nothing'}.")
        for name, count in found.rules.items():
            with st.container(horizontal=True, gap="small", vertical_alignment="center"):
                st.caption(f"{hostile.sentence(name)}: {amounts.count(count.calls)}", width="content")
                for number, call_id in enumerate(count.examples[:5], 1):
                    shown = {"call": ids.shown("call", call_id)}
                    st.page_link(access.FOLDER / "call_list.py", label=f"Example {number}", query_params=shown)
        if found.failed.calls:
            st.caption(f"A detector broke on {amounts.count(found.failed.calls, 'call')}.")
        if found.not_looked:
            st.caption(
                "A model that judges is not asked in a dry run; readers' reports and ratings count as they came."
            )


def _look(policy: policies.Policy, row: PolicyRow) -> None:
    """Look at the week, a hundred calls at a time. Any press ends it between two of them; what was seen is kept."""
    now, nothing = clock.now(), Trial(0, 0, False, {}, {}, trial.Count())
    st.session_state[RESULT] = (row.id, row.version, nothing)
    with st.container(border=True):
        shown = st.progress(0.0, text="Looking at the last 7 days…")
        st.button("Stop", key="policy_try_stop", icon=":material/stop:")

    def told(so_far: Trial) -> bool:
        st.session_state[RESULT] = (row.id, row.version, so_far)
        wanted = min(LOOKED, so_far.calls)
        shown.progress(
            min(1.0, so_far.looked / wanted),
            text=f"{amounts.count(so_far.looked)} of {amounts.count(wanted, 'call')} looked at",
        )
        return True

    asked: dict[str, Any] = {"since": now - timedelta(days=7), "until": now, "limit": LOOKED, "goes_on": told}
    st.session_state[RESULT] = (row.id, row.version, reads.fresh(trial.dry_run, policy, **asked))


def _ready(row: PolicyRow) -> policies.Policy:
    return policies.parse(
        policy_id=row.id, project_id=row.project_id, name=row.name, version=row.version, routes=row.routes,
        rules=row.rules, settings=row.settings,
    )  # fmt: skip


def _try(rows: Sequence[PolicyRow], project: ProjectView) -> None:
    """A text of one's own through every policy that is on."""
    with st.expander("Try a text", icon=":material/science:"):
        side = st.segmented_control(
            "As", ["question", "answer"], default="answer", key="policy_text_side", required=True
        )
        text = st.text_area("Text", key="policy_text", max_chars=20_000)
        if not text.strip():
            return
        on = [_ready(row) for row in rows if row.is_on]
        if not on:
            st.caption("No policy is on.")
            return
        passage = Passage(Side.INPUT if side == "question" else Side.OUTPUT, "text", text, "user")
        scanned = detecting.scan(detecting.detectors(on), [passage])
        context = rules.Context(call_id=0, route="/v1/chat/completions", at=clock.now(), newest="text")
        decision = rules.decide(on, scanned.findings, context, scanned.failures)
        st.markdown(f"**{policy_words.ACTS[decision.act].capitalize()}** {hostile.sentence(decision.reason)}")
        for one in scanned.findings:
            st.caption(
                f"{hostile.label(text[one.start : one.stop])}: {one.family}, {one.kind}, {one.confidence:.0%} sure"
            )


def _name(rule: Mapping[str, Any], taken: Sequence[str]) -> str:
    """A name of a rule from what it says, new among the others."""
    words = policy_words.condition(rule["when"][0])[:60]
    number, name = 1, words
    while name in taken:
        number += 1
        name = f"{words} ({number})"
    return name


def _merged(before: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a policy with those of one more rule: lists grow, everything else is replaced."""
    merged = dict(before)
    for name, value in added.items():
        old = merged.get(name)
        merged[name] = [*old, *(one for one in value if one not in old)] if isinstance(old, list | tuple) else value
    return merged
