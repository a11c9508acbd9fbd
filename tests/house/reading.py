"""The sources as trees: what files there are, what they call, what a function reaches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(*places: str) -> list[Path]:
    """Python files below these folders, in order."""
    return [file for place in places for file in sorted((ROOT / place).rglob("*.py"))]


def shown(file: Path) -> str:
    """A path as a person writes it."""
    return file.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def calls(parsed: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the last word of what is called: `st.sidebar.button(…)` is `button`."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield node.func.id, node


def keywords(call: ast.Call) -> set[str]:
    """The names given in a call; `**` for an unpacked mapping."""
    return {keyword.arg or "**" for keyword in call.keywords}


def dotted(node: ast.expr) -> str:
    """`audit.append` for the expression that says so; "" for what is not names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""
