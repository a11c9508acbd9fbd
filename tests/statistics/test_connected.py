"""Who can be compared with whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.statistics.connected import circles, groups, listed, warnings


def test_a_circle_is_who_reaches_each_other_and_the_unbeaten_come_first() -> None:
    assert circles(5, [(0, 1), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4)]) == [(0,), (1, 2, 3), (4,)]


def test_a_chain_of_fifty_thousand_is_no_deep_recursion() -> None:
    size = 50_000
    assert len(circles(size, [(n, n + 1) for n in range(size - 1)])) == size
    assert len(circles(size, [(n, (n + 1) % size) for n in range(size)])) == 1


EDGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20)


@given(EDGES)
def test_circles_and_groups_are_those_of_reaching_everybody_by_hand(edges: list[tuple[int, int]]) -> None:
    reach = [[one == other or (one, other) in edges for other in range(7)] for one in range(7)]
    for via in range(7):
        for one in range(7):
            for other in range(7):
                reach[one][other] |= reach[one][via] and reach[via][other]
    by_hand = {tuple(other for other in range(7) if reach[one][other] and reach[other][one]) for one in range(7)}
    found = circles(7, edges)
    assert set(found) == by_hand
    place = {node: number for number, circle in enumerate(found) for node in circle}
    assert all(place[winner] <= place[loser] for winner, loser in edges)
    linked = groups(7, edges)
    assert set(linked) == set(circles(7, edges + [(loser, winner) for winner, loser in edges]))
    assert [len(group) for group in linked] == sorted((len(group) for group in linked), reverse=True)


def test_where_everybody_can_be_compared_nothing_is_said() -> None:
    assert warnings(["a", "b"], [(0, 1), (1, 0)]) == []


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
