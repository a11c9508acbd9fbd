"""A scorer in Python of the operator's own: run in a process of its own, with limits on time and memory.

This is the operator's code, with the rights of the server's user: the limits are against mistakes, not malice. It is
found only within the one directory the operator names, gets JSON and gives JSON. Not pure: this starts a process.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field, StrictBool, ValidationError

from core.errors import Invalid
from core.evals import operators_code
from core.evals.cases import Case, Score, failed, scored
from core.evals.scorers import Function, Scorer, Strict
from core.evals.scoring import counted
from core.wire import openai

MOST_BYTES = 1_000_000
NO_DIRECTORY = "No directory of scorers is named: an operator sets GREENROOM_SCORERS_DIR."


class _Said(Strict):
    value: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    passed: StrictBool | None = None
    reason: str = ""


def locate(call: str, directory: Path) -> tuple[Path, str]:
    """The file and the function's name. Raises: Invalid when the file is not within the directory."""
    name, _, function = call.rpartition(":")
    home = directory.resolve()
    try:
        file = (home / name).resolve(strict=True)
    except (OSError, RuntimeError):
        raise Invalid(f"There is no file “{name}” among the scorers.", code="scorer", hint="Is it spelt so?") from None
    if not file.is_relative_to(home) or not file.is_file():
        raise Invalid(f"“{name}” leads out of the directory of scorers.", code="scorer", hint="Put the file into it.")
    return file, function


def check(scorers: Iterable[Scorer], directory: Path | None) -> None:
    """See that the files of functions among the scorers are there, before anything is asked. Raises: Invalid."""
    for one in scorers:
        if isinstance(one, Function):
            if directory is None:
                raise Invalid(NO_DIRECTORY, code="scorer", hint="Name the directory its file is in.")
            locate(one.call, directory)


def score(scorer: Function, case: Case, *, directory: Path) -> Score:
    """What the function says of the case; failed, with the reason, when it raises, is too slow or says nothing usable.

    Raises: Invalid when there is no such file in the directory. Blocks: call it in a thread.
    """
    if case.error:
        return failed(f"The answer is an error: {case.error}")
    file, function = locate(scorer.call, directory)
    asked = openai.dumps({"arguments": arguments(scorer, case)})
    said = _run(scorer, file, function, asked)
    return said if isinstance(said, Score) else counted(scorer, understood(scorer, said))


def arguments(scorer: Function, case: Case) -> list[Any]:
    """What the function is called with."""
    if scorer.given == "output and context":
        return [case.text, {"vars": dict(case.variables), "prompt": openai.asked_text({"messages": [*case.messages]})}]
    calls = [{"id": one.id, "name": one.name, "arguments": one.arguments} for one in case.tool_calls]
    told = {
        "messages": list(case.messages),
        "text": case.text,
        "tool_calls": calls,
        "finish_reason": case.finish_reason,
        "refusal": case.refusal,
        "expected": case.expected,
        "notes": case.notes,
        "variables": dict(case.variables),
        "latency_ms": case.latency_ms,
        "first_token_ms": case.first_token_ms,
        "cost_nano_usd": case.cost_nano_usd,
        "input_tokens": case.input_tokens,
        "output_tokens": case.output_tokens,
    }
    return [told]


def understood(scorer: Function, said: Any) -> Score:
    """True or false, a share, or {"value", "passed", "reason"} (also promptfoo's "score" and "pass"), as a score."""
    if isinstance(said, bool):
        said = {"passed": said}
    elif isinstance(said, int | float):
        said = {"value": said}
    names = {"score": "value", "pass": "passed", "pass_": "passed"}
    try:
        found = _Said.model_validate({names.get(name, name): told for name, told in said.items()})
    except (ValidationError, AttributeError):
        found = _Said()
    value = found.value if found.value is not None else None if found.passed is None else float(found.passed)
    if value is None or not math.isfinite(value):
        return failed("The function gave neither true or false, nor a number from 0 to 1, nor a dictionary of these.")
    passed = found.passed
    if scorer.least is not None:
        passed = value >= scorer.least and passed is not False
    return scored(value, passed, found.reason or f"The function says {value:g}.")


def _run(scorer: Function, file: Path, function: str, asked: bytes) -> Any:
    limits = [str(math.ceil(scorer.timeout_s) + 1), str(scorer.memory_mb), str(MOST_BYTES)]
    command = [sys.executable, "-I", "-B", operators_code.__file__, str(file), function, *limits]
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made:
        given.write(asked)
        given.seek(0)
        # files, not pipes: neither side ever waits for the other; and no variables: the server's hold its secrets
        started = subprocess.Popen(
            command,
            stdin=given,
            stdout=made,
            stderr=subprocess.DEVNULL,
            env={},
            cwd=file.parent,
            start_new_session=True,
        )
        try:
            is_late = not _is_over(started, scorer.timeout_s)
        finally:
            _end(started)
        made.seek(0)
        written = made.read(MOST_BYTES + 1)
    if is_late:
        return failed(f"The function {scorer.call} took longer than {scorer.timeout_s:g} s.")
    try:
        told = orjson.loads(written)
        kind, said = told["kind"], told["said"]
    except (ValueError, TypeError, KeyError):
        ended = started.returncode
        return failed(f"The function {scorer.call} ended without an answer (its process ended with {ended}).")
    return said if kind == "value" else failed(f"The function {scorer.call} failed: {str(said)[:400]}")


def _is_over(started: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Whether it ended in time. Where that can be, it is left as it is: its number is nobody else's until `_end`."""
    if not hasattr(os, "waitid"):
        with suppress(subprocess.TimeoutExpired):
            started.wait(timeout_s)
        return started.returncode is not None
    until, pause = time.monotonic() + timeout_s, 0.001
    while os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(2 * pause, 0.05)
    return True


def _end(started: subprocess.Popen[bytes]) -> None:
    """End a process and, where there are process groups, whatever it has started and left behind."""
    if started.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(started.pid, signal.SIGKILL)
            else:
                started.kill()
        started.wait()
