"""A chain of hashes: no entry of it can be changed or taken out unseen."""

import json
from collections.abc import Mapping
from hashlib import sha256

GENESIS = "0" * 64
"""Stands before the first entry."""


def chained(prev_hash: str, row: Mapping[str, object]) -> str:
    """Return sha256 over the hash before and the canonical JSON of `row` (sorted keys, no spaces).

    Shape:  words, whole numbers, truth values, lists and mappings of them: their JSON is the same whoever writes it.
    """
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(f"{prev_hash}{canonical}".encode()).hexdigest()
