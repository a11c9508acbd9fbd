"""A newcomer's first minutes with the real program: start, key, first call, its record, backup, doctor, stop."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx2
import psutil
import pytest

from core import ids
from core.db.engine import Database
from pages.parts import snippets
from tests.calls import stored
from tests.support import program
from tests.support.house import free_port
from tests.support.program import Running

README = Path(__file__).resolve().parents[2] / "README.md"
PROMPT = """\
greenroom: prompt/1
name: support/refund
model: builtin/tiny
messages:
- role: system
  text: You answer {{ customer }}, in two sentences.
"""
TEXT = "Parcels to Norway take nine days. Refunds are paid within five working days. The shop opens at eight."


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A console on an empty data folder, for the whole file."""
    folder = tmp_path_factory.mktemp("newcomer")
    env = program.environment(folder / "data")
    with program.serving("serve", "--headless", env=env, log=folder / "serve.log") as running:
        resident = psutil.Process(running.process.pid).memory_info().rss / 1e6
        print(f"first start: ready in {running.ready_s:.1f} s, {resident:.0f} MB resident")
        yield running, env


@pytest.fixture(scope="module")
def key(house: tuple[Running, dict[str, str]]) -> str:
    """Made while the server runs; standard output has it and nothing else."""
    _, env = house
    ended = program.run("key", "create", "newcomer", env=env)
    assert ended.returncode == 0, ended.stderr
    assert re.fullmatch(r"gr_[A-Za-z0-9_\-]{22,}\n", ended.stdout)
    return ended.stdout.strip()


@pytest.fixture
def client(house: tuple[Running, dict[str, str]], key: str) -> Iterator[httpx2.Client]:
    """What an application is: an address and a key; the gateway looks for new keys once a second."""
    running, _ = house
    with httpx2.Client(base_url=running.url, headers={"authorization": f"Bearer {key}"}, timeout=60) as made:
        end = time.monotonic() + 10
        while made.get("/v1/models").status_code == 401 and time.monotonic() < end:
            time.sleep(0.05)
        yield made


def test_it_comes_up_healthy_ready_and_with_a_page(house: tuple[Running, dict[str, str]]) -> None:
    running, _ = house
    assert httpx2.get(f"{running.url}/healthz").json() == {"status": "ok"}
    assert httpx2.get(f"{running.url}/readyz").json() == {"status": "ok", "reasons": []}
    page = httpx2.get(f"{running.url}/")
    assert page.status_code == 200
    assert "<html" in page.text.lower()
    assert running.url in running.said()


def test_a_strangers_host_name_is_turned_away(house: tuple[Running, dict[str, str]]) -> None:
    running, _ = house
    answer = httpx2.get(f"{running.url}/", headers={"host": "rebound.example"})
    assert answer.status_code == 403
    assert "own computer" in answer.text


@pytest.mark.parametrize("language", ["sh", "python"])
def test_what_the_readme_shows_works_as_it_stands(
    house: tuple[Running, dict[str, str]], client: httpx2.Client, key: str, language: str, tmp_path: Path
) -> None:
    """Python's blocks are one program, as a reader takes them: the later ones use the first one's client."""
    running, env = house
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    shown = [block for block in blocks if re.search(r"chat[./]completions|client\.", block)]
    assert len(shown) == {"sh": 1, "python": 3}[language]
    block = "\n".join(shown)
    if language == "python":
        (tmp_path / "refund.yaml").write_text(PROMPT, encoding="utf-8")
        pushed = program.run("prompt", "push", str(tmp_path), "--label", "production", env=env)
        assert pushed.returncode == 0, pushed.stderr
    block = block.replace("http://127.0.0.1:8501", running.url).replace("uv run greenroom", program.GREENROOM)
    if language == "sh":
        block = re.sub(r"^export GREENROOM_API_KEY=.*$", "", block, flags=re.MULTILINE)
    command = ["bash", "-ec", block] if language == "sh" else [sys.executable, "-c", block]
    env = {**env, "GREENROOM_API_KEY": key}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    answered = json.loads(ended.stdout)["choices"][0]["message"]["content"] if language == "sh" else ended.stdout
    assert answered.strip()


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", ["builtin/tiny", "builtin/answer"])
def test_the_consoles_snippets_work_as_pasted(
    house: tuple[Running, dict[str, str]], client: httpx2.Client, key: str, model: str, streams: bool
) -> None:
    running, env = house
    body = snippets.example(model)
    if model == "builtin/answer":
        body["messages"] = [{"role": "user", "content": f"{TEXT}\n\nHow long do parcels to Norway take?"}]
    if streams:
        body["stream"] = True
    address = f"{running.url}/v1"
    spoken = {**env, "GREENROOM_API_KEY": key}
    for command in (
        ["bash", "-c", snippets.curl(body, address=address)],
        ["bash", "-c", snippets.curl(body, address=address, key=key)],
        [sys.executable, "-c", snippets.python(body, address=address)],
        [sys.executable, "-c", snippets.python(body, address=address, key=key)],
    ):
        ended = subprocess.run(command, env=spoken, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.strip()
        assert '"error"' not in ended.stdout, ended.stdout
        if streams and command[0] == "bash":
            assert ended.stdout.rstrip().endswith("data: [DONE]")
        if model == "builtin/answer" and not streams:
            assert "nine days" in ended.stdout


def test_an_export_shows_the_call_with_its_messages_and_tags(
    house: tuple[Running, dict[str, str]], client: httpx2.Client
) -> None:
    _, env = house
    body = {**snippets.example(), "metadata": {"team": "newcomers"}}
    answer = client.post("/v1/chat/completions", json=body)
    ended = program.run("calls", "export", "--format", "jsonl", env=env)
    assert ended.returncode == 0, ended.stderr
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    (row,) = [row for row in rows if row["id"] == answer.headers["greenroom-call-id"]]
    assert row["tags"]["team"] == "newcomers"
    assert "Hello, who are you?" in json.dumps(row["messages"])
    assert answer.json()["choices"][0]["message"]["content"] in json.dumps(row, ensure_ascii=False).replace('\\"', '"')


def test_a_backup_while_it_runs_is_a_whole_database(
    house: tuple[Running, dict[str, str]], client: httpx2.Client, tmp_path: Path
) -> None:
    _, env = house
    told = client.post("/v1/chat/completions", json=snippets.example()).headers["greenroom-call-id"]
    assert told
    file = tmp_path / "copy.db"
    ended = program.run("backup", str(file), env=env)
    assert ended.returncode == 0, ended.stderr
    assert file.stat().st_mode & 0o077 == 0
    copy = Database(f"sqlite:///{file}")
    try:
        assert stored.ids(copy)
        assert stored.sums(copy) == stored.rows_summed(copy)
    finally:
        copy.close()
    again = program.run("backup", str(file), env=env)
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_the_doctor_is_content_and_the_trail_whole(house: tuple[Running, dict[str, str]], key: str) -> None:
    _, env = house
    looked = program.run("doctor", env=env)
    assert looked.returncode == 0, looked.stdout
    assert "fail" not in looked.stdout
    verified = program.run("audit", "verify", env=env)
    assert verified.returncode == 0
    assert "whole" in verified.stdout


def test_a_rewritten_row_of_the_trail_is_named(house: tuple[Running, dict[str, str]], key: str, tmp_path: Path) -> None:
    _, env = house
    other = program.environment(tmp_path)
    assert program.run("backup", str(tmp_path / "greenroom.db"), env=env).returncode == 0
    with closing(sqlite3.connect(tmp_path / "greenroom.db")) as file:
        with pytest.raises(sqlite3.DatabaseError):
            file.execute("UPDATE audit_event SET actor = 'nobody' WHERE number = 2")
        names = file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'")
        for (name,) in names.fetchall():
            file.execute(f'DROP TRIGGER "{name}"')
        assert file.execute("UPDATE audit_event SET actor = 'nobody' WHERE number = 2").rowcount == 1
        file.commit()
    verified = program.run("audit", "verify", env=other)
    assert verified.returncode == 1
    assert "broken at row 2" in verified.stderr


def test_another_address_without_login_is_refused_with_a_sentence(tmp_path: Path) -> None:
    ended = program.run("serve", "--host", "0.0.0.0", "--headless", env=program.environment(tmp_path))
    assert ended.returncode in (1, 2)
    assert "login" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["serve", "gateway"])
def test_a_start_without_its_store_ends_with_a_sentence(command: str, tmp_path: Path) -> None:
    env = program.environment(tmp_path, "postgresql://someone:secretword@127.0.0.1:9/x")
    ended = program.run(command, "--port", str(free_port()), env=env)
    assert ended.returncode != 0
    assert "The store cannot be used: connection failed" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secretword" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("command", ["serve", "gateway"])
def test_a_busy_port_is_a_sentence(command: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = program.run(command, "--port", str(port), env=program.environment(tmp_path))
    assert ended.returncode == 1
    assert f"Port {port} is in use" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["serve", "gateway"])
def test_a_stop_lets_a_running_stream_finish(command: str, tmp_path: Path) -> None:
    env = program.environment(tmp_path / "data")
    key = program.run("key", "create", "streams", env=env).stdout.strip()
    double = subprocess.Popen(
        [sys.executable, "-m", "tests.support.upstream"], cwd=README.parent, stdout=subprocess.PIPE, text=True
    )
    try:
        assert double.stdout is not None
        url = double.stdout.readline().strip()
        assert program.run("backend", "add", "double", url, env=env).returncode == 0
        words = [command, "--headless"] if command == "serve" else [command]
        with program.serving(*words, env=env, log=tmp_path / "log") as running:
            body = {**snippets.example("double/m"), "stream": True, "x_double": {"tokens": 40, "gap_s": 0.05}}
            headers = {"authorization": f"Bearer {key}"}
            pieces = []
            with httpx2.stream("POST", f"{running.url}/v1/chat/completions", json=body, headers=headers) as answer:
                for number, line in enumerate(answer.iter_lines()):
                    pieces.append(line)
                    if number == 4:
                        stopping = threading.Thread(target=running.stop)
                        stopping.start()
            stopping.join()
            assert running.process.returncode in (0, -15), running.said()
            told = answer.headers["greenroom-call-id"]
    finally:
        double.terminate()
        double.wait()
        if double.stdout is not None:
            double.stdout.close()
    assert "data: [DONE]" in pieces, pieces[-3:]
    exported = [json.loads(line) for line in program.run("calls", "export", env=env).stdout.splitlines()]
    assert [(row["id"], row["status"]) for row in exported] == [(told, "ok")]


def test_two_workers_answer_and_both_are_recorded(tmp_path: Path) -> None:
    env = program.environment(tmp_path / "data")
    key = program.run("key", "create", "many", env=env).stdout.strip()
    with program.serving("gateway", "--workers", "2", env=env, log=tmp_path / "log") as running:

        def ask(_: int) -> str:
            with httpx2.Client(headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
                url = f"{running.url}/v1/chat/completions"
                answer = client.post(url, json={**snippets.example("builtin/rules"), "max_tokens": 5})
            assert answer.status_code == 200, answer.text
            return str(answer.headers["greenroom-call-id"])

        told: set[str] = set()
        processes: set[int] = set()
        until = time.monotonic() + 120
        with ThreadPoolExecutor(8) as pool:
            # the address answers once one of them does, and how calls fall on two is the kernel's to say
            while len(processes) < 2 and time.monotonic() < until:
                told |= set(pool.map(ask, range(80)))
                processes = {number >> 10 & 0xFFF for name in told if (number := ids.read("call", name)) is not None}
        assert len(processes) == 2, f"after {len(told)} calls"
        exported = [json.loads(line) for line in program.run("calls", "export", env=env).stdout.splitlines()]
    assert {row["id"] for row in exported} == told
    db = Database(f"sqlite:///{tmp_path / 'data' / 'greenroom.db'}")
    try:
        assert {number >> 10 & 0xFFF for number in stored.ids(db)} == processes  # as core/ids.py lays ids out
        assert stored.sums(db) == stored.rows_summed(db)
    finally:
        db.close()
