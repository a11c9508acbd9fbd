"""What a run must reach: nothing passes because it is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.evals import thresholds
from core.evals.cases import failed, not_applicable, scored
from core.evals.thresholds import Measured, Outcome
from core.statistics.proportions import Estimate

HERE = Measured(10, 10, 10, 9, Estimate(0.8, 0.7, 0.9, 10), Estimate(-0.03, -0.06, 0.0, 10))


def checked(limit: dict[str, Any], here: Measured | None = HERE, before: Measured | None = None) -> Outcome:
    (found,) = thresholds.check(
        thresholds.parse([{"scorer": "s"} | limit]), {"s": here} if here else {}, {"s": before} if before else None
    )
    return found


@pytest.mark.parametrize(
    ("limit", "met"),
    [
        ({"on": "mean", "least": 0.8}, True),
        ({"on": "mean", "least": 0.8, "surely": True}, False),
        ({"on": "mean", "least": 0.7, "surely": True}, True),
        ({"on": "mean", "most": 0.8}, True),
        ({"on": "mean", "most": 0.8, "surely": True}, False),
        ({"on": "mean", "most": 0}, False),
        ({"on": "pass share", "least": 0.9}, True),
        ({"on": "pass share", "least": 0.9, "surely": True}, False),
        ({"on": "pass share", "least": 0.59, "surely": True}, True),
        ({"on": "scored share", "least": 1}, True),
    ],
)
def test_a_limit_is_met_or_not(limit: dict[str, Any], met: bool) -> None:
    assert checked(limit).met is met


@pytest.mark.parametrize(
    ("limit", "met"),
    [
        ({"of": "mean", "margin": 0.03}, True),
        ({"of": "mean", "margin": 0.02}, False),
        ({"of": "mean", "margin": 0.05, "surely": True}, False),
        ({"of": "mean", "margin": 0.06, "surely": True}, True),
        ({"of": "mean", "margin": 0, "better": "lower", "surely": True}, True),
        ({"margin": 0.1}, True),
        ({"margin": 0.09}, False),
        ({"margin": 0.2, "surely": True}, False),
    ],
)
def test_a_run_may_not_be_worse_than_its_baseline_by_more_than_the_margin(limit: dict[str, Any], met: bool) -> None:
    assert checked({"on": "regression"} | limit, before=Measured(10, 10, 10, 10)).met is met


@pytest.mark.parametrize(
    ("limit", "here", "before"),
    [
        ({"on": "pass share", "least": 0}, None, None),
        ({"on": "pass share", "least": 0}, Measured(0, 0, 0, 0), None),
        ({"on": "pass share", "least": 0}, Measured(3, 3, 0, 0), None),
        ({"on": "mean", "least": -9}, Measured(3, 0, 0, 0), None),
        ({"on": "regression"}, HERE, None),
        ({"on": "regression"}, HERE, Measured(3, 3, 0, 0)),
        ({"on": "regression", "of": "mean", "surely": True}, Measured(3, 3, 3, 3, Estimate(1, 1, 1, 3)), HERE),
    ],
)
def test_what_was_not_measured_is_not_met(limit: dict[str, Any], here: Any, before: Any) -> None:
    assert not checked(limit, here, before).met


def test_the_sentence_says_what_was_reached_what_is_wanted_and_what_has_no_score() -> None:
    here = Measured(12, 10, 10, 9)
    assert checked({"on": "pass share", "least": 0.95}, here).reason == (
        "“s” is not met: 9 of 10 passed, at least 0.95 is wanted; 2 of 12 have no score."
    )
    assert checked({"on": "scored share", "least": 0.9}, here).reason == (
        "“s” is not met: 10 of 12 have a score, at least 0.9 is wanted."
    )
    assert checked({"on": "regression", "of": "mean", "margin": 0.05}, before=HERE).reason == (
        "“s” is met: the mean changed by -0.03, a worsening of at most 0.05 is wanted."
    )


def test_failed_cells_are_counted_and_those_that_do_not_apply_are_not() -> None:
    scores = [
        scored(1.0, True, ""),
        scored(0.0, False, ""),
        scored(3, None, "", unit="ms"),
        failed(""),
        not_applicable(""),
    ]
    assert thresholds.measured(scores) == Measured(4, 3, 2, 1)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"on": "median"}, "Threshold 1 cannot be used: there is no kind “median”; the kinds are mean, pass share, "),
        ({"on": "mean"}, "Threshold 1 cannot be used: say either the least or the most."),
        ({"on": "mean", "least": 1, "most": 2}, "Threshold 1 cannot be used: say either the least or the most."),
        ({"on": "pass share", "least": 90}, "Threshold 1 cannot be used at “least”: input should be less than or "),
        ({"on": "pass share", "leest": 0.9, "least": 0.9}, "Threshold 1 cannot be used at “leest”: extra inputs"),
    ],
)
def test_a_threshold_that_cannot_be_used_says_why(limit: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as error:
        thresholds.parse([{"scorer": "s"} | limit])
    assert error.value.message.startswith(said), error.value.message


WORDS = st.sampled_from(["on", "mean", "regression", "scorer", "least", "margin", "of", ""])


@given(st.recursive(st.none() | st.floats() | WORDS, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner)))
def test_any_thresholds_are_read_or_refused(told: Any) -> None:
    try:
        assert isinstance(thresholds.parse(told), tuple)
    except Invalid:
        return
