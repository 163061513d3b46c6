"""What is shipped as a version of a pack stays what it is: the register refuses the same number with another text."""

from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from deploy.stack.service import ROOT

SHIPPED = {
    ("county-2009", 1): "706cf40e815d623b",
    ("gulou-2021", 1): "6ca44a3cbe035753",
    ("jiangjin-2012", 1): "62d1f41e896b2339",
    ("jingyu-2021", 1): "e40a1e6325b82cf0",
    ("sample-2026", 1): "a1b1ef5c667cbddd",
}
"""Pack and version, and the first 16 digits of SHA-256 of its file. A new text gets a new version, and a line here."""
FILES = sorted((ROOT / "deploy" / "packs").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shipped_pack_says_under_its_number_what_it_always_said(path: Path) -> None:
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    digest = sha256(path.read_bytes()).hexdigest()[:16]
    assert SHIPPED.get((said["pack_id"], said["version"])) == digest, "raise `version`, and write its digest down here"


def test_no_pack_is_missing() -> None:
    assert {path.stem for path in FILES} == {pack_id for pack_id, _ in SHIPPED}
