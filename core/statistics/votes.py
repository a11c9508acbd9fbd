"""Blind votes between two answers: what one vote says, and a table of who met whom and how it went.

A tie is half a win for each; "both bad" is a tie for the order and counted by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.statistics.proportions import Estimate, wilson


class Choice(StrEnum):
    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BOTH_BAD = "both_bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One vote: which contestant's answer stood on which side, what was chosen, by whom, about what (`item`, empty
    where prompts are not told apart), in how many `seconds` (None: not known). `times`: one row stands for so many
    votes that agree in everything, so that what is kept as counts need not be unrolled.

    Raises:
        ValueError: where a contestant stands against itself, or for less than one vote.
    """

    left: str
    right: str
    choice: Choice
    voter: str
    item: str = ""
    seconds: float | None = None
    times: int = 1

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError(f"a row of {self.times} votes is no vote")
        if self.left == self.right:
            raise ValueError(f"{self.left} cannot be compared with itself")

    @property
    def winner(self) -> str | None:
        """The contestant preferred; None for a tie and where both are bad."""
        return {Choice.LEFT: self.left, Choice.RIGHT: self.right}.get(self.choice)

    @property
    def pair(self) -> tuple[str, str]:
        """The two contestants by name, whichever side they stood on."""
        return min(self.left, self.right), max(self.left, self.right)


@dataclass(frozen=True, slots=True)
class Cell:
    """`one` against `other`: how often `one` won, lost, tied, and both were bad; the `share` of wins with ties (of
    either kind) half, None where the two never met."""

    one: str
    other: str
    wins: int
    losses: int
    ties: int
    both_bad: int
    share: Estimate | None

    @property
    def n(self) -> int:
        return self.wins + self.losses + self.ties + self.both_bad


def table(votes: Iterable[Vote], contestants: Iterable[str] = (), *, level: float = 0.95) -> list[list[Cell]]:
    """Everybody against everybody: rows and columns by name, the diagonal empty cells.

    The share's interval is Wilson's with ties as half hits.
    """
    won, tied, bad = Counter[tuple[str, str]](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    names = set(contestants)
    for vote in votes:
        names |= {vote.left, vote.right}
        if vote.winner:
            won[vote.winner, vote.right if vote.winner == vote.left else vote.left] += vote.times
        else:
            counted = tied if vote.choice is Choice.TIE else bad
            for pair in ((vote.left, vote.right), (vote.right, vote.left)):
                counted[pair] += vote.times

    def cell(one: str, other: str) -> Cell:
        wins, losses, ties, both_bad = won[one, other], won[other, one], tied[one, other], bad[one, other]
        n = wins + losses + ties + both_bad
        share = wilson(wins + (ties + both_bad) / 2, n, level=level) if n else None
        return Cell(one, other, wins, losses, ties, both_bad, share)

    return [[cell(one, other) for other in sorted(names)] for one in sorted(names)]


def edges(names: Sequence[str], votes: Iterable[Vote]) -> list[tuple[int, int]]:
    """Each kind of vote once as (winner, loser), a tie both ways."""
    place = {name: number for number, name in enumerate(names)}
    found: set[tuple[int, int]] = set()
    for vote in votes:
        if vote.winner != vote.right:
            found.add((place[vote.left], place[vote.right]))
        if vote.winner != vote.left:
            found.add((place[vote.right], place[vote.left]))
    return sorted(found)
