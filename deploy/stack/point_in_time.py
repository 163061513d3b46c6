"""The database put back to an instant: a base copy taken while it runs, and the log that PostgreSQL archives since.

Kafka is not put back: services read on from the positions that the database had then, so what happened since is worked
off once more, with the same ids. What a person did meanwhile stands in the database alone and is lost.
"""

import os
import shutil
from datetime import datetime
from pathlib import Path

from deploy.stack.backup import STAMP, BackupError
from deploy.stack.ports import HOST
from deploy.stack.postgres import USER, environment, programs, run_as
from deploy.stack.process import Launch, RunAs, run_tool
from services.runtime.clock import Clock

BASE = "base-"
LIMIT_S = 24 * 3600.0


def base_copy(postgres: Path, to: Path, now: datetime, clock: Clock) -> Path:
    """Copy the running database whose folder is `postgres` to a new folder in `to` and return it.

    Raises BackupError when it does not run; StartFailed when the copy fails; OSError.
    """
    target = to / f"{BASE}{now.strftime(STAMP)}"
    unfinished = target.with_name(f"{target.name}.unfinished")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(unfinished, ignore_errors=True)
    argv = ["pg_basebackup", "-D", str(unfinished), "-h", HOST, "-p", str(_port(postgres)), "-U", USER]
    argv += ["-X", "stream", "-c", "fast", "--no-password"]
    secret = {"PGPASSWORD": (postgres / "password").read_text().strip()}
    run_tool(
        Launch([str(programs() / argv[0]), *argv[1:]], env={**environment(), **secret}), limit_s=LIMIT_S, clock=clock
    )
    unfinished.rename(target)
    return target


def recover(postgres: Path, base: Path, archive: Path, until: datetime | None, now: datetime) -> Path | None:
    """Make the next start of the database begin from `base` and go on to `until`, as far as the archive reaches.

    Return where what was there before is now. None for `until` goes to the end of the archive.
    Raises BackupError while it runs, or when `base` is none; OSError.
    """
    data = postgres / "data"
    if _runs(data):
        raise BackupError(f"PostgreSQL still runs in {data}: end it first")
    if not (base / "backup_label").exists():
        raise BackupError(f"{base} is no base copy")
    fresh = data.with_name("data.recovering")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(base, fresh)
    target = "" if until is None else until.isoformat()
    lines = [
        f'restore_command = \'cp "{archive}/%f" "%p"\'',
        "recovery_target_action = 'promote'",
        "recovery_target_timeline = 'latest'",
        "hot_standby = off",  # nobody is let in before it takes writes
        f"recovery_target_time = '{target}'",  # also where it is empty: `base` may carry that of a recovery before it
    ]
    with (fresh / "postgresql.auto.conf").open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    (fresh / "recovery.signal").touch()
    _hand_over(fresh, run_as(postgres))
    before = None
    if data.exists():
        before = data.with_name(f"data.before-{now.strftime(STAMP)}")
        data.rename(before)
    fresh.rename(data)
    return before


def _hand_over(folder: Path, user: RunAs | None) -> None:
    folder.chmod(0o700)
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _port(postgres: Path) -> int:
    if not _runs(postgres / "data"):
        raise BackupError(f"PostgreSQL does not run in {postgres}: there is nobody to copy from")
    return int((postgres / "data" / "postmaster.pid").read_text().splitlines()[3])


def _runs(data: Path) -> bool:
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return False
    try:
        return (
            Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
        )  # after a power cut another may have its number
    except OSError:
        return False
