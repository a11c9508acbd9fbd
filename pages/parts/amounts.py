"""Numbers as people read them: every one with its unit, small money readable, "unpriced" and "est." said aloud."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")


def money(cost_usd: Decimal | None, *, is_estimated: bool = False) -> str:
    """Dollars: `$1,234.50`, `$0.0184`, `$0.00012`; None is `unpriced`, an estimate begins with `est.`"""
    if cost_usd is None:
        return "unpriced"
    shown = f"{'-' if cost_usd < 0 else ''}${_dollars(abs(cost_usd))}"
    return f"est. {shown}" if is_estimated and cost_usd else shown


def _dollars(amount: Decimal) -> str:
    if amount == 0:
        return "0"
    if amount >= 1:
        return f"{amount.quantize(_CENT, ROUND_HALF_UP):,}"
    # below a dollar the first digits that mean something, never rounded to nothing
    digits = 3 if amount >= _CENT else 2
    places = digits - 1 - amount.adjusted()
    text = f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def count(number: int, noun: str = "", *, plural: str = "") -> str:
    """`1,204 calls`, `1 call`; above a million shortened: `2.41 M calls`."""
    shown = f"{number:,}" if abs(number) < 1_000_000 else _short(number)
    if not noun:
        return shown
    return f"{shown} {noun if number == 1 else plural or noun + 's'}"


def tokens(number: int, *, is_estimated: bool = False) -> str:
    """`1,024 tokens`, `est. 1,024 tokens`."""
    return f"{'est. ' if is_estimated else ''}{count(number, 'token')}"


def _short(number: int) -> str:
    for size, letter in ((1_000_000_000, "B"), (1_000_000, "M")):
        if abs(number) >= size:
            return f"{number / size:,.2f}".rstrip("0").rstrip(".") + f" {letter}"
    return f"{number:,}"


def duration(ms: float | None) -> str:
    """`0.4 ms`, `48 ms`, `1.84 s`, `2 min 5 s`; None is `–`."""
    if ms is None:
        return "–"
    if ms == 0:
        return "0 ms"
    if 0 < ms < 0.1:
        return "< 0.1 ms"
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 9_995:
        return f"{ms / 1000:.2f} s"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def share(part: int, whole: int) -> str:
    """`12 %`, `0.4 %`, `< 0.1 %`; of nothing it is `–`."""
    if whole <= 0:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent < 10 and part else f"{percent:.0f} %"


def percent(part: float) -> str:
    """A share from 0 to 1 as `77 %`."""
    return f"{100 * part:.0f} %"


def change(now: float, before: float) -> str | None:
    """How much more or less than before: `+12 %`, `−40 %`, `×8`; None when there is nothing to compare with."""
    if before <= 0:
        return None
    ratio = now / before
    if ratio >= 3:
        return f"×{ratio:,.1f}"
    return f"{100 * (ratio - 1):+.0f} %"
