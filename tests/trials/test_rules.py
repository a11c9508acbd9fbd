"""Who gets which arm: the same for good, as many as the weights say, and one test telling nothing of another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from core.statistics import laws
from core.trials import rules
from core.trials.rules import Arm, Condition, Design, Facts, Out, Unit

B = Arm("B", model="prompt:support@2")
TEST = Design("prompt:support", (Arm("A"), B), "salt-1")
words = st.text(min_size=1, max_size=20)
coverages = st.integers(0, rules.BUCKETS)


def of(user: str, **told: object) -> Facts:
    return replace(Facts(user, "", "1"), **told)  # type: ignore[arg-type]


@given(salt=words, user=words, coverage=coverages, more=coverages)
def test_a_unit_keeps_its_arm_and_nobody_moves_when_the_coverage_grows(
    salt: str, user: str, coverage: int, more: int
) -> None:
    design = replace(TEST, salt=salt)
    before = rules.assigned(design, of(user), coverage=min(coverage, more))
    after = rules.assigned(design, of(user), coverage=max(coverage, more))
    assert before in (after, Out.NOT_COVERED)
    assert rules.assigned(design, of(user), coverage=min(coverage, more)) == before


@settings(max_examples=30)
@given(salt=words, weights=st.lists(st.integers(0, 50), min_size=2, max_size=4).filter(lambda some: sum(some) > 0))
def test_shares_are_as_the_weights_say_and_a_weight_of_zero_gets_nobody(salt: str, weights: list[int]) -> None:
    n = 2_000
    counts = [0] * len(weights)
    for number in range(n):
        counts[rules.arm_of(salt, f"u{number}", weights)] += 1
    for count, weight in zip(counts, weights, strict=True):
        share = weight / sum(weights)
        # 6 standard errors (one in 10⁹) and the ten-thousandth a bucket is wide
        assert abs(count - n * share) <= 6 * (n * share * (1 - share)) ** 0.5 + n / rules.BUCKETS
        assert weight > 0 or count == 0


def test_two_tests_are_independent_and_so_are_coverage_and_arm() -> None:
    """Pearson's chi-square of the table of one against the other, 1 degree of freedom, 20,000 units."""
    for one, other in (
        (lambda unit: rules.arm_of("s1", unit, (1, 1)), lambda unit: rules.arm_of("s2", unit, (1, 1))),
        (lambda unit: rules.bucket("coverage", "s1", unit) < 5_000, lambda unit: rules.arm_of("s1", unit, (1, 1))),
        (lambda unit: rules.bucket("layer", "s1", unit) < 5_000, lambda unit: rules.arm_of("s1", unit, (1, 1))),
        (lambda unit: rules.bucket("holdout", "s", unit) < 5_000, lambda unit: rules.arm_of("s", unit, (1, 1))),
    ):  # fmt: skip
        table = [[0, 0], [0, 0]]
        for number in range(20_000):
            table[int(one(f"u{number}"))][int(other(f"u{number}"))] += 1
        rows, columns = [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]
        expected = [[row * column / 20_000 for column in columns] for row in rows]
        distance = sum((table[i][j] - expected[i][j]) ** 2 / expected[i][j] for i in (0, 1) for j in (0, 1))
        assert laws.chi_square_tail(1, distance) > 0.001


def test_the_hash_is_the_documented_one() -> None:
    """From coreutils: printf 'arm\\0salt\\0mia' | sha256sum, the first 16 hex digits modulo 10,000."""
    assert rules.bucket("arm", "salt", "mia") == 8062


def test_tests_of_one_layer_never_share_a_unit() -> None:
    one = replace(TEST, layer="checkout", first=0, until=4_000)
    other = replace(TEST, layer="checkout", salt="salt-2", first=4_000, until=10_000)
    assert rules.excludes(one, other)
    assert not rules.excludes(one, replace(other, first=3_999))
    assert not rules.excludes(one, replace(other, layer="else"))
    assert not rules.excludes(TEST, replace(TEST, salt="salt-2"))
    in_one = in_other = 0
    for number in range(2_000):
        facts = of(f"u{number}")
        first = rules.assigned(one, facts, coverage=10_000) is not Out.OTHER_TEST
        second = rules.assigned(other, facts, coverage=10_000) is not Out.OTHER_TEST
        assert first != second
        in_one, in_other = in_one + first, in_other + second
    assert 700 < in_one < 900
    assert in_other == 2_000 - in_one


def test_a_holdout_keeps_the_same_units_out_of_every_test() -> None:
    out = {
        salt: {
            number
            for number in range(2_000)
            if rules.assigned(
                replace(TEST, salt=salt), of(f"u{number}"), coverage=10_000, holdout=1_000, project="1"
            ) is Out.HELD_OUT
        }
        for salt in ("x", "y")
    }  # fmt: skip
    assert out["x"] == out["y"]
    assert 140 < len(out["x"]) < 260


def test_a_call_takes_part_only_where_every_condition_is_met_and_its_unit_is_known() -> None:
    design = replace(TEST, conditions=(Condition("locale", ("de", "at")), Condition("tier", ("gold",))))
    met = (("locale", "at"), ("tier", "gold"))
    assert rules.assigned(design, of("mia", tags=met), coverage=10_000) in (0, 1)
    assert rules.assigned(design, of("mia", tags=met[:1]), coverage=10_000) is Out.CONDITION
    assert rules.assigned(design, of("mia", tags=(("locale", "fr"), met[1])), coverage=10_000) is Out.CONDITION
    assert rules.assigned(TEST, of(""), coverage=10_000) is Out.NO_UNIT
    assert rules.assigned(replace(TEST, unit=Unit.SESSION), of("mia"), coverage=10_000) is Out.NO_UNIT
    assert rules.assigned(replace(TEST, unit=Unit.CALL), of(""), coverage=10_000) in (0, 1)


@pytest.mark.parametrize(
    ("design", "words"),
    [
        (replace(TEST, target=""), "which name"),
        (replace(TEST, target="prompt:support@3"), "pinned version"),
        (replace(TEST, arms=(Arm("A"),)), "at least one"),
        (replace(TEST, arms=(Arm("A"), *(Arm(name, model=name) for name in "BCDEFG"))), "at most 5 others"),
        (replace(TEST, arms=(Arm("A"), B, replace(B, model="y"))), "one name"),
        (replace(TEST, arms=(Arm("A"), B, replace(B, name="C"))), "Two arms are the same"),
        (replace(TEST, arms=(Arm("A", model="x"), B)), "Arm A"),
        (replace(TEST, arms=(Arm("A"), Arm("B"))), "changes nothing"),
        (replace(TEST, arms=(Arm("A"), Arm("B", model="prompt:support@production"))), "asked anyway"),
        (replace(TEST, arms=(Arm("A"), Arm("B", model="prompt:support@staging"))), "pinned"),
        (replace(TEST, arms=(Arm("A"), Arm("B", parameters={"stream": True}))), "cannot be set"),
        (replace(TEST, arms=(Arm("A", 0), replace(B, weight=0))), "above 0"),
        (replace(TEST, first=100), "Only a test of a layer"),
        (replace(TEST, layer="x", first=5, until=5), "holds something"),
        (replace(TEST, conditions=(Condition("tier", ()),)), "names a tag"),
    ],
)
def test_what_cannot_be_a_test_is_refused_with_a_reason(design: Design, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        rules.check(design)


def test_production_is_what_a_prompt_without_a_label_means() -> None:
    assert rules.target_of("prompt:support@production") == "prompt:support"
    assert rules.target_of("prompt:support@staging") == "prompt:support@staging"
    assert rules.target_of("gpt@production") == "gpt@production"
    assert rules.check(replace(TEST, target="prompt:support@production")).target == "prompt:support"
