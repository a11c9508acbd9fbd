"""From what stands on the page to calls on their way: every variant's request, and what is wrong with those without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core import ids, runtime
from core.catalog.rules import Snapshot
from core.errors import GreenroomError, Invalid
from core.people.rules import Principal
from core.prompts import bodies, included, includes
from core.prompts.rules import RunState, Variant
from core.serve.asked import PLAYGROUND, Asked
from pages.parts import play_choice, play_shown, reads
from pages.parts.play_running import Running, Slot
from pages.parts.play_words import escaped

_TRIED = "play_tried"


@dataclass(frozen=True, slots=True)
class Request:
    """A variant's request, or the error that says why there is none yet."""

    body: dict[str, Any] | None
    error: GreenroomError | None = None


def request(variant: Variant, variables: Mapping[str, str], snapshot: Snapshot, project_id: int) -> Request:
    """What this variant would send now, with the text of every prompt it includes."""
    image, audio = play_choice.takes(snapshot, variant.model)
    try:
        if not variant.model:
            raise Invalid("No model is chosen.", hint="Choose one at the top of the card.", code="no_model")
        whole = _with_included(variant, project_id)
        return Request(bodies.body_of(whole, variables, sends_image=image, sends_audio=audio))
    except GreenroomError as error:
        return Request(None, error)


def _with_included(variant: Variant, project_id: int) -> Variant:
    texts = [message.text for message in variant.messages if message.is_template]
    if not includes.references(texts):
        return variant
    _, fragments = reads.fresh(included.pins, texts, project_id=project_id)
    messages = tuple(
        replace(message, text=includes.expanded(message.text, fragments)) if message.is_template else message
        for message in variant.messages
    )
    return replace(variant, messages=messages)


def texts(state: RunState, project_id: int) -> list[str]:
    """Every template on the page; one that includes what is not there is left as it is."""
    found: list[str] = []
    for variant in state.variants:
        try:
            whole = _with_included(variant, project_id)
        except GreenroomError:
            whole = variant
        found += [message.text for message in whole.messages if message.is_template]
    return found


def requests(state: RunState, snapshot: Snapshot, project_id: int) -> dict[str, Request]:
    """Every variant's request, by letter."""
    return {variant.letter: request(variant, state.variables, snapshot, project_id) for variant in state.variants}


def can_begin(wanted: Mapping[str, Request]) -> bool:
    """Whether there is anything to send; from now on the page says why a variant has nothing."""
    st.session_state[_TRIED] = any(found.body is None for found in wanted.values())
    return any(found.body is not None for found in wanted.values())


def refusal(found: Request) -> None:
    """Why this variant was not run, after someone tried."""
    if found.error is not None and st.session_state.get(_TRIED):
        st.error(
            escaped(found.error.hint or "Correct it and run again."),
            title=escaped(found.error.message),
            icon=":material/error:",
        )


def begin(run_id: int, state: RunState, wanted: Mapping[str, Request], *, by: Principal, project_id: int) -> Running:
    """Send every request that can be sent, as often as asked, all at once."""
    here = runtime.current()
    slots = [
        Slot(letter, repeat, _asked(run_id, letter, repeat, found.body, by=by, project_id=project_id))
        for letter, found in wanted.items()
        if found.body is not None
        for repeat in range(1, state.repeats + 1)
    ]
    running = Running(run_id, project_id, slots)
    running.start(here.serve.answer)
    return running


def _asked(run_id: int, letter: str, repeat: int, body: Mapping[str, Any], *, by: Principal, project_id: int) -> Asked:
    return Asked(
        route=PLAYGROUND,
        body=bodies.streamed(body),
        raw=b"",
        project_id=project_id,
        actor=by.actor,
        person_id=by.person_id,
        request_id=ids.shown("req", runtime.current().ids.next()),
        tags=(
            (play_shown.RUN_TAG, ids.shown("run", run_id)),
            (play_shown.VARIANT_TAG, letter),
            (play_shown.REPEAT_TAG, str(repeat)),
        ),
    )
