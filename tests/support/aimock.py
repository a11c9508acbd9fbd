"""An independent server that speaks the OpenAI protocol: npm's `@copilotkit/aimock`, which nobody here wrote.

Installed once into a cache folder outside the repository, through npm as this machine has it configured.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.house import free_port
from tests.support.missing import lacking

PACKAGE, VERSION = "@copilotkit/aimock", "1.43.0"
FIXTURES = Path(__file__).resolve().parents[1] / "data" / "aimock"
CACHE = Path(tempfile.gettempdir()) / f"greenroom-aimock-{VERSION}"
INSTALL = "no Node.js with npm: apt-get install nodejs npm"


@dataclass(frozen=True, slots=True)
class Aimock:
    """Where it listens."""

    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL a backend would be given."""
        return f"{self.origin}/v1"


def installed() -> Path:
    """The program to give to node; installed first where it is not."""
    if not shutil.which("node") or not shutil.which("npm"):
        lacking(INSTALL)
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / "node_modules" / ".bin" / "llmock"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes install once
        if not program.exists():
            words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"{PACKAGE}@{VERSION}"]
            ended = subprocess.run([*words, "--prefix", str(CACHE)], capture_output=True, text=True, timeout=300)
            if ended.returncode:
                lacking(f"npm could not install {PACKAGE}: {ended.stderr.strip()[-300:]}")
    return program


@contextmanager
def running(log: Path) -> Iterator[Aimock]:
    """A server with this project's fixtures, gone at the end."""
    program = installed()
    server = Aimock(free_port())
    command = ["node", str(program), "-p", str(server.port), "-h", "127.0.0.1", "-f", str(FIXTURES)]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--validate-on-load"], stdout=out, stderr=out)
        try:
            _await(process, server, log)
            yield server
        finally:
            process.terminate()
            process.wait(20)


def _await(process: subprocess.Popen[bytes], server: Aimock, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}/models", timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"aimock did not start:\n{log.read_text(errors='replace')[-3000:]}")
