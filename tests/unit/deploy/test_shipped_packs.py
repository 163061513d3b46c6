"""What is shipped as a version of a pack stays what it is: the register refuses the same number with other content."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from deploy.stack.service import ROOT
from tests import quick_yaml

SHIPPED = {
    ("county-2009", 1): "8946855ef8c9a257",
    ("gulou-2021", 1): "527d83b13493637d",
    ("jiangjin-2012", 1): "4da160305f9aa8e0",
    ("jingyu-2021", 1): "a11bb50c85f9787d",
    ("sample-2026", 1): "6acd4bee70be71a9",
}
"""Pack and version, and the digest of what it says. Comments may change; other content is a new version, and a line."""
FILES = sorted((ROOT / "deploy" / "packs").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shipped_pack_says_under_its_number_what_it_always_said(path: Path) -> None:
    said = quick_yaml.read(path.read_text(encoding="utf-8"))
    content = json.dumps(said, ensure_ascii=False, sort_keys=True, default=str)
    digest = sha256(content.encode()).hexdigest()[:16]
    assert SHIPPED.get((said["pack_id"], said["version"])) == digest, "raise `version`, and write its digest down here"


def test_no_pack_is_missing() -> None:
    assert {path.stem for path in FILES} == {pack_id for pack_id, _ in SHIPPED}
