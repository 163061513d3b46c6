"""What ended a part is read out of what it printed: tails of real logs, taken while the real parts failed."""

import json
import signal
from pathlib import Path

import pytest

from deploy.stack.causes import Cause, Why, cause_of, explain

LOGS = Path(__file__).with_name("logs")
TOLD = [
    ("kafka_disk_full", Cause.DISK_FULL, "the disk is full"),
    ("kafka_port", Cause.PORT_TAKEN, "Socket server failed to bind to 127.0.0.1:40109: Address already in use"),
    ("kafka_heap", Cause.NO_MEMORY, "Terminating due to java.lang.OutOfMemoryError: Java heap space"),
    ("kafka_damaged", Cause.DATA_DAMAGED, "Stored node id 7 doesn't match previous node id 1 in "),
    ("kafka_no_jar", Cause.FILE_MISSING, "Could not find or load main class kafka.Kafka"),
    ("postgres_disk_full", Cause.DISK_FULL, "the disk is full"),
    ("postgres_port", Cause.PORT_TAKEN, 'could not bind IPv4 address "127.0.0.1": Address already in use'),
    ("postgres_damaged", Cause.DATA_DAMAGED, "postgres: could not find the database system"),
    ("postgres_version", Cause.DATA_DAMAGED, "database files are incompatible with server: The data directory was "),
    ("postgres_rights", Cause.NOT_ALLOWED, 'data directory "/data/data" has invalid permissions: Permissions '),
    ("mosquitto_port", Cause.PORT_TAKEN, "Address already in use"),
    ("mosquitto_files", Cause.FILE_MISSING, 'Unable to open pwfile "'),
    ("mosquitto_damaged", Cause.DATA_DAMAGED, "Unable to restore persistent database. Unrecognised file format"),
    ("console_port", Cause.PORT_TAKEN, "cannot listen on 127.0.0.1:35989: the port is taken"),
    ("ingest_port", Cause.PORT_TAKEN, "cannot listen on 127.0.0.1:35989: the port is taken"),
    ("alerts_setting", Cause.BAD_SETTING, "ALERTS_HTTP_PORT: Input should be a valid integer"),
]


@pytest.mark.parametrize(("log", "cause", "words"), TOLD, ids=[log for log, _, _ in TOLD])
def test_a_real_log_names_its_cause(log: str, cause: Cause, words: str) -> None:
    told = explain((LOGS / f"{log}.log").read_text(encoding="utf-8"), 1)
    assert told.cause is cause
    assert told.words.startswith(words)


def test_every_stored_log_is_looked_at() -> None:
    assert {path.stem for path in LOGS.iterdir()} == {log for log, _, _ in TOLD}


def event(level: str, name: str, **more: object) -> str:
    return json.dumps({"event": name, "level": level, **more})


def test_what_a_library_complains_of_is_not_what_ended_a_service() -> None:
    log = "\n".join(
        [
            event("error", "rules_ended", reason="no room for the state: No space left on device"),
            event("error", "Unable connect to node", logger="aiokafka.conn"),
            event("info", "stopped"),
        ]
    )
    assert explain(log, 1) == Why(Cause.DISK_FULL, "the disk is full")


def test_an_exception_that_nobody_caught_comes_before_what_was_logged() -> None:
    log = event("error", "late", error="something else") + (
        "\nTraceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    open('/none')\n"
        "FileNotFoundError: [Errno 2] No such file or directory: '/none'\n"
    )
    assert explain(log, 1) == Why(Cause.FILE_MISSING, "[Errno 2] No such file or directory: '/none'")


def test_the_shutdown_after_a_failure_does_not_hide_it() -> None:
    log = """2026-11-28T22:19:01.520+0000 ERROR x.LogDirFailureChannel - Error while appending records
java.io.IOException: No space left on device
\tat java.base/sun.nio.ch.IOUtil.write(Unknown Source)
2026-11-28T22:19:01.524+0000 WARN x.ReplicaManager - Stopping
2026-11-28T22:19:02.000+0000 ERROR x.Fetcher - Error while closing
java.lang.IllegalStateException: already closed
"""
    assert explain(log, 1).cause is Cause.DISK_FULL


def test_what_was_fatal_for_a_session_is_not_what_ended_the_server() -> None:
    log = """2026-11-28 22:19:07.000 UTC [1] PANIC:  could not locate a valid checkpoint record at 0/1528
2026-11-28 22:19:07.100 UTC [9] FATAL:  the database system is starting up
2026-11-28 22:19:07.100 UTC [9] FATAL:  password authentication failed for user "x"
"""
    assert explain(log, 1) == Why(Cause.DATA_DAMAGED, "could not locate a valid checkpoint record at 0/1528")


@pytest.mark.parametrize("log", ["Exception: an old story", event("error", "x", error="an old story"), ""])
def test_who_was_killed_did_not_die_of_its_last_line(log: str) -> None:
    assert explain(log, -signal.SIGKILL).cause is Cause.KILLED
    assert explain(log, -signal.SIGKILL, by_system=True).cause is Cause.NO_MEMORY
    assert "old story" not in explain(log, -signal.SIGKILL).words


def test_a_broker_that_panicked_says_with_what() -> None:
    log = "thread 'x' panicked at src/a.rs:1:2:\nindex out of bounds\nthe broker's router is gone; ending\n"
    assert explain(log, 70).words == "thread 'x' panicked at src/a.rs:1:2: index out of bounds"


@pytest.mark.parametrize(("log", "words"), [("", "it said nothing"), ("one\ntwo\n", "two"), ("\x00\n", "\x00")])
def test_who_says_nothing_of_use_is_quoted(log: str, words: str) -> None:
    assert explain(log, 3) == Why(Cause.OTHER, words)


def test_words_stay_short() -> None:
    assert len(explain("x" * 5000, 1).words) <= 300


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("OSError: [Errno 28] No space left on device", Cause.DISK_FULL),
        ("[Errno 122] Disk quota exceeded", Cause.DISK_FULL),
        ("[Errno 5] Input/output error", Cause.DISK_FAILS),
        ("[Errno 30] Read-only file system", Cause.DISK_FAILS),
        ("[Errno 24] Too many open files", Cause.TOO_MANY_FILES),
        ("[Errno 12] Cannot allocate memory", Cause.NO_MEMORY),
        ("[Errno 13] Permission denied: 'x'", Cause.NOT_ALLOWED),
        ("No module named 'aiokafka'", Cause.FILE_MISSING),
        ("connection failed: Connection refused", Cause.UNREACHABLE),
        ("all is well", Cause.OTHER),
    ],
)
def test_signs(text: str, cause: Cause) -> None:
    assert cause_of(text) is cause
