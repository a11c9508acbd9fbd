"""Who is preferred, from blind votes: standings with intervals and ranks, and what must be said beside them.

Contestants that no chain of votes links are fitted apart and never compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from core.statistics import connected
from core.statistics.proportions import Estimate
from core.statistics.strengths import Fit
from core.statistics.votes import Choice, Vote, edges


@dataclass(frozen=True, slots=True)
class Standing:
    """One contestant. `points` and `win_share` (the expected share of wins against each other contestant of its group
    alike) are None while nothing relates it to another; `rank` is 1 + how many of its group are clearly better."""

    name: str
    group: int
    rank: int
    votes: int
    points: Estimate | None
    win_share: Estimate | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The whole picture: standings best first, group by group, and what must be said beside them."""

    standings: tuple[Standing, ...]
    votes: int
    voters: int
    ties: int
    both_bad: int
    notes: tuple[str, ...]
    fits: tuple[Fit, ...]

    def difference(self, one: str, other: str, *, level: float = 0.95) -> Estimate | None:
        """Points by which `one` is ahead of `other`, with its interval; None where no chain of votes links them."""
        for fit in self.fits:
            if one in fit.names and other in fit.names and len(fit.names) > 1:
                contrast = np.zeros(len(fit.names))
                contrast[fit.names.index(one)] += 1
                contrast[fit.names.index(other)] -= 1
                return fit.estimate(contrast, level=level)
        return None


def ranking(
    votes: Sequence[Vote], contestants: Iterable[str] = (), *, level: float = 0.95, are_all: bool = True
) -> Ranking:
    """Standings from votes; `contestants` names those that must appear though nobody voted on them, `are_all` says
    that no vote was left out.

    Rank by overlap: i is clearly better than j where i's interval begins above the end of j's. Source: W.-L. Chiang et
    al., "Chatbot Arena: An Open Platform for Evaluating LLMs by Human Preference", ICML (2024), approximate ranking.
    """
    names = sorted({*contestants, *(vote.left for vote in votes), *(vote.right for vote in votes)})
    linked = edges(names, votes)
    fits = tuple(
        Fit.of(tuple(names[place] for place in group), votes) for group in connected.groups(len(names), linked)
    )
    counted, choices = Counter[str](), Counter[Choice]()
    for vote in votes:
        choices[vote.choice] += vote.times
        for name in (vote.left, vote.right):
            counted[name] += vote.times
    standings = []
    for number, fit in enumerate(fits):
        points = [fit.points(name, level=level) for name in fit.names]
        for name, own in zip(fit.names, points, strict=True):
            better = sum(own is not None and other is not None and other.low > own.high for other in points)
            share = fit.win_share(name, level=level)
            standings.append(Standing(name, number, 1 + better, counted[name], own, share))
    standings.sort(key=lambda one: (one.group, -one.points.value if one.points else 0.0, one.name))
    voters = {vote.voter for vote in votes}
    return Ranking(
        tuple(standings),
        choices.total(),
        len(voters),
        choices[Choice.TIE],
        choices[Choice.BOTH_BAD],
        tuple(_notes(names, votes, linked, voters, fits, are_all=are_all)),
        fits,
    )


def _notes(
    names: Sequence[str],
    votes: Sequence[Vote],
    linked: Sequence[tuple[int, int]],
    voters: Collection[str],
    fits: Sequence[Fit],
    *,
    are_all: bool,
) -> list[str]:
    if not votes:
        return ["There are no votes yet." if are_all else "No vote counts: all of them are left out."]
    said = connected.warnings(names, linked, are_all=are_all)
    if any(fit.is_held for fit in fits):
        said.append(
            "Where votes went one way only, strengths are held finite by one imaginary tie of each contestant "
            "against an average opponent."
        )
    if all(vote.winner is None for vote in votes):
        said.append("Every vote is a tie: nobody is ahead.")
    if len(voters) == 1:
        said.append("All votes are one person's: the intervals tell how sure that person is, not how people differ.")
    return said
