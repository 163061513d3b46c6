"""YAML from strangers, within bounds: plain values under text keys, a bounded number of them, not too deep."""

from typing import Any

import yaml

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
    """`problem` is one line; `line` counts from 1, 0 where there is none."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


class TooLong(WrongYaml):
    """More than MAX_CHARS."""


class NotYaml(WrongYaml):
    """Not the YAML that is taken."""


class Impossible(WrongYaml):
    """Deep nesting, or dates and numbers that do not exist."""


def read(text: str) -> object:
    """Return the value in the one document of `text`. Raises WrongYaml."""
    if len(text) > MAX_CHARS:
        raise TooLong(0, f"more than {MAX_CHARS} characters")
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise NotYaml(0 if mark is None else mark.line + 1, _problem(error)) from error
    except (RecursionError, ValueError, OverflowError) as error:
        raise Impossible(0, _problem(error)) from error


class _StrictLoader(yaml.SafeLoader):
    """Plain YAML in which a key is text and stands once; nothing is tagged, merged or referred to (which multiplies).

    Counts while it composes: what is beyond the bounds is refused before it is held.
    """

    nodes = 0
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # in the stubs
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
