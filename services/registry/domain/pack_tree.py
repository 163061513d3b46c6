"""A policy pack as its file has it, before it is known to be one, and what may be wrong at a place of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.registry.domain.words import Said

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """`path` leads to the value that is wrong."""

    path: Path
    expected: Said
    found: str


def part(pack: object, *path: str) -> object:
    """Return what stands at a path of names, None where nothing does."""
    for name in path:
        pack = pack.get(name) if isinstance(pack, Mapping) else None
    return pack


def items(pack: object, section: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield the mappings of a list, with their places."""
    found = part(pack, section)
    for at, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, Mapping):
            yield at, item


def named(pack: object, section: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the mappings of a mapping, with their names."""
    found = part(pack, section)
    for name, item in (found if isinstance(found, Mapping) else {}).items():
        if isinstance(item, Mapping):
            yield name, item


def names(pack: object, section: str) -> set[str]:
    return {name for name, _ in named(pack, section)}


def texts(found: object) -> Iterator[tuple[int, str]]:
    """Yield the texts of a list, with their places."""
    return ((at, text) for at, text in enumerate(found if isinstance(found, list) else ()) if isinstance(text, str))
