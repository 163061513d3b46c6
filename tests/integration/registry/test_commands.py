"""What the commands say and keep, on real PostgreSQL, inside this process: starting one for each takes long."""

import secrets
from pathlib import Path

import pytest

from services.registry.app import main
from tests.unit.registry.builders import DEPARTMENTS_CSV, PACK_FILE, unit_row, units_csv


class Command:
    """Runs the command line; Kafka is out of reach, so that whatever would publish fails."""

    def __init__(self, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.environment = {"FIRENET_DATABASE_DSN": database, "FIRENET_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Return the exit code and everything printed."""
        for name, value in self.environment.items():
            self._monkeypatch.setenv(name, value)
        code = main(arguments)
        said = self._capsys.readouterr()
        return code, said.out + said.err


@pytest.fixture
def command(migrated_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(migrated_database, monkeypatch, capsys)


def test_a_dry_run_says_its_effect_and_keeps_nothing(command: Command, tmp_path: Path) -> None:
    command("pack", "--no-publish", str(PACK_FILE))
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    unit_id = f"U-{secrets.token_hex(4)}"
    (tmp_path / "units.csv").write_text(units_csv(unit_row(unit_id)), encoding="utf-8")
    code, said = command("import", "--dry-run", *map(str, sorted(tmp_path.glob("*.csv"))))
    assert code == 0, said
    assert "units.csv: 1 rows, 1 would change, 1 new versions\n" in said
    assert "units: 0 -> 1\n" in said
    assert f"join (1): {unit_id} 安澜医院" in said
    assert "published" not in said
    assert command("show", "unit", unit_id)[0] == 1


def test_a_dry_run_of_a_pack_says_whose_routes_change(command: Command, tmp_path: Path) -> None:
    command("pack", "--no-publish", str(PACK_FILE))
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    (tmp_path / "units.csv").write_text(units_csv(unit_row("U1")), encoding="utf-8")
    assert command("import", "--no-publish", *map(str, sorted(tmp_path.glob("*.csv"))))[0] == 0
    newer = PACK_FILE.read_text(encoding="utf-8").replace("\nversion: 1\n", "\nversion: 2\n")
    (tmp_path / "pack.yaml").write_text(newer.replace("lead: health", "lead: civil-affairs"), encoding="utf-8")
    code, said = command("pack", "--dry-run", "--valid-from", "2026-01-01", str(tmp_path / "pack.yaml"))
    assert code == 0, said
    assert "routes that change (1): U1 安澜医院: health -> civil-affairs\n" in said
    assert "answers for it: health" in command("explain", "U1")[1]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_export_writes_import_takes_and_finds_unchanged(command: Command, tmp_path: Path, form: str) -> None:
    command("pack", "--no-publish", str(PACK_FILE))
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    (tmp_path / "units.csv").write_text(units_csv(unit_row("U1")), encoding="utf-8")
    assert command("import", "--no-publish", *map(str, sorted(tmp_path.glob("*.csv"))))[0] == 0
    out = tmp_path / "out"
    code, said = command("export", "--out", str(out), "--form", form)
    assert (code, f"{out}/units.{form}: 1 rows\n" in said) == (0, True), said
    code, said = command("import", "--no-publish", str(out / f"units.{form}"), str(out / f"departments.{form}"))
    assert (code, said.count("1 rows, 0 changed, 0 new versions")) == (0, 2), said
    code, said = command("pack", "--no-publish", str(out / "sample-2026.yaml"))
    assert (code, "0 changed" in said) == (0, True), said


def test_packs_are_checked_without_database_and_kafka(command: Command, tmp_path: Path) -> None:
    command.environment["FIRENET_DATABASE_DSN"] = "postgresql://nobody@127.0.0.1:1/none"
    assert command("check", str(PACK_FILE)) == (0, f"{PACK_FILE}: nothing wrong\n")
    bad = tmp_path / "pack.yaml"
    bad.write_text(PACK_FILE.read_text(encoding="utf-8").replace("misses: 3", "misses: 0", 1), encoding="utf-8")
    code, said = command("check", str(bad), str(PACK_FILE))
    assert code == 1
    assert "column 29, profiles.CN-FAST.misses: expected a number of at least 1; found 0\n" in said


def test_explain_tells_of_a_pack(command: Command) -> None:
    command("pack", "--no-publish", str(PACK_FILE))
    code, said = command("explain", "--pack", "sample-2026")
    assert (code, "target T03: access_rate over S3 >= 0.3, due 12-31 [003 brigade 四]\n" in said) == (0, True), said
    assert command("explain", "--pack", "nobody") == (1, "nobody is not a policy pack of the register\n")
