"""What an eval comes to: thresholds, regressions, failures and caps, each with its exit code."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from core import clock, ids
from core.catalog import actions as catalog
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.db.engine import Database
from core.experiments.tables import Experiment
from core.people.rules import CLI
from tests.cli.test_cli import Run, run
from tests.support.upstream import Double

__all__ = ["run"]
from tests.cli.evaluating import ALL, DOUBLE, EXACT, HEAD, ITEMS, double, every, ready, write

__all__ = ["double", "ready", "run"]


def test_a_broken_threshold_ends_with_1_and_is_a_failure_of_the_report(ready: Run, tmp_path: Path) -> None:
    file = write(tmp_path, HEAD + DOUBLE + ITEMS.replace("echo: two", "2") + EXACT + ALL)
    code, out, _ = ready("eval", file, "--junit", str(tmp_path / "out.xml"))
    assert code == 1
    assert "FAIL  A  “right” is not met: 1 of 2 passed" in out
    found = ElementTree.fromstring((tmp_path / "out.xml").read_bytes())
    wrong = {
        case.get("name"): case[0].get("message") for case in found.iter("testcase") if len(case.findall("failure"))
    }
    assert wrong["“two”"] == "“echo: two” is not “2”."
    assert "is not met" in str(wrong["1. right: pass share"])


def test_cells_that_failed_end_with_3_and_are_asked_again_when_the_run_goes_on(
    ready: Run, tmp_path: Path, double: Double, store_url: str
) -> None:
    file = write(tmp_path, HEAD + "variants: [{model: late/m}]\n" + ITEMS + EXACT + ALL)
    code, out, err = ready("eval", file)
    assert code == 3
    assert "Nothing was measured." in err
    assert "?     A  “right” passed or failed nothing in this run." in out
    (row,) = every(store_url, Experiment)
    assert row.passed is None
    shown = ids.shown("exp", row.id)
    ready("backend", "add", "late", double.url)
    assert ready("eval", file, "--resume", shown)[0] == 0
    assert ready("eval", file, "--resume", shown)[0] == 0  # nothing is left: judged anew, and nothing is asked
    assert double.stats.requests == 2
    write(tmp_path, HEAD + "variants: [{model: late/m}]\n" + ITEMS.replace("two", "2") + EXACT + ALL)
    code, _, err = ready("eval", file, "--resume", shown)
    assert (code, "has changed since" in err, "its examples" in err) == (2, True, True)


def test_a_run_that_became_worse_than_the_last_that_passed_is_broken(ready: Run, tmp_path: Path) -> None:
    limit = "thresholds: [{on: regression, scorer: right, margin: 0.1}]\nbaseline: last passing\n"
    worse = "variants: [{model: double/m, parameters: {x_double: {mark: one}}}]\n"
    file = write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT + limit)
    code, _, err = ready("eval", file)
    assert (code, "regressions are judged from now on" in err) == (0, True)
    for _ in range(2):  # what did not pass is no baseline
        write(tmp_path, HEAD + worse + ITEMS + EXACT + limit)
        code, out, _ = ready("eval", file, "--json", str(tmp_path / "out.json"))
        assert (code, "the pass share changed by -0.5" in out) == (1, True)
    first = json.loads((tmp_path / "out.json").read_bytes())["baseline"]["run"]
    write(tmp_path, HEAD + worse + ITEMS + EXACT + limit.replace("last passing", f"run {first}"))
    assert ready("eval", file)[0] == 1
    both = "variants: [{model: double/m}, {model: double/m, parameters: {x_double: {mark: one}}}]\n"
    write(tmp_path, HEAD + both + ITEMS + EXACT + limit.replace("last passing", "B"))
    assert ready("eval", file)[0] == 0
    write(tmp_path, HEAD + both + ITEMS + EXACT + limit.replace("last passing", "A"))
    assert ready("eval", file)[0] == 1


def test_what_was_changed_since_the_last_run_that_passed_is_no_regression(
    ready: Run, tmp_path: Path, store_url: str
) -> None:
    ready("key", "create", "app")  # the first word makes the project
    limit = "thresholds: [{on: regression, scorer: right, margin: 0.1}]\nbaseline: last passing\n"
    at = clock.now()
    db = Database(store_url)
    with db.write() as session:
        number = datasets.create(session, project_id=1, name="Echoes", by=CLI, at=at).id or 0
        told: dict[str, Any] = {"dataset_id": number, "by": CLI, "at": at}
        for text in ("one", "two"):
            asked, right = [{"role": "user", "content": text}], {"role": "assistant", "content": f"echo: {text}"}
            entry = Entry(Example(Kind.ITEM, {"messages": asked}, right))
            row = datasets.write(session, entry=entry, ids=ids.Ids(9), **told)
        datasets.keep(session, note="", **told)
        seen, key = row.id, row.key
    text = HEAD + DOUBLE + "dataset: Echoes\n" + EXACT + limit
    file = write(tmp_path, text)
    assert ready("eval", file)[0] == 0
    with db.write() as session:
        entry = Entry(Example(Kind.ITEM, {"messages": asked}, {"role": "assistant", "content": "echo: zwei"}))
        datasets.edit(session, key=key, seen=seen, entry=entry, ids=ids.Ids(9), **told)
        datasets.keep(session, note="", **told)
    db.close()
    code, out, err = ready("eval", file)
    assert code == 0, out
    assert "1 of 2 examples are asked or expected otherwise than in the earlier run: not compared." in out + err
    write(tmp_path, text.replace("name: right", "name: right, case_matters: false"))
    code, out, err = ready("eval", file)
    assert "“right” is set differently in the earlier run: it is not compared." in out + err
    assert code == 0, out


def test_what_can_be_known_beforehand_is_said_before_a_model_is_asked(
    ready: Run, double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = "scorers: [{kind: function, name: ours, call: 'gone.py:f'}]\n"
    file = write(tmp_path, HEAD + DOUBLE + ITEMS + function)
    code, _, err = ready("eval", file)
    assert (code, "GREENROOM_SCORERS_DIR" in err) == (2, True)
    monkeypatch.setenv("GREENROOM_SCORERS_DIR", str(tmp_path))
    code, _, err = ready("eval", file)
    assert (code, "There is no file “gone.py” among the scorers" in err) == (2, True)
    write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT)
    (tmp_path / "file").write_text("")
    code, _, err = ready("eval", file, "--json", str(tmp_path / "file" / "out.json"))
    assert (code, "cannot be written" in err) == (2, True)
    code, _, err = ready("eval", write(tmp_path, HEAD + DOUBLE + ITEMS + EXACT.replace("right", '"a\\0b"')))
    assert (code, "none that cannot be seen" in err) == (2, True), err
    assert double.stats.requests == 0


def test_a_scorer_that_fails_everywhere_leaves_the_run_untold(
    ready: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_SCORERS_DIR", str(tmp_path))
    (tmp_path / "ours.py").write_text("def f(case): raise KeyError('city')\n")
    both = "scorers: [{kind: exact, name: right}, {kind: function, name: ours, call: 'ours.py:f'}]\n"
    code, out, err = ready("eval", write(tmp_path, HEAD + DOUBLE + ITEMS + both + ALL))
    assert "ok    A  “right” is met" in out
    assert "“ours” scored nothing: The function ours.py:f failed: KeyError: 'city'" in err
    assert code == 3


def test_a_run_that_reaches_its_cap_ends_with_3(ready: Run, tmp_path: Path, store_url: str) -> None:
    db = Database(store_url)
    at = clock.now()
    with db.write() as session:
        catalog.set_price(
            session, backend="double", model="m", starts_at=at - timedelta(days=1), by=CLI, at=at,
            input_usd=Decimal(100_000), output_usd=Decimal(100_000),
        )  # fmt: skip
    db.close()
    items = "items:\n" + "".join(f"  - {{input: number {n}, expected: 'echo: number {n}'}}\n" for n in range(30))
    file = write(tmp_path, HEAD + DOUBLE + "at_once: 1\n" + items + EXACT + ALL)
    code, _, err = ready("eval", file, "--max-cost", "5")
    assert code == 3
    assert "of 30 cells were not asked. The cap of $5 is reached." in err
    assert "Go on with --resume exp_" in err
