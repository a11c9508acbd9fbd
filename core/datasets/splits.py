"""Which part of a dataset an example belongs to: by hand, or by a hash with shares that moves nobody when shares grow.

Pure. A plan is a line of 10,000 places, cut into pieces that belong to a split or (split "") to nobody. An example
stands at the place

    place = ⌊ h · 10,000 / 2⁶⁴ ⌋,   h = the first 8 bytes of BLAKE2b("split" ‖ input hash), big-endian

so where it stands depends on its normalised input alone: inputs that say the same are never torn apart between train
and test. `regrow` gives new shares: a split that grows takes free pieces from the left, one that shrinks gives up its
rightmost ones; nobody else moves. (With fixed borders, growing the first split would push every other one along.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from core.errors import Invalid

PLACES = 10_000
LONGEST, MOST = 32, 12
USUAL: Mapping[str, int] = {"train": 80, "dev": 10, "test": 10}

Plan = tuple[tuple[str, int], ...]
"""Pieces from left to right: split ("": nobody's) and width in places; together `PLACES`."""

EMPTY: Plan = (("", PLACES),)


def place(input_hash: int) -> int:
    """Where an example stands on the line, 0 … 9,999."""
    digest = blake2b(b"split" + input_hash.to_bytes(8, signed=True), digest_size=8).digest()
    return int.from_bytes(digest) * PLACES >> 64


def of(plan: Plan, input_hash: int) -> str:
    """The split of an example; "" where the plan gives its place to nobody."""
    left, wanted = 0, place(input_hash)
    for name, width in plan:
        left += width
        if wanted < left:
            return name
    return ""


def shares(plan: Plan) -> dict[str, int]:
    """How many places each split has."""
    found: dict[str, int] = {}
    for name, width in plan:
        if name:
            found[name] = found.get(name, 0) + width
    return found


def regrow(plan: Plan, percents: Mapping[str, int]) -> Plan:
    """The plan with these shares in whole percent; splits that are not named have none.

    Raises: Invalid when shares are negative or more than everything.
    """
    wanted = {name_of(name): percent * PLACES // 100 for name, percent in percents.items() if percent}
    if any(percent < 0 for percent in percents.values()) or sum(wanted.values()) > PLACES:
        raise Invalid(
            "The shares are together more than 100 %, or less than nothing.", hint="Make one of them smaller."
        )
    if len(wanted) > MOST:
        raise Invalid(f"A dataset has at most {MOST} splits.", hint="Use tags for finer parts.")
    kept: list[tuple[str, int]] = []
    room = dict(wanted)
    for name, width in plan or EMPTY:
        stays = min(width, room.get(name, 0)) if name else 0
        room[name] = room.get(name, 0) - stays
        kept += [(name, stays), ("", width - stays)]
    grown: list[tuple[str, int]] = []
    growing = [name for name in wanted if room[name] > 0]
    for name, width in kept:
        free = width
        while not name and free and growing:
            taken = min(free, room[growing[0]])
            grown.append((growing[0], taken))
            free -= taken
            room[growing[0]] -= taken
            if not room[growing[0]]:
                growing.pop(0)
        grown.append((name, free))
    return _joined(grown)


def read(stored: Sequence[Sequence[object]]) -> Plan:
    """A plan as the store has it."""
    return tuple((str(name), int(str(width))) for name, width in stored) or EMPTY


def name_of(text: str) -> str:
    """A split's name, tidied. Raises: Invalid."""
    text = " ".join(text.split())
    if len(text) > LONGEST or not text.isprintable() or "," in text:
        raise Invalid(
            f"A split's name is up to {LONGEST} letters without commas.", param="split", hint="For example: test."
        )
    return text


def _joined(pieces: Iterable[tuple[str, int]]) -> Plan:
    found: list[tuple[str, int]] = []
    for name, width in pieces:
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + width)
        elif width:
            found.append((name, width))
    return tuple(found)
