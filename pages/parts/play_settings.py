"""How a variant is to answer: parameters, the shape of the answer, tools. Only what is set is sent."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import Invalid
from core.prompts import bodies, schemas
from core.prompts.rules import Variant
from pages.parts import parameter_fields, play_state
from pages.parts.play_words import escaped


def draw(variant: Variant) -> None:
    """One small door, and in words what stands behind it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        door = st.popover("Settings", icon=":material/tune:", key=f"playpop_{variant.letter}")
        st.caption(escaped(_said(variant)))
    with door, parameter_fields.room():
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
    parameter_fields.draw(
        lambda name: play_state.key(variant.letter, name), kept=play_state.KEPT, stops=variant.parameters.stop
    )
    st.toggle(
        "Token probabilities",
        key=play_state.key(variant.letter, "logprobs"),
        persist_state=play_state.KEPT,
        help=f"How sure the model was of each token, with {bodies.TOP_ALTERNATIVES} alternatives (logprobs).",
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
