"""Where the time of one call went, as stretches a person can follow. Pure."""

from __future__ import annotations

from typing import Any

from core.calls.views import CallView
from pages.parts import amounts
from pages.parts.charts import Part

_SHORTEST_MS = 0.05


def stretches(call: CallView) -> tuple[Part, ...]:
    """From arrival to end: ours, waiting, each try of a backend, the answer from its first token on, ours again."""
    tries = [_Try(found) for found in call.detail.get("tries") or () if isinstance(found, dict)]
    if not tries:
        return _untold(call)
    parts = [Part("before asking", 0, tries[0].began_ms - tries[0].waited_ms, "checks, routing and the price list")]
    for number, one in enumerate(tries):
        if one.waited_ms > _SHORTEST_MS:
            parts.append(Part(f"waiting before try {number + 1}", one.began_ms - one.waited_ms, one.waited_ms))
        parts += _asking(call, one, number, is_last=number == len(tries) - 1)
    ended = tries[-1].ended_ms
    parts.append(Part("after the answer", ended, call.total_ms - ended, "counting, pricing and the durable record"))
    return tuple(part for part in parts if part.length_ms > _SHORTEST_MS)


def says(call: CallView) -> str:
    """The same in one sentence, for those who do not see the chart."""
    first = f", the first token after {amounts.duration(call.first_token_ms)}" if call.first_token_ms else ""
    return (
        f"{amounts.duration(call.total_ms)} in all{first}: {amounts.duration(call.upstream_ms)} at the backend, "
        f"{amounts.duration(call.waiting_ms)} waiting, {amounts.duration(call.own_ms)} our own."
    )


def _untold(call: CallView) -> tuple[Part, ...]:
    """A call whose tries were not kept, or that needed none."""
    if call.upstream_ms <= _SHORTEST_MS:
        return (Part("from the cache" if call.cache else "without a backend", 0, call.total_ms),)
    began = call.total_ms - call.upstream_ms
    return (Part("before asking", 0, began), Part("at the backend", began, call.upstream_ms))


class _Try:
    def __init__(self, found: dict[str, Any]) -> None:
        self.began_ms = _number(found.get("began_ms"))
        self.ended_ms = max(_number(found.get("ended_ms")), self.began_ms)
        self.waited_ms = min(_number(found.get("waited_ms")), self.began_ms)
        self.model = "/".join(str(found.get(name) or "?") for name in ("backend", "model"))
        self.error = str(found.get("error") or "")
        self.status = found.get("status")


def _asking(call: CallView, one: _Try, number: int, *, is_last: bool) -> list[Part]:
    """One try; the last one of a stream is told apart at its first token."""
    name = f"try {number + 1}" if number or not is_last else "asking"
    where = f"{one.model}: {one.error or one.status or 'no answer'}"
    length = one.ended_ms - one.began_ms
    first = call.first_token_ms
    if not one.error and is_last and first is not None and one.began_ms < first < one.ended_ms:
        return [
            Part(f"{name}, to the first token", one.began_ms, first - one.began_ms, where),
            Part("the rest of the answer", first, one.ended_ms - first, where),
        ]
    return [Part(name, one.began_ms, length, where, is_trouble=bool(one.error))]


def _number(value: Any) -> float:
    return max(0.0, float(value)) if isinstance(value, int | float) else 0.0
