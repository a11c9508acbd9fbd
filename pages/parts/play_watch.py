"""Shows answers while they come in: one loop over all columns, often enough for the eye, not for the socket."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import clock
from pages.parts import amounts, play_answer, play_state
from pages.parts.play_running import Phase, Running, Slot
from pages.parts.play_shown import Shown, of_slot

LOOK_S = 0.06
BYTES_PER_MS = 30.0
"""A text is sent whole each time it grows: a long one is sent less often, so that the flow stays near 30 KB/s."""
TICK_MS = 500.0
SETTLE_MS = 2_000.0


def follow(running: Running, columns: Mapping[str, DeltaGenerator], *, view: str) -> None:
    """Draw the run until it is over; the reader's next click ends this loop, not the run."""
    places = _places(running, columns)
    drawn: dict[int, tuple[int, float]] = {}
    while not running.is_over:
        running.watched()
        now = clock.ticks_ms()
        for number, slot in enumerate(running.slots):
            place = places.get(number)
            if place is not None and _is_due(slot, drawn.get(number), now):
                drawn[number] = (slot.version, now)
                _draw(slot, place, view=view, is_alone=_alone(running, slot))
        # a look at the session's state lets Streamlit end this loop even while every backend is silent
        _ = play_state.STATE in st.session_state
        time.sleep(LOOK_S)


def is_settling(running: Running, shown: Sequence[Shown]) -> bool:
    """Whether an answer that was stopped is still on its way into the record: waits a moment and says so."""
    unwritten = any(one.call_id and not one.is_recorded for one in shown)
    if not unwritten or clock.ticks_ms() - running.ended_ms > SETTLE_MS:
        return False
    time.sleep(LOOK_S * 2)
    return True


def _places(running: Running, columns: Mapping[str, DeltaGenerator]) -> dict[int, DeltaGenerator]:
    return {number: columns[slot.letter].empty() for number, slot in enumerate(running.slots) if slot.letter in columns}


def _alone(running: Running, slot: Slot) -> bool:
    return sum(1 for other in running.slots if other.letter == slot.letter) == 1


def _is_due(slot: Slot, last: tuple[int, float] | None, now: float) -> bool:
    if last is None:
        return True
    version, at = last
    if slot.version == version:
        return slot.phase in (Phase.WAITING, Phase.STREAMING) and now - at > TICK_MS and not slot.length
    return slot.phase not in (Phase.WAITING, Phase.STREAMING) or now - at >= slot.length / BYTES_PER_MS


def _draw(slot: Slot, place: DeltaGenerator, *, view: str, is_alone: bool) -> None:
    shown = of_slot(slot)
    with place.container(border=not is_alone):
        if slot.phase is Phase.WAITING or (slot.phase is Phase.STREAMING and shown.answered.is_empty):
            waited = f" {amounts.duration(shown.total_ms)}" if shown.total_ms >= TICK_MS else ""
            st.caption(f":shimmer[Waiting for the first token …]{waited}")
            return
        st.caption(play_answer.facts(shown))
        # Markdown that is not finished flickers: while it comes in, the answer is plain text
        play_answer.body(shown, view=play_answer.PLAIN if slot.phase is Phase.STREAMING else view)
        play_answer.trouble(shown)
