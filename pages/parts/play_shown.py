"""One answer as the page shows it, whether it is just coming in or lies in the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core import clock
from core.calls.record import CACHE_HIT, CANCELLED, OK
from core.calls.views import CallRow, Payload
from core.prompts import answers
from core.prompts.answers import Answered
from pages.parts.play_running import Phase, Running, Slot

RUN_TAG, VARIANT_TAG, REPEAT_TAG = "run", "variant", "repeat"


@dataclass(frozen=True, slots=True)
class Shown:
    """Which answer it is, what it says, and, once recorded, what it took."""

    letter: str
    repeat: int
    phase: Phase
    answered: Answered
    error: str = ""
    first_token_ms: float | None = None
    total_ms: float = 0.0
    call_id: int = 0
    is_recorded: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    is_estimated: bool = False
    cost_usd: Decimal | None = None
    price_source: str = ""
    model_served: str = ""
    is_cached: bool = False
    fallbacks: int = 0
    raw: bytes = b""


def of_slot(slot: Slot) -> Shown:
    """An answer as far as it has come."""
    return Shown(
        letter=slot.letter,
        repeat=slot.repeat,
        phase=slot.phase,
        answered=slot.answered(),
        error=slot.error,
        first_token_ms=slot.first_token_ms,
        total_ms=slot.elapsed_ms(clock.ticks_ms()),
        call_id=slot.call_id,
    )


def of_record(row: CallRow, payload: Payload, tags: dict[str, str]) -> Shown:
    """An answer as it was recorded."""
    answered = answers.of_recorded(payload.raw_response)
    failed = row.status not in (OK, CANCELLED)
    phase = Phase.DONE if row.status == OK else Phase.FAILED if failed else Phase.STOPPED
    error = (answered.error or row.error or "The backend gave no answer.") if failed else ""
    return Shown(
        letter=tags.get(VARIANT_TAG, "A"),
        repeat=int(tags.get(REPEAT_TAG, "1")) if tags.get(REPEAT_TAG, "1").isdecimal() else 1,
        phase=phase,
        answered=replace(answered, finish_reason=answered.finish_reason or row.finish_reason),
        error=error,
        first_token_ms=row.first_token_ms,
        total_ms=row.total_ms,
        call_id=row.id,
        is_recorded=True,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        is_estimated=row.is_estimated,
        cost_usd=row.cost_usd,
        price_source=row.price_source,
        model_served=f"{row.backend}/{row.model_served}" if row.backend else row.model_served,
        is_cached=row.cache == CACHE_HIT,
        fallbacks=row.fallbacks,
        raw=payload.raw_response,
    )


def together(recorded: Iterable[Shown], running: Running | None) -> tuple[Shown, ...]:
    """Every answer of a run: the recorded one where there is one, else what this process still knows of it."""
    found = {(shown.letter, shown.repeat): shown for shown in recorded}
    for slot in running.slots if running else ():
        found.setdefault((slot.letter, slot.repeat), of_slot(slot))
    return tuple(found[place] for place in sorted(found))


def of_variant(all_shown: Sequence[Shown], letter: str) -> tuple[Shown, ...]:
    return tuple(shown for shown in all_shown if shown.letter == letter)
