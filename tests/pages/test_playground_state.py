"""The playground's state and its widgets: nothing typed depends on how far a page's run came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.prompts.rules import Message, Parameters, RunState, Speaker
from pages.parts import play_state


def begun() -> tuple[dict[Any, Any], RunState]:
    """A session with an empty playground on it."""
    session: dict[Any, Any] = {}
    play_state.put(session, RunState.first("builtin/tiny"))
    return session, play_state.current(session)


def test_what_is_in_the_widgets_is_the_state() -> None:
    session, _ = begun()
    session |= {"play_A_m2": "Hi {{name}}", "play_var_name": "Mia", "play_A_temperature": 0.5, "play_A_stop": ["\\n"]}
    state = play_state.current(session)
    assert state.variants[0].messages[1].text == "Hi {{name}}"
    assert state.variants[0].parameters == Parameters(temperature=0.5, stop=("\n",))
    assert state.variables == {"name": "Mia"}


def test_widgets_that_were_not_drawn_keep_their_part_of_the_state() -> None:
    session, _ = begun()
    session["play_A_m2"] = "kept"
    play_state.current(session)
    for name in [name for name in session if str(name).startswith("play_A_")]:
        del session[name]
    assert play_state.current(session).variants[0].messages[1].text == "kept"
    assert session["play_A_m2"] == "kept"


def test_a_variable_no_longer_asked_for_keeps_its_value() -> None:
    session, _ = begun()
    session |= {"play_A_m2": "{{name}}", "play_var_name": "Mia"}
    play_state.current(session)
    session["play_A_m2"] = "no more"
    del session["play_var_name"]
    assert play_state.current(session).variables == {"name": "Mia"}


def test_another_state_brings_none_of_the_last_ones_variables() -> None:
    session, state = begun()
    play_state.put(session, replace(state, variables={"old": "value"}))
    play_state.put(session, RunState.first("builtin/tiny"))
    assert play_state.current(session).variables == {}


def test_continuing_adds_turns_after_what_was_typed() -> None:
    _, state = begun()
    grown = play_state.added("A", Message(Speaker.ASSISTANT, "Fine."), Message(Speaker.USER))(state)
    assert [m.speaker for m in grown.variants[0].messages] == ["system", "user", "assistant", "user"]
    assert play_state.dropped("A", 3)(grown).variants[0].messages[-1].mark == 4
