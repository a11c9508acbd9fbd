"""A voter's habits."""

from __future__ import annotations

import pytest

from core.statistics.voters import Flag, Habits, habits
from core.statistics.votes import Choice, Vote

LEFT, RIGHT, TIE, BAD = Choice


def voted(voter: str, choices: list[Choice], *, item: str = "", seconds: float | None = 20.0) -> list[Vote]:
    return [Vote(left="a", right="b", choice=one, voter=voter, item=item, seconds=seconds) for one in choices]


def only(votes: list[Vote], **options: float) -> Habits:
    (found,) = habits(votes, **options)
    return found


def test_whoever_always_takes_the_left_is_flagged_and_leans() -> None:
    found = only(voted("ada", [LEFT] * 8 + [TIE]))
    assert found.flags == (Flag.SAME_SIDE,)
    assert found.leans
    assert found.left is not None
    assert (found.left.value, found.left.n) == (1.0, 8)


def test_seven_in_a_row_may_be_chance() -> None:
    assert only(voted("ada", [RIGHT] * 7)).flags == ()


def test_both_sides_alike_lean_to_none() -> None:
    assert not only(voted("ada", [LEFT, RIGHT] * 10)).leans


def test_whoever_votes_faster_than_anybody_reads_is_flagged() -> None:
    fast = voted("ada", [LEFT, RIGHT] * 4, seconds=1.5)
    assert only(fast).flags == (Flag.TOO_FAST,)
    assert only(fast).median_s == 1.5
    assert only(fast, fastest_s=1.0).flags == ()
    assert only(voted("ada", [LEFT, RIGHT] * 4, seconds=None)).median_s is None


def test_ties_and_both_bad_are_shares_of_all_votes() -> None:
    found = only(voted("ada", [LEFT, TIE, BAD, BAD]))
    assert (found.ties.value, found.both_bad, found.n) == (pytest.approx(0.75), 2, 4)


def test_ties_alone_have_no_side() -> None:
    found = only(voted("ada", [TIE] * 9))
    assert (found.left, found.leans, found.flags) == (None, False, ())


def test_agreement_is_with_the_majority_of_the_others_not_with_oneself() -> None:
    votes = voted("ada", [LEFT], item="1") + voted("bea", [RIGHT], item="1") + voted("cid", [RIGHT], item="1")
    found = {one.voter: one.agreement for one in habits(votes)}
    assert found["ada"] is not None
    assert (found["ada"].value, found["ada"].n) == (0.0, 1)
    assert found["bea"] is None  # the two others are of two minds


def test_the_same_answer_on_the_other_side_is_the_same_vote() -> None:
    turned = Vote(left="b", right="a", choice=RIGHT, voter="ada", item="1")
    found = only([*voted("ada", [LEFT], item="1"), turned, *voted("ada", [RIGHT], item="1")])
    assert found.consistency is not None
    assert (found.consistency.value, found.consistency.n) == (pytest.approx(0.5), 2)


def test_other_items_are_other_questions() -> None:
    found = habits(voted("ada", [LEFT], item="1") + voted("bea", [LEFT], item="2"))
    assert [(one.agreement, one.consistency) for one in found] == [(None, None), (None, None)]


def test_no_votes_are_nobodys_habits() -> None:
    assert habits([]) == []
