"""Section 5, R18 to R20, R24, R25: connection, health and points of one unit, stretch by stretch."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tests.naive.gateways import Offline, Pair, Segment, Supervised, names, received, supervise
from tests.naive.inputs import NEVER, Row, day_number, day_of, instant, midnight, retired
from tests.naive.knowledge import Knowledge
from tests.naive.troubles import WHOLE, Told, Trouble, in_order, points_seen, troubles

CONNECTED = {"online", "late"}


class Connection(NamedTuple):
    """What stands in an interval of the answer, besides its instants."""

    connection: str
    partly: bool
    cause: str
    attribution: str | None


@dataclass(frozen=True)
class Points:
    """Of one gateway at one instant: known points; those that no adjustment lets off, and of these isolated and bad."""

    known: int
    counted: int
    isolated: int
    bad: int
    connected: bool


@dataclass(frozen=True)
class Stretch:
    """[start, end) of a unit in which nothing changes. `connection` is None while it is absent."""

    start: int
    end: int
    row: Row | None
    connection: Connection | None
    health: str
    points: tuple[Points, ...]


class KnownUnits:
    """All units as known."""

    def __init__(self, known: Knowledge) -> None:
        self.known = known
        named = {(signal["data"]["gateway_id"], signal["data"]["unit_id"]) for signal in known.signals}
        listed = {(gateway, row["unit_id"]) for gateway, rows in known.gateways.items() for row in rows}
        self.pairs: set[Pair] = named | listed
        self.supervised: dict[Pair, Supervised] = {pair: supervise(known, pair) for pair in self.pairs}
        self.told: dict[Pair, list[Told]] = {pair: in_order(received(known, pair)) for pair in self.pairs}
        self.troubles: dict[Pair, list[Trouble]] = {pair: troubles(told) for pair, told in self.told.items()}
        self.seen = {pair: points_seen(told) for pair, told in self.told.items()}
        self._stretches: dict[str, list[Stretch]] = {}

    def gateways_of(self, unit: str, day: int) -> list[str]:
        """R19: those whose row of the day names the unit and is not retired."""
        known = self.known
        return sorted(gateway for gateway in known.gateways if names(known.gateway_row(gateway, day), unit, day))

    def standing(self, unit: str, day: int) -> str:
        """R18, R19: what the row of the day says: absent, retired, exempt, not_commissioned or counted."""
        row = self.known.unit_row(unit, day)
        if row is None:
            return "absent"
        if retired(row, day):
            return "retired"
        if exempt_by(row, day):
            return "exempt"
        return "counted" if commissioned(row, day) else "not_commissioned"

    def correction(self, unit: str, at: int) -> str | None:
        """What the correction that was approved last says, None where none does or time counts as measured."""
        found = [each for each in self.known.adjustments if each.holds(unit, at) and each.row["what"] == "correction"]
        last = max(found, key=lambda each: (each.approved, each.row["adjustment_id"]), default=None)
        return None if last is None or last.row["counted_as"] == "measured" else str(last.row["counted_as"])

    def excuse(self, unit: str, at: int) -> str | None:
        """What lets the whole unit off from being connected: an exemption before maintenance."""
        found = [
            each
            for each in self.known.adjustments
            if each.holds(unit, at) and each.row["what"] in ("exemption", "maintenance") and not any_of(each.narrowed)
        ]
        kinds = {each.row["what"] for each in found}
        return min(kinds, default=None)

    def exempt(self, unit: str, at: int) -> bool:
        """R27, and decision 43: by the row of the day or by an adjustment, to the minute."""
        corrected = self.correction(unit, at)
        if corrected is not None:
            return corrected == "exempt"
        row = self.known.unit_row(unit, day_of(at))
        by_row = row is not None and exempt_by(row, day_of(at))
        return by_row or self.excuse(unit, at) is not None

    def segment(self, pair: Pair, at: int) -> Segment:
        """R3, R13: the state of a pair within a run; at H itself the one reached by then."""
        if at == self.known.watermark == self.known.through:
            ended = [each for each in self.supervised[pair].segments if each.start < at == each.end]
            return ended[0] if ended else Segment(at, at, "unknown", "unproven")
        if self.known.is_blind(at) or at >= self.known.through:
            return Segment(at, at, "unknown", "blind")
        for each in self.supervised[pair].segments:
            if each.start <= at < each.end:
                return each
        raise AssertionError(pair, at)

    def connection(self, unit: str, at: int) -> Connection | None:
        """R18: the first that fits."""
        day = day_of(at)
        standing = self.standing(unit, day)
        if standing == "absent":
            return None
        if standing == "retired":
            return Connection(standing, False, "registry", None)
        corrected = self.correction(unit, at)
        if corrected is not None:
            whose = {"offline": "unit", "unknown": "self"}.get(corrected)
            return Connection({"connected": "online"}.get(corrected, corrected), False, "correction", whose)
        excuse = self.excuse(unit, at)
        if standing == "exempt" or excuse is not None:
            return Connection("exempt", False, "registry" if standing == "exempt" else str(excuse), None)
        if standing == "not_commissioned":
            heard = any(proof <= at for pair in self.pairs if pair[1] == unit for proof in self.supervised[pair].proofs)
            return Connection("commissioning" if heard else "never_connected", False, "registry", None)
        segments = [self.segment((gateway, unit), at) for gateway in self.gateways_of(unit, day)]
        if not segments:
            return Connection("offline", False, "registry", "unit")
        return self._of_gateways(segments)

    def _of_gateways(self, segments: list[Segment]) -> Connection:
        """R18, R20: from the states of the gateways of the day."""
        offlines = [each.offline for each in segments if each.offline is not None]
        if offlines:
            first = min(offlines, key=lambda each: (each.anchor, each.pair[0]))
            partly = any(each.state in CONNECTED for each in segments)
            return Connection("offline", partly, first.cause, self.attribution(first))
        for cause in ("blind", "impaired", "unproven"):
            if any(each.state == "unknown" and each.cause == cause for each in segments):
                return Connection("unknown", False, cause, "self")
        for cause in ("link_down", "late"):
            if any(each.state == "late" and each.cause == cause for each in segments):
                return Connection("late", False, cause, None)
        return Connection("online", False, "signal", None)

    @cached_property
    def losses(self) -> list[Offline]:
        """R20: times offline with cause deadline of units that were counted when they began."""
        return [
            each
            for supervised in self.supervised.values()
            for each in supervised.offlines
            if each.cause == "deadline" and self.must_connect(each.pair[1], each.anchor)
        ]

    def must_connect(self, unit: str, at: int) -> bool:
        """R20: whether a unit is none of absent, retired, exempt, not commissioned."""
        row = self.known.unit_row(unit, day_of(at))
        if row is None or retired(row, day_of(at)) or not commissioned(row, day_of(at)):
            return False
        return not self.exempt(unit, at)

    def group(self, loss: Offline, by: str) -> str:
        """R20: carrier of the gateway's row or town of the unit's row of the loss's day."""
        day = day_of(loss.anchor)
        row = self.known.gateway_row(loss.pair[0], day) if by == "carrier" else self.known.unit_row(loss.pair[1], day)
        assert row is not None
        return str(row[by])

    def attribution(self, offline: Offline) -> str:
        """R20: carrier, area or unit."""
        if offline.cause == "no_proof":
            return self.attribution(offline.before) if offline.before is not None else "unit"
        if offline not in self.losses:
            return "unit"
        pack = self.known.pack(day_of(offline.anchor))
        for by in pack.cause_by:
            alike = [each for each in self.losses if self.group(each, by) == self.group(offline, by)]
            for begin in {each.anchor for each in alike}:
                within = [each for each in alike if begin <= each.anchor <= begin + pack.cause_window]
                if offline in within and len({each.pair[1] for each in within}) >= pack.cause_units:
                    return {"carrier": "carrier", "town": "area"}[by]
        return "unit"

    def open_troubles(self, pair: Pair, at: int) -> list[Trouble]:
        """R22: those of a pair that last at `at`."""
        return [each for each in self.troubles[pair] if each.begin <= at < each.end]

    def health(self, unit: str, at: int) -> str:
        """R24: the gravest over the gateways of the day."""
        day = day_of(at)
        if self.standing(unit, day) == "retired":
            return "unknown"
        pairs = [(gateway, unit) for gateway in self.gateways_of(unit, day)]
        last = {(each.kind, each.key is WHOLE) for pair in pairs for each in self.open_troubles(pair, at)}
        if last & {("fire", True), ("fire", False)}:
            return "fire"
        if ("isolation", True) in last:
            return "isolated"
        if ("isolation", False) in last:
            return "partly_isolated"
        if last:
            return "fault"
        connected = [self.segment(pair, at).state in CONNECTED for pair in pairs]
        return "normal" if connected and all(connected) else "unknown"

    def points(self, pair: Pair, at: int) -> Points:
        """R25: points of a gateway and how many of them have a trouble."""
        row = self.known.gateway_row(pair[0], day_of(at))
        assert row is not None
        seen = {key for key, first in self.seen[pair].items() if first <= at}
        known = max(row.get("points") or 0, len(seen))
        last = [each for each in self.open_troubles(pair, at) if each.kind != "fire"]
        letting = [each for each in self.known.adjustments if each.holds(pair[1], at)]
        said = [(key, None) for key in (*seen, WHOLE)] + [(each.key, each.kind) for each in last]
        off = {key for key, trouble in said if any(each.lets_off(key, trouble) for each in letting)}
        counted = 0 if WHOLE in off else known - len(off)

        def with_trouble(kinds: set[str]) -> int:
            keys = {each.key for each in last if each.kind in kinds}
            return counted if WHOLE in keys or not counted else len((keys & seen) - off)

        connected = self.segment(pair, at).state in CONNECTED
        return Points(known, counted, with_trouble({"isolation"}), with_trouble({"isolation", "fault"}), connected)

    def at(self, unit: str, at: int) -> Stretch:
        """Return everything about a unit at one instant."""
        day = day_of(at)
        points = tuple(self.points((gateway, unit), at) for gateway in self.gateways_of(unit, day))
        row = self.known.unit_row(unit, day)
        return Stretch(at, at, row, self.connection(unit, at), self.health(unit, at), points)

    def stretches(self, unit: str) -> list[Stretch]:
        """Return the unit's time up to the horizon, cut wherever anything may change, neighbours not merged."""
        if unit not in self._stretches:
            borders = sorted(at for at in self.borders(unit) if at < self.known.through)
            ends = [*borders[1:], self.known.through]
            self._stretches[unit] = [
                Stretch(begin, end, now.row, now.connection, now.health, now.points)
                for begin, end in zip(borders, ends, strict=False)
                for now in [self.at(unit, begin)]
            ]
        return self._stretches[unit]

    def borders(self, unit: str) -> set[int]:
        """Return all instants at which anything about a unit may change."""
        known = self.known
        borders = self.days_of_change()
        borders |= {at for span in known.blind for at in span} | set(known.seen[:1])
        for pair in (pair for pair in self.pairs if pair[1] == unit):
            supervised = self.supervised[pair]
            borders |= {at for each in supervised.segments for at in (each.start, each.end)}
            borders |= set(supervised.proofs[:1])
            borders |= {at for each in self.troubles[pair] for at in (each.begin, each.end)}
            borders |= set(self.seen[pair].values())
        borders |= self.adjusted_from(unit)
        return borders - {NEVER}

    def adjusted_from(self, unit: str) -> set[int]:
        """Return when adjustments of a unit begin and end."""
        return {at for each in self.known.adjustments if each.row["unit_id"] == unit for at in (each.start, each.end)}

    def days_of_change(self) -> set[int]:
        """Return 00:00 of all days that any row or pack names, exempt_until's next day among them."""
        days: set[int] = set()
        for row in [row for rows in [*self.known.units.values(), *self.known.gateways.values()] for row in rows]:
            for key in ("valid_from", "retired_on", "commissioned_on", "accepted_on", "exempt_from", "exempt_until"):
                if row.get(key):
                    days |= {day_number(row[key]), day_number(row[key]) + 1}
        for pack in self.known.packs:
            days |= {pack.valid_from, pack.valid_to, pack.valid_to + 1}
        return {midnight(day) for day in days}

    def heartbeats(self, pair: Pair) -> list[int]:
        """R30: receptions of heartbeats that are not repeated, replayed or retained."""
        return [
            instant(signal["time"])
            for signal in (told.signal for told in self.told[pair])
            if signal["data"]["kind"] == "heartbeat"
            and not {"repeated", "replayed", "retained"} & set(signal["data"].get("flags", []))
        ]


def any_of(narrowed: tuple[object, ...]) -> bool:
    """Return whether an adjustment is narrowed down to a system, a component or a kind of trouble."""
    return any(each is not None for each in narrowed)


def exempt_by(row: Row, day: int) -> bool:
    """R1: whether a row has this day exempt."""
    if not row.get("exempt_from"):
        return False
    return day_number(row["exempt_from"]) <= day <= day_number(row["exempt_until"])


def commissioned(row: Row, day: int) -> bool:
    """R19: on days whose row has commissioned_on <= day."""
    return row.get("commissioned_on") is not None and day_number(row["commissioned_on"]) <= day
