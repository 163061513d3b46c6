"""A copy of what `make run` keeps, put back: as it was, or not touched at all."""

import hashlib
import os
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.stack.__main__ import main
from deploy.stack.backup import BackupError, backup, restore
from deploy.stack.lock import only_one
from deploy.stack.part import PartError

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 9, 13, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "run"
    (found / "postgres" / "data").mkdir(parents=True, mode=0o700)
    (found / "postgres" / "data" / "PG_VERSION").write_text("18\n")
    (found / "kafka").mkdir()
    (found / "kafka" / "0.log").write_bytes(bytes(range(256)) * 1000)
    (found / "secret").write_text("key")
    (found / "secret").chmod(0o600)
    (found / "link").symlink_to("secret")
    return found


def state(folder: Path) -> dict[str, tuple[int, object]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None,
        )
        for path in folder.rglob("*")
    }


def test_what_was_destroyed_comes_back_with_its_modes(folder: Path, tmp_path: Path) -> None:
    before = state(folder)
    copy = backup(folder, tmp_path / "copies", NOON)
    assert copy.stat().st_mode & 0o077 == 0
    assert sorted(one.name for one in copy.parent.iterdir()) == [copy.name, f"{copy.name}.sha256"]
    shutil.rmtree(folder)
    assert restore(copy, folder, LATER) == (copy, None)
    assert state(folder) == before


def test_the_newest_of_a_folder_is_taken_and_what_was_there_is_kept_beside(folder: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    backup(folder, copies, NOON)
    (folder / "secret").write_text("newer")
    newest = backup(folder, copies, LATER)
    (folder / "secret").write_text("broken")
    taken, before = restore(copies, folder, LATER)
    assert taken == newest
    assert (folder / "secret").read_text() == "newer"
    assert before is not None
    assert (before / "secret").read_text() == "broken"


@pytest.mark.parametrize("harm", ["changed", "cut", "no checksum", "no copy"])
def test_a_copy_that_is_not_whole_touches_nothing(folder: Path, tmp_path: Path, harm: str) -> None:
    copy = backup(folder, tmp_path / "copies", NOON)
    before = state(folder)
    match harm:
        case "changed":
            copy.write_bytes(copy.read_bytes()[:-1] + b"?")
        case "cut":
            copy.write_bytes(copy.read_bytes()[:500])
        case "no checksum":
            Path(f"{copy}.sha256").unlink()
        case "no copy":
            copy.unlink()
    with pytest.raises(BackupError):
        restore(copy.parent if harm == "no copy" else copy, folder, LATER)
    assert state(folder) == before
    assert not folder.with_name("run.restoring").exists()


def test_a_copy_of_nonsense_with_a_right_checksum_touches_nothing(folder: Path, tmp_path: Path) -> None:
    copy = backup(folder, tmp_path / "copies", NOON)
    before = state(folder)
    copy.write_bytes(b"nonsense")
    Path(f"{copy}.sha256").write_text("5cf3c1c53cf8b3f0d0d0a0d3f4a3e3f8  nonsense\n")
    with pytest.raises(BackupError):
        restore(copy, folder, LATER)
    assert state(folder) == before


def test_nothing_is_copied_or_put_back_while_it_runs(folder: Path, tmp_path: Path) -> None:
    copy = backup(folder, tmp_path / "copies", NOON)
    with only_one(folder):
        with pytest.raises(PartError, match="runs already"):
            backup(folder, tmp_path / "copies", LATER)
        with pytest.raises(PartError, match="runs already"):
            restore(copy, folder, LATER)
    (folder / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    with pytest.raises(BackupError, match=f"PostgreSQL .process {os.getpid()}. still runs"):
        backup(folder, tmp_path / "copies", LATER)
    with pytest.raises(BackupError, match="still runs"):
        restore(copy, folder, LATER)


def test_a_copy_into_itself_of_nothing_or_over_another_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="another disk"):
        backup(folder, folder / "copies", NOON)
    with pytest.raises(BackupError, match="nothing"):
        backup(tmp_path / "elsewhere", tmp_path / "copies", NOON)
    backup(folder, tmp_path / "copies", NOON)
    with pytest.raises(BackupError, match="there already"):
        backup(folder, tmp_path / "copies", NOON)


def test_a_folder_named_by_a_link_is_copied_and_put_back_where_it_lies(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "named"
    link.symlink_to(folder)
    before = state(folder)
    with only_one(link), pytest.raises(PartError, match="runs already"):
        backup(folder, tmp_path / "copies", NOON)
    copy = backup(link, tmp_path / "copies", NOON)
    (folder / "secret").write_text("broken")
    restore(copy, link, LATER)
    assert link.readlink() == folder
    assert state(folder) == before


@pytest.mark.parametrize("absolute", [False, True])
def test_what_a_link_leads_out_to_is_not_left_out_in_silence(folder: Path, tmp_path: Path, *, absolute: bool) -> None:
    (folder / "kafka").rename(tmp_path / "other disk")
    (folder / "kafka").symlink_to(tmp_path / "other disk" if absolute else "../other disk")
    with pytest.raises(BackupError, match="run/kafka leads out of"):
        backup(folder, tmp_path / "copies", NOON)
    assert not (tmp_path / "copies").exists()


def test_without_a_database_nothing_is_copied_and_nothing_put_back(folder: Path, tmp_path: Path) -> None:
    copy = backup(folder, tmp_path / "copies", NOON)
    with tarfile.open(copy, "w:gz") as tar:
        tar.add(folder / "link", arcname=".")
    Path(f"{copy}.sha256").write_text(f"{hashlib.sha256(copy.read_bytes()).hexdigest()}  {copy.name}\n")
    before = state(folder)
    with pytest.raises(BackupError, match="no database"):
        restore(copy, folder, LATER)
    assert state(folder) == before
    (folder / "postgres" / "data" / "PG_VERSION").unlink()
    with pytest.raises(BackupError, match="no database"):
        backup(folder, tmp_path / "copies", LATER)


@pytest.mark.parametrize("disk", ["run", "run/kafka"])
def test_a_mount_point_is_named_before_anything_is_unpacked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str
) -> None:
    copy = backup(folder, tmp_path / "copies", NOON)
    before = state(folder)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path / disk)
    with pytest.raises(BackupError, match=f"{disk} is a mount point"):
        restore(copy, folder, LATER)
    assert state(folder) == before
    assert not folder.with_name("run.restoring").exists()


def test_the_command_copies_and_puts_back_where_run_keeps_its_data(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIRENET_DATA", str(folder))
    before = state(folder)
    assert main(["restore", str(tmp_path)]) == 1
    assert "there is no copy" in capsys.readouterr().err
    assert main(["backup", str(tmp_path / "copies")]) == 0
    shutil.rmtree(folder)
    assert main(["restore", str(tmp_path / "copies")]) == 0
    assert state(folder) == before
    assert main(["backup", ""]) == 2
