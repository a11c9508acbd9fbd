"""The adjustment by what came before: least squares, brute force, and units that have no before."""

from __future__ import annotations

import random
import statistics

import numpy as np
import pytest

from core.statistics.cuped import Arm, adjust
from core.statistics.means import joint, moments


def drawn(generator: random.Random, n: int, *, effect: float = 0.0, new: float = 0.0) -> Arm:
    """Units whose metric hangs on what they did before (correlation 0.8); a share `new` has no before."""
    known, fresh = [], []
    for _ in range(n):
        before = generator.gauss(10, 2)
        metric = 5 + 0.8 * (before - 10) + generator.gauss(0, 1.2) + effect
        if generator.random() < new:
            fresh.append(metric)
        else:
            known.append((metric, before))
    return Arm(joint([one for one, _ in known], [two for _, two in known]), moments(fresh))


def test_theta_and_the_difference_are_those_of_least_squares() -> None:
    # oracle: numpy's least squares of the metric on arm and pre-period; its coefficients are difference and θ
    generator = np.random.default_rng(2)
    before, is_arm = generator.normal(10, 2, 400), np.arange(400) < 150
    metric = 3 + 0.5 * before + 0.7 * is_arm + generator.normal(0, 1, 400)
    design = np.column_stack([np.ones(400), is_arm, before])
    _, effect, theta = np.linalg.lstsq(design, metric, rcond=None)[0]
    arm, control = (Arm(joint(metric[held].tolist(), before[held].tolist())) for held in (is_arm, ~is_arm))
    found = adjust(arm, control)
    assert found.theta == pytest.approx(theta)
    assert found.difference.value == pytest.approx(effect)


def test_the_adjusted_difference_is_unbiased_and_as_sure_as_it_says() -> None:
    # oracle: 400 drawn tests with a third of new units
    generator = random.Random(4)
    found = [adjust(drawn(generator, 150, effect=0.5, new=1 / 3), drawn(generator, 150, new=1 / 3)) for _ in range(400)]
    values = [one.difference.value for one in found]
    spread = statistics.stdev(values)
    assert statistics.fmean(values) == pytest.approx(0.5, abs=4 * spread / 400**0.5)
    assert statistics.fmean(one.difference.standard_error for one in found) == pytest.approx(spread, rel=0.12)


def test_what_is_taken_out_is_the_square_of_the_correlation() -> None:
    # A. Deng et al., WSDM 2013: var(adjusted) = var (1 − ρ²); here ρ² = 1.6² / (1.6² + 1.2²) = 0.64
    generator = random.Random(5)
    found = adjust(drawn(generator, 20_000), drawn(generator, 20_000))
    assert found.reduction == pytest.approx(0.64, abs=0.02)
    fewer = adjust(drawn(generator, 20_000, new=0.5), drawn(generator, 20_000, new=0.5))
    assert fewer.reduction == pytest.approx(0.32, abs=0.02)


def test_without_anything_before_nothing_is_adjusted() -> None:
    arm, control = Arm(new=moments([1.0, 2.0, 3.0])), Arm(new=moments([2.0, 2.0, 5.0]))
    found = adjust(arm, control)
    assert (found.theta, found.reduction) == (0, 0)
    assert found.difference.value == pytest.approx(-1)
    assert found.arm == arm.metric


def test_parts_of_an_arm_add_up_to_the_arm() -> None:
    generator = random.Random(6)
    parts = [drawn(generator, 50, new=0.3) for _ in range(4)]
    whole = adjust(parts[0] + parts[1], parts[2] + parts[3])
    assert whole.arm.n == whole.control.n == 100
    assert whole.difference.value == pytest.approx(adjust(parts[1] + parts[0], parts[3] + parts[2]).difference.value)
