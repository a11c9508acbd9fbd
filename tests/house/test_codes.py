"""Every error code a program may meet has its line in core/ERRORS.md, and every line there its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.reading import ROOT, calls, files, tree

NONE = {"", "code"}  # "nothing said", and the field of a backend's answer in which its own code is


def codes(parsed: ast.Module) -> set[str]:
    """The codes a file gives to errors: `code=…`, `code = …`, or in a call the place of a parameter called `code`."""
    places = {
        function.name: place - (names[0] in ("self", "cls"))
        for function in ast.walk(parsed)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and (names := [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)])
        for place, name in enumerate(names)
        if name == "code"
    }
    found: set[str] = set()
    for name, call in calls(parsed):
        for keyword in call.keywords:
            if keyword.arg == "code":
                found |= _texts(keyword.value)
        if name in places and len(call.args) > places[name]:
            found |= _texts(call.args[places[name]])
    for target, value in _assigned(parsed):
        if (isinstance(target, ast.Name) and target.id == "code") or (
            isinstance(target, ast.Attribute) and target.attr == "code"
        ):
            found |= _texts(value)
    return found - NONE


def _texts(value: ast.expr) -> set[str]:
    return {node.value for node in ast.walk(value) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _assigned(parsed: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Every target with its value; `a, b = x, y` is two."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield node.target, node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    yield from zip(target.elts, node.value.elts, strict=False)
                else:
                    yield target, node.value


def told(text: str) -> list[str]:
    """The codes in the first column of every table."""
    rows = re.findall(r"^\|((?: `\w+`,?)+) \|", text, re.MULTILINE)
    return [code for row in rows for code in re.findall(r"`(\w+)`", row)]


def test_every_error_code_has_its_line_and_every_line_its_code() -> None:
    listed = told((ROOT / "core" / "ERRORS.md").read_text(encoding="utf-8"))
    assert len(listed) == len(set(listed))
    assert set(listed) == {code for file in files("core", "pages") for code in codes(tree(file))}


def test_this_rule_sees_a_violation() -> None:
    source = """
class Broken(Exception):
    status, code = 502, "broken"
def _late(why, code): raise Broken(code=code)
class Exchange:
    def _fail(self, code): self._failure = _late("x", code)
    def end(self): self._fail("gone"); raise Late("message", code=said or {404: "none"}.get(status, "other"))
_late("too slow", "late")
error.code = "stale"
what, code = "empty answer", "empty"
"""
    assert codes(ast.parse(source)) == {"broken", "gone", "none", "other", "late", "stale", "empty"}
    assert told("| code | when |\n|---|---|\n| `a`, `b` | c `d` |\nsome `e`\n") == ["a", "b"]
