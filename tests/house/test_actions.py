"""Whoever changes something leaves a row in the audit trail."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.reading import ROOT, dotted, shown, tree

ACTIONS = sorted((ROOT / "core").glob("*/actions.py"))
FREE = {
    "core/audit/actions.py:append": "it is the trail",
    "core/calls/actions.py:save_run": "a draft of what somebody types: nothing has happened yet",
    "core/calls/actions.py:freeze": "the calls that were made are the record of what happened",
}


def untold(parsed: ast.Module) -> list[str]:
    """Public functions that take `by` and reach no `audit.append`, neither themselves nor by what they call here."""
    functions = {node.name: node for node in parsed.body if isinstance(node, ast.FunctionDef)}
    telling: set[str] = set()
    while True:
        more = {
            name
            for name, node in functions.items()
            if name not in telling and any(_tells(part, telling) for part in ast.walk(node))
        }
        if not more:
            break
        telling |= more
    takers = {name for name, node in functions.items() if "by" in _arguments(node) and not name.startswith("_")}
    return sorted(takers - telling)


def _tells(node: ast.AST, telling: set[str]) -> bool:
    return isinstance(node, ast.Call) and (dotted(node.func) == "audit.append" or dotted(node.func) in telling)


def _arguments(node: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


@pytest.mark.parametrize("file", ACTIONS, ids=shown)
def test_every_action_with_an_actor_is_in_the_trail(file: Path) -> None:
    assert [name for name in untold(tree(file)) if f"{shown(file)}:{name}" not in FREE] == []


def test_every_exception_still_is_one() -> None:
    assert {f"{shown(file)}:{name}" for file in ACTIONS for name in untold(tree(file))} == set(FREE)


def test_this_rule_sees_a_violation() -> None:
    source = """
def quiet(session, *, by, at): session.add(1)
def loud(session, *, by, at): _finish(session)
def _finish(session): audit.append(session)
def anonymous(session, *, at): session.add(1)
"""
    assert untold(ast.parse(source)) == ["quiet"]
