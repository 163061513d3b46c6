"""The corpus: one file per type, profile and error, written by hand from the tables, not by the codec."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Entry:
    """Bytes, the profile they are read with, and the JSON objects that the command line prints for them."""

    name: str
    profile: str
    raw: bytes
    expect: list[dict[str, Any]]


def entries() -> list[Entry]:
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        found.append(Entry(path.stem, content["profile"], bytes.fromhex(content["hex"]), content["expect"]))
    return found


ENTRIES = entries()
