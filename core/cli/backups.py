"""A copy of the store that is whole, though the store is in use: SQLite's online backup, Postgres' own pg_dump."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import URL, make_url

from core import settings
from core.db.engine import Database
from core.errors import Conflict, GreenroomError, Invalid, NotFound


def make(url: str, file: Path) -> int:
    """Back the store up into a new file that only its owner can read; its size in bytes.

    Raises: Conflict when the file exists, Invalid when its folder does not, NotFound when there is no store,
    GreenroomError when the copy is not whole.
    """
    if file.exists():
        raise Conflict(f"{file} exists already.", hint="Name a file that does not; backups are never overwritten.")
    if not file.parent.is_dir():
        raise Invalid(f"There is no folder {file.parent}.", hint="Make it first.")
    where = make_url(url)
    with _beside(file) as partial:
        if where.get_backend_name() == "sqlite":
            _sqlite(url, partial)
        else:
            _postgres(where, partial)
        _name(partial, file)
    return file.stat().st_size


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """An empty file of ours in the same folder, gone afterwards: what is half done never has the final name."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield partial
    finally:
        for leftover in (partial, *(partial.with_name(partial.name + end) for end in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)


def _name(partial: Path, file: Path) -> None:
    """Give the finished copy its name; unlike a rename, a link never overwrites."""
    try:
        os.link(partial, file)
    except FileExistsError:
        raise Conflict(f"{file} exists already.", hint="Name another file.") from None
    except OSError:  # a file system without hard links
        partial.rename(file)


def _sqlite(url: str, partial: Path) -> None:
    store = Path(make_url(url).database or "")
    if not store.is_file():
        raise NotFound(f"There is no store at {store}.", hint="Start Greenroom once, or check GREENROOM_DATA_DIR.")
    db = Database(url)
    try:
        with closing(db.reader.raw_connection()) as raw:
            source = raw.driver_connection
            assert source is not None
            with closing(type(source)(str(partial))) as copy:  # by the same SQLite library
                source.backup(copy)  # in one step: a read transaction, which in WAL mode no writer waits for
                copy.execute("PRAGMA journal_mode=DELETE")
                said = copy.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        db.close()
    if said != "ok":
        raise GreenroomError(
            f"The copy is not whole: {said}.",
            hint="The store itself may be damaged: keep it, and restore an older backup.",
        )


def _postgres(where: URL, partial: Path) -> None:
    """By pg_dump, in the format pg_restore reads; its password is no argument, because anyone can list those."""
    address = where._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    password = {"PGPASSWORD": str(where.password)} if where.password else {}
    with partial.open("wb") as out:
        _run("pg_dump", "--format=custom", "--no-password", f"--dbname={address}", out=out, extra=password)
    _run("pg_restore", "--list", str(partial), out=subprocess.DEVNULL, extra={})  # reads the copy's own contents


def _run(program: str, *words: str, out: IO[bytes] | int, extra: dict[str, str]) -> None:
    """One of Postgres' own programs. Raises: GreenroomError with what it says."""
    if shutil.which(program) is None:
        raise GreenroomError(
            f"Backing up Postgres needs its program {program}, which is not installed.",
            hint="Install postgresql-client of the server's version, or use your database's own backups.",
        )
    environment = settings.environment_with({}) | extra
    ended = subprocess.run([program, *words], stdout=out, stderr=subprocess.PIPE, env=environment, check=False)
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip().split("\n")[0].removeprefix(f"{program}: error: ")
        raise GreenroomError(
            f"{program} failed: {said.rstrip('.')}.",
            hint="Its version must not be older than the server's; check the address too.",
        )
