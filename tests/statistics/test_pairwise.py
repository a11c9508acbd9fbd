"""Strengths as published and as simulated; what cannot be told is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.statistics.pairwise import Ranking, ranking
from core.statistics.strengths import SCALE
from core.statistics.votes import Choice, Vote, table
from tests.statistics.votings import drawn, of_table, tied, won

WIKIPEDIA = ("A", "B", "C", "D"), ((0, 2, 0, 1), (3, 0, 5, 0), (0, 3, 0, 1), (4, 0, 3, 0))
BASEBALL = (
    ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"),
    (
        (0, 7, 9, 7, 7, 9, 11),
        (6, 0, 7, 5, 11, 9, 9),
        (4, 6, 0, 7, 7, 8, 12),
        (6, 8, 6, 0, 6, 7, 10),
        (6, 2, 6, 7, 0, 7, 12),
        (4, 4, 5, 6, 6, 0, 6),
        (2, 4, 1, 3, 1, 7, 0),
    ),
)


def ahead(found: Ranking, one: str, other: str) -> float:
    """θ of one minus θ of the other."""
    difference = found.difference(one, other)
    assert difference is not None
    return difference.value / SCALE


def names(found: Ranking) -> list[str]:
    return [standing.name for standing in found.standings]


def test_strengths_are_wikipedias_worked_example() -> None:
    # Wikipedia, "Bradley–Terry model", worked example of the solution procedure: 0.640, 1.043, 0.660, 2.270
    found = ranking(of_table(*WIKIPEDIA))
    points = {one.name: one.points.value for one in found.standings if one.points}
    strengths = {name: float(np.exp((value - 1000) / SCALE)) for name, value in points.items()}
    assert strengths == {
        "A": pytest.approx(0.640, abs=5e-4),
        "B": pytest.approx(1.043, abs=5e-4),
        "C": pytest.approx(0.660, abs=5e-4),
        "D": pytest.approx(2.270, abs=5e-4),
    }
    assert names(found) == ["D", "B", "C", "A"]


def test_strengths_are_agrestis_baseball() -> None:
    # A. Agresti, "Categorical Data Analysis" (2nd edition, 2002), section 10.6, American League 1987; four digits as
    # R's BradleyTerry2 prints them (H. Turner, D. Firth, Journal of Statistical Software 48 (2012))
    found = ranking(of_table(*BASEBALL))
    for team, printed in (
        ("Boston", 1.1077),
        ("Cleveland", 0.6839),
        ("Detroit", 1.4364),
        ("Milwaukee", 1.5814),
        ("New York", 1.2476),
        ("Toronto", 1.2945),
    ):
        assert ahead(found, team, "Baltimore") == pytest.approx(printed, abs=5e-5)


def test_intervals_are_those_of_a_sandwich_computed_from_its_definition() -> None:
    # independent oracle: bread and meat written out vote by vote with the first contestant as the reference
    teams, wins = BASEBALL
    found = ranking(of_table(teams, wins))
    theta = np.array([ahead(found, team, teams[0]) for team in teams])
    size = len(teams)
    bread, meat = np.zeros((size, size)), np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            contrast = np.eye(size)[i] - np.eye(size)[j]
            p = 1 / (1 + np.exp(theta[j] - theta[i]))
            for _ in range(wins[i][j]):
                bread += p * (1 - p) * np.outer(contrast, contrast)
                meat += (1 - p) ** 2 * np.outer(contrast, contrast)
            if i < j:  # the one vote more of each pair
                meat += p * (1 - p) * np.outer(contrast, contrast)
    inverse = np.linalg.inv(bread[1:, 1:])
    by_vote = inverse @ meat[1:, 1:] @ inverse
    fit = found.fits[0]
    at = [fit.names.index(team) for team in teams]
    own = fit.covariances[0][np.ix_(at, at)]
    contrast = np.hstack((-np.ones((size - 1, 1)), np.eye(size - 1)))
    assert contrast @ own @ contrast.T == pytest.approx(by_vote, rel=1e-6)


def test_votes_of_one_voter_stand_together_in_the_sandwich_by_voter() -> None:
    # independent oracle: the scores of each voter added up by hand, the first contestant as the reference
    votes = drawn({"a": 1.0, "b": 0.2, "c": -0.7}, 200, np.random.default_rng(7), voters=6)
    (fit,) = ranking(votes).fits
    bread, by_voter = np.zeros((3, 3)), {vote.voter: np.zeros(3) for vote in votes}
    more = {}
    for vote in votes:
        contrast = np.eye(3)["abc".index(vote.left)] - np.eye(3)["abc".index(vote.right)]
        p = 1 / (1 + np.exp(-contrast @ fit.theta))
        bread += p * (1 - p) * np.outer(contrast, contrast)
        by_voter[vote.voter] += ((vote.choice is Choice.LEFT) - p) * contrast
        more[vote.pair] = p * (1 - p) * np.outer(contrast, contrast)
    meat = 6 / 5 * sum(np.outer(scores, scores) for scores in by_voter.values()) + sum(more.values())
    inverse = np.linalg.inv(bread[1:, 1:])
    expected = inverse @ meat[1:, 1:] @ inverse
    contrast = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    assert contrast @ fit.covariances[1] @ contrast.T == pytest.approx(expected, rel=1e-6)


def test_a_win_share_is_the_share_observed_where_everybody_met_everybody_as_often() -> None:
    found = ranking(of_table(*BASEBALL))
    shares = {one.name: one.win_share.value for one in found.standings if one.win_share}
    assert shares == {
        team: pytest.approx(sum(row) / 78) for team, row in zip(*BASEBALL, strict=True)
    }  # the likelihood's own equations: expected wins are the wins observed


def test_a_rank_counts_only_those_that_are_clearly_better() -> None:
    standings = ranking(of_table(*BASEBALL)).standings
    assert {one.name: one.rank for one in standings} == dict.fromkeys(BASEBALL[0], 1) | {
        "Cleveland": 2,  # Milwaukee alone is clearly better
        "Baltimore": 6,  # all but Cleveland are
    }


def test_points_are_a_thousand_on_average_and_four_hundred_are_ten_to_one() -> None:
    found = ranking(won("a", "b", 100) + won("b", "a", 10))
    points = [one.points.value for one in found.standings if one.points]
    assert sum(points) / 2 == pytest.approx(1000)
    assert points[0] - points[1] == pytest.approx(400)


def test_a_tie_is_half_a_win_for_each_and_both_bad_is_counted_by_itself() -> None:
    found = ranking(won("a", "b", 6) + tied("a", "b", 3) + tied("a", "b", 1, choice=Choice.BOTH_BAD))
    assert ahead(found, "a", "b") == pytest.approx(np.log(8 / 2))
    assert (found.votes, found.ties, found.both_bad) == (10, 3, 1)


def test_no_votes_are_a_sentence() -> None:
    found = ranking([], ["a", "b"])
    assert found.notes == ("There are no votes yet.",)
    assert [(one.name, one.rank, one.points) for one in found.standings] == [("a", 1, None), ("b", 1, None)]


def test_one_contestant_alone_has_no_points() -> None:
    (alone,) = ranking([], ["a"]).standings
    assert (alone.points, alone.win_share, alone.votes) == (None, None, 0)


def test_who_always_wins_has_finite_points_and_a_sentence() -> None:
    found = ranking(won("a", "b", 10) + won("b", "c", 3) + won("c", "b", 2, voter="bea"))
    assert "Every vote between a and b and c went to a: no distance can be told from such votes." in found.notes
    assert any("one imaginary tie" in note for note in found.notes)
    assert names(found)[0] == "a"
    assert all(one.points and np.isfinite([one.points.low, one.points.high]).all() for one in found.standings)


def test_one_vote_ranks_nobody_above_anybody() -> None:
    assert [one.rank for one in ranking(won("a", "b")).standings] == [1, 1]


def test_groups_without_a_link_are_told_and_never_compared() -> None:
    votes = won("a", "b", 3) + won("b", "a", 2) + won("c", "d", 9) + won("d", "c", 1)
    found = ranking(votes, ["e"])
    assert found.notes[:2] == (
        "Nobody has voted on e yet.",
        "No votes link these groups, so their points cannot be compared with each other's: a and b; c and d.",
    )
    assert found.difference("a", "c") is None
    assert found.difference("c", "d") is not None
    assert {one.name: one.group for one in found.standings} == {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2}


def test_where_votes_were_left_out_nobody_is_said_to_have_no_votes() -> None:
    assert ranking(won("a", "b"), ["e"], are_all=False).notes[0] == "No vote that counts is on e."
    assert ranking([], ["e"], are_all=False).notes == ("No vote counts: all of them are left out.",)


def test_ties_alone_leave_everybody_level_and_still_in_doubt() -> None:
    found = ranking(tied("a", "b", 5))
    assert "Every vote is a tie: nobody is ahead." in found.notes
    difference = found.difference("a", "b")
    assert difference is not None
    assert difference.value == pytest.approx(0)
    assert difference.low < -50
    assert difference.high > 50


def test_one_voter_is_told_to_be_one() -> None:
    assert "All votes are one person's" in ranking(won("a", "b", 3) + won("b", "a")).notes[-1]


def test_an_interval_beyond_all_measure_is_still_a_share() -> None:
    votes = [*won("a", "b", 3_000, voter="ada"), *won("b", "a", 3_000, voter="bea")]
    share = ranking(votes, level=0.9999).standings[0].win_share
    assert share is not None
    assert 0 <= share.low < 0.001 < 0.999 < share.high <= 1


def test_voters_who_differ_widen_the_interval() -> None:
    loyal = [
        vote
        for n in range(10)
        for vote in (won("a", "b", 20, voter=f"v{n}") if n < 6 else won("b", "a", 20, voter=f"v{n}"))
    ]
    mixed = [vote for n in range(10) for vote in (won("a", "b", 12, voter=f"v{n}") + won("b", "a", 8, voter=f"v{n}"))]
    wide, narrow = ranking(loyal).difference("a", "b"), ranking(mixed).difference("a", "b")
    assert wide is not None
    assert narrow is not None
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_a_contestant_is_not_compared_with_itself() -> None:
    with pytest.raises(ValueError, match="a cannot be compared with itself"):
        Vote(left="a", right="a", choice=Choice.TIE, voter="ada")


def test_a_cell_counts_from_the_rows_side() -> None:
    votes = won("a", "b", 3) + won("b", "a", 1) + tied("b", "a", 2) + tied("a", "b", 4, choice=Choice.BOTH_BAD)
    (diagonal, ab), (ba, _) = table(votes)
    assert (ab.wins, ab.losses, ab.ties, ab.both_bad, ab.n) == (3, 1, 2, 4, 10)
    assert (ba.wins, ba.losses, ba.ties, ba.both_bad) == (1, 3, 2, 4)
    assert ab.share is not None
    assert ba.share is not None
    assert (ab.share.value, ba.share.value) == (pytest.approx(0.6), pytest.approx(0.4))
    assert ab.share.low == pytest.approx(1 - ba.share.high)
    assert (diagonal.n, diagonal.share) == (0, None)


OUTCOME = st.tuples(
    st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(list(Choice)), st.sampled_from("xyz")
)


@settings(deadline=None, max_examples=60)
@given(st.lists(OUTCOME.filter(lambda one: one[0] != one[1]), max_size=25))
def test_any_votes_have_a_ranking_that_does_not_depend_on_names_sides_or_order(
    outcomes: list[tuple[str, str, Choice, str]],
) -> None:
    votes = [Vote(left=a, right=b, choice=choice, voter=voter) for a, b, choice, voter in outcomes]
    other_side = {Choice.LEFT: Choice.RIGHT, Choice.RIGHT: Choice.LEFT}
    turned = [
        Vote(left=f"z{b}"[::-1], right=f"z{a}"[::-1], choice=other_side.get(choice, choice), voter=voter)
        for a, b, choice, voter in reversed(outcomes)
    ]
    found = {one.name: one for one in ranking(votes).standings}
    again = {one.name[0]: one for one in ranking(turned).standings}
    assert found.keys() == again.keys()
    for name, one in found.items():
        other = again[name]
        assert one.rank == other.rank
        assert (one.points is None) == (other.points is None)
        if one.points and other.points and one.win_share:
            assert one.points.value == pytest.approx(other.points.value, abs=1e-6)
            assert one.points.low == pytest.approx(other.points.low, abs=1e-5)
            assert one.points.low < one.points.value < one.points.high
            assert 0 <= one.win_share.low <= one.win_share.value <= one.win_share.high <= 1


def test_strengths_that_votes_were_drawn_from_are_found_again() -> None:
    theta = {"a": 1.0, "b": 0.4, "c": -0.2, "d": -1.2}
    found = ranking(drawn(theta, 20_000, np.random.default_rng(5), voters=50))
    assert {name: pytest.approx(value, abs=0.08) for name, value in theta.items()} == {
        one.name: (one.points.value - 1000) / SCALE for one in found.standings if one.points
    }
    assert [one.rank for one in found.standings] == [1, 2, 3, 4]


@pytest.mark.parametrize("differ", [0.0, 1.0])
def test_an_interval_of_ninety_five_percent_holds_the_truth_as_often(differ: float) -> None:
    theta = {"a": 0.6, "b": 0.0, "c": -0.6}
    # with tastes that differ the truth is what a great many voters would say, not the mean of θ
    dice = np.random.default_rng(11)
    truth = ranking(drawn(theta, 20_000, dice, voters=5_000, differ=differ)).difference("a", "c")
    assert truth is not None
    held = 0
    for _ in range(200):
        found = ranking(drawn(theta, 300, dice, voters=20, differ=differ)).difference("a", "c")
        assert found is not None
        held += found.low <= truth.value <= found.high
    assert 0.92 <= held / 200 <= 0.995


def test_a_row_of_many_votes_is_those_votes() -> None:
    votes = [
        vote
        for number, voter in enumerate("xyz")
        for pair in ("ab", "bc", "ac")
        for vote in won(*pair, 3 + number, voter=voter) + won(pair[1], pair[0], 2, voter=voter)
    ]
    rows: dict[Vote, int] = {}
    for vote in votes:
        rows[vote] = rows.get(vote, 0) + 1
    counted = [replace(vote, times=times) for vote, times in rows.items()]
    assert len(counted) < len(votes)
    one_by_one, at_once = ranking(votes), ranking(counted)
    for before, after in zip(one_by_one.standings, at_once.standings, strict=True):
        assert (before.name, before.votes, before.rank) == (after.name, after.votes, after.rank)
        for own, other in ((before.points, after.points), (before.win_share, after.win_share)):
            assert own is not None
            assert other is not None
            assert (own.low, own.value, own.high) == pytest.approx((other.low, other.value, other.high))
            assert own.n == other.n
    assert (one_by_one.votes, one_by_one.ties) == (at_once.votes, at_once.ties)
    assert table(counted) == table(votes)
