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
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Images set it; then each of the hundreds of processes that tests start compiles every library anew."""
ROOM_BYTES = 8 * 1024**3


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
        "browser tests": [
            *pytest,
            str(min(4, cores + 1)),
            "-m",
            f"browser{length}",
        ],  # apart: Playwright leaves an event loop in its process
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


def main() -> None:
    """Run every step, also after one has failed, so that one run tells all; exit 1 when any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="also what is too slow for every commit")
    parser.add_argument("only", nargs="*", help="steps by name; all without one")
    options = parser.parse_args()
    failed = []
    for name, command in steps(long=options.long).items():
        if options.only and name not in options.only:
            continue
        print(f"\n== {name}: {' '.join(command[-6:])}", flush=True)
        began = time.monotonic()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {name: value for name, value in os.environ.items() if name != WITHOUT_BYTECODE}
        with scratch() as folder:
            environment |= {"PATH": path, "TMPDIR": folder}
            code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        print(f"== {name}: {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
        if code:
            failed.append(name)
    print("\nall checks passed" if not failed else f"\nfailed: {', '.join(failed)}", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
