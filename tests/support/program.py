"""The `greenroom` program as a person starts it: commands that end, and servers that run until they are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.house import free_port

GREENROOM = str(Path(sys.executable).with_name("greenroom"))
PATIENCE_S = 120


def environment(data_dir: Path, database_url: str = "", **more: str) -> dict[str, str]:
    """This machine's environment with a Greenroom of its own in it, and none of the operator's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GREENROOM_", "STREAMLIT_"))}
    own = {"GREENROOM_DATA_DIR": str(data_dir), "GREENROOM_PROBE_LOCAL": "false"}
    if database_url:
        own["GREENROOM_DATABASE_URL"] = database_url
    return {**kept, **own, **more}


def run(*words: str, env: Mapping[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    """A command that ends; `given` is its standard input."""
    return subprocess.run([GREENROOM, *words], env=env, input=given, capture_output=True, text=True, timeout=PATIENCE_S)


@dataclass(slots=True)
class Running:
    """A server of ours: where it is, its process, how long it took to be ready."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    ready_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def await_ready(self) -> None:
        """Until `/readyz` says so."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    self.ready_s = time.monotonic() - began
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
        raise AssertionError(f"the server did not become ready:\n{self.said()[-4000:]}")

    def said(self) -> str:
        """What it wrote to its terminal."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """As a power cut: no signal handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def stop(self) -> int:
        """As an operator stops it; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(45)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)


def start(*words: str, env: Mapping[str, str], log: Path, port: int = 0) -> Running:
    """Start `greenroom WORDS --port P`, without waiting."""
    port = port or free_port()
    with log.open("ab") as out:
        process = subprocess.Popen([GREENROOM, *words, "--port", str(port)], env=env, stdout=out, stderr=out)
    return Running(port, process, log)


@contextmanager
def serving(*words: str, env: Mapping[str, str], log: Path) -> Iterator[Running]:
    """A server that is ready, and stopped at the end."""
    running = start(*words, env=env, log=log)
    try:
        running.await_ready()
        yield running
    finally:
        running.stop()
