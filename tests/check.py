"""Every check and test there is, by one word: `uv run check` (`--long` for the slow ones too)."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Images set it; then each of the hundreds of processes that tests start compiles every library anew."""
ROOM_BYTES = 8 * 1024**3
BROWSER = "browser tests"


def steps(*, long: bool) -> dict[str, list[str]]:
    """What is run, in order; each by the name it is reported under."""
    python = [sys.executable, "-m"]
    length = "" if long else " and not long"
    cores = os.cpu_count() or 2
    pytest = [*python, "pytest", "-q", "--dist", "loadfile", "--no-loadscope-reorder", "-n"]
    return {
        "style": [*python, "ruff", "check", "."],
        "format": [*python, "ruff", "format", "--check", "."],
        "types": [*python, "ty", "check", "--error-on-warning"],
        "strict types": [*python, "mypy"],
        "layers": ["lint-imports"],
        "dead code": [*python, "vulture"],
        "dependencies": ["deptry", "."],
        # tests wait for a clock, a server, a database or a browser half of the time: more at once than there are cores
        "tests": [*pytest, str(min(8, 2 * cores)), "-m", f"not browser{length}"],
        # apart: Playwright leaves an event loop in its process
        BROWSER: [*pytest, str(min(4, cores)), "-m", f"browser{length}"],
    }


@contextmanager
def scratch() -> Iterator[str]:
    """Where thousands of stores are made and thrown away: in memory where there is plenty."""
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM_BYTES
    where = memory if is_roomy else None
    with tempfile.TemporaryDirectory(prefix="greenroom-", dir=where, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # a Postgres that root starts is somebody else
        yield folder


def run(name: str, command: list[str], out: TextIO) -> bool:
    """One step, with a scratch folder of its own; whether it was content."""
    print(f"\n== {name}: {' '.join(command[-6:])}", file=out, flush=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {name: value for name, value in os.environ.items() if name != WITHOUT_BYTECODE}
    began = time.monotonic()
    with scratch() as folder:
        environment |= {"PATH": path, "TMPDIR": folder}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=out, stderr=subprocess.STDOUT)
    ended = "FAILED" if done.returncode else "ok"
    print(f"== {name}: {ended} in {time.monotonic() - began:.0f} s", file=out, flush=True)
    return done.returncode == 0


def main() -> None:
    """Run every step, also after one has failed, so that one run tells all; exit 1 when any failed.

    Browsers are tested beside everything else, for most of that is waiting; what it says comes last.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="also what is too slow for every commit")
    parser.add_argument("only", nargs="*", help="steps by name; all without one")
    options = parser.parse_args()
    chosen = {name: step for name, step in steps(long=options.long).items() if name in options.only or not options.only}
    with ThreadPoolExecutor(1) as pool, tempfile.TemporaryFile("w+", errors="replace") as later:
        beside = {name: pool.submit(run, name, chosen.pop(name), later) for name in [BROWSER] if name in chosen}
        content = {name: run(name, step, sys.stdout) for name, step in chosen.items()}
        content |= {name: started.result() for name, started in beside.items()}
        later.seek(0)
        shutil.copyfileobj(later, sys.stdout)
    failed = [name for name, was in content.items() if not was]
    print("\nall checks passed" if not failed else f"\nfailed: {', '.join(failed)}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
