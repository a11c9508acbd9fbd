"""A prompt's text with its `{{variables}}`: which there are, and what it says once they are filled in.

Mistakes are sentences with the line they are on: the person who typed the prompt reads them, not a programmer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from types import CodeType

from jinja2 import TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError

from core.errors import Invalid
from core.prompts import sandbox

_MARKS = re.compile(r"\{\{|\{%|\{#")
_NAMES = re.compile(r"[A-Za-z_]\w*")
RAW_HINT = "For text that really contains double braces, write {% raw %} before it and {% endraw %} after it."
_DEFAULTS = ("default", "d")
_ENGINE = sandbox.Sandbox()


def has_marks(text: str) -> bool:
    """Whether the text contains anything a template engine would act on."""
    return _MARKS.search(text) is not None


def variables_of(texts: Iterable[str]) -> tuple[str, ...]:
    """The variables the texts ask for, in the order of their first appearance; texts with mistakes add none."""
    found: dict[str, None] = {}
    for text in texts:
        if not has_marks(text):
            continue
        try:
            wanted = meta.find_undeclared_variables(_parsed(text)) - set(_ENGINE.globals)
        except (Invalid, RecursionError):
            continue
        for name in _NAMES.finditer(text) if wanted else ():
            if name[0] in wanted:
                found.setdefault(name[0])
    return tuple(found)


def spared(texts: Iterable[str]) -> frozenset[str]:
    """The variables every text can do without: each has a `default` wherever it stands."""
    needed: set[str] = set()
    spare: set[str] = set()
    for text in texts:
        if not has_marks(text):
            continue
        try:
            tree = _parsed(text)
        except (Invalid, RecursionError):
            continue
        defaults = [node.node for node in _every(tree) if isinstance(node, nodes.Filter) and node.name in _DEFAULTS]
        covered = {id(node) for node in defaults if isinstance(node, nodes.Name)}
        for node in _every(tree):
            if isinstance(node, nodes.Name) and node.ctx == "load":
                (spare if id(node) in covered else needed).add(node.name)
    return frozenset(spare - needed)


def mistake(text: str) -> str:
    """What is wrong with the text as a template, in a sentence; empty when nothing is."""
    try:
        if has_marks(text):
            _parsed(text)
    except Invalid as error:
        return str(error)
    return ""


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables filled in.

    Raises: Invalid (code "template") with the line, for a mistake in the template or a variable without a value.
    """
    if not has_marks(text):
        return text
    try:
        code = _compiled(text)
        template = _ENGINE.template_class.from_code(_ENGINE, code, _ENGINE.make_globals(None))
        budget = sandbox.spending()
        pieces, size = [], 0
        for piece in template.generate(dict(values)):
            pieces.append(piece)
            size += len(piece)
            if size > sandbox.MOST_CHARACTERS:
                raise sandbox.OverBudget("makes a text that is too long")
            budget.round()
    except UndefinedError as error:
        raise _invalid(_undefined(error), "Fill it in under Variables.") from None
    except sandbox.OverBudget as error:
        raise _invalid(f"This template {error}.", "Loop over fewer items, or paste the text itself.") from None
    except (SecurityError, TemplateRuntimeError, TemplateSyntaxError) as error:
        raise _invalid(f"This template cannot be used: {_plain(error)}.") from None
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError) as error:
        raise _invalid(f"This template does not work with these values: {_plain(error)}.") from None
    except (RecursionError, MemoryError, SyntaxError):
        raise _invalid("This template is nested too deeply.") from None
    return "".join(pieces)


@functools.lru_cache(maxsize=512)
def _compiled(text: str) -> CodeType:
    """The template as code: made once for a text that is asked again and again."""
    return _ENGINE.compile(sandbox.Bounded().visit(_parsed(text)))


def literal(text: str) -> str:
    """A template that says exactly this text, whatever it contains (for text taken from a recorded call)."""
    if not has_marks(text):
        return text
    safe = re.sub(r"\{%([-+]?\s*endraw\b)", r"{% endraw %}{{ '{%' }}{% raw %}\1", text)
    return f"{{% raw %}}{safe}{{% endraw %}}"


def _parsed(text: str) -> nodes.Template:
    try:
        for count, _ in enumerate(_ENGINE.lexer.tokeniter(text, None)):
            if count > sandbox.MOST_PIECES:
                raise _invalid(
                    f"This template has more than {sandbox.MOST_PIECES:,} names and signs.",
                    "Use fewer variables, or paste the text itself.",
                )
        tree = _ENGINE.parse(text)
    except TemplateSyntaxError as error:
        raise _invalid(f"Line {error.lineno}: {_plain(error)}.", RAW_HINT) from None
    except RecursionError:
        raise _invalid("This template is nested too deeply.") from None
    except ValueError as error:  # a number with more digits than Python reads
        raise _invalid(f"This template cannot be read: {_plain(error)}.") from None
    for node in _every(tree):
        if isinstance(node, nodes.Call):
            if not (isinstance(node.node, nodes.Name) and node.node.name == "range"):
                raise _invalid(f"Line {node.lineno}: a prompt cannot call functions, only range().", RAW_HINT)
        elif not isinstance(node, sandbox.ALLOWED_NODES):
            raise _invalid(
                f"Line {node.lineno}: a prompt can use variables, if, for and set, "
                f"but not {_called(type(node).__name__)}.",
                RAW_HINT,
            )
        if isinstance(node, nodes.Filter) and node.name not in sandbox.ALLOWED_FILTERS:
            raise _invalid(
                f"Line {node.lineno}: there is no filter “{node.name}” here.",
                "Usable are: " + ", ".join(sorted(sandbox.ALLOWED_FILTERS)) + ".",
            )
        if isinstance(node, nodes.Test) and node.name not in sandbox.ALLOWED_TESTS:
            raise _invalid(
                f"Line {node.lineno}: there is no test “is {node.name}” here.",
                "Usable are: " + ", ".join(sorted(sandbox.ALLOWED_TESTS)) + ".",
            )
        if (
            isinstance(node, nodes.Const)
            and isinstance(node.value, int)
            and node.value.bit_length() > sandbox.MOST_BITS
        ):
            raise _invalid(f"Line {node.lineno}: this number is too large.")
        if isinstance(node, nodes.Assign) and _collects(node.node):
            raise _invalid(f"Line {node.lineno}: set can keep a text or a number, not a list of variables.")
    return tree


def _every(tree: nodes.Node) -> Iterable[nodes.Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.iter_child_nodes())


def _collects(value: nodes.Node) -> bool:
    """Whether a list is made of variables: set in set, it would double without end."""
    made = [node for node in _every(value) if isinstance(node, nodes.List | nodes.Tuple | nodes.Dict)]
    return any(isinstance(part, nodes.Name) for node in made for part in _every(node))


def _called(kind: str) -> str:
    return {"AssignBlock": "a set block", "CallBlock": "call", "FilterBlock": "filter blocks"}.get(
        kind, re.sub(r"(?<!^)(?=[A-Z])", " ", kind).lower()
    )


def _undefined(error: UndefinedError) -> str:
    name = re.match(r"'(\w+)' is undefined", str(error))
    return f"The variable “{name[1]}” has no value." if name else f"A value is missing: {_plain(error)}."


def _plain(error: Exception) -> str:
    words = str(error).strip().rstrip(".").replace("'", "“", 1).replace("'", "”", 1)
    return words[:200] or type(error).__name__


def _invalid(message: str, hint: str = "") -> Invalid:
    return Invalid(message, hint=hint, code="template")
