"""Money: dollars as `Decimal` in Python, whole nano-dollars (10⁻⁹ USD) in the store, never a float on the way.

Nano, because one short call to a small model costs less than a micro-dollar and a million of them must add up.
"""

from __future__ import annotations

from decimal import Decimal

NANO = 1_000_000_000


def nano_usd(amount: Decimal) -> int:
    """Dollars → whole nano-dollars, half to even."""
    return int((amount * NANO).to_integral_value())


def from_nano_usd(amount: int) -> Decimal:
    """Whole nano-dollars → dollars, exact."""
    return Decimal(amount) / NANO
