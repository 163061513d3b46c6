import os
from datetime import UTC, datetime
from pathlib import Path

from deploy.stack.point_in_time import recover

NOW = datetime(2026, 3, 9, tzinfo=UTC)


def test_a_number_that_another_program_has_since_a_power_cut_keeps_no_recovery_from_its_way(tmp_path: Path) -> None:
    folder, base = tmp_path / "postgres", tmp_path / "base"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    base.mkdir()
    (base / "backup_label").touch()
    before = recover(folder, base, tmp_path / "log", None, NOW)
    assert before is not None
    assert (before / "postmaster.pid").exists()
    assert "recovery_target_time = ''" in (folder / "data" / "postgresql.auto.conf").read_text()
