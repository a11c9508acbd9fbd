"""Files as the command line writes them: whole or not at all, and what cannot be written said before work begins."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from core.errors import Invalid

_HINT = "Name another place, or make room there."


def write(path: Path, data: bytes) -> None:
    """Put a file in place, with the folders above it; until it is whole, what was there stays.

    A name that is a link is replaced itself, not what it leads to; a device, such as /dev/stdout, is written to.
    Raises: Invalid when it cannot be written.
    """
    beside: Path | None = None
    try:
        if _is_device(path):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(21, "it is a folder")
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        beside = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode & 0o777 if path.is_file() else 0o666 & ~_umask()
        beside.chmod(mode)
        beside.replace(path)
    except OSError as error:
        if beside is not None:
            with suppress(OSError):
                beside.unlink()
        raise _cannot(path, error) from None


def check(path: Path) -> None:
    """See whether a file could be put there, before what is to stand in it is made. Raises: Invalid when not."""
    if _is_device(path):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        raise _cannot(path, error) from None


def _is_device(path: Path) -> bool:
    """What /dev names may be a link to a file that is open: it must not be replaced."""
    return str(path.parent) in ("/dev", "/dev/fd", "/proc/self/fd") or (
        path.exists() and not path.is_file() and not path.is_dir()
    )


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def _cannot(path: Path, error: OSError) -> Invalid:
    why = (error.strerror or str(error)).rstrip(".")
    return Invalid(f"{path} cannot be written: {why}.", hint=_HINT)
