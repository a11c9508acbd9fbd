"""How prompts, versions and labels are called on pages."""

from __future__ import annotations

from typing import Literal

Color = Literal["green", "orange", "blue", "gray"]
_COLORS: dict[str, Color] = {"production": "green", "staging": "orange"}


def color(label: str) -> Color:
    """The colour of a label's badge."""
    return _COLORS.get(label, "blue")


def versions(count: int) -> str:
    """`1 version`, `7 versions`."""
    return "1 version" if count == 1 else f"{count} versions"
