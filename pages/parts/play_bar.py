"""What runs everything: variables, the one button, repetitions, the price before; and the way out as code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core import clock
from core.catalog.rules import Snapshot
from core.prompts import bodies, estimates, includes, templates
from core.prompts.rules import MOST_REPEATS, RunState
from pages.parts import amounts, play_answer, play_state, snippets
from pages.parts.play_start import Request
from pages.parts.play_words import escaped

SHORTCUT = "Ctrl+Enter"


def variables(state: RunState, texts: Sequence[str]) -> None:
    """An input for every `{{name}}` in any variant; `texts` are all templates, included ones in their place."""
    names = templates.variables_of(includes.blanked(text) for text in texts)
    if not names:
        return
    with st.container(border=True, key="play_variables", gap="small"):
        st.markdown("**Variables**")
        with st.grid(2 if len(names) > 1 else 1, min_column_width=280):
            for name in names:
                st.session_state.setdefault(play_state.variable_key(name), state.variables.get(name, ""))
                st.text_area(
                    name,
                    key=play_state.variable_key(name),
                    height="content",
                    placeholder=f"What {{{{{name}}}}} stands for",
                    persist_state=play_state.KEPT,
                )


def price(found: Request, snapshot: Snapshot, repeats: int) -> None:
    """Under a variant: how long its question is and what it will cost, while it is typed."""
    if found.body is None:
        st.caption(escaped(found.error.message) if found.error else "")
        return
    guess = estimates.estimate(snapshot, found.body, clock.now())
    parts = [amounts.tokens(guess.tokens_in, is_estimated=not guess.is_exact)]
    times = f" × {repeats}" if repeats > 1 else ""
    if guess.price_source.startswith("free"):
        parts.append("free")
    elif guess.cost_most_usd is not None:
        parts.append(f"at most {amounts.money(guess.cost_most_usd)}{times}")
    elif guess.cost_in_usd is not None:
        parts.append(f"{amounts.money(guess.cost_in_usd)}{times} for the question, the answer comes on top")
    elif guess.price_source:
        parts.append("unpriced")
    st.caption(" · ".join(parts).replace("$", "\\$"), help=_told(guess))


def _told(guess: estimates.Estimate) -> str:
    exact = "Counted with the model's own tokens." if guess.is_exact else "Estimated: the model counts for itself."
    source = f" Price: {guess.price_source}." if guess.price_source else ""
    return f"{exact}{source} Set max tokens to bound the price."


def controls(*, goes_on: bool, with_view: bool) -> bool:
    """Run, or Stop while it runs; and how often. True when the button was pressed."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="play_bar"):
        pressed = st.button(
            "Stop" if goes_on else "Run",
            key="play_go",
            type="secondary" if goes_on else "primary",
            icon=":material/stop:" if goes_on else ":material/play_arrow:",
            shortcut=SHORTCUT,
        )
        st.number_input(
            "Repetitions",
            min_value=1,
            max_value=MOST_REPEATS,
            step=1,
            key="play_repeats",
            width=130,
            persist_state=play_state.KEPT,
            help="Ask the same several times to see how far the answers spread.",
        )
        if with_view:
            st.space("stretch")
            choose_view()
    return pressed


def view() -> str:
    """How answers are shown now."""
    return st.session_state.get("play_view") or play_answer.FORMATTED


def choose_view() -> None:
    """Formatted, plain, or as it was recorded."""
    st.segmented_control(
        "Show answers as",
        play_answer.VIEWS,
        default=play_answer.FORMATTED,
        required=True,
        key="play_view",
        label_visibility="collapsed",
    )


def code(wanted: Mapping[str, Request]) -> None:
    """The same request for an application: curl and Python."""
    known = {letter: found.body for letter, found in wanted.items() if found.body is not None}
    with st.popover("Code", icon=":material/code:", key="playpop_code", on_change="rerun") as door:
        if not door.open:
            return
        if not known:
            for found in wanted.values():
                if found.error is not None:
                    st.caption(escaped(str(found.error)))
            return
        letter = next(iter(known))
        if len(known) > 1:
            letter = st.segmented_control("Variant", list(known), default=letter, required=True, key="play_code_letter")
        kind = st.segmented_control("As", ("curl", "Python"), default="curl", required=True, key="play_code_kind")
        streams = st.toggle("Stream the answer", key="play_code_stream")
        body = bodies.streamed(known[letter]) if streams else known[letter]
        make = snippets.curl if kind == "curl" else snippets.python
        st.code(
            make(body, address=snippets.base_url()),
            language=None,
            height=420,
        )
        st.caption(f"`{snippets.KEY_VARIABLE}` is a key of this project; make one under People and keys.")
