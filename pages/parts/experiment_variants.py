"""The variants of a new run: versions of prompts and models, each with a model and parameters of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.catalog.rules import Snapshot
from core.errors import GreenroomError
from core.experiments.rules import LETTERS, Arm
from core.people.queries import ProjectView
from core.prompts import bodies, views
from core.prompts import queries as prompts
from core.prompts.includes import reference
from core.prompts.rules import Parameters
from pages.parts import acting, hostile, parameter_fields, play_choice, reads

Named = Mapping[str, tuple[views.PromptView, int]]
"""What a prompt's version is asked for by, and which it is."""


def draw(project: ProjectView, snapshot: Snapshot) -> list[Arm]:
    """Up to as many variants as there are letters; the first is what the others are compared with."""
    named = _library(project)
    st.session_state.setdefault("experiment_variants", 2)
    arms: list[Arm] = []
    for place in range(st.session_state["experiment_variants"]):
        with st.container(border=True, gap="small"):
            arm = _variant(place, project, snapshot, named, arms)
        if arm is not None:
            arms.append(arm)
    with st.container(horizontal=True):
        count = st.session_state["experiment_variants"]
        st.button(
            "Add a variant", key="experiment_more", icon=":material/add:", disabled=count == len(LETTERS),
            on_click=_grow, args=(1,), type="tertiary",
        )  # fmt: skip
        if count > 1:
            st.button(
                "Drop the last", key="experiment_less", icon=":material/remove:", on_click=_grow, args=(-1,),
                type="tertiary",
            )  # fmt: skip
    return arms


def _library(project: ProjectView) -> Named:
    """Every label of every prompt, and their newest versions that have none."""
    found = reads.fresh(prompts.prompts, project_ids=(project.id,), limit=500)
    named = {f"prompt:{row.name}@{label}": (row, number) for row in found for label, number in row.labels.items()}
    labelled = {(row.id, number) for row, number in named.values()}
    return named | {
        f"prompt:{row.name}@{number}": (row, number)
        for row in found
        for number in _recent(row.newest)
        if (row.id, number) not in labelled
    }


def _variant(place: int, project: ProjectView, snapshot: Snapshot, named: Named, arms: Sequence[Arm]) -> Arm | None:
    """One line of the form, and in words what is set behind its door; None while nothing is chosen."""
    letter, models = LETTERS[place], play_choice.names(snapshot)
    options = [*named, *models]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            f"{letter} · Prompt or model" + ("" if place else ", which the others are compared with"), options,
            index=_first(place, options, named, arms), key=f"experiment_what_{letter}",
            accept_new_options=True, format_func=lambda one: _told(one, named), width="stretch",
            help="An older version can be typed, such as prompt:support@2." if named and not place else None,
        )  # fmt: skip
        prompt = named.get(chosen or "") or _typed(chosen, project)
        model = ""
        if prompt is not None:
            model = st.selectbox(
                "On another model", ["", *models], key=f"experiment_on_{letter}",
                format_func=lambda one: one or "The prompt's own", width=240,
            ) or ""  # fmt: skip
        given = _parameters(letter, is_prompt=prompt is not None)
    if said := given.said():
        st.caption(hostile.sentence(said[:1].upper() + said[1:]))
    sent = bodies.parameters(given)
    if prompt is not None:
        return Arm(letter, prompt[0].id, prompt[0].name, prompt[1], model, sent)
    return Arm(letter, model=chosen, parameters=sent) if chosen else None


def _parameters(letter: str, *, is_prompt: bool) -> Parameters:
    """What stands behind a variant's door."""
    with (
        st.popover("Parameters", icon=":material/tune:", key=f"experiment_door_{letter}"),
        parameter_fields.room(),
    ):
        empty = "Empty means: as the prompt has it." if is_prompt else parameter_fields.DEFAULTS
        return parameter_fields.draw(lambda name: f"experiment_{name}_{letter}", empty=empty)


def _first(place: int, options: Sequence[str], named: Named, arms: Sequence[Arm]) -> int | None:
    """What a variant begins with: another version of the first one's prompt where there is one, else the next."""
    taken = {(arm.prompt_id, arm.number) for arm in arms}
    if place and arms and arms[0].prompt_id is not None:
        for at, option in enumerate(options):
            row, number = named.get(option, (None, 0))
            if row is not None and row.id == arms[0].prompt_id and (row.id, number) not in taken:
                return at
    return place if place < len(options) else None


def _recent(newest: int) -> range:
    return range(newest, max(newest - 5, 0), -1)


def _typed(chosen: str | None, project: ProjectView) -> tuple[views.PromptView, int] | None:
    """A prompt whose version was typed: `prompt:support@7`."""
    if not chosen or not chosen.startswith("prompt:"):
        return None
    wanted = reference(chosen.removeprefix("prompt:"))
    try:
        row = reads.fresh(prompts.named, wanted.name, project_id=project.id)
        return row, row.entry.number(wanted)
    except GreenroomError as error:
        acting.show(error)
        return None


def _told(one: str, named: Named) -> str:
    if one not in named:
        return one
    row, number = named[one]
    label = one.rpartition("@")[2]
    return f"{row.name}, version {number}" + ("" if label == str(number) else f" ({label})")


def _grow(by: int) -> None:
    st.session_state["experiment_variants"] += by
