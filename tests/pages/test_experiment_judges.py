"""A model that judged against people who judged the same answers, on the page of a run of one variant."""

from __future__ import annotations

import re

from sqlmodel import select

from core import clock
from core.datasets.tables import DatasetItem
from core.experiments import actions
from core.experiments.actions import Kept
from core.experiments.rules import Arm, State
from core.ids import shown
from core.people.rules import CLI
from core.runtime import Runtime
from tests.experiments.made import dataset
from tests.pages.test_experiment_runs import PAGE
from tests.pages.visiting import visit, words

SCORERS = [
    {"kind": "human", "name": "people", "queue": "Answers"},
    {"kind": "judge", "name": "kindness", "model": "builtin/rules", "rubric": "Is it kind?"},
]
# people's word and the judge's, so many times: 30 of 33 good ones found, 20 of 27 bad ones
SAID = [(True, True)] * 30 + [(True, False)] * 3 + [(False, False)] * 20 + [(False, True)] * 7


def judged(here: Runtime) -> int:
    """A run of one variant that people and a judge have judged, as its workers write it down."""
    number, at = dataset(here, len(SAID)), clock.now()
    with here.db.write() as session:
        run = actions.create(
            session, project_id=1, name="Kind?", dataset_id=number, dataset_version=1, items=len(SAID),
            arms=(Arm("A", model="builtin/rules"),), scorers=SCORERS, by=CLI, at=at, ids=here.ids,
        )  # fmt: skip
        actions.start(session, run_id=run, by=CLI, at=at)
        assert actions.take(session, owner="here", at=at) == run
        keys = session.exec(select(DatasetItem.key).where(DatasetItem.dataset_id == number)).all()
        cells = [
            Kept(
                key, "A", 1, "answered", at,
                scores=tuple(
                    {"scorer": name, "state": "scored", "value": float(ok), "passed": ok, "reason": "", "unit": ""}
                    for name, ok in zip(("people", "kindness"), both, strict=True)
                ),
            )
            for key, both in zip(keys, SAID, strict=True)
        ]  # fmt: skip
        assert actions.keep(session, run_id=run, cells=cells) == len(SAID)
        actions.end(session, run_id=run, owner="here", state=State.DONE, why="", at=at)
    return run


def test_a_judge_is_held_against_people_where_only_one_variant_ran(here: Runtime) -> None:
    page = visit(PAGE, experiment=shown("exp", judged(here)))
    said = words(page).replace("\\", "")
    assert "kindness against people, 60 answers; finds what is good in 91 % (76 to 97)" in said
    assert "finds what is bad in 74 % (55 to 87); κ 0.66." in said  # 30 / 33, 20 / 27; (50/60 - 0.5083) / 0.4917
    # 37 of 60; Rogan and Gladen: (37/60 + 20/27 - 1) / (30/33 + 20/27 - 1) = 55 %, which is what people said, 33 of 60
    assert re.search(r"A passes 62 % \(49 to 73\) by the judge, corrected 55 % \(29 to 78\)\.", said)
    assert "Corrected for a judge that passes 30 of 33 answers people passed and fails 20 of 27 they failed." in said
    assert not page.exception
