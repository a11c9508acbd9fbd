"""Variants: kept and read back as they were, and no two of a run that ask the same."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from core.experiments import rules
from core.experiments.rules import Arm

TWO = (("system", "Be {{tone}}."), ("user", "{{q}}"))


@pytest.mark.parametrize(
    "arm", [Arm("A", model="m"), Arm("B", 7, "support", 3, "m", {"seed": 1}), Arm("C", prompt="Kind", messages=TWO)]
)
def test_a_variant_is_read_as_it_was_kept(arm: Arm) -> None:
    assert rules.arm_in(rules.arm_out(arm)) == arm


def test_a_variant_from_before_prompts_could_stand_in_a_file_has_no_messages() -> None:
    kept = {name: value for name, value in rules.arm_out(Arm("A", model="m")).items() if name != "messages"}
    assert rules.arm_in(kept) == Arm("A", model="m")


def test_two_prompts_of_a_file_with_one_name_are_two_variants() -> None:
    one = Arm("", prompt="Kind", model="m", messages=TWO)
    other = Arm("", prompt="Kind", model="m", messages=TWO[1:])
    assert [arm.label for arm in rules.lettered([one, other])] == ["“Kind” on m"] * 2
    with pytest.raises(Invalid, match="Variant B is the same"):
        rules.lettered([one, one])
