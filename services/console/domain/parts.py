"""What of FireNet itself does not run, as the supervisor of a one-machine installation writes it down."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.kernel.words import PartState

MAX_PARTS = 32
NOT_RUNNING = frozenset(PartState) - {PartState.RUNS}
_WORD = re.compile(r"[a-z][a-z_]{0,39}")


@dataclass(frozen=True, slots=True)
class PartRow:
    """Words only, for which the page has sentences: no path, no line of a log. `cause` is "" where none is known."""

    name: str
    state: PartState
    cause: str = ""
    waits_for: tuple[str, ...] = ()


def read_parts(text: str) -> tuple[PartRow, ...] | None:
    """Return the rows of the file; None when it is none: it may be in the middle of being written."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    rows = found.get("parts") if isinstance(found, Mapping) else None
    if not isinstance(rows, list):
        return None
    return tuple(row for row in map(_row, rows[:MAX_PARTS]) if row is not None)


def _row(found: object) -> PartRow | None:
    if not isinstance(found, Mapping) or found.get("state") not in NOT_RUNNING:
        return None
    missing = found.get("waits_for")
    names = tuple(_word(name) for name in missing[:MAX_PARTS]) if isinstance(missing, list) else ()
    return PartRow(_word(found.get("name")), PartState(found["state"]), _word(found.get("cause")), names)


def _word(found: object) -> str:
    word = str(found or "").lower().replace("-", "_")
    return word if _WORD.fullmatch(word) else ""
