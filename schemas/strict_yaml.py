"""YAML from strangers, within bounds: plain values under text keys, a bounded number of them, not too deep."""

from collections.abc import Sequence
from typing import Any

import yaml
from yaml.composer import Composer

MAX_CHARS = 1024 * 1024
MAX_NODES = 20_000
"""The sample pack has 1 282. A node of two bytes costs a thousand bytes of memory and 70 µs."""
MAX_DEPTH = 24
MAX_SCALAR = 4_000
_TEXT = "tag:yaml.org,2002:str"
_PLAIN = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
)


class WrongYaml(Exception):
    """`problem` is one line; `line` and `column` count from 1, 0 where there is none."""

    def __init__(self, line: int, column: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.column = column
        self.problem = problem


class TooLong(WrongYaml):
    """More than MAX_CHARS."""


class NotYaml(WrongYaml):
    """Not the YAML that is taken."""


class Impossible(WrongYaml):
    """Deep nesting, or dates and numbers that do not exist."""


class Places:
    """Where the values of a document stand."""

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root
        self._parts: dict[int, dict[object, tuple[yaml.Node, yaml.Node]]] = {}

    def of(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of the value at `path`: its key where it has one.

        Parts of the path that the document does not have are passed over, so that what is missing is told at what
        should hold it. (1, 1) of an empty document.
        """
        node = at = self._root
        for part in path:
            found = None if node is None else self._named(node).get(part)
            if found is not None:
                at, node = found
        return (1, 1) if at is None else (at.start_mark.line + 1, at.start_mark.column + 1)

    def _named(self, node: yaml.Node) -> dict[object, tuple[yaml.Node, yaml.Node]]:
        """Return what names each part of a node, and the part; looked up once, as thousands of errors may ask."""
        if id(node) not in self._parts:
            parts: dict[object, tuple[yaml.Node, yaml.Node]] = {}
            if isinstance(node, yaml.MappingNode):
                parts = {key.value: (key, value) for key, value in node.value}
            elif isinstance(node, yaml.SequenceNode):
                parts = {at: (item, item) for at, item in enumerate(node.value)}
            self._parts[id(node)] = parts
        return self._parts[id(node)]


def read(text: str) -> object:
    """Return the value in the one document of `text`. Raises WrongYaml."""
    return read_with_places(text)[0]


def read_with_places(text: str) -> tuple[object, Places]:
    """Return the value in the one document of `text`, and where its parts stand. Raises WrongYaml."""
    if len(text) > MAX_CHARS:
        raise TooLong(0, 0, f"more than {MAX_CHARS} characters")
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        return (None if node is None else loader.construct_document(node)), Places(node)
    except yaml.YAMLError as error:
        raise NotYaml(*_place(getattr(error, "problem_mark", None)), _problem(error)) from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise Impossible(0, 0, _problem(error)) from error


def _place(mark: yaml.Mark | None) -> tuple[int, int]:
    return (0, 0) if mark is None else (mark.line + 1, mark.column + 1)


class _StrictLoader(Composer, yaml.CSafeLoader):
    """Plain YAML in which a key is text and stands once; nothing is tagged, merged or referred to (which multiplies).

    Parsed by libyaml, several times faster than in Python; composed here, event by event, so that it can be counted:
    what is beyond the bounds is refused before it is held.
    """

    nodes = 0
    depth = 0

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event = self.peek_event()
        assert event is not None, "a node begins with one"
        if isinstance(event, yaml.events.AliasEvent):
            raise _wrong("aliases are not allowed", event.start_mark)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _wrong(f"more than {MAX_NODES} values", event.start_mark)
        if self.depth > MAX_DEPTH:
            raise _wrong(f"nested deeper than {MAX_DEPTH}", event.start_mark)
        if isinstance(event, yaml.events.ScalarEvent) and len(event.value) > MAX_SCALAR:
            raise _wrong(f"a text of more than {MAX_SCALAR} characters", event.start_mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[arg-type]  # stubs say int
        self.depth -= 1
        if node is not None and node.tag not in _PLAIN and not node.tag.endswith(":merge"):
            raise _wrong(f"the tag {node.tag} is not allowed", node.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            raise Impossible(*_place(node.start_mark), _problem(error)) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != _TEXT:
                raise _wrong("a key that is not text; put it in quotes", key.start_mark)
            if key.value in seen:
                raise _wrong(f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        result: dict[object, object] = super().construct_mapping(node, deep=deep)
        return result


def _wrong(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, mark)


def _problem(error: Exception) -> str:
    said = getattr(error, "problem", None) or str(error)
    return said.splitlines()[0] if said else type(error).__name__
