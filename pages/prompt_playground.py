"""Try a prompt: one question, up to four variants of it side by side, and what each model says."""

from __future__ import annotations

import streamlit as st

from core import runtime
from core.prompts.rules import LETTERS, RunState
from pages.parts import (
    access,
    play_answer,
    play_bar,
    play_choice,
    play_prompt,
    play_save,
    play_shown,
    play_start,
    play_state,
    play_store,
    play_watch,
    states,
)
from pages.parts.play_words import escaped

by = access.require("playground:use")
project = access.project()
snapshot = runtime.current().catalog

title, tools = st.columns([2, 3], vertical_alignment="bottom")
title.title("Playground")

if not play_choice.names(snapshot):
    states.empty(
        "There is no model to ask yet.",
        "A backend brings its models along.",
        button="Connect a backend",
        page="backends_models.py",
        icon=":material/dns:",
    )
    st.stop()

play_store.open_state(by, project.id, snapshot)
state = play_state.current(st.session_state)
play_store.keep(by, project.id, state)
wanted = play_start.requests(state, snapshot, project.id)
running = play_store.running(project.id)

with tools, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
    play_bar.code(wanted)
    play_save.draw(by, project.id, state)
    st.button(
        "Add variant",
        key="play_add_variant",
        icon=":material/add_column_right:",
        disabled=len(state.variants) == len(LETTERS),
        help="A copy of the last, to compare side by side. Four at most.",
        on_click=play_state.change,
        args=(RunState.added,),
    )
    st.button(
        "New",
        key="play_new",
        icon=":material/edit_square:",
        help="Start with an empty playground. This one stays under its link.",
        on_click=play_store.start_anew,
        args=(state.variants[0].model,),
    )

above = st.container()
with above:
    if notice := st.session_state.pop(play_state.NOTICE, ""):
        st.warning(escaped(notice), icon=":material/attach_file_off:")
    play_bar.variables(state, play_start.texts(state, project.id))

is_alone = len(state.variants) == 1
if is_alone:
    left, right = st.columns(2, gap="medium")
    prompts, bar, answers = [left], left, [right]
else:
    prompts = st.columns(len(state.variants))
    bar = st.container()
    answers = st.columns(len(state.variants))

for column, variant in zip(prompts, state.variants, strict=True):
    with column:
        play_prompt.draw(variant, snapshot, is_alone=is_alone)
        play_bar.price(wanted[variant.letter], snapshot, state.repeats)
goes_on = running is not None and not running.is_over
shown = () if goes_on else play_store.answers_of_run(project.id)
has_answers = bool(goes_on or shown)
with bar:
    pressed = play_bar.controls(goes_on=goes_on, with_view=has_answers and not is_alone)

view = play_bar.view()
columns = {}
for column, variant in zip(answers, state.variants, strict=True):
    with column:
        ran = play_store.ran(variant.letter)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            play_answer.heading(variant, ran, is_alone=is_alone)
            if is_alone and has_answers:
                play_bar.choose_view()
        play_answer.standing(ran, is_alone=is_alone)
        play_start.refusal(wanted[variant.letter])
        place = st.empty()
    if goes_on:
        # what the last run said goes at once, not when the new answer is whole
        place.empty()
    columns[variant.letter] = place.container()
    with columns[variant.letter]:
        asked = ran[0] if ran else variant
        play_answer.draw(variant, play_shown.of_variant(shown, variant.letter), asked=asked, view=view)

if pressed and running is not None and goes_on:
    running.stop()
elif pressed and play_start.can_begin(wanted):
    run_id = play_store.keep_run(by, project.id, state)
    if run_id is not None:
        play_store.runs().keep(play_start.begin(run_id, state, wanted, by=by, project_id=project.id))
        st.rerun()
elif pressed:
    st.rerun()

if running is not None and goes_on:
    play_watch.follow(running, columns, view=view)
    st.rerun()
if running is not None and play_watch.is_settling(running, shown):
    st.rerun()
