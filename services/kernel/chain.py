"""A chain of hashes: no entry of it can be changed or taken out unseen.

It covers each entry by its digest. So a part of a chain can be proven to somebody who must not read all entries in it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

E = TypeVar("E")

GENESIS = "0" * 64
"""Stands before the first entry."""


def canonical(row: Mapping[str, object]) -> str:
    """Return the row as JSON that is the same whoever writes it: sorted keys, no spaces.

    Shape:  words, whole numbers, truth values, lists and mappings of them.
    """
    return _CANONICAL.encode(row)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)  # made once, not for each row


def digest_of(row: Mapping[str, object]) -> str:
    """Return sha256 of the row alone."""
    return sha256(canonical(row).encode()).hexdigest()


def chained(prev_hash: str, digest: str) -> str:
    """Return sha256 over the hash before and the digest of an entry, both as hex."""
    return sha256(f"{prev_hash}{digest}".encode()).hexdigest()


# Without slots: a frozen one that has them cannot be made by `Link[Entry](..)` in Python 3.11.
@dataclass(frozen=True)
class Link(Generic[E]):
    """An entry in its place in a chain, from 1."""

    seq: int
    entry: E
    prev_hash: str
    hash: str


def linked(entry: E, last: Link[E] | None, row: Callable[[int, E], Mapping[str, object]]) -> Link[E]:
    """Return an entry linked behind the last one; `row` is what its hash covers."""
    seq, prev_hash = (1, GENESIS) if last is None else (last.seq + 1, last.hash)
    return Link(seq, entry, prev_hash, chained(prev_hash, digest_of(row(seq, entry))))


def broken_at(links: Iterable[Link[E]], row: Callable[[int, E], Mapping[str, object]]) -> int | None:
    """Return the first place in which the chain does not hold, None when all of it does. In the order of `seq`."""
    last: Link[E] | None = None
    for each in links:
        if each != linked(each.entry, last, row):
            return 1 if last is None else last.seq + 1
        last = each
    return None
