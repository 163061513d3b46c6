"""What the supervisor writes down is what the page shows, and nothing that is no word of ours."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.stack.causes import Cause
from deploy.stack.door import Shut
from deploy.stack.part_status import PartStatus, PartStatusFile
from services.console.adapters.web import texts
from services.console.domain.parts import NOT_RUNNING, PartRow, read_parts
from services.kernel.words import PartState

AT = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = texts.load()


def test_what_the_supervisor_writes_is_what_is_read(tmp_path: Path) -> None:
    file = PartStatusFile(tmp_path / "run" / "parts.json")
    assert read_parts(file.path.read_text()) == ()
    size = file.path.stat().st_size
    file.write(
        [
            PartStatus("PostgreSQL", PartState.RUNS),
            PartStatus("Kafka", PartState.FAILED, Cause.DISK_FULL),
            PartStatus("alerts-fire", PartState.WAITS, waits_for=("Kafka", "set-up")),
            PartStatus("Door", PartState.SHUT, shut_why=Shut.NOT_SUBSCRIBED),
        ],
        AT,
    )
    assert read_parts(file.path.read_text()) == (
        PartRow("kafka", PartState.FAILED, "disk_full"),
        PartRow("alerts_fire", PartState.WAITS, "", ("kafka", "set_up")),
        PartRow("door", PartState.SHUT, "ingest_not_subscribed"),
    )
    assert file.path.stat().st_size == size, "written over in place: a full disk has no room for another file"
    file.write([PartStatus("Kafka", PartState.RUNS)], AT)
    assert read_parts(file.path.read_text()) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"parts": 3}', '{"parts": [{"name'])
def test_a_file_in_the_middle_of_being_written_says_nothing(text: str) -> None:
    assert read_parts(text) is None


def test_nothing_but_words_comes_through() -> None:
    rows = [
        {"name": "/etc/passwd", "state": "failed", "cause": "a line of a log"},
        {"name": "Kafka", "state": "what"},
        {"name": 3, "state": "waits", "waits_for": [None, {"x": 1}, "Kafka"]},
        "Kafka",
    ]
    assert read_parts(json.dumps({"parts": rows})) == (
        PartRow("", PartState.FAILED, ""),
        PartRow("", PartState.WAITS, "", ("", "", "kafka")),
    )


def test_every_cause_has_its_words() -> None:
    assert {f"parts.cause.{word}" for word in [*Cause, *Shut]} <= set(CATALOGUE)
    assert {f"parts.{state}" for state in NOT_RUNNING} <= set(CATALOGUE)
