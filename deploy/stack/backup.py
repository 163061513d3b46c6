"""A copy of everything that `make run` keeps, and that copy put back: database, log, archive, keys, of one standstill.

The database holds positions in Kafka's log, so both are copied while nothing runs: then they are of one instant, and
what was delivered, numbered and counted by then is so after a restore. One file, whole or not there, with its checksum
beside it as `sha256sum -c` reads it.
"""

import contextlib
import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from deploy.stack.lock import only_one

PREFIX, SUFFIX, SUM = "firenet-", ".tar.gz", ".sha256"
STAMP = "%Y%m%dT%H%M%SZ"
LEVEL = 1
"""Of gzip: the log is text and shrinks by it as well, and a standstill is short."""
CHUNK = 1 << 20
DATABASE = "*/data/PG_VERSION"
"""PostgreSQL writes it first: where it is not, there is no database."""


class BackupError(Exception):
    """Nothing was copied, or nothing was put back; the message is for the operator."""


def backup(folder: Path, to: Path, now: datetime) -> Path:
    """Copy `folder` to a new file in `to` and return it. Raises BackupError, PartError where it runs, OSError."""
    folder = folder.resolve()  # a link to it is named, its content meant
    if not any(folder.glob(DATABASE)):
        raise BackupError(f"there is nothing in {folder}: no database")
    if to.resolve().is_relative_to(folder.resolve()):
        raise BackupError(f"{to} lies in {folder}: a copy belongs on another disk")
    with only_one(folder):
        if running := list(_running(folder)):
            raise BackupError(f"{', '.join(running)} still runs in {folder}: end it first")
        if outward := next(_outward(folder), None):
            raise BackupError(f"{outward} leads out of {folder}: what is there would not be in the copy")
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = to / f"{PREFIX}{now.strftime(STAMP)}{SUFFIX}"
        if target.exists():
            raise BackupError(f"{target} is there already")
        unfinished = target.with_name(f"{target.name}.unfinished")
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as raw:
                with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=LEVEL) as tar:
                    tar.add(folder, arcname=".")
                raw.flush()
                os.fsync(raw.fileno())
            total = _sum(unfinished)
            Path(f"{target}{SUM}").write_text(f"{total}  {target.name}\n", encoding="ascii")
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)
    return target


def restore(source: Path, folder: Path, now: datetime) -> tuple[Path, Path | None]:
    """Put a copy back and return which it was, and where what stood in `folder` is now.

    `source` is a copy, or a folder whose newest copy is meant. It is compared with its checksum and unpacked beside
    `folder` before anything there is touched. Raises BackupError, PartError where it runs, OSError.
    """
    folder = folder.resolve()
    if disk := next((one for one in _folders(folder) if one.is_mount()), None):
        raise BackupError(f"{disk} is a mount point: keep all data in one folder on that disk")
    copy = _newest(source) if source.is_dir() else source
    with only_one(folder):
        if running := list(_running(folder)):
            raise BackupError(f"{', '.join(running)} still runs in {folder}: end it first")
        _prove(copy)
        fresh = folder.with_name(f"{folder.name}.restoring")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            with tarfile.open(copy, "r:gz") as tar:
                tar.extractall(fresh, filter="tar")
        except (tarfile.TarError, EOFError) as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise BackupError(f"{copy} cannot be read: {error}") from error
        if not any(fresh.glob(DATABASE)):
            shutil.rmtree(fresh)
            raise BackupError(f"there is no database in {copy}")
        before = None
        if folder.exists():
            before = folder.with_name(f"{folder.name}.before-{now.strftime(STAMP)}")
            folder.rename(before)
        fresh.rename(folder)
    return copy, before


def _newest(folder: Path) -> Path:
    found = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
    if not found:
        raise BackupError(f"there is no copy in {folder}")
    return found[-1]


def _prove(copy: Path) -> None:
    """Raise BackupError unless the copy is the one that its checksum was made of."""
    try:
        said = Path(f"{copy}{SUM}").read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"the checksum {copy}{SUM} cannot be read") from error
    if not said or _sum(copy) != said[0]:
        raise BackupError(f"{copy} is not what its checksum was made of")


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        total = hashlib.sha256()
        while piece := file.read(CHUNK):
            total.update(piece)
    return total.hexdigest()


def _folders(folder: Path) -> Iterator[Path]:
    return (Path(path) for path, _, _ in os.walk(folder))


def _outward(folder: Path) -> Iterator[Path]:
    """Yield links that are of no use in a copy: they lead out of `folder`, or would lead back to it from elsewhere."""
    for path in _folders(folder):
        for link in filter(Path.is_symlink, path.iterdir()):
            if link.readlink().is_absolute() or not link.resolve().is_relative_to(folder):
                yield link


def _running(folder: Path) -> Iterator[str]:
    """Yield which servers write in the folder although nobody holds it: their keeper was killed."""
    for file in folder.glob("*/data/postmaster.pid"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(file.read_text().splitlines()[0])
            if Path(f"/proc/{pid}").exists():
                yield f"PostgreSQL (process {pid})"
