"""SQL has its homes, and so has opening the store: whoever looks for either knows where."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.reading import ROOT, calls, dotted, files, shown, tree

SOURCES = [*files("core", "pages"), ROOT / "app.py"]
OF_A_SLICE = ("queries.py", "actions.py", "tables.py")
STATEMENTS = frozenset({
    "and_", "bindparam", "case", "cast", "col", "delete", "desc", "distinct", "exists", "func", "insert", "literal",
    "literal_column", "not_", "or_", "select", "text", "tuple_", "union", "union_all", "update",
})  # fmt: skip
RUNNING = frozenset({"exec", "exec_driver_sql", "execute", "executemany", "executescript", "scalar", "scalars"})
SQL = re.compile(
    r"\s*(?:SELECT\s|WITH\s+\w+\s+AS|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|PRAGMA\s|CREATE\s+(?:INDEX|TABLE))"
)
NOT_A_QUERY = {"core/cli/backups.py": "SQLite checks the copy it made, which is no store of ours yet"}

EDGES = ("core/cli/", "core/gateway/", "core/db/", "pages/parts/acting.py", "pages/parts/reads.py")
HANDLES = {
    **dict.fromkeys(("db", "database"), ("read", "write")),
    **dict.fromkeys(("reader", "writer", "engine"), ("connect", "begin")),
}
OPENERS = {
    "core/runtime.py": "puts the process together and keeps its caches fresh",
    "core/schema/migrate.py": "makes the tables that sessions work on",
    "core/calls/recorder.py": "group commit: many calls in one transaction, on a thread of its own",
    "core/calls/writing.py": "the recorder's transaction, in the driver's own words",
    "core/webhooks/sender.py": "takes what is due and settles it around each attempt to tell",
    "core/serve/comparing.py": "answers of comparisons: what is taken, and what came, around each call",
    "core/trials/watcher.py": "a test's sums are read outside the transaction in which it is ended",
    "core/serve/holding.py": "what waits for people: a transaction of its own before a caller is told",
    "core/evals/running.py": "takes runs, holds its lease and ends them, between questions to models",
    "core/evals/many.py": "one page of examples, or a tenth of a second of answers, in a session each",
    "core/evals/chunks.py": "what a part of a run has cost, and whether the run is still to go, while others ask it",
    "core/guard/names.py": "its engine reads names in texts, and no store",
    "core/serve/prompted.py": "reads a version of a prompt once, when it is first asked",
    "core/datasets/export.py": "as of calls: one session per page of examples",
    "core/datasets/pairing.py": "as an export: one session per page of examples that are compared",
    "core/votes/export.py": "as of calls: one session per page of votes",
    "core/calls/export.py": "a reader who takes an hour must hold nothing open: one session per page of calls",
}


def statements(parsed: ast.Module) -> list[str]:
    """Where SQL is written or run: `line: what`, in order."""
    found = [(node.lineno, name) for name, node in calls(parsed) if name in RUNNING]
    for node in ast.walk(parsed):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("sqlalchemy", "sqlmodel"):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name in STATEMENTS]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := SQL.match(node.value)):
            found.append((node.lineno, match[0].split()[0]))
    return [f"{line}: {what}" for line, what in sorted(found)]


def homes(readme: str) -> set[str]:
    """The files the map names as homes of SQL: `slice/file`, or another file of the slice named before it."""
    found = set()
    for row in (line for line in readme.split("\n") if "SQL of " in line and "also lives in" in line):
        slice_ = ""
        for name in re.findall(r"`([\w/]+)`", row.split("|")[2]):
            slice_ = name.partition("/")[0] if "/" in name else slice_
            found.add(f"core/{slice_}/{name.rpartition('/')[2]}.py")
    return found


RECORD = homes((ROOT / "core" / "README.md").read_text(encoding="utf-8"))


def _has_sql(file: Path) -> bool:
    return file.name in OF_A_SLICE or shown(file) in RECORD or shown(file).startswith(("core/db/", "core/schema/"))


@pytest.mark.parametrize("file", [file for file in SOURCES if not _has_sql(file)], ids=shown)
def test_sql_is_written_in_queries_and_actions_only(file: Path) -> None:
    assert shown(file) in NOT_A_QUERY or statements(tree(file)) == []


def test_every_file_the_map_names_holds_sql() -> None:
    assert {name for name in {*RECORD, *NOT_A_QUERY} if not statements(tree(ROOT / name))} == set()


def openings(parsed: ast.Module) -> list[str]:
    """Where a store or a session is opened, or a transaction ended: `line: what`, in order."""
    found = [(node.lineno, name) for name, node in calls(parsed) if name in {"Session", "Database", "create_engine"}]
    for node in ast.walk(parsed):
        if isinstance(node, ast.Attribute):
            owner = dotted(node.value).rpartition(".")[2].lstrip("_")
            if node.attr in {"commit", "rollback", "raw_connection", *HANDLES.get(owner, ())}:
                found.append((node.lineno, node.attr))
    return [f"{line}: {what}" for line, what in sorted(found)]


@pytest.mark.parametrize("file", [file for file in SOURCES if not shown(file).startswith(EDGES)], ids=shown)
def test_sessions_are_opened_at_the_edge_and_ended_there(file: Path) -> None:
    assert shown(file) in OPENERS or openings(tree(file)) == []


def test_every_other_opener_still_is_one() -> None:
    assert {name for name in OPENERS if not openings(tree(ROOT / name))} == set()


def test_these_rules_see_a_violation() -> None:
    source = """
from sqlmodel import Session, select
def waiting(session: Session) -> None: session.exec(select(Call))
ASKED = "SELECT id FROM call"
SAID = "Select a model, then update it."
"""
    assert statements(ast.parse(source)) == ["2: select", "3: exec", "4: SELECT"]
    assert homes("| 2026 | SQL of the record also lives in `calls/a`, `b` | because `c` | – |") == {
        "core/calls/a.py",
        "core/calls/b.py",
    }
    opener = """
with self._db.read() as session: session.commit()
rows(here.db.read, file.read(), feed.write(b""))
Session(db.writer)
db.writer.begin()
"""
    assert openings(ast.parse(opener)) == ["2: commit", "2: read", "3: read", "4: Session", "5: begin"]
