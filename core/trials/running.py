"""The tests that run, as the pipeline sees them: read once, swapped as a whole, asked without a store.

A call is in one test at most: the one of the name it asks for, else that of every name. Tests of one name share a
layer and exclude each other, so it does not matter which is asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.calls.record import Exposure
from core.trials import rules
from core.trials.rules import ALL, Arm, Design, Facts, Out


@dataclass(frozen=True, slots=True)
class RunningTest:
    """A running test: its design, how far it covers (in buckets), the tag it is also looked at by, closed arms."""

    id: int
    version: int
    design: Design
    coverage: int
    slice_tag: str = ""
    closed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Given:
    """What a test does with a call: the arm (None: the call has no unit, which is counted) and what is recorded."""

    arm: Arm | None
    exposure: Exposure


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every running test by (project, target), and each project's holdout, at one moment."""

    tests: Mapping[tuple[int, str], tuple[RunningTest, ...]] = field(default_factory=dict)
    projects: frozenset[int] = frozenset()
    holdouts: Mapping[int, int] = field(default_factory=dict)

    def is_any(self, project_id: int) -> bool:
        """Whether a test runs in this project."""
        return project_id in self.projects

    def given(self, project_id: int, name: str, facts: Facts) -> Given | None:
        """The arm a call that asks for `name` gets; None when it is in no test."""
        tests = self.tests.get((project_id, rules.target_of(name))) or self.tests.get((project_id, ALL), ())
        holdout, project = self.holdouts.get(project_id, 0), str(project_id)
        missing: Given | None = None
        for test in tests:
            found = rules.assigned(
                test.design, facts, coverage=test.coverage, holdout=holdout, project=project, closed=test.closed
            )
            if found is Out.NO_UNIT:
                missing = missing or Given(None, Exposure(test.id, test.version, None))
            elif not isinstance(found, Out):
                unit = facts.of(test.design.unit)
                piece = dict(facts.tags).get(test.slice_tag, "") if test.slice_tag else ""
                return Given(test.design.arms[found], Exposure(test.id, test.version, found, unit, piece[:64]))
        return missing
