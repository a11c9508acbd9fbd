"""How strong each contestant is, from votes between two: the model of Bradley and Terry, its maximum and its doubt.

P(i preferred to j) = 1 / (1 + exp(θ_j − θ_i)), a tie half a win for each. An interval is the widest of those that are
defensible, and never without width: a run of equal votes is no certainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from core.statistics import connected
from core.statistics.laws import student_quantile
from core.statistics.proportions import Estimate, quantile
from core.statistics.votes import Choice, Vote, edges

Array = npt.NDArray[np.float64]
MEAN = 1_000.0
"""Points of the mean contestant of a group."""
SCALE = 400 / math.log(10)
"""Points per unit of θ: ten times the odds are 400 points. Source: A. E. Elo, "The Rating of Chessplayers" (1978)."""
STEPS = 100  # of Newton; a handful is enough where a maximum exists


@dataclass(frozen=True)
class Fit:
    """The strengths of one group: `theta` (K, mean 0), the votes as places of left and right contestant and the left
    one's score (1, ½, 0), how many votes the row stands for, whose they were, and whether the maximum had to be held
    finite."""

    names: tuple[str, ...]
    theta: Array
    left: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    score: Array
    times: Array
    voter: npt.NDArray[np.intp]
    is_held: bool

    @classmethod
    def of(cls, names: tuple[str, ...], votes: Iterable[Vote]) -> Fit:
        """The maximum of the likelihood, by Newton's method with halved steps (the log-likelihood is concave).

        Where no finite maximum exists (`connected.circles`), each contestant is given one imaginary tie against an
        opponent of strength 0, a logistic prior of weight one; else nothing is added. Sources: R. A. Bradley, M. E.
        Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952); D. R. Hunter, "MM algorithms for
        generalized Bradley–Terry models", Annals of Statistics 32 (2004), assumption 1; J. T. Whelan, "Prior
        distributions for the Bradley–Terry model of paired comparisons", arXiv:1712.05311 (2017).
        """
        place = {name: number for number, name in enumerate(names)}
        own = [vote for vote in votes if vote.left in place]
        voters = {voter: number for number, voter in enumerate(dict.fromkeys(vote.voter for vote in own))}
        left, right, score, times = _columns(names, own)
        voter = np.array([voters[vote.voter] for vote in own], dtype=np.intp)
        is_held = len(connected.circles(len(names), edges(names, own))) > 1
        theta = strengths(names, own, prior=1.0 if is_held else 0.0)
        return cls(names, theta - theta.mean(), left, right, score, times, voter, is_held)

    def points(self, name: str, *, level: float = 0.95) -> Estimate | None:
        """A contestant's points around `MEAN`, with its interval; None where it met nobody."""
        if len(self.names) == 1:
            return None
        at = self.names.index(name)
        contrast = np.full(len(self.names), -1 / len(self.names))
        contrast[at] += 1
        found = self.estimate(contrast, level=level)
        return Estimate(MEAN + found.value, MEAN + found.low, MEAN + found.high, self.votes_on(at))

    def win_share(self, name: str, *, level: float = 0.95) -> Estimate | None:
        """The share of votes it is expected to win against each other contestant alike, 0…1, a tie counting half.

        Its interval by the delta method on the scale of log odds, which keeps it between 0 and 1.
        """
        if len(self.names) == 1:
            return None
        at, others = self.names.index(name), len(self.names) - 1
        p = _logistic(self.theta[at] - self.theta)
        slope = -p * (1 - p) / others
        slope[at] = 0.0
        slope[at] = -slope.sum()
        share = float((p.sum() - p[at]) / others)
        half = self._half(slope / (share * (1 - share)), level)
        odds = math.log(share / (1 - share))
        low, high = (float(_logistic(np.array(odds + sign * half))) for sign in (-1, 1))
        return Estimate(share, low, high, self.votes_on(at))

    def votes_on(self, at: int) -> int:
        """How many votes the contestant at this place stood in."""
        return int(self.times[(self.left == at) | (self.right == at)].sum())

    def estimate(self, contrast: Array, *, level: float = 0.95) -> Estimate:
        """A contrast of strengths (weights that add up to 0) in points, with its interval."""
        value, half = SCALE * float(contrast @ self.theta), SCALE * self._half(contrast, level)
        return Estimate(value, value - half, value + half, int(self.times.sum()))

    def _half(self, contrast: Array, level: float) -> float:
        """Half the width of a contrast's interval: the widest of by votes, by voters and, where held, by model."""
        by_vote, by_voter, by_model = self.covariances
        halves = [quantile(level) * _deviation(contrast, by_vote)]
        if by_voter is not None:
            degrees = int(self.voter.max())  # voters − 1
            halves.append(student_quantile(degrees, 0.5 + level / 2) * _deviation(contrast, by_voter))
        if self.is_held:
            halves.append(quantile(level) * _deviation(contrast, by_model))
        return max(halves)

    @cached_property
    def covariances(self) -> tuple[Array, Array | None, Array]:
        """Of θ, its mean 0: sandwich over votes, sandwich over voters (None with one voter), inverse information.

        B M B with B the inverse of the information Σ p(1 − p)(e_i − e_j)(e_i − e_j)ᵀ and M = Σ s sᵀ of the scores s =
        (y − p)(e_i − e_j), summed by voter first and times G / (G − 1) for the second. Each pair that met adds to M one
        more vote as the model expects it, p(1 − p): without, equal votes (all ties) would have no variance at all.
        Sources: P. J. Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", Fifth
        Berkeley Symposium (1967); A. C. Cameron, D. L. Miller, "A practitioner's guide to cluster-robust inference",
        Journal of Human Resources 50 (2015), sections II and VI (t with G − 1 degrees).
        """
        size = len(self.names)
        p = _logistic(self.theta[self.left] - self.theta[self.right])
        information = _information(self.theta, self.left, self.right, self.times, 1.0 if self.is_held else 0.0)
        bread = _inverse(information, is_free=not self.is_held)
        residual = self.score - p
        met = np.unique(np.stack((np.minimum(self.left, self.right), np.maximum(self.left, self.right))), axis=1)
        expected = _logistic(self.theta[met[0]] - self.theta[met[1]])
        more = _laplacian(size, met[0], met[1], expected * (1 - expected))
        by_vote: Array = bread @ (_laplacian(size, self.left, self.right, self.times * residual**2) + more) @ bread
        count = int(self.voter.max()) + 1 if len(self.voter) else 0
        if count < 2:
            return by_vote, None, bread
        scores = np.zeros((count, size))
        np.add.at(scores, (self.voter, self.left), self.times * residual)
        np.add.at(scores, (self.voter, self.right), -self.times * residual)
        by_voter: Array = bread @ (scores.T @ scores * (count / (count - 1)) + more) @ bread
        return by_vote, by_voter, bread


def strengths(names: Sequence[str], votes: Sequence[Vote], *, prior: float) -> Array:
    """θ where the log-likelihood plus `prior` imaginary ties of each against strength 0 is highest, by name (K).

    Without a prior a maximum must exist; it is then known up to a constant.
    """
    left, right, score, times = _columns(names, votes)
    won = np.zeros((len(names), len(names)))
    np.add.at(won, (left, right), times * score)
    np.add.at(won, (right, left), times * (1 - score))
    return _maximum(won, won + won.T, prior)


def fisher(names: Sequence[str], votes: Sequence[Vote], theta: Array, *, prior: float) -> Array:
    """The information about θ, K × K: Σ p(1 − p)(e_i − e_j)(e_i − e_j)ᵀ over votes, and the prior's on the diagonal."""
    left, right, _, times = _columns(names, votes)
    return _information(theta, left, right, times, prior)


def _columns(
    names: Sequence[str], votes: Sequence[Vote]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array, Array]:
    """Places of the left and right contestants, the left one's score, and how many votes each row stands for."""
    place = {name: number for number, name in enumerate(names)}
    left = np.array([place[vote.left] for vote in votes], dtype=np.intp)
    right = np.array([place[vote.right] for vote in votes], dtype=np.intp)
    score = np.array([_score(vote) for vote in votes], dtype=np.float64)
    return left, right, score, np.array([vote.times for vote in votes], dtype=np.float64)


def _information(
    theta: Array, left: npt.NDArray[np.intp], right: npt.NDArray[np.intp], times: Array, prior: float
) -> Array:
    p, centre = _logistic(theta[left] - theta[right]), _logistic(theta)
    made: Array = _laplacian(len(theta), left, right, times * p * (1 - p)) + prior * np.diag(centre * (1 - centre))
    return made


def _maximum(won: Array, met: Array, prior: float) -> Array:
    """θ where the (penalised) log-likelihood is highest; `won` and `met` are K × K counts."""

    def height(theta: Array) -> float:
        lost = np.logaddexp(0.0, theta[None, :] - theta[:, None])  # −log P(row preferred to column)
        both = np.logaddexp(0.0, theta) + np.logaddexp(0.0, -theta)
        return -float((won * lost).sum()) - prior / 2 * float(both.sum())

    theta = np.zeros(len(won))
    reached = height(theta)
    for _ in range(STEPS):
        p = _logistic(theta[:, None] - theta[None, :])
        centre = _logistic(theta)
        slope = won.sum(axis=1) - (met * p).sum(axis=1) + prior * (0.5 - centre)
        bent = met * p * (1 - p)
        curve = np.diag(bent.sum(axis=1) + prior * centre * (1 - centre)) - bent
        step = _inverse(curve, is_free=prior == 0) @ slope
        if float(np.abs(step).max(initial=0.0)) < 1e-10:
            break
        while (tried := height(theta + step)) < reached - 1e-12 * abs(reached):
            step = step / 2
        theta, reached = theta + step, tried
    return theta


def _score(vote: Vote) -> float:
    return {Choice.LEFT: 1.0, Choice.RIGHT: 0.0}.get(vote.choice, 0.5)


def _laplacian(size: int, one: npt.NDArray[np.intp], other: npt.NDArray[np.intp], weight: Array) -> Array:
    """Σ w (e_i − e_j)(e_i − e_j)ᵀ, K × K."""
    made = np.zeros((size, size))
    np.add.at(made, (one, one), weight)
    np.add.at(made, (other, other), weight)
    np.add.at(made, (one, other), -weight)
    np.add.at(made, (other, one), -weight)
    return made


def _inverse(information: Array, *, is_free: bool) -> Array:
    """The inverse of an information; where it is free (strengths are known up to a constant), on what adds up to 0.

    A free one has one direction without information, (1, …, 1): it is filled before and taken out after, for a
    pseudo-inverse would have to guess which eigenvalue is that zero.
    """
    if not is_free:
        return np.asarray(np.linalg.inv(information), dtype=np.float64)
    size = len(information)
    filled = float(np.trace(information)) / size or 1.0
    even = np.full((size, size), 1 / size)
    return np.asarray(np.linalg.inv(information + filled * even) - even / filled, dtype=np.float64)


def _deviation(contrast: Array, covariance: Array) -> float:
    return math.sqrt(max(0.0, float(contrast @ covariance @ contrast)))


def _logistic(value: Array) -> Array:
    made: Array = np.exp(-np.logaddexp(0.0, -value))  # no overflow, however far apart
    return made
