"""Section 5, R21 to R25: fire, faults and isolations of one pair, and the points that it was heard of."""

from dataclasses import dataclass
from typing import NamedTuple

from tests.naive.inputs import DAY, NEVER, Row, instant

Key = tuple[str, str] | None
"""(system or "", address); None is the whole gateway."""
WHOLE: Key = None


class Told(NamedTuple):
    """One event of a pair in the order of R21."""

    at: int
    signal: Row
    key: Key


@dataclass
class Trouble:
    """[begin, end) of one trouble; NEVER while it is open. `first` and `last` are the places of its events."""

    kind: str
    key: Key
    begin: int
    first: int
    end: int = NEVER
    last: int = 1 << 30


def trouble_time(signal: Row) -> int:
    """R21: what the device says, when it lies in the day before the reception; else the reception."""
    data = signal["data"]
    at = instant(signal["time"])
    if "replayed" in data.get("flags", []) and data.get("first_received_at") is not None:
        at = instant(data["first_received_at"])
    if data.get("occurred_at") is not None and at - DAY <= instant(data["occurred_at"]) <= at:
        return instant(data["occurred_at"])
    return at


def in_order(signals: list[Row]) -> list[Told]:
    """R21: by (that time, received, seq or -1, id)."""

    def place(signal: Row) -> tuple[int, int, int, str]:
        data = signal["data"]
        received = instant(signal["time"])
        if "replayed" in data.get("flags", []) and data.get("first_received_at") is not None:
            received = instant(data["first_received_at"])
        seq = data.get("seq")
        return trouble_time(signal), received, -1 if seq is None else seq, signal["id"]

    return [Told(trouble_time(signal), signal, key_of(signal)) for signal in sorted(signals, key=place)]


def key_of(signal: Row) -> Key:
    """R22: (system or "", address), None for the whole gateway."""
    point = signal["data"].get("point")
    return None if point is None else (point.get("system") or "", point["address"])


def says(told: Told, kind: str) -> bool:
    """R22: whether this event begins a trouble of this kind."""
    return told.signal["data"]["kind"] == kind and "repeated" not in told.signal["data"].get("flags", [])


def restores(told: Told, kind: str, key: Key) -> bool:
    """R22: whether this event ends the trouble of this kind and key."""
    data = told.signal["data"]
    if data["kind"] != "restore" or {"repeated", "test_or_omission"} & set(data.get("flags", [])):
        return False
    if data["restores"] not in (kind, "all"):
        return False
    if told.key is None or told.key == key:
        return True
    return key is not None and told.key[1] == "*" and told.key[0] == key[0]


def troubles(events: list[Told]) -> list[Trouble]:
    """R22, R23: all troubles of a pair."""
    result: list[Trouble] = []
    for kind in ("isolation", "fire", "fault"):
        for key in {told.key for told in events if says(told, kind)}:
            isolations = [trouble for trouble in result if trouble.kind == "isolation" and trouble.key in (key, WHOLE)]
            result += _of_key(events, kind, key, isolations if kind == "fault" else [])
    return result


def _of_key(events: list[Told], kind: str, key: Key, isolations: list[Trouble]) -> list[Trouble]:
    """R22, R23: the troubles of one kind and key, one after the other."""
    result: list[Trouble] = []
    current: Trouble | None = None
    waiting: Trouble | None = None
    """The isolation at whose end the fault, restored already, is over."""
    for place, told in enumerate(events):
        if current is not None and waiting is not None and waiting.last <= place:
            current.end, current.last = waiting.end, waiting.last
            current = waiting = None
        if says(told, kind) and told.key == key:
            waiting = None
            if current is None:
                current = Trouble(kind, key, told.at, place)
                result.append(current)
        elif current is not None and restores(told, kind, key):
            waiting = last_over([each for each in isolations if each.begin <= told.at <= each.end], isolations)
            if waiting is None or waiting.last <= place:
                current.end, current.last = told.at, place
                current = waiting = None
    if current is not None and waiting is not None:
        current.end, current.last = waiting.end, waiting.last
    return result


def last_over(holding: list[Trouble], isolations: list[Trouble]) -> Trouble | None:
    """R23: the isolation at whose end neither the key nor the whole gateway is isolated any more; None without any."""
    last = max(holding, key=lambda each: each.last, default=None)
    if last is None:
        return None
    longer = [each for each in isolations if each.first < last.last < each.last]
    return last_over(longer, isolations) if longer else last


def points_seen(events: list[Told]) -> dict[tuple[str, str], int]:
    """R25: each named point and the smallest time of a signal that names it."""
    first: dict[tuple[str, str], int] = {}
    for told in events:
        if told.key is not None and told.key[1] != "*":
            first.setdefault(told.key, told.at)
    return first
