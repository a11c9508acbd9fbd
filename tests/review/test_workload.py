"""Waiting as published, and said to be without end where it is."""

from __future__ import annotations

import math
import random

import pytest

from core.review import workload


@pytest.mark.parametrize(
    ("servers", "printed", "blocked"),
    # Erlang B tables (ITU-D, "Teletraffic Engineering Handbook", appendix): traffic for 1 % and 5 % blocking
    [
        (1, "0.0101", 0.01),
        (5, "1.36", 0.01),
        (10, "4.46", 0.01),
        (20, "12.0", 0.01),
        (10, "6.22", 0.05),
        (30, "24.8", 0.05),
    ],
)
def test_erlang_b_is_the_printed_table(servers: int, printed: str, blocked: float) -> None:
    half = 0.5 * 10 ** -len(printed.partition(".")[2])
    assert (
        workload.erlang_b(float(printed) - half, servers) < blocked < workload.erlang_b(float(printed) + half, servers)
    )


def test_erlang_c_of_one_server_is_its_load() -> None:
    # Gross and Harris, section 2.2: in the M/M/1 queue an arrival waits with probability ρ
    assert workload.erlang_c(0.3, 1) == pytest.approx(0.3)


def test_erlang_c_of_two_servers_is_its_closed_form() -> None:
    # Gross and Harris, section 2.3 for c = 2: 2 ρ² / (1 + ρ)
    assert workload.erlang_c(1.5, 2) == pytest.approx(2 * 0.75**2 / 1.75)


def test_a_simulated_queue_waits_as_forecast() -> None:
    dice, free, late, n = random.Random(3), [0.0] * 4, 0, 200_000
    at = 0.0
    for _ in range(n):
        at += dice.expovariate(180 / 3_600)
        turn = min(range(4), key=free.__getitem__)
        starts = max(at, free[turn])
        late += starts - at > 30
        free[turn] = starts + dice.expovariate(1 / 60)
    found = workload.forecast(arrivals_per_h=180, handling_s=60, reviewers=4, service_level_s=30)
    assert found.is_stable
    assert found.breaches == pytest.approx(late / n, rel=0.05)


def test_too_few_people_are_called_unstable() -> None:
    found = workload.forecast(arrivals_per_h=120, handling_s=60, reviewers=2, service_level_s=600)
    assert not found.is_stable
    assert found.mean_wait_s == math.inf


def test_the_fewest_who_suffice_are_found() -> None:
    told = {"arrivals_per_h": 300, "handling_s": 45, "service_level_s": 60}
    fewest = workload.needed(**told)
    assert fewest is not None
    assert workload.forecast(**told, reviewers=fewest).breaches <= 0.05
    before = workload.forecast(**told, reviewers=fewest - 1)
    assert not before.is_stable or before.breaches > 0.05


def test_nobody_waits_for_what_never_comes() -> None:
    assert workload.forecast(arrivals_per_h=0, handling_s=60, reviewers=1, service_level_s=60).breaches == 0
    assert workload.clearing_s(waiting=10, arrivals_per_h=0, handling_s=60, reviewers=1) == 600
    assert workload.clearing_s(waiting=10, arrivals_per_h=60, handling_s=60, reviewers=1) is None
