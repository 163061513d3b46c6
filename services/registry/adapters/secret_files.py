"""Files that only their owner may read, written so that a crash leaves the old one or the new one."""

import os
from collections.abc import Mapping
from pathlib import Path

from services.registry.domain.errors import CredentialsRefused


def replace_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that is made when it is missing; each takes its place at once.

    Raises:  CredentialsRefused.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            new = folder / f".{name}.new"
            new.unlink(missing_ok=True)  # of a run that was killed
            _write_new(new, content)
            new.replace(folder / name)
        _sync_folder(folder)
    except OSError as error:
        raise _refusal(folder, error) from error


def create(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet. Raises CredentialsRefused."""
    try:
        _write_new(path, content)
        _sync_folder(path.parent)
    except OSError as error:
        raise _refusal(path, error) from error


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> CredentialsRefused:
    return CredentialsRefused(f"{path} cannot be written: {error.strerror or type(error).__name__}")
