"""Numbers in addresses: anybody may write anything there, so what no row can have is none."""

from __future__ import annotations

ROW, MOMENT = 2**31 - 1, 2**63 - 1
"""The largest number of a row, and the largest that grows with time."""


def read(text: str, most: int = ROW) -> int | None:
    """The number that an address names; None when it is none that a row could have."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else most + 1
    return number if number <= most else None
