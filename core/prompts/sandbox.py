"""The part of Jinja2 a prompt may use, with a bound on what one template can cost.

A prompt is typed by whoever may open the playground, and rendered in the server's process, beside the gateway. So: a
sandbox without attribute tricks, a short list of statements, filters and tests, no calls but `range`. Everything that
makes, compares or writes out a value measures it first and looks at the clock, and what one step makes is small
enough that the next look comes soon. The plain sandbox is not enough: `'a' * 10**9`, `1.5|round(10**9, 'ceil')`, a
list of lists that is written out, and a thousand `|title` one after the other all pass it.
"""

from __future__ import annotations

import contextvars
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.filters import do_round
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from core import clock

MOST_CHARACTERS = 2_000_000
MOST_ROUNDS = 20_000
MOST_PIECES = 5_000
"""Names, signs and stretches of text a template is made of: parsing and compiling cost time for each."""
MOST_MS = 1_000.0
MOST_BITS = 256
_MOST_DIGITS = 300
_FINEST = 15

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
ALLOWED_TESTS = frozenset(
    {"boolean", "defined", "divisibleby", "even", "false", "float", "integer", "iterable", "mapping", "none", "number"}
    | {"odd", "sequence", "string", "true", "undefined"}
)


class OverBudget(Exception):
    """The template would cost more than a prompt may."""


@dataclass(slots=True)
class Budget:
    """What one rendering may still spend."""

    until_ms: float
    rounds: int = MOST_ROUNDS

    def look(self) -> None:
        """Raises: OverBudget when the time is used up."""
        if clock.ticks_ms() > self.until_ms:
            raise OverBudget("takes too long")

    def round(self) -> None:
        """One more turn of a loop."""
        self.rounds -= 1
        if self.rounds < 0:
            raise OverBudget("loops too long")
        self.look()


_budget: contextvars.ContextVar[Budget] = contextvars.ContextVar("prompt_budget")


def spending() -> Budget:
    """Start a fresh budget for the rendering that follows in this thread."""
    budget = Budget(clock.ticks_ms() + MOST_MS)
    _budget.set(budget)
    return budget


def _fits(size: int) -> None:
    if size > MOST_CHARACTERS:
        raise OverBudget("makes a text that is too long")


def measured(value: Any) -> Any:
    """The value itself, if it is short when written out; a list counts for everything in it, however often.

    Raises: OverBudget, also when the time is used up.
    """
    if (budget := _budget.get(None)) is not None:
        budget.look()
    size, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, Mapping):
            size += 4 * len(item)
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple):
            size += 2 * len(item)
            waiting += item
        elif isinstance(item, range):
            size += 8 * len(item)
        elif isinstance(item, int):
            size += item.bit_length() // 3
        else:
            size += 8
        _fits(size)
    return value


def _charged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that measures what it is given and what it makes."""

    @functools.wraps(function)
    def charged(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            measured(value)
        return measured(function(*args, **kwargs))

    return charged


def _counted(value: Iterable[Any]) -> Iterator[Any]:
    budget = _budget.get()
    for item in value:
        budget.round()
        yield item


def _joined(value: Iterable[Any], separator: str = "") -> str:
    parts, size = [], 0
    for item in _counted(value):
        parts.append(str(measured(item)))
        size += len(parts[-1]) + len(separator)
        _fits(size)
    return separator.join(parts)


def _replaced(value: Any, old: str, new: str, count: int = -1) -> str:
    text = str(value)
    _fits(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _list(value: Iterable[Any]) -> list[Any]:
    return list(_counted(value))


def _sum(value: Iterable[Any]) -> Any:
    total: Any = 0
    for item in _counted(value):
        total += _number(item)
    return total


def _int(value: Any, default: int = 0) -> int:
    if isinstance(value, str) and len(value) > _MOST_DIGITS:
        return default
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return _whole(value, default)


def _whole(value: Any, default: int) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return default


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if not isinstance(precision, int) or abs(precision) > _FINEST:
        raise OverBudget(f"rounds to more than {_FINEST} places")
    return do_round(_number(value), precision, method)


def _range(*bounds: int) -> range:
    turns = range(*bounds)
    if len(turns) > MOST_ROUNDS:
        raise OverBudget("loops too long")
    return turns


def _number(value: Any) -> Any:
    """A number that is quickly counted with."""
    if not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} is not a number")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise OverBudget("makes a number that is too large")
    return value


def _add(left: Any, right: Any) -> Any:
    if hasattr(left, "__len__") and hasattr(right, "__len__"):
        _fits(len(left) + len(right))
        return left + right
    return _number(left) + _number(right)


def _multiply(left: Any, right: Any) -> Any:
    for many, times in ((left, right), (right, left)):
        if hasattr(many, "__len__") and isinstance(times, int):
            _fits(len(many) * times)
            if not isinstance(many, str) and len(many) * times > MOST_ROUNDS:
                raise OverBudget("makes a list that is too long")
            return many * times
    product = _number(left) * _number(right)
    return _number(product)


def _power(left: Any, right: Any) -> Any:
    base, exponent = _number(left), _number(right)
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > MOST_BITS:
        raise OverBudget("makes a number that is too large")
    return base**exponent


def _remainder(left: Any, right: Any) -> Any:
    if not isinstance(left, int | float):
        raise OverBudget("formats with %")
    return _number(left) % _number(right)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 as prompts may use it."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})
    _checked: dict[str, Callable[[Any, Any], Any]] = {
        "+": _add,
        "-": lambda left, right: _number(left) - _number(right),
        "*": _multiply,
        "/": lambda left, right: _number(left) / _number(right),
        "//": lambda left, right: _number(left) // _number(right),
        "**": _power,
        "%": _remainder,
    }
    _own: dict[str, Callable[..., Any]] = {
        "int": _int,
        "join": _joined,
        "list": _list,
        "replace": _replaced,
        "round": _round,
        "sum": _sum,
        "tojson": _json,
    }
    _own_tests: dict[str, Callable[..., Any]] = {
        "divisibleby": lambda value, number: _remainder(value, number) == 0,
        "even": lambda value: _remainder(value, 2) == 0,
        "odd": lambda value: _remainder(value, 2) == 1,
    }

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, keep_trailing_newline=True, optimized=False, cache_size=0, finalize=measured
        )
        self.globals = {"range": _range}
        self.filters = {name: _charged((self.filters | self._own)[name]) for name in ALLOWED_FILTERS}
        self.filters |= {"_counted": _counted, "_measured": measured}
        tests: dict[str, Any] = {**self.tests, **self._own_tests}
        self.tests = {name: _charged(tests[name]) for name in ALLOWED_TESTS}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator that could make something large: measured first."""
        del context
        return measured(self._checked[operator](left, right))


class Bounded(NodeTransformer):
    """Sends what grows or compares without a name (`~`, `==`, the turns of `for`) through the functions that count."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  (the visitor's own naming)
        self.generic_visit(node)
        return _through("join", nodes.List(node.nodes, lineno=node.lineno))

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _through("_counted", node.iter)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _through("_measured", node.expr)
        for operand in node.ops:
            operand.expr = _through("_measured", operand.expr)
        return node


def _through(name: str, value: nodes.Node) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno)
