"""A new live test, in words: what is tried against what, for whom, what decides, and how many users that takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import streamlit as st

from core import clock, runtime
from core.catalog import queries as catalog
from core.people.queries import ProjectView
from core.people.rules import Principal
from core.prompts import queries as prompts
from core.review import queries as review
from core.statistics.margins import Margin
from core.trials import actions, metrics, plans, queries, rules
from core.trials.metrics import ABOUT, Measures, Metric, Source
from core.trials.plans import Plan
from core.trials.rules import Arm, Condition, Design, Unit
from core.trials.sizing import Split
from pages.parts import acting, hostile, reads, trial_list, trial_planning
from pages.parts import trial_words as words
from pages.parts.trial_planning import Tried

TEMPLATES = {
    "prompt": ("Prompt version", "Another version of a prompt, against the one a label names now."),
    "model": ("Another model", "Another model behind the name that applications ask for."),
    "setting": ("Settings", "Another temperature or length, with the same model."),
}
UNITS = {"user": "Each end user, for good", "session": "Each conversation", "call": "Each call"}
SHARES = {0: "evenly", 9: "90 % to A", 4: "80 % to A", 1: "50 % to A"}
"""How many units A gets for one of all the others together; 0: as many as each of them."""
LETTERS = "BCDEF"
MOST_OTHERS = rules.MOST_ARMS - 1
RAMPS = {0: "by hand", 6: "every 6 hours", 24: "every day", 72: "every 3 days"}


def draw(by: Principal, project: ProjectView) -> None:
    """The form. It is no `st.form`: what one chooses decides what is asked next, and the plan answers at once."""
    st.button(
        "All live tests", key="trial_back", icon=":material/arrow_back:", type="tertiary", on_click=trial_list.opened,
        args=("",),
    )  # fmt: skip
    st.title("New live test", anchor=False)
    template = st.segmented_control(
        "What is tried?", list(TEMPLATES), default="prompt", key="trial_template",
        format_func=lambda one: TEMPLATES[one][0], required=True,
    )  # fmt: skip
    st.caption(TEMPLATES[str(template)][1])
    what = {"prompt": _prompt, "model": _model, "setting": _setting}[str(template)](project)
    if what is None:
        return
    target, others, called = what
    name = st.text_input("Name of the test", called, key=f"trial_name_{called}", max_chars=plans.LONGEST_NAME)
    question = st.text_input(
        "What do you expect?", key="trial_question", max_chars=500,
        placeholder="Fewer answers are rejected, at the same cost",
    )  # fmt: skip
    unit, weights, conditions, layer, piece = _who(len(others))
    measures = _decides(project)
    if piece.strip() and ABOUT[measures.goal].source is not Source.UNIT:
        st.caption(
            f"{ABOUT[measures.goal].name} is not told by {hostile.label(piece.strip())}: only what every call has."
        )
    split = Split(weights[0] / weights[1], len(others))
    planned = trial_planning.draw(_tried(project, target, unit, conditions, layer), measures, split)
    coverage, ramp_hours = _ramp()
    arms = (Arm("A", weights[0]), *(dataclasses.replace(arm, weight=weights[1]) for arm in others))
    design = Design(target, arms, "", unit, conditions, *layer)
    plan = Plan(name, measures, planned, question, coverage, ramp_hours, piece)
    if st.button("Keep as a draft", key="trial_keep", type="primary", icon=":material/save:"):
        made = acting.do(
            actions.create, project_id=project.id, design=design, plan=plan, by=by, at=clock.now(),
            ids=runtime.current().ids,
        )  # fmt: skip
        if made is not None:
            trial_list.opened(str(made))
            acting.tell("Kept. Nothing is tested until you start it.")


def _tried(
    project: ProjectView, target: str, unit: Unit, conditions: tuple[Condition, ...], layer: tuple[str, int, int]
) -> Tried:
    """What the test would split."""
    _, first, until = layer
    holdout = reads.fresh(queries.holdout, project.id)
    share = (until - first) / rules.BUCKETS * (1 - holdout / rules.BUCKETS)
    told = tuple(one for one in conditions if one.tag and one.values)
    return Tried(project.id, target, unit, told, share)


What = tuple[str, tuple[Arm, ...], str] | None


def _prompt(project: ProjectView) -> What:
    known = reads.fresh(prompts.prompts, project_ids=[project.id], limit=200)
    usable = [row for row in known if row.labels and row.newest > 1]
    if not usable:
        st.info("A prompt needs a version with a label and a second version to try against it.", icon=":material/info:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        row = st.selectbox(
            "Prompt", usable, key="trial_prompt", format_func=lambda one: hostile.line(one.name), width=300
        )
        labels = sorted(row.labels, key=lambda one: (one != "production", one))
        label = st.selectbox("A: what this label names", labels, key=f"trial_label_{row.id}", width=200)
        others = [number for number in range(row.newest, 0, -1) if number != row.labels[label]]
        numbers = st.multiselect(
            "B, C …: versions to try", others, others[:1], key=f"trial_versions_{row.id}_{label}", width=320,
            max_selections=MOST_OTHERS,
        )  # fmt: skip
    told = [f"prompt:{row.name}@{number}" for number in numbers]
    return f"prompt:{row.name}@{label}", _named(told), f"{row.name} {', '.join(map(str, numbers))}"


def _model(_: ProjectView) -> What:
    means = {row.name: "/".join(row.steps[0]) for row in reads.fresh(catalog.aliases) if row.is_enabled and row.steps}
    aliases = list(means)
    models = [f"{row.backend}/{row.name}" for row in reads.fresh(catalog.models) if row.is_enabled]
    if not models:
        st.info("There is no model yet. Add a backend first.", icon=":material/info:")
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        target = st.selectbox(
            "A: what answers this name now", [*aliases, *models], key="trial_target", accept_new_options=True, width=300
        )
        others = [name for name in (*models, *aliases) if name != target]
        anyway = means.get(str(target))  # what an alias means anyway would be compared with itself
        first = next((place for place, name in enumerate(others) if name != anyway), 0 if others else None)
        chosen = st.multiselect(
            "B, C …: these models instead", others, [] if first is None else [others[first]],
            key=f"trial_models_{target}", accept_new_options=True, width=420, max_selections=MOST_OTHERS,
        )  # fmt: skip
    called = f"{', '.join(chosen) or 'Another model'} for {target}"
    return str(target), _named(chosen), called[: plans.LONGEST_NAME]


def _setting(_: ProjectView) -> What:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        target = st.text_input("Name that is asked (* is every name)", "*", key="trial_name_asked", width=260)
        count = st.number_input("How many other settings", 1, MOST_OTHERS, 1, key="trial_settings", width=180)
    arms = []
    for letter in LETTERS[:count]:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            temperature = st.number_input(
                f"{letter}: temperature", 0.0, 2.0, None, step=0.1, key=f"trial_temperature_{letter}", width=160
            )
            longest = st.number_input(
                f"{letter}: at most so many tokens", 1, 1_000_000, None, key=f"trial_max_tokens_{letter}", width=200
            )
        told: dict[str, Any] = {"temperature": temperature, "max_tokens": longest}
        arms.append(Arm(letter, parameters={name: one for name, one in told.items() if one is not None}))
    return target, tuple(arms), "Other settings"


def _named(models: Sequence[str]) -> tuple[Arm, ...]:
    """Arms B, C … that ask for these instead; B alone, still to be chosen, where there are none."""
    return tuple(Arm(letter, model=model) for letter, model in zip(LETTERS, models or [""], strict=False))


Who = tuple[Unit, tuple[int, int], tuple[Condition, ...], tuple[str, int, int], str]


def _who(others: int) -> Who:
    st.subheader("For whom", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        unit = st.selectbox(
            "Who is given one of them?", list(UNITS), key="trial_unit", format_func=UNITS.__getitem__, width=260,
            help="End users are known by `user` or `safety_identifier`, conversations by `metadata.session_id`.",
        )  # fmt: skip
        share = st.selectbox(
            "How are they split?", [one for one in SHARES if one != 1 or others > 1], key=f"trial_split_{others}",
            format_func=SHARES.__getitem__, width=200,
        )  # fmt: skip
        weights = (share * others, 1) if share else (1, 1)
    with st.expander("Only some of them", icon=":material/filter_alt:"):
        st.caption("Tags as applications send them in `metadata`; several values are separated by commas.")
        with st.container(horizontal=True, gap="small"):
            locale = st.text_input("locale", key="trial_locale", placeholder="de, at", width=190)
            tier = st.text_input("tier", key="trial_tier", placeholder="gold", width=190)
            tag = st.text_input("Another tag", key="trial_tag", placeholder="channel", width=190)
            values = st.text_input(
                "Its values", key="trial_values", placeholder="chat, phone", width=190, disabled=not tag.strip()
            )
        with st.container(horizontal=True, gap="small"):
            piece = st.text_input(
                "Also look at it by", key="trial_slice", placeholder="tier", width=200,
                help="A tag: the goal is shown for each of its values, as a hint where to look next.",
            )  # fmt: skip
        layer, first, until = "", 0, rules.BUCKETS
        if st.toggle(
            "Share users with another test without meeting it", key="trial_has_layer",
            help="Tests of one layer take different users. Give each a range that the others do not have.",
        ):  # fmt: skip
            layer = st.text_input("Layer", key="trial_layer", placeholder="checkout", width=200)
            low, high = st.slider("Its share of users, in percent", 0, 100, (0, 50), key="trial_range")
            first, until = low * 100, high * 100
    told = {"locale": locale, "tier": tier} | ({tag.strip(): values} if tag.strip() else {})
    conditions = tuple(
        Condition(name, tuple(one.strip() for one in said.split(",") if one.strip()))
        for name, said in told.items()
        if said.strip() or name == tag.strip()  # a tag without values is refused, not passed over
    )
    return Unit(unit), weights, conditions, (layer, first, until), piece


def _decides(project: ProjectView) -> Measures:
    st.subheader("What decides", anchor=False)
    goal = st.selectbox(
        "The goal", list(Metric), key="trial_goal", format_func=lambda one: ABOUT[one].name, width=300,
        help="One metric decides. The others are told beside it.",
    )  # fmt: skip
    others = [metric for metric in Metric if metric is not goal]
    is_reviewed = bool(reads.fresh(review.queues, project_ids=[project.id]))  # else it would stay unknown for ever
    offered = [
        metric
        for metric in metrics.DEFAULT_GUARDRAILS
        if metric is not goal and (is_reviewed or ABOUT[metric].source is not Source.REVIEW)
    ]
    chosen = st.multiselect(
        "Must not become worse (guardrails)", others, default=offered, key=f"trial_guardrails_{goal}",
        format_func=lambda one: ABOUT[one].name, max_selections=metrics.MOST_GUARDRAILS,
        help="An arm that breaks one is closed by itself: its users get A. With no other arm left, the test ends.",
    )  # fmt: skip
    margins: dict[Metric, Margin] = {}
    with st.container(horizontal=True, gap="small"):
        for metric in chosen:
            margins[metric] = _margin(metric)
    secondary = st.multiselect(
        "Told beside it", [metric for metric in others if metric not in chosen], key=f"trial_secondary_{goal}",
        format_func=lambda one: ABOUT[one].name, max_selections=metrics.MOST_SECONDARY,
    )  # fmt: skip
    return Measures(goal or Metric.THUMBS, tuple(secondary), margins)


def _margin(metric: Metric) -> Margin:
    margin = ABOUT[metric].margin
    is_percent = margin.is_relative
    value = st.number_input(
        f"{ABOUT[metric].name}: at most so much worse ({'%' if is_percent else 'points'})", 0.1, 100.0,
        margin.limit * 100, step=0.5, key=f"trial_margin_{metric}", width=220,
    )  # fmt: skip
    return Margin(value / 100, margin.worse, is_percent)


def _ramp() -> tuple[int, int]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        coverage = st.selectbox(
            "Begin with", list(rules.STEPS), key="trial_coverage", format_func=words.coverage, width=140,
            help="Of all users who could be in it. Raising it later moves nobody who is in.",
        )  # fmt: skip
        hours = st.selectbox(
            "Then more, up to all of them", list(RAMPS), key="trial_ramp", format_func=RAMPS.__getitem__, width=220
        )
    return int(coverage), int(hours)
