"""Where PostgreSQL's log is copied to, piece by piece, for a recovery to any instant.

A fault of it never keeps the database down: PostgreSQL keeps the pieces that wait, and the terminal is told.
"""

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from deploy.stack.process import RunAs, StartFailed

TIMEOUT_S = 60
PATIENCE = timedelta(minutes=5)
"""A piece that has waited for so long is not being copied."""


@dataclass(frozen=True, slots=True)
class LogArchive:
    """`made` is a file that holds which folder was made: one that is missing later is on a disk that is not there."""

    folder: Path
    made: Path

    def settings(self, user: RunAs | None) -> dict[str, object]:
        """Make the folder if it can be, and return PostgreSQL's settings; what cannot be is told by `trouble`.

        A piece is there when it is whole, and one that is there stays: PostgreSQL offers it again after a crash.
        Raises StartFailed for a name that cannot stand in the command.
        """
        if any(sign in str(self.folder) for sign in "'\"\\%$`\n"):
            raise StartFailed(f"the archive of its log cannot be at {self.folder}: a sign in the name is not allowed.")
        with contextlib.suppress(OSError):  # a broken disk for copies is no reason to keep the alarms' database down
            self._make(user)
        there, new = f'"{self.folder}/%f"', f'"{self.folder}/%f.unfinished"'
        copied = f'cp "%p" {new} && sync {new} && mv {new} {there}'
        command = f'if test -f {there}; then cmp -s "%p" {there}; else {copied}; fi'
        return {"archive_mode": "on", "archive_command": command, "archive_timeout": TIMEOUT_S}

    def _make(self, user: RunAs | None) -> None:
        if not self.folder.exists() and self._was_made():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user is not None:
            os.chown(self.folder, user.uid, user.gid)
        self.made.write_text(f"{self.folder}\n")

    def _was_made(self) -> bool:
        return self.made.exists() and self.made.read_text().strip() == str(self.folder)

    def trouble(self, data: Path, now: datetime) -> str | None:
        """Say what keeps the log of the database in `data` from being copied, None where nothing does."""
        try:
            if not data.exists():  # it is being made
                return None
            if not self.folder.exists():
                again = "mount its disk, or make it anew for whom PostgreSQL runs as"
                return f"PostgreSQL's log is not archived: {self.folder} is not there; {again}"
            waiting = [path.stat().st_mtime for path in (data / "pg_wal" / "archive_status").glob("*.ready")]
        except FileNotFoundError:  # copied just now
            return None
        except OSError as error:
            return f"PostgreSQL's log is not archived: {self.folder}: {error.strerror}"
        if not waiting or now.timestamp() - min(waiting) < PATIENCE.total_seconds():
            return None
        return (
            f"PostgreSQL's log is not archived to {self.folder} (disk full, not writable, or another database's pieces "
            "there; see PostgreSQL's own log). What waits fills the disk of the database"
        )
