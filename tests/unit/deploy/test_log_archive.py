import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.stack.log_archive import PATIENCE, LogArchive
from deploy.stack.lookout import Lookout
from deploy.stack.supervision import REPEAT_EVERY_S

NOW = datetime(2026, 3, 9, tzinfo=UTC)


@pytest.fixture
def archive(tmp_path: Path) -> LogArchive:
    (tmp_path / "data").mkdir()
    return LogArchive(tmp_path / "disk" / "log", tmp_path / "archive.made")


def offer(archive: LogArchive, piece: Path) -> bool:
    """Do what PostgreSQL does with a piece; say whether it takes it for archived."""
    command = str(archive.settings(None)["archive_command"])
    done = subprocess.run(["sh", "-c", command.replace("%p", str(piece)).replace("%f", piece.name)], check=False)
    return done.returncode == 0


def test_a_piece_that_is_offered_again_is_archived_and_another_of_its_name_is_not(
    archive: LogArchive, tmp_path: Path
) -> None:
    piece = tmp_path / "000000010000000000000001"
    piece.write_text("one")
    assert offer(archive, piece)
    assert offer(archive, piece), "PostgreSQL crashed before it had noted that it was"
    piece.write_text("two")
    assert not offer(archive, piece)
    assert (archive.folder / piece.name).read_text() == "one"


def test_an_archive_that_cannot_be_made_does_not_keep_the_database_down(archive: LogArchive, tmp_path: Path) -> None:
    archive.folder.parent.write_text("a file where its folder should be")
    assert archive.settings(None)["archive_mode"] == "on"
    assert "not archived" in (archive.trouble(tmp_path / "data", NOW) or "")


def test_an_archive_whose_disk_is_not_mounted_is_not_begun_anew_elsewhere(archive: LogArchive, tmp_path: Path) -> None:
    archive.settings(None)
    assert archive.trouble(tmp_path / "data", NOW) is None
    archive.folder.rmdir()
    archive.settings(None)
    assert not archive.folder.exists()
    assert "is not there" in (archive.trouble(tmp_path / "data", NOW) or "")


def test_the_terminal_hears_of_pieces_that_wait_and_of_their_end(archive: LogArchive, tmp_path: Path) -> None:
    class Clock:
        seconds = 0.0

        def now(self) -> datetime:
            return NOW + timedelta(seconds=self.seconds)

        def monotonic(self) -> float:
            return self.seconds

    clock, said = Clock(), list[str]()
    archive.settings(None)
    status = tmp_path / "data" / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    waits = status / "000000010000000000000001.ready"
    waits.touch()
    os.utime(waits, (NOW.timestamp(), NOW.timestamp()))
    lookout = Lookout(
        tmp_path / "parts.json", None, said.append, clock, lambda now: archive.trouble(tmp_path / "data", now)
    )
    lookout.look(())
    assert said == []
    clock.seconds = PATIENCE.total_seconds()
    lookout.look(())
    lookout.look(())
    assert len(said) == 1
    assert "fills the disk" in said[0]
    clock.seconds += REPEAT_EVERY_S
    lookout.look(())
    assert len(said) == 2, "it is said again"
    waits.unlink()
    lookout.look(())
    assert said[2:] == ["PostgreSQL's log is archived again."]
