"""A real OpenID provider on loopback: npm's certified `oidc-provider`, installed once into the user's cache."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.browser import free_port
from tests.support.missing import lacking

VERSION = "9.13.3"
SCRIPT = Path(__file__).with_suffix("").with_name("oidc_provider.mjs")
CLIENT_SECRET = "greenroom-secret-for-tests-only-0123456789"


def installed() -> Path:
    """The folder with the package; skips with the reason where Node.js or the registry is missing."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        lacking("no Node.js; `apt-get install nodejs npm`")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "greenroom-tests" / f"oidc-provider-{VERSION}"
    if not (folder / "node_modules" / "oidc-provider").is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        # filled apart, there as a whole: another process that finds half of it would start what cannot run
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as apart:
            made = Path(apart) / "made"
            made.mkdir()
            command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(made), f"oidc-provider@{VERSION}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode:
                lacking(f"npm could not install oidc-provider {VERSION}: {done.stderr.strip()[-300:]}")
            with contextlib.suppress(OSError):  # another was first
                made.rename(folder)
    return folder


@contextmanager
def provider(redirect_uri: str, log: Path, *, only_userinfo: bool = False) -> Iterator[str]:
    """The provider's address; with `only_userinfo` its ID tokens say no more than who."""
    folder, port = installed(), free_port()
    script = folder / f"{port}-{SCRIPT.name}"  # beside the package, where Node.js looks for it
    shutil.copy(SCRIPT, script)
    mode = "userinfo" if only_userinfo else "token"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["node", str(script), str(port), redirect_uri, mode], cwd=folder, stdout=out, stderr=out
        )
        try:
            _await_ready(process, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(15)
            script.unlink()


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path, patience_s: float = 120) -> None:
    end = time.monotonic() + patience_s
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=1):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise RuntimeError(f"the provider did not come up:\n{log.read_text(errors='replace')[-2000:]}")
