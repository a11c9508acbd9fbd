"""The part of Jinja2 a prompt may use, with a bound on what one template can cost.

A prompt is typed by whoever may open the playground, and rendered in the server's process. So: a sandbox
without attribute tricks, a short list of statements and filters, no calls but `range`, and everything that grows
(loops, `+`, `*`, `~`, `join`, `replace`) is measured before it happens or charged to a `Budget`. The plain sandbox
is not enough: `'a' * 10**9` and a doubling `{% set %}` pass it.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from core import clock

MOST_CHARACTERS = 2_000_000
MOST_ROUNDS = 20_000
MOST_MS = 1_000.0
_MOST_BITS = 256

ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.For,
    nodes.Assign,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.List,
    nodes.Dict,
    nodes.Pair,
    nodes.Filter,
    nodes.Test,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Slice,
    nodes.Keyword,
    nodes.Concat,
    nodes.BinExpr,
    nodes.UnaryExpr,
)
ALLOWED_FILTERS = frozenset(
    {"abs", "capitalize", "count", "default", "dictsort", "first", "float", "int", "items", "join", "last", "length"}
    | {"list", "lower", "max", "min", "replace", "reverse", "round", "sort", "string", "sum", "title", "tojson"}
    | {"trim", "truncate", "unique", "upper", "wordcount"}
)


class OverBudget(Exception):
    """The template would cost more than a prompt may."""


@dataclass(slots=True)
class Budget:
    """What one rendering may still spend."""

    until_ms: float
    rounds: int = MOST_ROUNDS

    def round(self) -> None:
        """One more turn of a loop."""
        self.rounds -= 1
        if self.rounds < 0 or clock.ticks_ms() > self.until_ms:
            raise OverBudget("loops too long")


_budget: contextvars.ContextVar[Budget] = contextvars.ContextVar("prompt_budget")


def spending() -> Budget:
    """Start a fresh budget for the rendering that follows in this thread."""
    budget = Budget(clock.ticks_ms() + MOST_MS)
    _budget.set(budget)
    return budget


def _fits(size: int) -> None:
    if size > MOST_CHARACTERS:
        raise OverBudget("makes a text that is too long")


def _counted(value: Iterable[Any]) -> Iterator[Any]:
    budget = _budget.get()
    for item in value:
        budget.round()
        yield item


def _joined(value: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise OverBudget("joins by attribute")
    parts, size = [], 0
    for item in _counted(value):
        parts.append(str(item))
        size += len(parts[-1]) + len(separator)
        _fits(size)
    return separator.join(parts)


def _replaced(value: Any, old: str, new: str, count: int = -1) -> str:
    text = str(value)
    _fits(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    _fits(len(text))
    return text


def _range(*bounds: int) -> range:
    turns = range(*bounds)
    if len(turns) > MOST_ROUNDS:
        raise OverBudget("loops too long")
    return turns


def _add(left: Any, right: Any) -> Any:
    if hasattr(left, "__len__") and hasattr(right, "__len__"):
        _fits(len(left) + len(right))
    return left + right


def _multiply(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _MOST_BITS:
            raise OverBudget("makes a number that is too large")
    elif hasattr(left, "__len__") and isinstance(right, int):
        _fits(len(left) * right)
    elif hasattr(right, "__len__") and isinstance(left, int):
        _fits(len(right) * left)
    return left * right


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > _MOST_BITS:
        raise OverBudget("makes a number that is too large")
    return left**right


def _remainder(left: Any, right: Any) -> Any:
    if not isinstance(left, int | float):
        raise OverBudget("formats with %")
    return left % right


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 as prompts may use it."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    _checked: dict[str, Callable[[Any, Any], Any]] = {
        "+": _add,
        "*": _multiply,
        "**": _power,
        "%": _remainder,
    }

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, optimized=False, cache_size=0)
        self.globals = {"range": _range}
        self.filters = {name: self.filters[name] for name in ALLOWED_FILTERS if name in self.filters}
        self.filters |= {"join": _joined, "replace": _replaced, "tojson": _json, "_counted": _counted}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator that could make something large: measured first."""
        del context
        return self._checked[operator](left, right)


class Bounded(NodeTransformer):
    """Sends what grows without a name (`~`, the turns of `for`) through the functions that count."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  (the visitor's own naming)
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_counted", [], [], None, None, lineno=node.lineno)
        return node
