"""One FireNet over one folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.stack.causes import Cause
from deploy.stack.part import PartError


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder until the block ends, or this process does.

    The lock lies beside the folder: `make demo` empties that before it begins.
    Raises:  PartError naming the process that holds it.
    """
    folder = folder.resolve()  # by whatever link it is named
    path = folder.parent / f"{folder.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            sentence = f"it runs already in {folder} (process {holder or 'unknown'}); stop that one first."
            raise PartError("FireNet", sentence, Cause.RUNS_ALREADY) from error
        with contextlib.suppress(OSError):  # a full disk: whoever comes second hears no number then
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
