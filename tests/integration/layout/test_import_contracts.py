"""The import contracts hold, and a planted breach of each breaks the contract meant for it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSIDE = "Inside a service: wiring, then adapters and worker, then ports, then domain"
ACROSS = "Services never import each other; runtime never imports a service"
SCHEMAS = "Schemas take their closed sets from the kernel, and nothing else from services"
PURE = "Domain and ports do no I/O and see no wire format"
WORKERS = "Workers talk to ports, not to drivers or wire formats"
RUNTIME = "Runtime has no business words"

BREACHES = [
    ("services/rules/domain/planted.py", "import time\n", PURE),
    ("services/rules/domain/planted.py", "import asyncio\n", PURE),
    ("services/alerts/domain/planted.py", "import psycopg\n", PURE),
    ("services/ingest/ports.py", "import schemas.signal\n", PURE),
    ("services/rules/worker.py", "import services.rules.adapters\n", WORKERS),
    ("services/alerts/worker.py", "import schemas.finding\n", WORKERS),
    ("services/ingest/domain/planted.py", "import services.ingest.app\n", INSIDE),
    ("services/ingest/util.py", "", INSIDE),
    ("services/alerts/adapters/planted.py", "import services.rules.domain\n", ACROSS),
    ("services/runtime/planted.py", "import services.ingest\n", ACROSS),
    ("schemas/planted.py", "import services.runtime\n", SCHEMAS),
    ("services/runtime/planted.py", "import schemas.signal\n", RUNTIME),
]


def lint(folder: Path) -> str:
    """Return what import-linter prints for the tree in `folder`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for name in ("services", "schemas"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "exported"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_project_keeps_every_contract(tree: Path) -> None:
    printed = lint(tree)
    assert " 0 broken" in printed, printed


@pytest.mark.parametrize(("path", "planted", "contract"), BREACHES, ids=lambda value: str(value)[:50].strip())
def test_planted_breach_breaks_its_contract(tree: Path, path: str, planted: str, contract: str) -> None:
    target = tree / path
    before = target.read_text(encoding="utf-8") if target.exists() else None
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text((before or "") + "\n" + planted, encoding="utf-8")
    try:
        printed = lint(tree)
    finally:
        if before is None:
            target.unlink()
        else:
            target.write_text(before, encoding="utf-8")
    assert f"{contract} BROKEN" in printed, printed
