"""A unit's changes as people see them: what is stored of its links and of its duty, laid over each other."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from services.console.domain.units import Passage
from services.kernel.duty import shown
from services.kernel.words import Connection, Duty

_UNLISTED = "unlisted"
_HEARD = (Connection.ONLINE, Connection.LATE, Connection.UNKNOWN)


def as_shown(stored: Sequence[Passage], since: datetime) -> list[Passage]:
    """Return the changes of what is shown that count from `since` on, newest first.

    Shape:  `stored` holds changes of connection, duty and health, and of the first two the last before `since`.
    Rows from before duty was an aspect of its own name it in the connection's place, and are shown as they are.
    """
    rows = sorted(
        (one for one in stored if one.aspect != "health"),
        key=lambda one: (one.detected_at, one.aspect != "duty", one.effective_at),
    )
    duty = next((one.from_state for one in rows if one.aspect == "duty"), _UNLISTED)
    links = next((one.from_state for one in rows if one.aspect == "connection"), _UNLISTED)
    words = [_word(duty, links)]
    for row in rows:
        if row.aspect == "duty":
            duty = row.to_state
        else:
            links = row.to_state
        words.append(_word(duty, links))
    changes = [
        replace(row, aspect="connection", from_state=before, to_state=after)
        for row, (before, after) in zip(rows, pairwise(words), strict=True)
        if before != after
    ]
    told = [one for one in (*changes, *(one for one in stored if one.aspect == "health")) if one.effective_at >= since]
    return sorted(told, key=lambda one: one.effective_at, reverse=True)


def _word(duty: str, links: str) -> str:
    if _UNLISTED in (duty, links):
        return links
    return shown(Duty(duty), Connection(links), heard=Connection(links) in _HEARD)
