"""How a variant is to answer: parameters, the shape of the answer, tools. Only what is set is sent."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import Invalid
from core.prompts import bodies, schemas
from core.prompts.rules import BOUNDS, Variant
from pages.parts import play_state
from pages.parts.play_words import escaped

_WIDTH = 440
"""Pixels of the open door; on a phone it is as wide as the screen."""


def draw(variant: Variant) -> None:
    """One small door, and in words what stands behind it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        door = st.popover("Settings", icon=":material/tune:", key=f"playpop_{variant.letter}")
        st.caption(escaped(_said(variant)))
    # one width for all three, so that the door does not jump while one types or changes the tab
    with door, st.container(width=_WIDTH):
        parameters, schema, tools = st.tabs(["Parameters", "Answer schema", "Tools"])
        with parameters:
            _parameters(variant)
        with schema:
            _schema(variant)
        with tools:
            _tools(variant)


def _said(variant: Variant) -> str:
    parts = [variant.parameters.said()]
    parts += ["answer as JSON" if variant.asks_schema else "", "tools" if variant.asks_tools else ""]
    parts += [f"also sent as recorded: {', '.join(sorted(variant.extra))}" if variant.extra else ""]
    words = " · ".join(part for part in parts if part)
    return words[:1].upper() + words[1:] if words else "The model's own defaults"


def _parameters(variant: Variant) -> None:
    st.caption("Empty means: not sent, the model decides.")
    left, right = st.columns(2)
    with left:
        _number(variant, "temperature", "Temperature", 0.1, "Higher is more varied, 0 is the likeliest answer.")
        _whole(variant, "max_tokens", "Max tokens", "The longest answer, in tokens. It also bounds the price.")
        _number(variant, "frequency_penalty", "Frequency penalty", 0.1, "Above 0, words said often become rarer.")
    with right:
        _number(variant, "top_p", "Top p", 0.05, "Choose only among the likeliest words that make up this share.")
        _whole(variant, "seed", "Seed", "The same seed asks for the same answer, where the model can.")
        _number(variant, "presence_penalty", "Presence penalty", 0.1, "Above 0, words said once become rarer.")
    st.multiselect(
        "Stop at",
        variant.parameters.stop,
        key=play_state.key(variant.letter, "stop"),
        persist_state=play_state.KEPT,
        accept_new_options=True,
        max_selections=4,
        placeholder="Type a text and press Enter",
        help="The answer ends before one of these texts. \\n is a new line.",
    )
    st.toggle(
        "Token probabilities",
        key=play_state.key(variant.letter, "logprobs"),
        persist_state=play_state.KEPT,
        help=f"How sure the model was of each token, with {bodies.TOP_ALTERNATIVES} alternatives (logprobs).",
    )


def _number(variant: Variant, name: str, label: str, step: float, told: str) -> None:
    least, most = BOUNDS[name]
    st.number_input(
        label,
        min_value=least,
        max_value=most,
        value=None,
        step=step,
        format="%.2f",
        key=play_state.key(variant.letter, name),
        persist_state=play_state.KEPT,
        placeholder="default",
        help=told,
    )


def _whole(variant: Variant, name: str, label: str, told: str) -> None:
    least, most = BOUNDS[name]
    st.number_input(
        label,
        min_value=int(least),
        max_value=int(most),
        value=None,
        step=1,
        key=play_state.key(variant.letter, name),
        persist_state=play_state.KEPT,
        placeholder="default",
        help=told,
    )


def _schema(variant: Variant) -> None:
    on = st.toggle(
        "Ask for JSON of this shape", key=play_state.key(variant.letter, "asks_schema"), persist_state=play_state.KEPT
    )
    st.text_area(
        "JSON schema",
        key=play_state.key(variant.letter, "schema"),
        persist_state=play_state.KEPT,
        placeholder=schemas.EXAMPLE_SCHEMA,
        height=260,
        help="The answer is checked against it when it is there.",
    )
    if not variant.schema:
        _offer(variant.letter, "schema", schemas.EXAMPLE_SCHEMA)
    if on or variant.schema:
        _verdict(lambda: schemas.schema(variant.schema), "The schema is valid.")


def _tools(variant: Variant) -> None:
    on = st.toggle("Offer these tools", key=play_state.key(variant.letter, "asks_tools"), persist_state=play_state.KEPT)
    st.text_area(
        "Tools",
        key=play_state.key(variant.letter, "tools"),
        persist_state=play_state.KEPT,
        placeholder=schemas.EXAMPLE_TOOLS,
        height=260,
        help="A list of functions, each with a name, a description and its parameters as JSON schema.",
    )
    if not variant.tools:
        _offer(variant.letter, "tools", schemas.EXAMPLE_TOOLS)
    if on or variant.tools:
        _verdict(lambda: schemas.tools(variant.tools), "The tools are valid.")


def _offer(letter: str, name: str, text: str) -> None:
    st.button(
        "Use the example",
        key=f"play_example_{name}_{letter}",
        type="tertiary",
        on_click=_example,
        args=(letter, name, text),
    )


def _verdict(check: Callable[[], object], fine: str) -> None:
    try:
        check()
    except Invalid as error:
        st.error(
            escaped(error.hint or "Correct it, or switch it off."),
            title=escaped(error.message),
            icon=":material/error:",
        )
    else:
        st.markdown(f":small[:green[:material/check: {fine}]]")


def _example(letter: str, name: str, text: str) -> None:
    st.session_state[play_state.key(letter, name)] = text
    st.session_state[play_state.key(letter, f"asks_{name}")] = True
