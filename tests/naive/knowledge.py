"""Section 3: what was known at `known_at`: rows, blind and impaired time, the horizon, the signals that count."""

from functools import cached_property
from typing import Any

from tests.naive.inputs import NEVER, US, History, Pack, Row, day_of, instant, pack_of, row_of

FORGOTTEN_AFTER = 600 * US
Span = tuple[int, int]


class Adjustment:
    """An approved adjustment as known last; `approved` is when it was approved first."""

    def __init__(self, row: Row, approved: int) -> None:
        self.row, self.approved = row, approved
        self.start, self.end = instant(row["starts_at"]), instant(row["ends_at"])
        self.narrowed = tuple(row.get(name) for name in ("system", "address", "trouble"))

    def holds(self, unit: str, at: int) -> bool:
        """Return whether it is of this unit and instant."""
        return bool(self.row["unit_id"] == unit and self.start <= at < self.end)

    def lets_off(self, key: tuple[str, str] | None, trouble: str | None) -> bool:
        """Return whether a trouble of a point is let off, the point itself when `trouble` is None.

        The whole gateway (key None) is in no system and is no component.
        """
        if self.row["what"] == "correction":
            return False
        system, address, kind = self.narrowed
        if key is None and (system is not None or address is not None):
            return False
        if key is not None and (system not in (None, key[0]) or address not in (None, key[1])):
            return False
        return kind in (None, trouble)


class Knowledge:
    """A history cut at `known_at` (None: all of it)."""

    def __init__(self, history: History, known_at: int | None) -> None:
        self.known_at = known_at
        self.packs = history.read_packs()
        self._pack_of: dict[int, Pack] = {}
        registry, log = history.read()
        lines = [line for line in log if self._known(line["recorded_at"])]
        events = [line["event"] for line in lines]
        told = registry + [event for event in events if event["type"] == "cn.firenet.registry.v1"]
        self.units = self._rows(told, "unit")
        self.gateways = self._rows(told, "gateway")
        self.adjustments = [
            Adjustment(last, min(instant(row["recorded_at"]) for row in rows))
            for rows in self._rows(told, "adjustment").values()
            for last in [max(rows, key=lambda row: instant(row["recorded_at"]))]
        ]
        self.exchanges = [event for event in events if event["type"] == "cn.firenet.exchange.v1"]
        self.seen: list[int] = []
        self.watermark: int | None = None
        self.impaired: list[Span] = []
        self._read_ticks([event for event in events if event["type"] == "cn.firenet.tick.v1"])
        self.signals = self._that_count([event for event in events if event["type"] == "cn.firenet.signal.v1"])

    def _known(self, recorded_at: str) -> bool:
        """Section 2: only lines and versions with recorded_at <= K exist."""
        return self.known_at is None or instant(recorded_at) <= self.known_at

    def _rows(self, events: list[Row], kind: str) -> dict[str, list[Row]]:
        """Section 2: a record replaces the earlier one of its kind and id whole; a version counts once it is known."""
        records = [event["data"]["record"] for event in events]
        last = {record["id"]: record["versions"] for record in records if record["kind"] == kind}
        known = {id_: [row for row in rows if self._known(row["recorded_at"])] for id_, rows in last.items()}
        return {id_: rows for id_, rows in known.items() if rows}

    def pack(self, day: int) -> Pack:
        """R2: the pack that judges a day."""
        if day not in self._pack_of:
            self._pack_of[day] = pack_of(self.packs, day)
        return self._pack_of[day]

    def _read_ticks(self, ticks: list[Row]) -> None:
        """R3 to R6: read ticks in the order of the log; fill seen points, watermark and impaired time."""
        newest: dict[str, tuple[tuple[int, int, int], str]] = {}
        furthest: dict[str, int] = {}
        copies: set[tuple[str, str]] = set()
        began: int | None = None
        for tick in ticks:
            if (tick["source"], tick["id"]) in copies:
                continue
            copies.add((tick["source"], tick["id"]))
            data: Any = tick["data"]
            name, proven = data["instance"], instant(data["proven_until"])
            mark = ((instant(tick["time"]), data["epoch"], data["number"]), data["state"])
            newest[name] = max(newest.get(name, mark), mark)
            furthest[name] = max(furthest.get(name, proven), proven)
            self.seen.append(proven)
            expected, silent = self._expected_and_silent(newest)
            before = self.watermark
            waited_for = [furthest[name] for name in expected - silent]
            reached = min(waited_for) if waited_for else max(furthest.values())
            self.watermark = reached if before is None else max(before, reached)
            if silent and began is None:
                began = before
            if not silent and began is not None:
                self.impaired.append((began, max(furthest.values())))
                began = None
        if began is not None:
            self.impaired.append((began, NEVER))
        self.impaired = joined(self.impaired)
        self.seen = sorted({point for point in self.seen if self.watermark is not None and point <= self.watermark})

    def _expected_and_silent(self, newest: dict[str, tuple[tuple[int, int, int], str]]) -> tuple[set[str], set[str]]:
        """R4: which instances are expected, and which of them are silent."""
        latest = max(mark[0] for mark, _ in newest.values())
        behind = {name: latest - mark[0] for name, (mark, _) in newest.items()}
        blind_after = self.pack(day_of(latest)).blind_after
        expected = {
            name for name, (_, state) in newest.items() if state != "leaving" and behind[name] <= FORGOTTEN_AFTER
        }
        return expected, {name for name in expected if behind[name] > blind_after}

    @cached_property
    def blind(self) -> list[Span]:
        """R3 and R7: blind time after the first seen point."""
        gaps = list(zip(self.seen, self.seen[1:], strict=False))
        spans = [(a, b) for a, b in gaps if b - a > self.pack(day_of(a)).blind_after]
        if self.watermark is not None and self.known_at is not None and self.through > self.watermark:
            spans.append((self.watermark, self.known_at))
        return spans

    @cached_property
    def through(self) -> int:
        """R7: the horizon."""
        if self.watermark is None:
            return 0 if self.known_at is None else self.known_at
        if self.known_at is None or self.known_at - self.watermark <= self.pack(day_of(self.watermark)).blind_after:
            return self.watermark
        return self.known_at

    def is_blind(self, at: int) -> bool:
        """R3: whether nobody looked at `at`."""
        return not self.seen or at < self.seen[0] or any(a <= at < b for a, b in self.blind)

    def visible_spans(self, start: int, end: int) -> list[Span]:
        """R3: the parts of [start, end) that are neither blind nor beyond the watermark."""
        if self.watermark is None:
            return []
        spans, begin = [], max(start, self.seen[0])
        for a, b in [*self.blind, (self.watermark, NEVER)]:
            spans.append((begin, min(a, end)))
            begin = max(begin, b)
        return [(a, b) for a, b in spans if a < b]

    def _that_count(self, signals: list[Row]) -> list[Row]:
        """R8, R9, R11: of those with the same source and id the earliest, received before H; retained ones never."""
        first: dict[tuple[str, str], Row] = {}
        for signal in signals:
            key = (signal["source"], signal["id"])
            if key not in first or instant(signal["time"]) < instant(first[key]["time"]):
                first[key] = signal
        return [
            signal
            for signal in first.values()
            if self.watermark is not None
            and instant(signal["time"]) < self.watermark
            and "retained" not in signal["data"].get("flags", [])
        ]

    def unit_row(self, unit: str, day: int) -> Row | None:
        """R1: the row of a unit on a day."""
        return row_of(self.units.get(unit, []), day)

    def gateway_row(self, gateway: str, day: int) -> Row | None:
        """R1: the row of a gateway on a day."""
        return row_of(self.gateways.get(gateway, []), day)


def joined(spans: list[Span]) -> list[Span]:
    """R6: times that touch or overlap are one."""
    result: list[Span] = []
    for a, b in sorted(span for span in spans if span[0] < span[1]):
        if result and a <= result[-1][1]:
            result[-1] = (result[-1][0], max(b, result[-1][1]))
        else:
            result.append((a, b))
    return result
