"""How a model is to answer, as fields: one set for whoever sets it, each empty until somebody types into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st

from core.prompts.rules import BOUNDS, MOST_STOPS, Parameters

_WIDTH = 440
"""Pixels of an open door; on a phone it is as wide as the screen."""

Key = Callable[[str], str]
Kept = Literal["session"] | None
DEFAULTS = "Empty means: not sent, the model decides."


def room() -> st.delta_generator.DeltaGenerator:
    """What a door opens on: one width, so that it does not jump while one types or changes the tab."""
    return st.container(width=_WIDTH)


def draw(key: Key, *, empty: str = DEFAULTS, kept: Kept = None, stops: Sequence[str] = ()) -> Parameters:
    """The fields, and what they say. `key`: a widget's key from the parameter's name; `empty`: what nothing means."""

    def number(name: str, label: str, step: float, told: str) -> float | None:
        least, most = BOUNDS[name]
        return st.number_input(
            label, least, most, None, step=step, format="%.2f", key=key(name), persist_state=kept,
            placeholder="default", help=told,
        )  # fmt: skip

    def whole(name: str, label: str, told: str) -> int | None:
        least, most = BOUNDS[name]
        return st.number_input(
            label, int(least), int(most), None, step=1, key=key(name), persist_state=kept, placeholder="default",
            help=told,
        )  # fmt: skip

    st.caption(empty)
    left, right = st.columns(2)
    with left:
        temperature = number("temperature", "Temperature", 0.1, "Higher is more varied, 0 is the likeliest answer.")
        longest = whole("max_tokens", "Max tokens", "The longest answer, in tokens. It also bounds the price.")
        often = number("frequency_penalty", "Frequency penalty", 0.1, "Above 0, words said often become rarer.")
    with right:
        top = number("top_p", "Top p", 0.05, "Choose only among the likeliest words that make up this share.")
        seed = whole("seed", "Seed", "The same seed asks for the same answer, where the model can.")
        once = number("presence_penalty", "Presence penalty", 0.1, "Above 0, words said once become rarer.")
    words = st.multiselect(
        "Stop at", stops, key=key("stop"), persist_state=kept, accept_new_options=True, max_selections=MOST_STOPS,
        placeholder="Type a text and press Enter",
        help="The answer ends before one of these texts. \\n is a new line.",
    )  # fmt: skip
    stop = tuple(str(word).replace("\\n", "\n") for word in words)
    return Parameters(temperature, top, longest, seed, stop, often, once)
