"""Starts a real inference server that nobody here wrote (`transformers serve`) with a tiny model, for a full journey.

    python tests/journeys/real_server.py [--folder F] [--port P] [--find-links WHEELS]

Makes a virtual environment in the folder (about 1.1 GB, the CPU build of torch) unless one is there, writes the tiny
model into it, starts the server on loopback, waits until it answers and prints one line: URL and model name. Ctrl-C
ends it. Opt-in: no test starts this by itself. Point Greenroom at it with

    greenroom backend add real http://127.0.0.1:8701/v1
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TORCH = "torch==2.13.0"
WAIT_S = 180


def environment(folder: Path, find_links: str) -> Path:
    """The folder's virtual environment with torch and transformers, made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", "--python", "3.11", str(folder)], check=True)
    if subprocess.run([python, "-c", "import torch, transformers, fastapi"], capture_output=True).returncode:
        install = ["uv", "pip", "install", "-q", "--python", str(python)]
        links = ["--find-links", find_links] if find_links else []
        subprocess.run([*install, *links, TORCH], check=True)
        subprocess.run([*install, "transformers[serving]", "numpy"], check=True)
    return python


def start(python: Path, model: Path, port: int, home: Path) -> subprocess.Popen[bytes]:
    """The server's process; offline, so that it asks no hub for anything."""
    (home / "hub").mkdir(parents=True, exist_ok=True)
    command = [python.parent / "transformers", "serve", model, "--host", "127.0.0.1", "--port", str(port)]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    return subprocess.Popen([*map(str, command), "--device", "cpu"], env=offline, stdout=sys.stderr)


def answered(url: str, model: str) -> str:
    """What the server says to a first question; raises OSError while it is not ready."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "I forgot my password."}],
        "max_tokens": 40,
        "temperature": 0,
    }
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return str(json.load(reply)["choices"][0]["message"]["content"])


def wait(server: subprocess.Popen[bytes], url: str, model: str) -> str:
    """The first answer; SystemExit when the server ends or stays silent."""
    until = time.monotonic() + WAIT_S
    while server.poll() is None and time.monotonic() < until:
        try:
            return answered(url, model)
        except urllib.error.HTTPError as error:
            raise SystemExit(f"the server refused: {error.code} {error.read()[:500]!r}") from error
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the server did not become ready")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "greenroom-real-server")
    parser.add_argument("--port", type=int, default=8701)
    parser.add_argument("--find-links", default="", help="a folder with the CPU build of torch")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    python = environment(folder, asked.find_links)
    model = folder / "tiny-llama"
    subprocess.run([python, HERE / "make_tiny_model.py", model], check=True, stdout=sys.stderr)
    url = f"http://127.0.0.1:{asked.port}/v1"
    server = start(python, model, asked.port, folder / "hub-home")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        said = wait(server, url, str(model))
        print(f"{url}  model {model}  said {said!r}", flush=True)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
