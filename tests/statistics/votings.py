"""Votes for tests: from a table of wins, and drawn from known strengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.statistics.votes import Choice, Vote


def won(winner: str, loser: str, times: int = 1, *, voter: str = "ada", item: str = "") -> list[Vote]:
    return [Vote(left=winner, right=loser, choice=Choice.LEFT, voter=voter, item=item)] * times


def tied(one: str, other: str, times: int = 1, *, voter: str = "ada", choice: Choice = Choice.TIE) -> list[Vote]:
    return [Vote(left=one, right=other, choice=choice, voter=voter)] * times


def of_table(names: Sequence[str], wins: Sequence[Sequence[int]]) -> list[Vote]:
    """wins[i][j]: how often i was preferred to j; every vote by somebody else."""
    return [
        Vote(left=names[i], right=names[j], choice=Choice.LEFT, voter=f"{i}-{j}-{number}")
        for i, row in enumerate(wins)
        for j, count in enumerate(row)
        for number in range(count)
    ]


def drawn(
    theta: dict[str, float], count: int, dice: np.random.Generator, *, voters: int, differ: float = 0.0
) -> list[Vote]:
    """`count` votes of voters who each see strengths a little differently (standard deviation `differ`)."""
    names = list(theta)
    taste = dice.normal(0, differ, (voters, len(names))) if differ else np.zeros((voters, len(names)))
    seen = np.array(list(theta.values())) + taste
    voter = np.arange(count) % voters
    left = dice.integers(len(names), size=count)
    right = (left + dice.integers(1, len(names), size=count)) % len(names)
    is_left = dice.random(count) < 1 / (1 + np.exp(seen[voter, right] - seen[voter, left]))
    return [
        Vote(left=names[i], right=names[j], choice=Choice.LEFT if one else Choice.RIGHT, voter=f"v{who}")
        for i, j, one, who in zip(left, right, is_left, voter, strict=True)
    ]
