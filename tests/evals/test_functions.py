"""The operator's own functions: run apart, bounded, found in one directory only."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.errors import Invalid
from core.evals import functions, scorers
from core.evals.cases import Case, Score, State

CODE = """
import os, sys, subprocess, time
from helper import twice

def polite(case): return "please" in case["text"]
def share(case): return 0.25
def rich(case): return {"value": 0.5, "passed": True, "reason": f"Half of {case['expected']}."}
def get_assert(output, context): return {"pass": output == context["vars"]["city"], "score": 1, "reason": "promptfoo's"}
def printing(case): print("{" * 100000); sys.stdout.flush(); os.write(1, b"noise"); return True
def raising(case): raise KeyError("no such thing")
def leaving(case): sys.exit(3)
def dying(case): os._exit(3)
def slow(case): time.sleep(60)
def slow_child(case):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(os.path.join(os.path.dirname(__file__), "child"), "w") as file: file.write(str(child.pid))
    child.wait()
def leaves_child(case):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(os.path.join(os.path.dirname(__file__), "child"), "w") as file: file.write(str(child.pid))
    return True
def forks(case): os.fork(); return 0.75
def hungry(case): return len(bytearray(2_000_000_000)) > 0
def writing(case):
    with open(os.path.join(os.path.dirname(__file__), "big"), "wb") as file: file.write(b"x" * 5_000_000)
def too_much(case): return {"passed": True, "reason": "x" * 2_000_000}
def odd(case): return "yes"
def beyond(case): return 1.5
def none(case): return None
def not_json(case): return {1, 2}
def environment(case): return {"passed": True, "reason": ",".join(sorted(os.environ)) + "."}
def using_helper(case): return twice(0.5) == 1
not_callable = 5
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    home = tmp_path / "scorers"
    home.mkdir()
    (home / "checks.py").write_text(CODE, encoding="utf-8")
    (home / "helper.py").write_text("def twice(x): return 2 * x\n", encoding="utf-8")
    (home / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (tmp_path / "outside.py").write_text("def f(case): return True\n", encoding="utf-8")
    return home


def said(directory: Path, call: str, case: Case | None = None, **told: Any) -> Score:
    scorer = scorers.one({"kind": "function", "name": "f", "call": call} | told)
    assert isinstance(scorer, scorers.Function)
    return functions.score(scorer, case or Case(text="yes please", expected="it"), directory=directory)


def test_true_or_false_a_share_or_all_of_it_is_understood(directory: Path) -> None:
    assert (said(directory, "checks.py:polite").value, said(directory, "checks.py:polite").passed) == (1, True)
    assert (said(directory, "checks.py:share", least=0.5).value, said(directory, "checks.py:share").passed) == (
        0.25,
        None,
    )
    found = said(directory, "checks.py:rich", negated=True)
    assert (found.value, found.passed, found.reason) == (0.5, False, "Half of it.")
    case = Case(text="Paris", variables={"city": "Paris"})
    found = said(directory, "checks.py:get_assert", case, given="output and context")
    assert (found.passed, found.reason) == (True, "promptfoo's")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("raising", "The function checks.py:raising failed: KeyError: 'no such thing'"),
        ("leaving", "The function checks.py:leaving failed: SystemExit: 3"),
        ("dying", "The function checks.py:dying ended without an answer (its process ended with 3)."),
        ("nothing", "The function checks.py:nothing failed: there is no function nothing in checks.py"),
        ("not_callable", "The function checks.py:not_callable failed: TypeError: 'int' object is not callable"),
        ("not_json", "The function checks.py:not_json failed: TypeError: Object of type set is not JSON serializable"),
        ("too_much", "The function checks.py:too_much ended without an answer (its process ended with 1)."),
        ("writing", "The function checks.py:writing failed: OSError: [Errno 27] File too large"),
        ("odd", "The function gave neither true or false, nor a number"),
        ("beyond", "The function gave neither true or false, nor a number"),
        ("none", "The function gave neither true or false, nor a number"),
    ],
)
def test_a_function_that_goes_wrong_fails_the_cell_with_its_message(directory: Path, call: str, reason: str) -> None:
    found = said(directory, f"checks.py:{call}")
    assert (found.state, found.value) == (State.FAILED, None)
    assert found.reason.startswith(reason), found.reason


def test_a_file_that_is_not_python_fails_the_cell(directory: Path) -> None:
    assert "SyntaxError" in said(directory, "broken.py:f").reason


def test_a_function_that_is_too_slow_is_ended(directory: Path) -> None:
    begun = time.monotonic()
    found = said(directory, "checks.py:slow", timeout_s=1)
    assert time.monotonic() - begun < 10
    assert (found.state, found.reason) == (State.FAILED, "The function checks.py:slow took longer than 1 s.")


def test_what_a_function_that_is_too_slow_started_is_ended_too(directory: Path) -> None:
    said(directory, "checks.py:slow_child", timeout_s=3)
    _is_gone(directory)


def test_what_a_function_leaves_behind_ends_with_it(directory: Path) -> None:
    assert said(directory, "checks.py:leaves_child").passed is True
    _is_gone(directory)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_of_a_function_that_forks_one_answers(directory: Path) -> None:
    assert said(directory, "checks.py:forks").value == 0.75


def _is_gone(directory: Path) -> None:
    child = int((directory / "child").read_text())
    for _ in range(100):  # it was told to end; a busy machine takes a moment to see to it
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError("it still runs")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_function_that_wants_too_much_memory_fails_the_cell(directory: Path) -> None:
    assert "needs more memory than it may use" in said(directory, "checks.py:hungry", memory_mb=256).reason


def test_what_a_function_prints_is_dropped_and_its_neighbours_can_be_imported(directory: Path) -> None:
    assert said(directory, "checks.py:printing").passed is True
    assert said(directory, "checks.py:using_helper").passed is True


def test_the_servers_variables_are_not_given_to_it(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_SECRET", "hidden")
    assert "GREENROOM" not in said(directory, "checks.py:environment").reason


@pytest.mark.parametrize(
    "call", ["../outside.py:f", "link.py:f", "missing.py:f", "/etc/x.py:f", "sub/../../outside.py:f"]
)
def test_a_file_outside_the_directory_is_refused(directory: Path, call: str) -> None:
    os.symlink(directory.parent / "outside.py", directory / "link.py")
    with pytest.raises(Invalid):
        said(directory, call)


def test_an_answer_that_is_an_error_is_not_given_to_it(directory: Path) -> None:
    assert said(directory, "checks.py:polite", Case(error="too slow")).state is State.FAILED
