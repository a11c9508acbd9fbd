"""Who did something, as people call them."""

from __future__ import annotations

from collections.abc import Mapping

_KNOWN = {"local": "You, on this computer", "cli": "The command line", "system": "Greenroom"}


def name(mark: str, names: Mapping[str, str], *, you: str = "") -> str:
    """The name behind `person:3`, `key:7`, `local`; `names` are those the store knows, `you` is the reader."""
    if mark == you:
        return "You"
    if mark in _KNOWN:
        return _KNOWN[mark]
    kind, _, number = mark.partition(":")
    known = names.get(mark, "")
    if kind == "key":
        return f"The key {known}" if known else f"Key {number}"
    if kind == "person":
        return known or f"Person {number}"
    return known or mark
