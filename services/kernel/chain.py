"""A chain of hashes: no entry of it can be changed or taken out unseen.

It covers each entry by its digest. So a part of a chain can be proven to somebody who must not read all entries in it.
"""

import json
from collections.abc import Mapping
from hashlib import sha256

GENESIS = "0" * 64
"""Stands before the first entry."""


def canonical(row: Mapping[str, object]) -> str:
    """Return the row as JSON that is the same whoever writes it: sorted keys, no spaces.

    Shape:  words, whole numbers, truth values, lists and mappings of them.
    """
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(row: Mapping[str, object]) -> str:
    """Return sha256 of the row alone."""
    return sha256(canonical(row).encode()).hexdigest()


def chained(prev_hash: str, digest: str) -> str:
    """Return sha256 over the hash before and the digest of an entry, both as hex."""
    return sha256(f"{prev_hash}{digest}".encode()).hexdigest()
