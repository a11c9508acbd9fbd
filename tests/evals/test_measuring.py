"""What a run came to and whether it may pass: repetitions are no new examples, and what is missing is never met."""

from __future__ import annotations

import pytest

from core.evals import measuring, thresholds
from core.evals.comparing import Row
from core.evals.measuring import Exit, Figures
from core.statistics.proportions import wilson


def rows(passed: str, *, variant: str = "A", repeat: int = 1) -> list[Row]:
    """A row per letter: + passed, - did not, ! failed, ? is not applicable."""
    said = {"+": (1.0, True, "scored"), "-": (0.0, False, "scored"), "!": (None, None, "failed")}
    told = said | {"?": (None, None, "not applicable")}
    return [(key, variant, repeat, *told[sign]) for key, sign in enumerate(passed, 1)]


def judged(limits: list[dict[str, object]], *found: Figures, variants: str = "A", baseline: str = "") -> Exit:
    made = measuring.judge(thresholds.parse(limits), found, variants, baseline=baseline)
    return measuring.code(made, is_whole=True, was_measured=True)


def share(least: float, **more: object) -> dict[str, object]:
    return {"on": "pass share", "scorer": "s", "least": least, **more}


def test_repetitions_of_an_example_do_not_make_the_interval_narrower() -> None:
    once = measuring.measured(rows("++-+"), "")
    often = measuring.measured([row for repeat in (1, 2, 3) for row in rows("++-+", repeat=repeat)], "")
    assert (often.judged, often.passed) == (12, 9)
    assert often.share == once.share == often.mean == wilson(3, 4)


def test_what_passes_because_cells_failed_is_not_known_until_the_file_says_how_many_may() -> None:
    found = measuring.figures("s", "", rows("+++!"), "A")
    assert judged([share(0.9)], found) is Exit.UNKNOWN
    assert judged([share(0.9), {"on": "scored share", "scorer": "s", "least": 0.7}], found) is Exit.PASSED
    assert judged([share(0.9), {"on": "scored share", "scorer": "s", "least": 0.8}], found) is Exit.BROKEN
    assert judged([share(0.9)], measuring.figures("s", "", rows("+++?"), "A")) is Exit.PASSED
    assert judged([share(0.9)], measuring.figures("s", "", rows("---!"), "A")) is Exit.BROKEN
    assert judged([share(0.0)], measuring.figures("s", "", rows("!!!!"), "A")) is Exit.UNKNOWN
    assert judged([share(0.0)]) is Exit.UNKNOWN


def test_the_difference_to_a_baseline_is_that_of_the_examples_both_have() -> None:
    now, before = rows("++--"), rows("++++++", variant="B")
    found = measuring.figures("s", "", now, "A", before)
    assert found.before is not None
    assert (found.before.cells, found.measured.cells) == (4, 4)
    assert found.measured.share_difference is not None
    assert found.measured.share_difference.value == -0.5
    assert judged([{"on": "regression", "scorer": "s", "margin": 0.4}], found) is Exit.BROKEN
    assert judged([{"on": "regression", "scorer": "s", "margin": 0.5}], found) is Exit.PASSED
    assert judged([{"on": "regression", "scorer": "s", "margin": 0.5, "surely": True}], found) is Exit.BROKEN
    strangers = [(key + 100, *row) for key, *row in before]
    alone = measuring.figures("s", "", now, "A", strangers)  # type: ignore[arg-type]
    assert alone.before is None
    assert judged([{"on": "regression", "scorer": "s", "margin": 1}], alone) is Exit.UNKNOWN


def test_the_baseline_itself_is_held_to_what_names_it_only() -> None:
    both = [
        measuring.figures("s", "", rows(said, variant=letter), letter) for letter, said in (("A", "--"), ("B", "++"))
    ]
    assert judged([share(1.0)], *both, variants="AB", baseline="A") is Exit.PASSED
    assert judged([share(1.0)], *both, variants="AB") is Exit.BROKEN
    assert judged([share(1.0, variant="A")], *both, variants="AB", baseline="A") is Exit.BROKEN


@pytest.mark.parametrize(("is_whole", "was_measured"), [(False, True), (True, False)])
def test_a_run_that_is_not_over_or_measured_nothing_has_not_passed(is_whole: bool, was_measured: bool) -> None:
    assert measuring.code((), is_whole=is_whole, was_measured=was_measured) is Exit.UNKNOWN


def test_measured_numbers_that_do_not_vary_have_no_interval_that_is_known() -> None:
    same: list[Row] = [(key, "A", 1, 20.0, None, "scored") for key in (1, 2, 3)]
    found = measuring.measured(same, "words").mean
    assert found is not None
    assert (found.value, found.low, found.high) == (20.0, float("-inf"), float("inf"))
