"""A disk that is full, for tests: a small one of its own, or a small one laid over a folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None or not os.access("/dev", os.W_OK),
    reason="only root can mount a small disk",
)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """Lay an empty disk of this size over `folder` until the block ends; skip where the system allows none."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=755"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, timeout=60)
    if done.returncode != 0:
        pytest.skip("this system lets nobody mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=60)
