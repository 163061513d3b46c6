"""Files of the archive: what counts, what a crash leaves, when a file ends, and what is never touched."""

import base64
import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.compliance.adapters.archive_files import TOPIC_ID
from services.compliance.adapters.archive_reader import ArchiveReader
from services.compliance.ports import LogRecord, Place, Trouble, Waits
from tests.fakes.clock import ManualClock
from tests.fakes.compliance import NOW
from tests.unit.compliance.archive import NOON_MS, REGISTRY, SIGNALS, archive, kept, names, records

NONE: dict[Place, int | None] = {SIGNALS: None, REGISTRY: None}
HOUR_MS = 3_600_000


def test_a_file_is_named_by_the_offsets_it_holds(tmp_path: Path) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 5, records(7, 3))
    assert names(tmp_path) == ["2026-03-10/00000000000000000005.unfinished"]
    assert held.finish() == {SIGNALS: 10}
    assert names(tmp_path) == ["2026-03-10/00000000000000000005-00000000000000000009.jsonl.gz"]


def test_a_line_holds_the_bytes_of_the_event(tmp_path: Path) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    odd = b'{ "a" : "\xe7\x81\xab", "a":1.10 }'
    held.append(SIGNALS, 0, [LogRecord(0, NOON_MS, b"U1", odd)])
    held.close()
    (path,) = tmp_path.glob("*/*/*/*.gz")
    told = b'{"recorded_at":"2026-03-10T12:00:00.000Z","topic":"firenet.signals.v1","partition":0,"offset":0,"event":'
    assert gzip.decompress(path.read_bytes()) == told + odd + b"}\n"


@pytest.mark.parametrize("value", [b"", None, b"[1]", b'{"a":1', b'{"a":\n1}', b'{"a":"\xff"}', b'{"a":NaN}', b"\x00"])
def test_what_is_no_event_is_kept_as_it_is_and_counted(tmp_path: Path, value: bytes | None) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    done = held.append(SIGNALS, 0, [LogRecord(0, NOON_MS, None, value), *records(1, 1)])
    held.close()
    assert (done.records, done.undecodable) == (2, 1)
    first, second = kept(tmp_path)
    raw = first["raw"]
    assert (raw["key"], None if raw["value"] is None else base64.b64decode(raw["value"])) == (None, value)
    assert second["event"] == {"n": 1}


def test_what_was_unfinished_is_not_there_after_a_crash_and_the_rest_is(tmp_path: Path) -> None:
    first = archive(tmp_path)
    first.open(NONE)
    first.append(SIGNALS, 0, records(0, 4))
    first.finish()
    first.append(SIGNALS, 4, records(4, 4))
    os.close(first._lock or 0)  # as the end of a process does

    second = archive(tmp_path)
    assert second.open(NONE) == {SIGNALS: 4, REGISTRY: None}
    second.append(SIGNALS, 4, records(4, 2))
    second.close()
    assert [line["offset"] for line in kept(tmp_path)] == list(range(6))
    assert all(name.endswith(".gz") for name in names(tmp_path))


def test_the_time_of_a_line_never_falls_and_what_was_changed_is_counted(tmp_path: Path) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    times = [NOON_MS, NOON_MS - 5, NOON_MS + 1, -1]
    done = held.append(SIGNALS, 0, [LogRecord(n, at, None, b"{}") for n, at in enumerate(times)])
    held.close()
    assert done.clamped == 2
    assert [line["recorded_at"][20:23] for line in kept(tmp_path)] == ["000", "000", "001", "001"]


def test_the_time_of_a_line_never_falls_over_a_restart(tmp_path: Path) -> None:
    for first, at_ms in ((0, NOON_MS), (1, NOON_MS - HOUR_MS)):
        held = archive(tmp_path)
        held.open(NONE)
        done = held.append(SIGNALS, first, [LogRecord(first, at_ms, None, b"{}")])
        held.close()
        assert done.clamped == first
    assert len({line["recorded_at"] for line in kept(tmp_path)}) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_what_comes_later_than_the_signals_are_whole_is_dated_there(tmp_path: Path, restarted: bool) -> None:
    """A reader has taken what lies before as all that there is."""
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 2))
    held.finish()
    held.append(SIGNALS, 2, records(2, 1, NOON_MS + 60_000))  # not whole yet: it counts for nothing
    if restarted:
        os.close(held._lock or 0)
        held = archive(tmp_path)
        held.open(NONE)
    done = held.append(REGISTRY, 0, [LogRecord(0, NOON_MS - HOUR_MS, None, b"{}"), *records(1, 1, NOON_MS + 5)])
    held.close()
    assert done.clamped == 1
    assert [line["recorded_at"][11:23] for line in kept(tmp_path, REGISTRY)] == ["12:00:00.001", "12:00:00.006"]


def test_a_producer_with_a_clock_far_ahead_does_not_date_all_that_follows(tmp_path: Path) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 0, [LogRecord(0, NOON_MS + 1000 * HOUR_MS, None, b"{}"), *records(1, 1)])
    held.close()
    assert [line["recorded_at"] for line in kept(tmp_path)] == ["2026-03-10T13:00:00.000Z"] * 2


def test_a_file_is_due_by_its_size_and_by_its_age(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    held = archive(tmp_path, clock, roll_bytes=1000, roll_s=60.0)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 1))
    assert not held.due()
    clock.seconds += 60
    assert held.due()
    held.finish()
    assert not held.due()
    held.append(SIGNALS, 1, records(1, 20))
    assert held.due()


def test_a_file_is_of_one_day_and_with_a_new_day_all_are_finished(tmp_path: Path) -> None:
    held = archive(tmp_path, ManualClock(datetime(2026, 3, 12, tzinfo=UTC)))
    held.open(NONE)
    held.append(REGISTRY, 0, records(0, 1))
    held.append(SIGNALS, 0, [*records(0, 2), *records(2, 2, NOON_MS + 12 * HOUR_MS)])
    assert names(tmp_path) == [
        "2026-03-10/00000000000000000000-00000000000000000001.jsonl.gz",
        "2026-03-11/00000000000000000002.unfinished",
    ]
    assert names(tmp_path, REGISTRY) == ["2026-03-10/00000000000000000000-00000000000000000000.jsonl.gz"]
    assert held.finish() == {SIGNALS: 4, REGISTRY: 1}


def test_two_processes_never_write_to_one_archive(tmp_path: Path) -> None:
    first, second = archive(tmp_path), archive(tmp_path)
    first.open(NONE)
    with pytest.raises(Waits) as refused:
        second.open(NONE)
    assert refused.value.trouble is Trouble.HELD
    first.close()
    second.open(NONE)
    second.close()


def test_an_archive_that_is_gone_is_missed_and_not_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(Waits) as missed:
        archive(tmp_path / "gone").open({SIGNALS: 7, REGISTRY: None})
    assert missed.value.trouble is Trouble.MISSING
    assert not (tmp_path / "gone").exists()
    (tmp_path / "LOCK").touch()
    with pytest.raises(Waits) as emptied:
        archive(tmp_path).open({SIGNALS: 7, REGISTRY: None})
    assert emptied.value.trouble is Trouble.MISSING


def test_a_folder_that_is_taken_away_or_replaced_gets_nothing(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    for replaced in (False, True):
        held = archive(root)
        held.open(NONE)
        held.append(SIGNALS, 0, records(0, 1))
        root.rename(tmp_path / f"away-{replaced}")
        if replaced:
            root.mkdir()
            (root / "LOCK").touch()
        with pytest.raises(Waits) as written:
            held.append(SIGNALS, 1, records(1, 1))
        with pytest.raises(Waits) as finished:
            held.finish()
        assert written.value.trouble is finished.value.trouble is Trouble.MISSING
        assert held.close() == {}
    assert list(root.iterdir()) == [root / "LOCK"]


def test_with_too_little_room_nothing_is_written_and_what_there_is_can_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = archive(tmp_path, min_free_bytes=1000)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 2))
    monkeypatch.setattr(held, "free_bytes", lambda: 999)
    with pytest.raises(Waits) as full:
        held.append(SIGNALS, 2, records(2, 1))
    assert full.value.trouble is Trouble.FULL
    assert held.close() == {SIGNALS: 2}
    assert len(kept(tmp_path)) == 2


def test_a_file_that_was_written_in_part_is_never_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 1))

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", fail)
        big = [LogRecord(1, NOON_MS, None, b'{"a":"' + os.urandom(200_000).hex().encode() + b'"}')]
        with pytest.raises(Waits) as full:
            held.append(SIGNALS, 1, big)
    assert full.value.trouble is Trouble.FULL
    assert held.close() == {}
    assert names(tmp_path) == []


def test_a_damaged_last_file_stops_the_start_and_says_which(tmp_path: Path) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 50))
    held.close()
    (path,) = tmp_path.glob("*/*/*/*.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Waits, match="is damaged") as damaged:
        archive(tmp_path).open(NONE)
    assert damaged.value.trouble is Trouble.FAILED


def test_old_files_go_but_never_the_last_of_a_place_and_never_the_registry(tmp_path: Path) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    for number in range(3):
        for place in (SIGNALS, REGISTRY):
            held.append(place, number, records(number, 1, NOON_MS + (number - 2) * 24 * HOUR_MS))
        held.finish()
    dropped = held.drop_before(date(2027, 1, 1), {SIGNALS.topic})
    assert dropped == 2
    assert [line["offset"] for line in kept(tmp_path)] == [2]
    assert [line["offset"] for line in kept(tmp_path, REGISTRY)] == [0, 1, 2]
    assert [day.name for day in (tmp_path / SIGNALS.topic / "0").iterdir()] == ["2026-03-10"]
    held.close()
    assert archive(tmp_path).open(NONE)[SIGNALS] == 3


def test_the_id_of_a_topic_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 1))
    held.finish()
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    held.belongs_to({SIGNALS.topic: "a"})
    folder = tmp_path / SIGNALS.topic
    assert synced == [folder / f"{TOPIC_ID}.unfinished", folder]
    assert ArchiveReader(tmp_path).topic_ids() == {SIGNALS.topic: "a"}


def test_an_empty_id_is_that_of_no_topic(tmp_path: Path) -> None:
    """A power cut may leave it behind: nothing is read from its beginning for that."""
    held = archive(tmp_path)
    held.open(NONE)
    held.append(SIGNALS, 0, records(0, 1))
    held.close()
    (tmp_path / SIGNALS.topic / TOPIC_ID).write_text("")
    assert ArchiveReader(tmp_path).topic_ids() == {}
