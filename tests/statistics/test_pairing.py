"""The next pair is the one a vote teaches most about."""

from __future__ import annotations

import numpy as np
import pytest

from core.statistics.pairing import in_order, next_pair
from core.statistics.strengths import fisher, strengths
from core.statistics.votes import Vote
from tests.statistics.votings import drawn, tied, won


def pair(votes: list[Vote], contestants: str, draw: float = 0.0) -> tuple[str, str]:
    found = next_pair(votes, contestants, draw=draw)
    assert found is not None
    return found.one, found.other


def test_without_votes_every_pair_is_as_good_and_the_draw_decides() -> None:
    assert [pair([], "abc", draw) for draw in (0.0, 0.4, 0.99)] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_one_contestant_has_no_pair() -> None:
    assert next_pair([], ["a"], draw=0.5) is None


def test_a_draw_is_a_share() -> None:
    with pytest.raises(ValueError, match="below 1"):
        next_pair([], "ab", draw=1.0)


def test_groups_are_linked_before_anything_is_refined() -> None:
    votes = won("a", "b", 1) + won("b", "a", 1) + tied("c", "d", 300)
    assert {pair(votes, "abcd", draw) for draw in (0.0, 0.3, 0.6, 0.9)} <= {
        ("a", "c"),
        ("a", "d"),
        ("b", "c"),
        ("b", "d"),
    }


def test_a_link_comes_first_even_where_another_pair_is_more_evenly_matched() -> None:
    votes = [vote for up in "ij" for down in "kl" for vote in won(up, down, 30)]
    assert pair(votes, "ijkl") == ("i", "j")
    assert "a" in pair(votes, "aijkl")


def test_who_is_even_and_seldom_met_comes_before_who_is_well_known() -> None:
    votes = [vote for one, other in ("ab", "ac", "bc") for vote in tied(one, other, 40)] + tied("a", "d", 2)
    assert "d" in pair(votes, "abcd")
    runaway = tied("a", "b", 20) + tied("a", "c", 20) + won("a", "d", 19) + won("d", "a", 1)
    assert pair(runaway, "abc") == ("b", "c")


def test_a_gain_is_the_growth_of_the_determinant_written_out() -> None:
    votes = drawn({"a": 1.0, "b": 0.0, "c": -1.0}, 60, np.random.default_rng(3), voters=5)
    found = next_pair(votes, "abc", draw=0.0)
    assert found is not None
    theta = strengths("abc", votes, prior=1.0)
    before = fisher("abc", votes, theta, prior=1.0)
    gains = {}
    for i, j in ((0, 1), (0, 2), (1, 2)):
        contrast = np.eye(3)[i] - np.eye(3)[j]
        p = 1 / (1 + np.exp(theta[j] - theta[i]))
        after = before + p * (1 - p) * np.outer(contrast, contrast)
        gains["abc"[i], "abc"[j]] = np.log(np.linalg.det(after) / np.linalg.det(before))
    assert max(gains, key=gains.__getitem__) == (found.one, found.other)
    assert found.gain == pytest.approx(max(gains.values()))


def test_asking_for_the_best_pair_learns_more_than_asking_by_chance() -> None:
    theta = dict(zip("abcdef", np.linspace(-2, 2, 6), strict=True))
    dice = np.random.default_rng(8)

    def vote(one: str, other: str) -> Vote:
        p = 1 / (1 + np.exp(theta[other] - theta[one]))
        return won(one, other)[0] if dice.random() < p else won(other, one)[0]

    asked: list[Vote] = []
    chance: list[Vote] = []
    for _ in range(90):
        asked.append(vote(*pair(asked, "abcdef", float(dice.random()))))
        one, other = dice.choice(list("abcdef"), 2, replace=False)
        chance.append(vote(str(one), str(other)))
    truth = np.array([theta[name] for name in "abcdef"])
    known = [np.linalg.slogdet(fisher("abcdef", votes, truth, prior=1.0))[1] for votes in (asked, chance)]
    assert known[0] > known[1]


def test_every_pair_is_given_in_order_and_links_come_before_the_rest() -> None:
    votes = tied("a", "b", 3) + tied("c", "d", 300)
    found = in_order(votes, "abcd", draw=0.0)
    assert {one.one + one.other for one in found[:4]} == {"ac", "ad", "bc", "bd"}
    assert [one.one + one.other for one in found[4:]] == ["ab", "cd"]
    assert found[0] == next_pair(votes, "abcd", draw=0.0)
