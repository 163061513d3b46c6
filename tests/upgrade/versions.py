"""The version before, as files: taken out of the history into a folder of its own."""

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from deploy.stack.service import ROOT

FROM = "FIRENET_UPGRADE_FROM"
"""Names another version than the one in `deploy/previous`: any commit, branch or tag."""
LONG = "FIRENET_UPGRADE_LONG"
"""Set where there is time for the long run."""
PREVIOUS = ROOT / "deploy" / "previous"
PARTS = ("services", "schemas", "deploy")


class NotToBeHad(Exception):
    """The history here does not reach back to that version; says so in one line."""


@dataclass(frozen=True, slots=True)
class Version:
    """`root` holds its `services`, `schemas` and `deploy`; both run with the same installed packages."""

    name: str
    root: Path


NEW = Version("this version", ROOT)


def before(folder: Path) -> Version:
    """Return the version before this one, written into `folder`. Raises NotToBeHad."""
    name = os.environ.get(FROM) or PREVIOUS.read_text(encoding="utf-8").strip()
    try:
        packed = subprocess.run(
            ["git", "archive", "--format=tar", name, *PARTS], cwd=ROOT, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise NotToBeHad("no git: the version before cannot be had") from error
    if packed.returncode:
        raise NotToBeHad(f"{name[:12]}, the version before, is not in this clone: git fetch --depth=1 origin {name}")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    _reuse_bytecode(folder)
    return Version(name[:12], folder)


def _reuse_bytecode(folder: Path) -> None:
    """Bring along what is compiled here of files that are the same: a dozen processes would each compile them anew."""
    for path in folder.rglob("*.py"):
        own = ROOT / path.relative_to(folder)
        compiled = Path(cache_from_source(str(own)))
        if compiled.exists() and own.read_bytes() == path.read_bytes():
            shutil.copystat(own, path)
            target = Path(cache_from_source(str(path)))
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, target)
