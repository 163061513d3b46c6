"""Why a part ended: the cause as a word of a closed set, and the sentence in which the part itself says it.

A log's last line, or its first with "Error" in it, is as a rule about something else: a client that could not connect,
the clean-up after the failure. Each kind of part has its own way of saying what ended it, and these are read here.
"""

import json
import re
import signal
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

WORDS_LIMIT = 300
NOISE = ("aiokafka", "psycopg", "uvicorn", "asyncio")
"""Loggers of libraries: what they complain of is seldom what ended the service."""
SESSION = (
    "terminating ",
    "the database system is",
    "authentication failed",
    "pg_hba.conf",
    "too many clients",
    "does not exist",
    "unsupported frontend",
    "canceling ",
    "connection to client",
)
"""PostgreSQL: fatal for one session, not for the server."""


class Cause(StrEnum):
    """What a person would have to mend."""

    DISK_FULL = "disk_full"
    DISK_FAILS = "disk_fails"
    PORT_TAKEN = "port_taken"
    NO_MEMORY = "no_memory"
    TOO_MANY_FILES = "too_many_files"
    NOT_ALLOWED = "not_allowed"
    DATA_DAMAGED = "data_damaged"
    FILE_MISSING = "file_missing"
    BAD_SETTING = "bad_setting"
    RUNS_ALREADY = "runs_already"
    KILLED = "killed"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    OTHER = "other"


class Why(NamedTuple):
    cause: Cause
    words: str
    """The rest of a sentence, without its full stop."""


SIGNS: tuple[tuple[Cause, str], ...] = (
    (Cause.DISK_FULL, r"no space left|disk quota exceeded|not enough space on|disk is full|disk that holds .* is full"),
    (Cause.DISK_FAILS, r"input/output error|read-only file system|\[Errno (5|30)\]"),
    (Cause.PORT_TAKEN, r"address already in use|AddrInUse|port is taken|is taken by|\[Errno 98\]"),
    (Cause.NO_MEMORY, r"OutOfMemoryError|cannot allocate memory|MemoryError|could not reserve enough space"
     r"|out of memory|could not map anonymous shared memory"),
    (Cause.TOO_MANY_FILES, r"too many open files"),
    (Cause.DATA_DAMAGED, r"incompatible with server|doesn't match previous|corrupt|valid checkpoint|unrecognised file"
     r"|InconsistentClusterId|could not find the database system|CorruptRecord|invalid magic|invalid page"),
    (Cause.NOT_ALLOWED, r"permission denied|invalid permissions|AccessDenied|operation not permitted|PermissionError"),
    (Cause.FILE_MISSING, r"no such file|FileNotFound|NoSuchFile|ModuleNotFound|No module named|ClassNotFound|is missing"
     r"|are missing|could not find or load|unable to (open|load)|not installed"),
    (Cause.BAD_SETTING, r"field required|input should be|outside the valid range|unrecognized configuration|"
     r"value error|invalid value for parameter|which is no port number"),
    (Cause.UNREACHABLE, r"connection refused|connect call failed|no answer from|could not be reached"
     r"|name resolution|could not be fetched"),
)  # fmt: skip
_SIGNS = [(cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in SIGNS]
_DECISIVE = frozenset({Cause.DISK_FULL, Cause.DISK_FAILS, Cause.NO_MEMORY})
"""Whatever else was said: with one of these, the rest followed from it."""

_JAVA = re.compile(r"^(?:Caused by: )?(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)[\w$]*(?:: .*)?$")
_JAVA_LEVEL = re.compile(r"^\S+ (?:ERROR|FATAL) ")
_JAVA_OTHER = re.compile(r"^\S+ (?:WARN|INFO|DEBUG) ")
_JVM = re.compile(r"^(?:Terminating due to |Could not reserve|Error: Could not find or load|#\s+SIG)")
_PG = re.compile(r"^\S+ \S+ \S+ \[\d+\] (?P<level>[A-Z]+\d?):\s+(?P<text>.*)$")
_PYTHON = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Failed|Died|Refused|Timeout|Interrupt)\b.*$|^OSError.*$")
_PLAIN = re.compile(r"\b(?:error|fatal|panic|failed|unable|cannot|could not)\b", re.IGNORECASE)
_LEADING = re.compile(r"^(?:\d{4}-\d\d-\d\dT[\d:.+-]*Z?:?|\d{9,}:)\s+")


def cause_of(text: str) -> Cause:
    """Return the cause that a message names."""
    return next((cause for cause, pattern in _SIGNS if pattern.search(text)), Cause.OTHER)


def explain(log: str, code: int | None = None, *, by_system: bool = False) -> Why:
    """Return why a process ended that printed `log` since its start and ended with `code` (negative: that signal).

    `by_system`: the kernel ended processes of this machine for want of memory meanwhile; it does not tell which.
    """
    if code is not None and code < 0 and -code not in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
        if by_system and code == -signal.SIGKILL:
            return Why(Cause.NO_MEMORY, "the system ended processes for want of memory meanwhile, probably this one")
        return Why(Cause.KILLED, "somebody ended it, or the system did for want of memory")
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    for read in (_from_java, _from_postgres, _from_python, _from_plain):
        told = read(lines)
        if told is not None:
            return told
    return Why(Cause.OTHER, _short(lines[-1]) if lines else "it said nothing")


def _short(words: str) -> str:
    words = " ".join(_LEADING.sub("", words.strip()).split())
    return (words if len(words) <= WORDS_LIMIT else words[: WORDS_LIMIT - 4] + " ...").rstrip(".")


def _why(words: str, context: str = "") -> Why:
    """Name the cause of `words`, and of what stands around them when they name none."""
    cause = cause_of(words)
    if cause is Cause.OTHER and context:
        cause = cause_of(context)
    return Why(cause, "the disk is full" if cause is Cause.DISK_FULL else _short(words))


def _from_java(lines: list[str]) -> Why | None:
    """The exception of the last error; of the first that is decisive: the shutdown after it has errors of its own."""
    blocks: list[list[str]] = []
    inside = False
    for line in lines:
        if _JVM.match(line):
            return _why(line.removeprefix("Error: "))
        if _JAVA_LEVEL.match(line):
            blocks.append([])
            inside = True
        elif _JAVA_OTHER.match(line):
            inside = False
        elif line.startswith("Exception in thread"):
            blocks.append([])
            inside = True
        if inside:
            blocks[-1].append(line)
    told = [_java_block(block) for block in blocks]
    decisive = [why for why in told if why.cause in _DECISIVE]
    named = [why for why in told if why.cause is not Cause.OTHER]
    found = decisive[:1] or named[-1:] or told[-1:]
    return found[0] if found else None


def _java_block(block: list[str]) -> Why:
    all_thrown = [line for line in block if _JAVA.match(line)]
    thrown = next((line for line in all_thrown if cause_of(line) is not Cause.OTHER), next(iter(all_thrown), None))
    if thrown is None:
        head = block[0].partition(" - ")[2] or block[0].partition('" ')[2] or block[0]
        return _why(head)
    return _why(thrown.removeprefix("Caused by: ").partition(": ")[2] or thrown, "\n".join(block))


def _from_postgres(lines: list[str]) -> Why | None:
    """The last that was fatal for the server; what could not be done just before it and the detail after it count."""
    entries = [match for match in map(_PG.match, lines) if match is not None]
    fatal = [
        number
        for number, entry in enumerate(entries)
        if entry["level"] in ("FATAL", "PANIC") and not any(word in entry["text"] for word in SESSION)
    ]
    if not fatal:
        return None
    place = fatal[-1]
    around = [entry["text"] for entry in entries[max(0, place - 4) : place + 2]]
    words = entries[place]["text"]
    before = next((text for text in reversed(around) if text.startswith("could not bind")), None)
    if before is not None and "sockets" in words:
        words = before
    elif place + 1 < len(entries) and entries[place + 1]["level"] == "DETAIL":
        words = f"{words}: {entries[place + 1]['text']}"
    return _why(words, "\n".join(around))


def _from_python(lines: list[str]) -> Why | None:
    """An exception that nobody caught; or else the last error that a service of ours logged."""
    plain = [line for line in lines if not line.startswith("{")]
    begin = next((n for n in range(len(plain) - 1, -1, -1) if plain[n].startswith("Traceback (most recent")), None)
    if begin is not None:
        thrown = _thrown(plain[begin:])
        if thrown is not None:
            return thrown
    events = [event for event in map(_event, lines) if event is not None]
    if not events:
        return None
    errors = [event for event in events if event.get("level") in ("error", "critical")]
    own = [event for event in errors if not str(event.get("logger", "")).startswith(NOISE)]
    return next(filter(None, map(_of_event, reversed(own))), None) or _complaint(plain) or _of_last(errors or events)


def _thrown(lines: Iterable[str]) -> Why | None:
    found = [line for line in lines if _PYTHON.match(line)]
    if not found:
        return None
    name, _, message = found[-1].partition(": ")
    keep_name = not message or name.rpartition(".")[2] in ("KeyError", "AssertionError", "AttributeError", "TypeError")
    return _why(found[-1] if keep_name else message, found[-1])


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _of_event(event: dict[str, Any]) -> Why | None:
    if isinstance(event.get("exception"), str):
        return _thrown(event["exception"].splitlines())
    told = event.get("reason") or event.get("error")
    return _why(str(told)) if told else None


def _complaint(plain: list[str]) -> Why | None:
    return _why(plain[-1], "\n".join(plain)) if plain else None


def _of_last(events: list[dict[str, Any]]) -> Why:
    return _why(str(events[-1].get("event", "")))


def _from_plain(lines: list[str]) -> Why | None:
    """The line with the clearest sign; or else the first complaint, for what follows it follows from it."""
    panic = next((n for n, line in enumerate(lines) if "panicked at" in line), None)
    if panic is not None:
        following = lines[panic + 1] if panic + 1 < len(lines) else ""
        return _why(f"{lines[panic]} {following}")
    for line in lines:
        if cause_of(line) is not Cause.OTHER:
            return _why(line.partition("Error: ")[2] or line)
    first = next((line for line in lines if _PLAIN.search(line) and "Warning:" not in line), None)
    return None if first is None else _why(first.partition("Error: ")[2] or first)
