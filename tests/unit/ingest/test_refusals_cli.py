"""The words of the refusals command line: what it takes, what it shows, and that strangers' bytes stay harmless."""

from datetime import timedelta

import pytest

from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Device, Directory, Version
from services.ingest.domain.replays import LogPosition, ReplayNote, StoredRefusal
from services.ingest.refusals import show
from services.ingest.refusals.options import read_options
from tests.unit.ingest.build import DECODERS, NOON, arrival, directory

PLACE = LogPosition("0" * 32, 1, 7)


def kept(
    raw: bytes = b"hello", topic: str = "firenet/v1/G000001/up/json", raw_bytes: int | None = None
) -> StoredRefusal:
    size = len(raw) if raw_bytes is None else raw_bytes
    return StoredRefusal(PLACE, arrival(raw, topic), "not_json", "expected value", "G000001", "ingest-1", size)


def note(reason: str | None) -> ReplayNote:
    return ReplayNote(PLACE, "G000001", "c1", "wang", NOON, 0 if reason else 2, 0, reason, "because")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("90m", NOON - timedelta(minutes=90)),
        ("7d", NOON - timedelta(days=7)),
        ("2026-06-01T20:00", NOON),
        ("2026-06-01T12:00:00Z", NOON),
    ],
)
def test_instants_are_ages_or_iso_in_china(text: str, at: object) -> None:
    assert read_options(["list", "--since", text], NOON).since == at


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--since", "yesterday"],
        ["list", "--reason", "bad_luck"],
        ["list", "--limit", "0"],
        ["inspect", "../../etc"],
        ["replay"],
        ["replay", "--dry-run"],
        ["replay", "0" * 32, "--by", "a\nb"],
        [],
    ],
)
def test_wrong_words_end_with_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(words, NOON)
    assert ended.value.code == 2


def test_a_refusal_is_open_until_a_replay_made_signals_of_it() -> None:
    assert show.state_of([]) == "open"
    assert show.state_of([note("not_json")]) == "open"
    assert show.state_of([note("not_json"), note(None), note("not_json")]) == "replayed"


def test_what_strangers_send_cannot_steer_a_terminal() -> None:
    evil = kept(b"\x1b[2J", "evil/\x1b[2J\n\u202e")
    lines = list(
        show.sheet(evil, [note("not_json")], decide(evil.arrival, directory(), DECODERS), directory(), limit=16)
    )
    assert all(line.isprintable() for line in lines), lines
    assert lines[-1] == "00000000  1b 5b 32 4a                                       .[2J"


def test_the_dump_says_how_much_is_not_shown() -> None:
    cut = kept(bytes(40), raw_bytes=100)
    assert list(show.sheet(cut, [], decide(cut.arrival, directory(), DECODERS), directory(), limit=32))[-1] == (
        "... 68 of 100 bytes are not shown; 40 are kept"
    )


def test_frames_are_read_by_the_profile_of_the_gateway() -> None:
    known = Directory()
    known.put("G000001", [Version(NOON.date(), "U000001", None, Device("no_such_make"))])
    said = show.frames(kept(b"@@" + bytes(40), "firenet/v1/G000001/up/gb26875"), known)
    assert [sorted(one) for one in said] == [["error"], ["error", "message", "offset"]]
    assert show.frames(kept(), known) == []
