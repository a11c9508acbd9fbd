"""Does a voter look before voting? Habits of each voter, from the votes alone; a flag is a question, not a verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

from core.statistics.proportions import Estimate, wilson
from core.statistics.votes import Choice, Vote

ENOUGH = 8
"""Votes before a flag is raised: who chooses by chance is on one side eight times running in 2 · 2⁻⁸ < 1 % of cases."""
FASTEST_S = 3.0
"""Seconds in which nobody has read a question and two answers."""


class Flag(StrEnum):
    TOO_FAST = "too fast"
    SAME_SIDE = "always the same side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """One voter. `left` is the share of votes for the left answer among those that named a winner: sides are drawn, so
    ½ is expected, and an interval without ½ is a bias for a position. `ties` includes "both bad"; `agreement` is with
    the majority of the others on the same item and pair, `consistency` with one's own vote before on the same. Each is
    None without anything to count; `median_s` where no time is known."""

    voter: str
    n: int
    left: Estimate | None
    ties: Estimate
    both_bad: int
    median_s: float | None
    agreement: Estimate | None
    consistency: Estimate | None
    flags: tuple[Flag, ...]

    @property
    def leans(self) -> bool:
        """Whether the side of the answer sways this voter: the interval of `left` does not hold ½."""
        return self.left is not None and not self.left.low <= 0.5 <= self.left.high


def habits(votes: Sequence[Vote], *, fastest_s: float = FASTEST_S, level: float = 0.95) -> list[Habits]:
    """Every voter's habits, by name; `votes` in the order they were given.

    Shares have Wilson's interval. Too fast: half of the voter's timed votes or more took less than `fastest_s`.
    """
    by_voter: dict[str, list[Vote]] = defaultdict(list)
    by_question: dict[tuple[str, tuple[str, str]], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for vote in votes:
        by_voter[vote.voter].append(vote)
        by_question[vote.item, vote.pair][vote.voter].append(vote.winner or "")
    agreed: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    repeated: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for said in by_question.values():
        everybody = Counter(answer for answers in said.values() for answer in answers)
        for voter, answers in said.items():
            repeated[voter] += len(answers) - 1
            kept[voter] += sum(one == next_one for one, next_one in pairwise(answers))
            others = (everybody - Counter(answers)).most_common(2)
            if others and (len(others) == 1 or others[0][1] > others[1][1]):
                judged[voter] += len(answers)
                agreed[voter] += answers.count(others[0][0])

    def share(hits: int, n: int) -> Estimate | None:
        return wilson(hits, n, level=level) if n else None

    found = []
    for voter, own in sorted(by_voter.items()):
        sides = Counter(vote.choice for vote in own)
        decided = sides[Choice.LEFT] + sides[Choice.RIGHT]
        times = [vote.seconds for vote in own if vote.seconds is not None]
        flags = []
        if len(times) >= ENOUGH and median(times) < fastest_s:
            flags.append(Flag.TOO_FAST)
        if decided >= ENOUGH and decided in (sides[Choice.LEFT], sides[Choice.RIGHT]):
            flags.append(Flag.SAME_SIDE)
        found.append(
            Habits(
                voter=voter,
                n=len(own),
                left=share(sides[Choice.LEFT], decided),
                ties=wilson(len(own) - decided, len(own), level=level),
                both_bad=sides[Choice.BOTH_BAD],
                median_s=median(times) if times else None,
                agreement=share(agreed[voter], judged[voter]),
                consistency=share(kept[voter], repeated[voter]),
                flags=tuple(flags),
            )
        )
    return found
