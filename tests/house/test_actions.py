"""Whoever changes something leaves a row in the audit trail."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.reading import ROOT, dotted, shown, tree

ACTIONS = [
    *sorted((ROOT / "core").glob("*/actions.py")),
    ROOT / "core/prompts/releases.py",
    ROOT / "core/trials/ending.py",
]
# those after the first are the first, for a prompt and for a live test
TELLING = ("audit.append", "held.tell", "ending.tell", "ending.end", "ending.closed")
_UNDER_WAY = "a note about a request under way: the call itself is the record"
_AT_WORK = "an item in hand: only what is decided about it has happened"
_A_WORKERS = "a worker's progress: the run was started by somebody, and its cells are the record"
FREE = {
    "core/experiments/actions.py:take": _A_WORKERS,
    "core/experiments/actions.py:claim": _A_WORKERS,
    "core/experiments/actions.py:renew": _A_WORKERS,
    "core/experiments/actions.py:keep": _A_WORKERS,
    "core/experiments/actions.py:keep_scores": _A_WORKERS,
    "core/experiments/actions.py:charge": _A_WORKERS,
    "core/experiments/actions.py:end": _A_WORKERS,
    "core/experiments/actions.py:let_go": _A_WORKERS,
    "core/audit/actions.py:append": "it is the trail",
    "core/gateway/actions.py:claim": _UNDER_WAY,
    "core/gateway/actions.py:complete": _UNDER_WAY,
    "core/gateway/actions.py:release": _UNDER_WAY,
    "core/review/actions.py:claim": _AT_WORK,
    "core/review/actions.py:renew": _AT_WORK,
    "core/review/actions.py:keep_draft": _AT_WORK,
    "core/review/actions.py:put_down": _AT_WORK,
    "core/votes/actions.py:check_voter": "a question: it changes nothing",
    "core/votes/actions.py:serve": _AT_WORK,
    "core/trials/ending.py:card_of": "a question: it changes nothing",
    "core/webhooks/actions.py:claim_due": "who sends a message now: what came of it is in the delivery log",
    "core/webhooks/actions.py:forget": "what is old is dropped, a month after its end",
    "core/webhooks/actions.py:enqueue": "what is announced was told by whoever did it",
    "core/calls/actions.py:save_run": "a draft of what somebody types: nothing has happened yet",
    "core/calls/actions.py:freeze": "the calls that were made are the record of what happened",
}


def untold(parsed: ast.Module) -> list[str]:
    """Public functions that work on the store and reach no `audit.append`, neither themselves nor by what they call."""
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
    acting = {name for name, node in functions.items() if not name.startswith("_") and _acts(node)}
    return sorted(acting - telling)


def _tells(node: ast.AST, telling: set[str]) -> bool:
    return isinstance(node, ast.Call) and (dotted(node.func) in TELLING or dotted(node.func) in telling)


def _acts(node: ast.FunctionDef) -> bool:
    arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return any(argument.arg in ("session", "by") for argument in arguments)


@pytest.mark.parametrize("file", ACTIONS, ids=shown)
def test_every_action_is_in_the_trail(file: Path) -> None:
    assert [name for name in untold(tree(file)) if f"{shown(file)}:{name}" not in FREE] == []


def test_every_exception_still_is_one() -> None:
    assert {f"{shown(file)}:{name}" for file in ACTIONS for name in untold(tree(file))} == set(FREE)


def test_this_rule_sees_a_violation() -> None:
    source = """
def quiet(session, *, by, at): session.add(1)
def loud(session, *, by, at): _finish(session)
def _finish(session): audit.append(session)
def nobodys(session, *, at): session.add(1)
def fingerprint(body): return hash(body)
"""
    assert untold(ast.parse(source)) == ["nobodys", "quiet"]
