"""YAML as values that remember their lines; only the safe kinds, no deeper and no larger than a person writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from core.errors import Invalid

MOST_CHARACTERS = 300_000
MOST_NODES = 50_000
DEEPEST = 60
_KINDS: dict[type[yaml.Node], tuple[str, ...]] = {
    yaml.ScalarNode: ("null", "bool", "int", "float", "str"),
    yaml.SequenceNode: ("seq",),
    yaml.MappingNode: ("map",),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of YAML and the line it begins on (from 1). Members of maps and lists are nodes again."""

    value: Any
    line: int

    @property
    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {name: node.plain for name, node in self.value.items()}
        return [node.plain for node in self.value] if isinstance(self.value, list) else self.value


class _Loader(yaml.SafeLoader):
    """Dates stay texts: nothing here means a date. Brackets are counted as they open: PyYAML's time per sign grows with
    how many are open."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803
        if self.flow_level >= DEEPEST:
            raise _bad(f"Line {self.line + 1} is nested deeper than {DEEPEST} levels.")
        super().fetch_flow_collection_start(TokenClass)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in told if not tag.endswith(":timestamp")]
    for first, told in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Node:
    """The document. Raises: Invalid with the line of what cannot be read."""
    if len(text) > MOST_CHARACTERS:
        raise _bad(f"The file is longer than {MOST_CHARACTERS:,} characters.")
    try:
        loader = _Loader(text)
        try:
            top = loader.get_single_node()
            if top is None:
                return Node(None, 1)
            return _Reading(loader).node(top, 1)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}" if error.problem_mark else "the file"
        raise _bad(f"The file is not YAML: {where}: {error.problem or error.context}.") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise _bad(f"The file is not YAML: {str(error).splitlines()[0][:200]}.") from None
    except RecursionError:
        raise _bad("The file is nested too deeply.") from None


class _Reading:
    """Counts what it makes: a few aliases of aliases are billions of values."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._left = MOST_NODES

    def node(self, given: yaml.Node, depth: int) -> Node:
        line = given.start_mark.line + 1
        self._count()
        if depth > DEEPEST:
            raise _bad(f"Line {line} is nested deeper than {DEEPEST} levels.")
        kind = given.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in _KINDS.get(type(given), ()):
            raise _bad(f"Line {line} has the tag {given.tag[:60]}, which is not read here.")
        if isinstance(given, yaml.SequenceNode):
            return Node([self.node(item, depth + 1) for item in given.value], line)
        if isinstance(given, yaml.MappingNode):
            made: dict[str, Node] = {}
            for name, item in self._pairs(given, depth):
                made[name] = self.node(item, depth + 1)
            return Node(made, line)
        return Node(self._loader.construct_object(given), line)

    def _pairs(self, given: yaml.MappingNode, depth: int) -> Iterator[tuple[str, yaml.Node]]:
        """Names and values; what is merged in comes before what overrides it."""
        for key, item in given.value:
            if key.tag.endswith(":merge"):
                listed = item.value if isinstance(item, yaml.SequenceNode) else [item]
                for merged in reversed(listed):
                    if not isinstance(merged, yaml.MappingNode) or depth > DEEPEST:
                        raise _bad(f"Line {key.start_mark.line + 1} merges what is not a map.")
                    yield from self._pairs(merged, depth + 1)
        seen: set[str] = set()
        for key, item in given.value:
            line = key.start_mark.line + 1
            if key.tag.endswith(":merge"):
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise _bad(f"Line {line} has a key that is not a text.")
            if key.value in seen:
                raise _bad(f"Line {line} says “{key.value[:60]}” a second time.")
            seen.add(key.value)
            self._count()
            yield key.value, item

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _bad(f"The file has more than {MOST_NODES:,} values.")


def _bad(message: str) -> Invalid:
    return Invalid(message, code="promptfoo")
