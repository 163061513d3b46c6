"""How each part is doing, written down where the console reads it."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deploy.stack.causes import Cause
from services.kernel.words import PartState

FILE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class PartStatus:
    """`cause` of a part that failed; `waits_for` of one that is not started because others are missing.

    `shut_why` of a door that runs and lets nobody in.
    """

    name: str
    state: PartState
    cause: Cause | None = None
    waits_for: tuple[str, ...] = ()
    shut_why: str | None = None

    def row(self) -> Mapping[str, object]:
        row: dict[str, object] = {"name": self.name, "state": self.state.value}
        if self.cause is not None:
            row["cause"] = self.cause.value
        if self.shut_why is not None:
            row["cause"] = self.shut_why
        if self.waits_for:
            row["waits_for"] = list(self.waits_for)
        return row


class PartStatusFile:
    """A JSON file of one size, written over in place: that works on a disk that is full as well."""

    def __init__(self, path: Path) -> None:
        """Take its room now. Raises OSError when there is none."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_padded(b'{"parts": []}'))

    def write(self, statuses: Sequence[PartStatus], at: datetime) -> None:
        """Write what differs from "it runs"; a failure is no reason to end anything."""
        rows = [one.row() for one in statuses if one.state is not PartState.RUNS]
        text = json.dumps({"at": at.isoformat(timespec="seconds"), "parts": rows}).encode()
        if len(text) > FILE_BYTES:
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY)
            try:
                os.pwrite(descriptor, _padded(text), 0)
            finally:
                os.close(descriptor)


def _padded(text: bytes) -> bytes:
    return text.ljust(FILE_BYTES - 1) + b"\n"
