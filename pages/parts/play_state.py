"""The playground's state and its widgets, kept in step.

`RunState` is the truth; every widget has a key made from it. Each run of the page first takes the widgets' values into
the state (so nothing depends on how far the last run came), then gives a value to every widget that has none. Buttons
that change the shape (a variant more, a message less) do it in a callback, on the state, and set all widgets anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import fields, replace
from typing import Any, Literal

import streamlit as st

from core.errors import GreenroomError
from core.prompts import media
from core.prompts.rules import Message, Parameters, RunState, Variant

STATE = "play_state"
NOTICE = "play_notice"
_UPLOADS = "playups"
_ATTACHING = "playattaching"
KEPT: Literal["session"] = "session"
"""Every widget here keeps its value while another page is shown. Else a value that a callback once set comes back in
place of what was typed when a reader goes to another page in the very moment of typing."""

Session = MutableMapping[Any, Any]
_NEW_LINE = "\\n"
_VARIABLE = "play_var_"


def key(letter: str, name: str) -> str:
    """The key of a variant's widget: `play_A_model`."""
    return f"play_{letter}_{name}"


def message_key(letter: str, mark: int) -> str:
    """The key of a message's text: `play_A_m2`."""
    return key(letter, f"m{mark}")


def variable_key(name: str) -> str:
    return f"{_VARIABLE}{name}"


def widgets(state: RunState) -> dict[str, Any]:
    """The value of every widget that shows a part of the state."""
    values: dict[str, Any] = {"play_repeats": state.repeats}
    values |= {variable_key(name): value for name, value in state.variables.items()}
    for variant in state.variants:
        values |= {key(variant.letter, name): getattr(variant, name) for name in _FIELDS}
        for item in fields(Parameters):
            values[key(variant.letter, item.name)] = getattr(variant.parameters, item.name)
        values[key(variant.letter, "stop")] = [word.replace("\n", _NEW_LINE) for word in variant.parameters.stop]
        values |= {message_key(variant.letter, m.mark): m.text for m in variant.messages}
    return values


_FIELDS = ("model", "asks_schema", "schema", "asks_tools", "tools")


def collected(session: Mapping[Any, Any], state: RunState) -> RunState:
    """The state with what people did to its widgets; a widget that is not there leaves its part as it was."""
    variables = dict(state.variables)
    for name in session:
        if isinstance(name, str) and name.startswith(_VARIABLE):
            variables[name.removeprefix(_VARIABLE)] = session[name] or ""
    variants = tuple(_variant(session, variant) for variant in state.variants)
    return RunState(variants, variables, session.get("play_repeats") or state.repeats)


def _variant(session: Mapping[Any, Any], variant: Variant) -> Variant:
    def seen(name: str, now: Any) -> Any:
        return session.get(key(variant.letter, name), now)

    given = variant.parameters
    chosen = {f.name: seen(f.name, getattr(given, f.name)) for f in fields(Parameters) if f.name != "stop"}
    stop = session.get(key(variant.letter, "stop"))
    words = given.stop if stop is None else tuple(str(word).replace(_NEW_LINE, "\n") for word in stop)
    return replace(
        variant,
        messages=tuple(_message(session, variant.letter, message) for message in variant.messages),
        parameters=Parameters(**chosen, stop=words),
        model=seen("model", variant.model) or variant.model,
        asks_schema=bool(seen("asks_schema", variant.asks_schema)),
        schema=seen("schema", variant.schema) or "",
        asks_tools=bool(seen("asks_tools", variant.asks_tools)),
        tools=seen("tools", variant.tools) or "",
    )


def _message(session: Mapping[Any, Any], letter: str, message: Message) -> Message:
    text = session.get(message_key(letter, message.mark), message.text)
    return message if text == message.text else replace(message, text=text or "")


def put(session: Session, state: RunState) -> None:
    """Make this the state, and show it in every widget (before they are drawn: on a new page or in a callback)."""
    session[STATE] = state
    values = widgets(state)
    for name in [name for name in session if isinstance(name, str) and name.startswith(_VARIABLE)]:
        if name not in values:
            del session[name]
    for name, value in values.items():
        session[name] = value


def current(session: Session) -> RunState:
    """The state now: what the widgets say, and a value for each that has none yet."""
    state = collected(session, session[STATE])
    session[STATE] = state
    for name, value in widgets(state).items():
        if name not in session:
            session[name] = value
    return state


def change(make: Callable[[RunState], RunState]) -> None:
    """A button's callback: the state, changed, in all widgets."""
    session: Session = st.session_state
    put(session, make(collected(session, session[STATE])))


def is_attaching(letter: str, mark: int) -> bool:
    """Whether the place for a message's files is open."""
    return bool(st.session_state.get(f"{_ATTACHING}_{letter}_{mark}"))


def toggle_attaching(letter: str, mark: int) -> None:
    """The clip's callback."""
    st.session_state[f"{_ATTACHING}_{letter}_{mark}"] = not is_attaching(letter, mark)


def upload_key(letter: str, mark: int) -> str:
    """The key of a message's empty uploader."""
    return f"playup_{letter}_{mark}_{st.session_state.get(f'{_UPLOADS}_{letter}_{mark}', 0)}"


def attach(letter: str, mark: int, upload_key: str) -> None:
    """The uploader's callback: its files become attachments of the message, or a sentence says why not."""
    session: Session = st.session_state
    state = collected(session, session[STATE])
    notices = []
    for file in session.get(upload_key) or ():
        try:
            item = media.attachment(file.name, file.getvalue())
            media.check_room(state, item)
        except GreenroomError as error:
            notices.append(str(error))
            continue
        variant = state.variant(letter)
        message = next((m for m in variant.messages if m.mark == mark), None) if variant else None
        if variant is not None and message is not None:
            grown = replace(message, attachments=(*message.attachments, item))
            state = state.changed(variant.changed(grown))
    session[NOTICE] = " ".join(notices)
    if not notices:
        session[f"{_ATTACHING}_{letter}_{mark}"] = False
    # an uploader that is used up makes way for an empty one
    count = f"{_UPLOADS}_{letter}_{mark}"
    session[count] = session.get(count, 0) + 1
    put(session, state)


def detach(letter: str, mark: int, place: int) -> Callable[[RunState], RunState]:
    """The change that takes one attachment off a message."""

    def make(state: RunState) -> RunState:
        variant = state.variant(letter)
        if variant is None:
            return state
        for message in variant.messages:
            if message.mark == mark:
                kept = (*message.attachments[:place], *message.attachments[place + 1 :])
                return state.changed(variant.changed(replace(message, attachments=kept)))
        return state

    return make


def added(letter: str, *messages: Message) -> Callable[[RunState], RunState]:
    """The change that puts messages at the end of a variant."""

    def make(state: RunState) -> RunState:
        variant = state.variant(letter)
        if variant is None:
            return state
        return state.changed(variant.said(*messages))

    return make


def answered(letter: str, *messages: Message) -> Callable[[RunState], RunState]:
    """The change that puts an answer at the end of a variant, to go on from it."""

    def make(state: RunState) -> RunState:
        variant = state.variant(letter)
        return state if variant is None else state.changed(variant.answered(*messages))

    return make


def dropped(letter: str, mark: int) -> Callable[[RunState], RunState]:
    """The change that takes a message out of a variant."""

    def make(state: RunState) -> RunState:
        variant = state.variant(letter)
        return state if variant is None else state.changed(variant.without(mark))

    return make
