"""The command line as a user meets it: a process, its output, its exit code."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.ingest.gb26875.corpus import ENTRIES
from tests.unit.ingest.gb26875.test_worked_frames import CONFIRM, PRESSURE, TWO_SYSTEMS

ENVELOPE_FIELDS = [
    "serial", "version_main", "version_user", "time_label", "time_label_raw", "source_addr", "source_addr_raw",
    "dest_addr", "dest_addr_raw", "adu_length", "command", "command_name", "checksum", "adu",
]  # fmt: skip


def run(*arguments: str, given: str = "") -> tuple[int, list[str]]:
    """Run the command line in a bare locale and return exit code and lines."""
    command = [sys.executable, "-m", "services.ingest.gb26875", *arguments]
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, input=given.encode(), capture_output=True, env=environment, timeout=60, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode().splitlines()


def test_decode_then_encode_gives_the_bytes_back() -> None:
    code, lines = run("decode", TWO_SYSTEMS.hex(" "), PRESSURE.hex().upper(), CONFIRM.hex())
    assert code == 0
    assert [json.loads(line)["command_name"] for line in lines] == ["send", "send", "confirm"]
    assert all(set(ENVELOPE_FIELDS) <= set(json.loads(line)) for line in lines)
    assert run("encode", given="\n".join(lines)) == (0, [raw.hex().upper() for raw in (TWO_SYSTEMS, PRESSURE, CONFIRM)])


def test_whole_good_corpus_survives_the_round_trip_through_two_processes() -> None:
    good = [entry for entry in ENTRIES if entry.profile == "standard" and "error" not in entry.expect[0]]
    code, lines = run("decode", given="\n".join(entry.raw.hex() for entry in good))
    assert (code, len(lines)) == (0, len(good))
    assert [json.loads(line) for line in lines] == [entry.expect[0] for entry in good]
    assert run("encode", given="\n".join(lines)) == (0, [entry.raw.hex().upper() for entry in good])


def test_bad_frame_prints_one_error_object_and_exits_1() -> None:
    broken = PRESSURE[:-3] + b"\x00##"
    code, [line] = run("decode", broken.hex())
    error = json.loads(line)
    assert (code, error["error"], error["offset"]) == (1, "bad_checksum", 45)
    assert error["message"]


@pytest.mark.parametrize(
    ("bad", "at"), [("404", 3), ("zz", 0), ("40 40 4x 40", 7), (CONFIRM.hex()[:31], 31), (CONFIRM.hex() + "G", 60)]
)
def test_a_line_that_is_no_hex_is_one_error_and_costs_no_other_line(bad: str, at: int) -> None:
    first, last = PRESSURE.hex(), TWO_SYSTEMS.hex()
    for code, lines in (run("decode", given=f"{first}\n{bad}\n{last}\n"), run("decode", first, bad, last)):
        told = [json.loads(line) for line in lines]
        [error] = [each for each in told if "error" in each]
        assert (code, error["error"], error["offset"]) == (1, "bad_hex", len(first) + 1 + at)
        assert [each["checksum"] for each in (told[0], told[-1])] == [PRESSURE[-3], TWO_SYSTEMS[-3]]


def test_profile_is_taken_by_name_and_remembered_in_the_object() -> None:
    entry = next(entry for entry in ENTRIES if entry.name == "profile_keepalive_command7")
    code, lines = run("decode", "--profile", entry.profile, entry.raw.hex())
    assert (code, [json.loads(line) for line in lines]) == (0, entry.expect)
    assert run("encode", lines[0]) == (0, [entry.raw.hex().upper()])
    code, lines = run("decode", entry.raw.hex())
    assert (code, json.loads(lines[0])["error"]) == (1, "unknown_command")


@pytest.mark.parametrize(
    ("command", "given", "error", "offset"),
    [
        ("decode", "4040zz", "bad_hex", 4),
        ("decode", "404", "bad_hex", 3),
        ("decode", " \n", "empty_input", 0),
        ("encode", "", "empty_input", 0),
        ("encode", '{"serial": 1', "bad_json", 12),
        ("encode", "  [1]", "bad_json", 2),
        ("encode", "[" * 100_000, "bad_json", 0),
        ("encode", '{"\\ud800": 1, "serial": 1}', "missing_field", 0),
        ("encode", '{"profile": "none such"}', "unknown_profile", 0),
        ("encode", ' {"serial": 1, "serial": 2}', "bad_json", 1),
    ],
)
def test_unusable_input_is_an_error_object_too(command: str, given: str, error: str, offset: int) -> None:
    code, lines = run(command, given=given)
    printed: dict[str, Any] = json.loads(lines[-1])
    assert (code, printed["error"], printed["offset"], len(lines)) == (1, error, offset, 1)


def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "services.ingest.gb26875", "decode"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(PRESSURE.hex().encode() * 400)  # fits into one pipe; what it prints does not
        process.stdin.close()
        assert json.loads(process.stdout.readline())["serial"] == 513
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == -signal.SIGPIPE


def test_wrong_usage_exits_2() -> None:
    assert run("decode", "--profile", "none such", "4040")[0] == 2
