"""What runs in the process of an operator's function: imports nothing of the house, takes JSON, gives JSON.

`python operators_code.py file function seconds megabytes most-bytes`: arguments on standard input, on standard output
{"kind": "value" or "error", "said"}. Whatever the function prints itself is dropped. Memory is limited on Linux only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def limit(seconds: int, megabytes: int, most_bytes: int) -> None:
    """What the process may use; nothing where the system has no such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def answer(file: str, function: str, given: list[Any]) -> dict[str, Any]:
    """What the function returns, or the message of what it raised."""
    try:
        spec = importlib.util.spec_from_file_location("scorer", file)
        if spec is None or spec.loader is None:
            return {"kind": "error", "said": "the file cannot be loaded"}
        module = importlib.util.module_from_spec(spec)
        sys.path.append(str(Path(file).parent))  # last: a neighbour called json.py hides nothing
        spec.loader.exec_module(module)
        if (called := getattr(module, function, None)) is None:
            return {"kind": "error", "said": f"there is no function {function} in {Path(file).name}"}
        said = called(*given)
        json.dumps(said, allow_nan=False)
    except MemoryError:
        return {"kind": "error", "said": "it needs more memory than it may use"}
    except BaseException as error:
        return {"kind": "error", "said": f"{type(error).__name__}: {error}"[:2000]}
    return {"kind": "value", "said": said}


def main() -> None:
    file, function, seconds, megabytes, most_bytes = sys.argv[1:]
    given = json.load(sys.stdin.buffer)["arguments"]
    own = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    limit(int(seconds), int(megabytes), int(most_bytes))
    mine = os.getpid()
    told = json.dumps(answer(file, function, given))
    if os.getpid() != mine:  # a fork of it that came back: the other one answers
        os._exit(0)
    with os.fdopen(own, "w", encoding="utf-8") as made:
        made.write(told)
    os._exit(0)


if __name__ == "__main__":
    main()
