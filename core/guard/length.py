"""Texts that are too long, too short or nothing at all."""

from __future__ import annotations

from core.guard.findings import Hit

NAME = "length/1"


def find(text: str, *, most: int = 0, fewest: int = 0) -> list[Hit]:
    """What stands beyond `most` characters, or a whole text with fewer than `fewest` (0: no limit)."""
    if most and len(text) > most:
        return [Hit("too long", most, len(text), 1.0)]
    if fewest and len(text.strip()) < fewest:
        return [Hit("too short", 0, len(text), 1.0)]
    return []
