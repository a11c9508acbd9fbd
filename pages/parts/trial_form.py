"""A new live test, in words: what is tried against what, for whom, what decides, and how many users that takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core import clock, runtime
from core.catalog import queries as catalog
from core.errors import GreenroomError
from core.people.queries import ProjectView
from core.people.rules import Principal
from core.prompts import queries as prompts
from core.review import queries as review
from core.statistics import planning
from core.statistics.margins import Margin
from core.trials import actions, metrics, plans, reading, rules
from core.trials.metrics import ABOUT, Measures, Metric, Source
from core.trials.plans import Plan
from core.trials.rules import Arm, Condition, Design, Unit
from pages.parts import acting, amounts, hostile, reads, trial_list
from pages.parts import trial_words as words

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
_NOW = {Metric.THUMBS: 80.0, Metric.ERRORS: 2.0, Metric.UNCHANGED: 70.0, Metric.REJECTED: 5.0, Metric.FLAGGED: 2.0}


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
    planned = _planning(measures, weights, len(others), unit)
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
            "B, C …: versions to try", others, others[:1], key=f"trial_versions_{row.id}_{label}", width=340,
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


Who = tuple[Unit, tuple[int, int], tuple[Condition, ...], tuple[Any, ...], str]


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


def _planning(measures: Measures, weights: tuple[int, int], others: int, unit: Unit) -> int:
    about, many = ABOUT[measures.goal], unit.many
    with st.container(border=True, key="trial_planning", gap="small"):
        st.markdown("**How many does it take?**")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            told = _asked(measures.goal)
            per_day = st.number_input(f"{many.capitalize()} a day", 0, 100_000_000, 0, key="trial_per_day", width=160)
        least = plans.LEAST_PLANNED
        try:
            size = reading.needed(measures.goal, **told, level=measures.level, weights=weights, others=others)
        except GreenroomError as error:
            acting.show(error)
            return least
        least = max(least, size.total)
        limits = _limits(measures, weights, others)
        least = max(least, *limits.values()) if limits else least
        left = planning.days_left(size.total, 0, per_day)
        takes = f" At {per_day:,} a day: {amounts.count(left, 'day')}." if left else ""
        st.markdown(f"**{size.total:,} {many}** find it four times in five, whenever you look.{takes}")
        st.caption(
            f"Formula: {hostile.sentence(size.formula)}."
            + (f" A {unit.value} counts as one draw." if about.is_share and unit is not Unit.CALL else "")
        )
        if limits:
            st.caption(f"For the guardrails: {', '.join(_told_limit(*one, measures, many) for one in limits.items())}.")
        open_ = [ABOUT[metric].name for metric in measures.margins if metric not in limits]
        if open_:
            st.caption(
                f"Not planned for: {', '.join(open_)}. Nobody knows beforehand how much "
                f"{'it varies' if len(open_) == 1 else 'they vary'} between {many}, so at the planned size "
                f"{'its limit' if len(open_) == 1 else 'their limits'} may still be not yet known."
            )
        return int(
            st.number_input(
                f"Plan for so many {many}, in all arms together",
                plans.LEAST_PLANNED,
                plans.MOST_PLANNED,
                min(least, plans.MOST_PLANNED),
                key=f"trial_planned_{measures.goal}_{least}",
                width=300,
                help="After these the test is decided, or nothing is shown. It cannot change once the test has run.",
            )
        )


def _limits(measures: Measures, weights: tuple[int, int], others: int) -> dict[Metric, int]:
    """How many it takes to know that each share is inside its margin, from how often it is so in general: a guardrail
    that is no share varies as nobody knows beforehand."""
    return {
        metric: reading.needed(
            metric, now=_NOW[metric] / 100, spread=0.0, difference=margin.limit, level=measures.guardrail_level,
            weights=weights, others=others,
        ).total
        for metric, margin in measures.margins.items()
        if ABOUT[metric].is_share and not margin.is_relative
    }  # fmt: skip


def _told_limit(metric: Metric, size: int, measures: Measures, many: str) -> str:
    margin = measures.margins[metric]
    points = f"{margin.limit * 100:g} point{'' if margin.limit == 0.01 else 's'}"
    return f"{ABOUT[metric].name} within {points} of {_NOW[metric]:g} % takes {size:,} {many}"


def _asked(goal: Metric) -> Mapping[str, float]:
    about = ABOUT[goal]
    if about.is_share:
        now = st.number_input("It is now (%)", 0.1, 99.9, _NOW[goal], key=f"trial_now_{goal}", width=140)
        found = st.number_input("Worth finding (points)", 0.1, 50.0, 2.0, key=f"trial_effect_{goal}", width=180)
        return {"now": now / 100, "spread": 0.0, "difference": found / 100}
    spread = st.number_input(
        f"Differs between them by ({about.unit})", 0.0, None, 1.0, key=f"trial_spread_{goal}", format="%.6g", width=200,
        help="The standard deviation between one and the next.",
    )  # fmt: skip
    found = st.number_input(
        f"Worth finding ({about.unit})", 0.0, None, 0.1, key=f"trial_effect_{goal}", format="%.6g", width=180
    )
    return {"now": 0.0, "spread": spread, "difference": found}


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
