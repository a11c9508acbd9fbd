"""Two variants beside each other: pairs of examples, failures left out, the sentence no surer than the intervals."""

from __future__ import annotations

import pytest

from core.evals import comparing
from core.evals.comparing import Row


def rows(*pairs: tuple[float | None, float | None], repeats: int = 1) -> list[Row]:
    found: list[Row] = []
    for key, (one, other) in enumerate(pairs, 1):
        for repeat in range(1, repeats + 1):
            for arm, value in (("A", one), ("B", other)):
                state = "failed" if value is None else "scored"
                found.append((key, arm, repeat, value, None if value is None else value >= 0.5, state))
    return found


MIXED = [(0.0, 1.0)] * 12 + [(1.0, 1.0)] * 20 + [(0.0, 0.0)] * 6 + [(1.0, 0.0)] * 2


def test_what_got_better_and_worse_is_counted_by_example() -> None:
    found = comparing.beside("exact", "exact", rows(*MIXED), one="A", other="B")
    assert (len(found.changes.better), len(found.changes.worse), len(found.changes.same)) == (12, 2, 26)
    assert found.means == (pytest.approx(22 / 40), pytest.approx(32 / 40))
    assert found.passes is not None
    assert (found.passes.only_one, found.passes.only_other) == (2, 12)
    assert found.test is not None
    assert found.test.exact == pytest.approx(0.01294, abs=1e-5)  # 2 · (1 + 14 + 91) / 2¹⁴, by hand
    assert found.drawn is not None
    assert found.drawn.low < 0.25 < found.drawn.high


def test_a_failed_cell_is_left_out_and_said() -> None:
    found = comparing.beside("exact", "exact", rows(*MIXED, (None, 1.0), (1.0, None)), one="A", other="B")
    assert found.difference is not None
    assert found.difference.n == 40
    assert len(found.changes.left_out) == 2
    told = comparing.compare([found], one="A", other="B", failed=(1, 1))
    assert told.sentence.startswith("B is better on exact: +0.25 (95 % ")
    assert "1 item failed in A and was left out" in told.sentence


def test_less_is_better_where_what_is_measured_costs_something() -> None:
    found = comparing.beside("time", "latency", rows(*[(900.0, 400.0 + n) for n in range(20)]), one="A", other="B")
    assert not found.higher_is_better
    assert len(found.changes.better) == 20
    assert comparing.compare([found], one="A", other="B").sentence.startswith("B is better on time: −490")


def test_money_is_told_in_dollars() -> None:
    cheap = rows(*[(2_000_000.0, 1_000_000.0 + n) for n in range(20)])
    found = comparing.beside("cost", "cost", cheap, one="A", other="B", unit="nano-dollars")
    assert (found.unit, found.means[0]) == ("USD", pytest.approx(0.002))
    assert "B is better on cost (USD): −0.001" in comparing.compare([found], one="A", other="B").sentence
    (one, _) = comparing.by_arm(cheap, ["A", "B"], unit="nano-dollars")
    assert one.mean == pytest.approx(0.002)


def test_repetitions_of_an_example_are_one_cluster() -> None:
    once = comparing.beside("exact", "exact", rows(*MIXED), one="A", other="B")
    often = comparing.beside("exact", "exact", rows(*MIXED, repeats=5), one="A", other="B")
    assert once.difference == often.difference  # five times the same says nothing new
    assert often.passes is None


def test_several_scorers_are_allowed_for() -> None:
    weak = [(0.0, 1.0)] * 7 + [(1.0, 0.0)] + [(1.0, 1.0)] * 12
    found = [comparing.beside(f"s{n}", "exact", rows(*weak), one="A", other="B") for n in range(6)]
    alone = comparing.compare(found[:1], one="A", other="B")
    together = comparing.compare(found, one="A", other="B")
    assert alone.sentence.startswith("B is better on s0")
    assert "is better" not in together.sentence
    assert found[0].difference is not None
    assert together.scorers[0].adjusted_p == pytest.approx(6 * (found[0].difference.p or 0))


def test_nothing_in_common_is_a_sentence() -> None:
    found = comparing.beside("exact", "exact", rows((None, 1.0)), one="A", other="B")
    assert found.difference is None
    assert "no item was scored in both" in comparing.compare([found], one="A", other="B").sentence.lower()


def test_a_longer_answer_is_not_a_better_one_where_it_is_to_be_short_enough() -> None:
    """Both keep the limit of 50 words nearly always, one with 11 words and the other with 44."""
    cells: list[Row] = []
    for key in range(40):
        cells += [(key, "A", 1, 11.0 + key % 3, True, "scored"), (key, "B", 1, 44.0 + key % 5, key != 0, "scored")]
    found = comparing.beside("length", "length", cells, one="A", other="B", unit="words")
    assert (found.unit, found.means) == ("", (1.0, pytest.approx(39 / 40)))
    assert (len(found.changes.better), len(found.changes.worse)) == (0, 1)
    assert "better" not in comparing.compare([found], one="A", other="B").sentence


def test_where_length_has_no_limit_no_variant_is_better_by_it() -> None:
    cells: list[Row] = []
    for key in range(40):
        cells += [(key, "A", 1, 11.0 + key % 3, None, "scored"), (key, "B", 1, 44.0 + key % 5, None, "scored")]
    found = comparing.beside("length", "length", cells, one="A", other="B", unit="words")
    exact = comparing.beside("exact", "exact", rows(*[(1.0, 1.0)] * 9), one="A", other="B")
    told = comparing.compare([found, exact], one="A", other="B")
    assert "length" not in told.sentence
    assert [each.scorer for each in told.scorers] == ["length", "exact"]


def test_what_costs_nothing_did_not_fail() -> None:
    cells: list[Row] = [(key, "A", 1, 0.0, True, "scored") for key in range(20)]
    (free,) = comparing.by_arm(cells, ["A"], unit="nano-dollars")
    assert (free.mean, free.low, free.high) == (0.0, None, None)
    (share,) = comparing.by_arm(cells, ["A"])
    assert share.high == pytest.approx(0.1611, abs=1e-4)  # Wilson's: z² / (n + z²)


def test_what_is_not_applicable_is_counted_and_no_zero() -> None:
    cells: list[Row] = [(1, "A", 1, None, None, "not applicable"), (2, "A", 1, 1.0, True, "scored")]
    (found,) = comparing.by_arm(cells, ["A"])
    assert (found.n, found.mean, found.not_applicable) == (1, 1.0, 1)


def test_what_a_judge_preferred_is_a_share_of_comparisons_won() -> None:
    """A variant that wins 6 of 10, ties 2 and loses 2 has 0.7 of them, the first 0.3: 0.4 apart."""
    said = [1.0] * 6 + [0.5] * 2 + [0.0] * 2
    verdicts: list[Row] = [(key, "B", 1, value, None, "scored") for key, value in enumerate(said, 1)]
    verdicts += [(11, "B", 1, None, None, "invalid"), (1, "C", 1, 1.0, True, "scored")]
    for one, other, sign in (("A", "B", 1), ("B", "A", -1)):
        counted = comparing.preferences(verdicts, first="A", one=one, other=other)
        found = comparing.beside("better", "pairwise judge", counted, one=one, other=other)
        assert found.difference is not None
        assert found.difference.value == pytest.approx(sign * 0.4)
        assert found.means == pytest.approx((0.3, 0.7)[::sign])
        assert [len(some) for some in (found.changes.better, found.changes.worse)] == [6, 2][::sign]
        assert (len(found.changes.same), len(found.changes.left_out)) == (2, 1)
        assert found.passes is None
    assert comparing.preferences(verdicts, first="A", one="B", other="C") == []


def test_a_judge_that_prefers_one_side_every_time_decides_it() -> None:
    verdicts: list[Row] = [(key, "B", 1, 1.0, None, "scored") for key in range(31)]
    counted = comparing.preferences(verdicts, first="A", one="A", other="B")
    found = comparing.beside("kinder", "pairwise judge", counted, one="A", other="B")
    assert found.needed.more == 0
    assert comparing.compare([found], one="A", other="B").sentence.startswith("B is better on kinder: +1.00 on every")


def test_what_is_not_clear_among_several_scorers_is_not_settled() -> None:
    near = [
        (key, arm, 1, value, None, "scored") for key in range(20) for arm, value in (("A", 0.0), ("B", near_of(key)))
    ]
    alone = comparing.compare([comparing.beside("s0", "judge", near, one="A", other="B")], one="A", other="B")
    assert alone.scorers[0].needed.more == 0
    several = [comparing.beside(f"s{n}", "judge", near, one="A", other="B") for n in range(4)]
    told = comparing.compare(several, one="A", other="B")
    assert "is not clear" in told.sentence
    assert all((each.needed.more or 0) > 0 for each in told.scorers)


def near_of(key: int) -> float:
    """Better on the whole, p about 0.03."""
    return 0.9 if key % 10 < 6 else -0.65 if key % 10 < 9 else 0.4
