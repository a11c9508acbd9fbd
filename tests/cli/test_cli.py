"""The command line: sentences instead of stacks, the key alone on standard output, the right exit codes."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from core import cli, clock, log, runtime
from core.audit import queries as trail
from core.catalog import actions
from core.db.engine import Database
from core.people.rules import CLI
from core.schema import migrate
from core.settings import load
from tests.support.missing import lacking

STEERING = "a\x1b]0;owned\x07\x1b[31m\r\nW greenroom: forged\u202e"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on a store of this test's own: exit code, standard output, standard error."""
    runtime.forget()
    monkeypatch.setenv("GREENROOM_DATABASE_URL", store_url)
    monkeypatch.setenv("GREENROOM_DATA_DIR", str(tmp_path))

    def _run(*arguments: str) -> tuple[int, str, str]:
        load.cache_clear()
        code = 0
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        load.cache_clear()
        out, err = capsys.readouterr()
        return code, out, err

    return _run


def test_a_key_for_a_repository_is_listed_as_one(run: Run) -> None:
    assert run("key", "create", "shop")[0] == 0
    assert run("key", "create", "repo", "--for", "repository")[0] == 0
    listed = {line.split()[2]: line.split()[3] for line in run("key", "list")[1].splitlines()[1:]}
    assert listed == {"repo": "repository", "shop": "application"}


def test_a_key_stands_alone_on_standard_output(run: Run) -> None:
    code, out, err = run("key", "create", "app")
    assert code == 0
    assert out.startswith("gr_")
    assert out.count("\n") == 1
    assert out.strip() not in err
    assert out.strip() not in run("key", "list")[1]


def test_a_revoked_key_cannot_be_revoked_again(run: Run) -> None:
    run("key", "create", "app")
    assert run("key", "revoke", "1")[0] == 0
    assert run("key", "revoke", "1")[::2] == (1, "This key was revoked already. Nothing needs to be done.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("backend", "add", "a/b", "https://h/v1"), 2, "cannot be the name of a backend"),
        (("backend", "add", "a", "http://169.254.169.254"), 2, "metadata service"),
        (("backend", "add", "a", "https://h/v1", "--key-env", "PATH"), 2, "cannot name the variable"),
        (("backend", "add", "a", "http://127.0.0.1:9", "--discover"), 1, "Connection refused"),
        (("calls", "export", "--since", "soon"), 2, "cannot be"),
        (("calls", "export", "--project", "none"), 1, "no project named"),
        (("key", "create", ""), 2, "needs a name"),
        (("nonsense",), 2, "No such command"),
        (("serve", "--host", "0.0.0.0"), 2, "login is not configured"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run: Run, arguments: tuple[str, ...], code: int, says: str) -> None:
    ended, out, err = run(*arguments)
    assert ended == code
    assert says in err
    assert "Traceback" not in out + err


def test_a_backend_is_listed_without_its_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE_API_KEY", "sk-not-for-the-terminal")
    assert run("backend", "add", "mine", "https://mine.example", "--key-env", "MINE_API_KEY")[0] == 0
    out = run("backend", "list")[1]
    assert "https://mine.example/v1" in out
    assert "$MINE_API_KEY" in out
    assert "sk-not-for-the-terminal" not in out


def test_the_trail_of_a_new_store_is_whole(run: Run) -> None:
    run("key", "create", "app")
    code, out, _ = run("audit", "verify")
    assert code == 0
    assert "whole: 2 rows" in out


@pytest.mark.parametrize("why", ["", "The court asks."])
def test_an_export_is_in_the_trail_with_its_reason(run: Run, store_url: str, why: str) -> None:
    run("key", "create", "app")
    assert run("calls", "export", *(["--private-words", why] if why else []))[:2] == (0, "")
    db = Database(store_url)
    with db.read() as session:
        ended, began = trail.events(session, limit=2)
    db.close()
    assert (began.action, ended.action, began.actor) == ("calls.exported", "calls.export_ended", CLI.actor)
    assert began.after is not None
    assert began.after.get("reason", "") == why
    assert ended.after is not None
    assert (ended.after["calls"], ended.after["complete"]) == (0, True)


def test_a_backup_is_a_whole_store_for_its_owner_alone(run: Run, store_url: str, tmp_path: Path) -> None:
    if store_url.startswith("postgres") and not shutil.which("pg_dump"):
        lacking("no pg_dump: apt-get install postgresql-client")
    run("key", "create", "app")
    file = tmp_path / "copy"
    code, out, err = run("backup", str(file))
    assert code == 0, err
    assert "has the whole store" in out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with restored(file, store_url) as url:
        copy = Database(url)
        assert migrate.revision(copy) == migrate.newest()
        with copy.read() as session:
            assert session.execute(text("SELECT name FROM api_key")).scalars().all() == ["app"]
        copy.close()
    assert run("backup", str(file))[0] == 1
    assert run("backup", str(tmp_path / "gone" / "b"))[0] == 2
    assert not list(tmp_path.glob(".copy*"))


@contextmanager
def restored(file: Path, store_url: str) -> Iterator[str]:
    """The address of the store that a backup holds."""
    if store_url.startswith("sqlite:"):
        yield f"sqlite:///{file}"
        return
    server, _, name = store_url.rpartition("/")
    name = f"{name}_restored"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            subprocess.run(["pg_restore", f"--dbname={server}/{name}", str(file)], check=True, capture_output=True)
            yield f"{server}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_a_backup_of_postgres_tells_its_password_to_nobody(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in pg_dump's place says what it was called with, as `ps` would."""
    monkeypatch.setenv("GREENROOM_DATABASE_URL", "postgresql://someone:secret%2Fword@127.0.0.1:9/x")
    spy = tmp_path / "bin" / "pg_dump"
    spy.parent.mkdir()
    spy.write_text('#!/bin/sh\nif [ "$PGPASSWORD" = secret/word ]; then echo "called with $@" >&2; fi\nexit 1\n')
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}{os.pathsep}{os.environ['PATH']}")
    code, _, err = run("backup", str(tmp_path / "copy"))
    assert code == 1
    assert "called with --format=custom --no-password --dbname=postgresql://someone@127.0.0.1:9/x" in err
    assert not list(tmp_path.glob("*copy*"))


def test_without_pg_dump_a_backup_of_postgres_says_what_to_install(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_DATABASE_URL", "postgresql://someone@127.0.0.1:9/x")
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = run("backup", str(tmp_path / "copy"))
    assert code == 1
    assert "Install postgresql-client" in err


def test_the_doctor_fails_for_an_unreachable_backend_and_says_how_to_mend_it(run: Run) -> None:
    assert run("doctor")[0] == 0
    run("backend", "add", "gone", "http://127.0.0.1:9")
    code, out, _ = run("doctor")
    assert code == 1
    assert "fail  Backend gone: " in out
    assert "→ Check that the backend runs" in out


@pytest.mark.parametrize("command", [("doctor",), ("migrate",), ("key", "list")])
def test_a_store_of_a_newer_version_is_left_alone(run: Run, store_url: str, command: tuple[str, ...]) -> None:
    db = Database(store_url)
    with db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    db.close()
    code, out, err = run(*command)
    assert code == 1
    assert "newer version" in out + err


def test_the_doctor_fails_where_the_store_takes_no_writes(
    run: Run, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store_url.startswith("sqlite:"):
        file = store_url.removeprefix("sqlite:///")
        monkeypatch.setenv("GREENROOM_DATABASE_URL", f"sqlite:///file:{file}?mode=ro&uri=true")
    else:
        db = Database(store_url)
        with db.write() as session:
            name = store_url.rsplit("/", 1)[1]
            session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        db.close()
    code, out, _ = run("doctor")
    assert code == 1
    assert "fail  Store: " in out
    assert "read" in out
    assert "Backends" not in out


def test_the_doctor_fails_where_the_data_folder_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GREENROOM_DATA_DIR", str(tmp_path / "file"))
    code, out, err = run("doctor")
    assert code == 1
    assert "is not a folder" in out
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("GREENROOM_DATABASE_URL", "nonsense", "not the address of a database"),
        ("GREENROOM_DATABASE_URL", "mysql://someone@h/x", "not the address of a database"),
        ("GREENROOM_DATABASE_URL", "postgresql://someone@h:port/x", "not the address of a database"),
        ("GREENROOM_DATABASE_URL", "postgresql://someone@127.0.0.1:9/x", "Connection refused"),
        ("GREENROOM_SECRET_KEY", "short", "shorter than 32"),
        ("GREENROOM_MAX_BODY_MB", "many", "GREENROOM_MAX_BODY_MB cannot be used"),
    ],
)
def test_the_doctor_names_the_setting_that_is_wrong_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, out, err = run("doctor")
    assert code == 1
    assert out.count("fail  ") == 1
    assert says in out
    assert "Traceback" not in out + err


def test_a_damaged_secret_key_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("x")
    code, out, _ = run("doctor")
    assert code == 1
    assert "secret.key is not whole" in out


def test_a_stores_password_is_never_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_DATABASE_URL", "postgresql://someone:secretword@127.0.0.1:9/x")
    for arguments in (("doctor",), ("backend", "list"), ("migrate",)):
        code, out, err = run(*arguments)
        assert code == 1
        assert "secretword" not in out + err
        assert "Traceback" not in out + err


def test_help_reads_no_command_and_no_store() -> None:
    asked = "import sys; from core import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass\n"
    asked += "print([name for name in sys.modules if name.startswith(('sqlalchemy', 'streamlit', 'core.catalog'))])"
    ended = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert "doctor" in ended.stdout
    assert ended.stdout.strip().endswith("[]")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_logged_neither_forges_a_line_nor_steers_a_terminal(as_json: bool) -> None:
    form = log.JsonLines() if as_json else log.PlainLines()
    record = logging.LogRecord("greenroom.x", logging.ERROR, "", 1, "said %s \ud800", (STEERING,), None)
    try:
        raise ValueError(STEERING)
    except ValueError:
        record.exc_info = sys.exc_info()
    lines = form.format(record).split("\n")
    assert all(line.isprintable() for line in lines) or (as_json and len(lines) == 1 and "\x1b" not in lines[0])
    assert not any(line.startswith("W greenroom") for line in lines)
    assert "forged" in lines[0]
    assert "".join(lines).encode()


def test_a_list_shows_what_a_backend_said_and_does_nothing_to_the_terminal(run: Run, store_url: str) -> None:
    run("backend", "add", "odd", "http://127.0.0.1:9/v1")
    db = Database(store_url)
    with db.write() as session:
        told = {"by": CLI, "at": clock.now()}
        actions.record_check(session, name="odd", result=STEERING, **told)
    db.close()
    _, out, _ = run("backend", "list")
    assert "forged" in out
    assert all(line.isprintable() for line in out.split("\n"))


def test_an_error_shows_what_was_typed_and_does_nothing_to_the_terminal(run: Run) -> None:
    code, _, err = run("backend", "add", "x\x1b[31m", "http://127.0.0.1:9/v1")
    assert code
    assert err.strip().isprintable()
