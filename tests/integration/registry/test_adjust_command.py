"""`adjust` on real PostgreSQL, inside this process; Kafka is out of reach."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.kernel.calendar import CHINA
from services.registry.__main__ import run
from services.runtime.clock import SystemClock
from tests.unit.registry.builders import DEPARTMENTS_CSV, PACK_FILE, unit_row, units_csv

PAST = ["--from", "2026-03-01T08:00", "--to", "2026-03-01T09:30"]
CORRECTION = ["request", "--unit", "U1", "--what", "correction", "--counted-as", "connected", "--reason", "申诉成立"]
CONNECT_FAILS = "what was approved stays approved, `publish` hands it on later"


class Adjust:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str]:
        code = run(["adjust", *arguments])
        said = self._capsys.readouterr()
        return code, said.out + said.err


@pytest.fixture
def adjust(
    migrated_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Adjust:
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)
    monkeypatch.setenv("FIRENET_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    (tmp_path / "units.csv").write_text(units_csv(unit_row("U1")), encoding="utf-8")
    assert run(["pack", "--no-publish", str(PACK_FILE)]) == 0
    assert run(["import", "--no-publish", *map(str, sorted(tmp_path.glob("*.csv")))]) == 0
    capsys.readouterr()
    return Adjust(capsys)


def test_a_correction_is_asked_for_and_approved_by_another(adjust: Adjust) -> None:
    code, said = adjust(*CORRECTION, *PAST, "--evidence", "附件一", "--by", "li")
    asked = json.loads(said)
    assert (code, asked["state"], asked["starts_at"]) == (0, "requested", "2026-03-01T08:00+08:00")
    name = asked["adjustment_id"]
    assert adjust("approve", name, "--by", "li") == (1, "li asked for it: a second person decides\n")
    code, said = adjust("approve", name, "--by", "wang")
    assert (code, json.loads(said.splitlines()[0])["state"]) == (1, "approved"), "Kafka does not answer"
    assert CONNECT_FAILS in said
    assert json.loads(adjust("show", name)[1])["approvals"] == ["wang"]
    assert adjust("list", "--state", "requested") == (0, "")
    assert adjust("approve", name, "--by", "zhao") == (1, f"{name} is approved and waits for nobody\n")
    assert adjust("audit") == (0, "audit: 2 entries, whole\n")


def test_the_board_says_what_is_let_off_now(adjust: Adjust) -> None:
    now = SystemClock().now().astimezone(CHINA)
    times = [f"{at:%Y-%m-%dT%H:%M}" for at in (now - timedelta(hours=1), now + timedelta(hours=1))]
    window = ["request", "--unit", "U1", "--what", "test", "--from", times[0], "--to", times[1], "--reason", "年检"]
    name = json.loads(adjust(*window, "--system", "1", "--by", "li")[1])["adjustment_id"]
    assert adjust("board") == (0, "")
    adjust("approve", name, "--by", "wang")
    (line,) = adjust("board")[1].splitlines()
    assert (json.loads(line)["adjustment_id"], json.loads(line)["system"]) == (name, "1")
    adjust("end", name, "--by", "li")
    assert json.loads(adjust("show", name)[1])["state"] == "ended"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*CORRECTION, *PAST, "--by", "li"], "a correction names its evidence\n"),
        ([*CORRECTION, *PAST, "--evidence", "x", "--by", "Li"], "an account: 1 to 64 of a-z"),
        ([*CORRECTION, "--from", "2026-03-01T08:00:30", "--to", "2026-03-01T09:00", "--evidence", "x", "--by", "li"],
         "from and to are whole minutes\n"),
        (["approve", "A2026-000009", "--by", "li"], "there is no adjustment A2026-000009\n"),
    ],
    ids=lambda each: None if isinstance(each, list) else each.split(":")[0].strip(),
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_sentence(adjust: Adjust, arguments: list[str], said: str) -> None:
    code, told = adjust(*arguments)
    assert code == 1
    assert told.startswith(said)


@pytest.mark.parametrize("arguments", [["request"], ["reject", "A1", "--by", "li"], ["list", "--state", "lost"], []])
def test_bad_usage_is_told_with_2(adjust: Adjust, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        adjust(*arguments)
    assert stopped.value.code == 2
