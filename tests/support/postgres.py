"""A throw-away PostgreSQL server for tests, for root and for ordinary users.

Order: `$TEST_DATABASE_URL` → server binaries of this machine → None, and the tests say what to install.
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

INSTALL = "no PostgreSQL server found: apt-get install postgresql (or set TEST_DATABASE_URL)"


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, newest version first."""
    candidates = [os.environ.get("PG_BINDIR")]
    candidates += sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: float(p.split("/")[4]), reverse=True)
    candidates += glob.glob("/opt/homebrew/opt/postgresql*/bin") + glob.glob("/usr/local/opt/postgresql*/bin")
    if found := shutil.which("initdb"):
        candidates.append(str(Path(found).resolve().parent))
    for candidate in candidates:
        if candidate and (Path(candidate) / "initdb").exists() and (Path(candidate) / "postgres").exists():
            return Path(candidate)
    return None


def _unprivileged() -> dict[str, Any]:
    """postgres refuses to run as root: run it as somebody else then."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("running as root, and there is no unprivileged user to run postgres as")


class Server:
    """One server process on a free loopback port, gone without a trace when closed."""

    def __init__(self, bindir: Path) -> None:
        ids = _unprivileged()
        self.root = Path(tempfile.mkdtemp(prefix="gr-pg-", dir=tempfile.gettempdir()))
        if ids:
            os.chown(self.root, ids["user"], ids["group"])
        env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        data = self.root / "data"
        initdb = [
            bindir / "initdb",
            "-D",
            data,
            "-U",
            "test",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        subprocess.run([*initdb, "--no-instructions"], check=True, capture_output=True, env=env, cwd=self.root, **ids)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB")
        self.log = (self.root / "log").open("wb")
        command = [bindir / "postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.root]
        command += [word for option in options for word in ("-c", option)]
        self.process = subprocess.Popen(
            command, env=env, cwd=self.root, stdout=self.log, stderr=self.log, start_new_session=True, **ids
        )
        ready = [bindir / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + 30
        while subprocess.run(ready, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.root / "log").read_text()[-2000:])
            time.sleep(0.05)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://test@127.0.0.1:{self.port}/{database}"

    def close(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)
