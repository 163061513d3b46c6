"""What a stranger sees first: `make` names every command, the demo says plainly what it was asked for."""

import re
import subprocess

import pytest

from deploy.stack.__main__ import demo_units, main
from deploy.stack.centre_lines import SHOWN, CentreLines
from deploy.stack.service import ROOT


def test_make_names_every_command_and_the_demo_first() -> None:
    printed = subprocess.run(["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, check=True).stdout
    named = re.findall(r"^  make (\S+)", printed.decode(), re.MULTILINE)
    phony = {
        name
        for line in re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        for name in line.split()
    }
    assert named[0] == "demo"
    parts_of_others = {name for name in phony if name.startswith(("check-", "test-unit-"))}
    assert sorted(named) == sorted(phony - {"help"} - parts_of_others)


@pytest.mark.parametrize("units", ["0", "49", "20001", "-5", "many", "２００"])
def test_demo_refuses_a_size_that_it_cannot_have(
    units: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNITS", units)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == f"FireNet did not start: UNITS must be a number from 50 to 20000, not {units!r}\n"


def test_demo_has_200_units_unless_told() -> None:
    assert demo_units({}) == 200
    assert demo_units({"UNITS": "20000"}) == 20_000


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "var/demo" in capsys.readouterr().out


def test_of_many_notices_of_a_kind_the_first_are_printed_and_the_rest_is_counted() -> None:
    said: list[str] = []
    lines = CentreLines(said.append)
    for number in range(54):
        lines.received("cn.firenet.case.notice.v1", f"故障告知 {number}")
    assert [line[-1] for line in said] == [str(number) for number in range(SHOWN)]
    lines.tell_rest("cn.firenet.case.notice.v1")
    assert f"{54 - SHOWN} more" in said[-1]
    lines.received("cn.firenet.case.notice.v1", "next")
    assert said[-1].endswith("next")


def test_every_fire_is_printed() -> None:
    said: list[str] = []
    lines = CentreLines(said.append)
    for number in range(20):
        lines.received("cn.firenet.fire.notice.v1", f"火警 {number}")
    assert len(said) == 20


def test_nothing_more_is_said_of_what_was_printed_whole() -> None:
    said: list[str] = []
    lines = CentreLines(said.append)
    lines.received("k", "one")
    lines.tell_rest("k")
    lines.tell_rest("k")
    assert len(said) == 1
