"""Section 6: the metrics, each as (numerator, denominator, unknown, exempt, detail)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

from tests.naive.gateways import Pair
from tests.naive.inputs import DAY, NEVER, US, Duty, Row, day_number, day_of, instant, microseconds, midnight, retired
from tests.naive.units import CONNECTED, KnownUnits, Stretch, commissioned

ENDING_STEPS = {"failed", "answered", "not_answered", "unknown"}
SLICES = {"department": "lead_department"}


@dataclass
class Count:
    """Numbers of one figure."""

    numerator: int = 0
    denominator: int = 0
    unknown: int = 0
    exempt: int = 0
    detail: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What a figure asks: [start, end) cut at the horizon, or one instant when both are equal; `ask` as it came."""

    scope: str
    start: int
    end: int
    ask: Row


def member(units_known: KnownUnits, question: Question, row: Row | None, day: int) -> bool:
    """Section 6, R26: whether a unit with this row is in the scope on a day, and in the slice."""
    if row is None or retired(row, day):
        return False
    if any(row[SLICES.get(key, key)] != value for key, value in (question.ask.get("slice") or {}).items()):
        return False
    if question.ask.get("unit") not in (None, row["unit_id"]):
        return False
    scopes = units_known.known.pack(day).scopes
    return any(in_scope(scopes[name], row, day) for name in question.scope.split("+") if name in scopes)


def in_scope(scope: Row, row: Row, day: int) -> bool:
    """Section 6: facts of the row hold; from accepted_on on where the scope says so."""
    if scope.get("starts") == "acceptance_date" and not (
        row.get("accepted_on") and day_number(row["accepted_on"]) <= day
    ):
        return False
    return all(
        any(holds(row, fact) for fact in (each["any"] if isinstance(each, dict) else [each])) for each in scope["all"]
    )


def holds(row: Row, fact: str) -> bool:
    """Return whether one fact of a scope holds for a row."""
    if fact in ("new_build", "renovated", "extended"):
        return bool(row.get("construction", "existing") == fact)
    return bool(row[fact])


def members_at(units_known: KnownUnits, question: Question) -> Iterator[tuple[str, Stretch]]:
    """Yield the members at the question's instant."""
    for unit in sorted(units_known.known.units):
        now = units_known.at(unit, question.start)
        if member(units_known, question, now.row, day_of(question.start)):
            yield unit, now


def parts(units_known: KnownUnits, question: Question, unit: str) -> Iterator[tuple[Stretch, int, int]]:
    """Yield the stretches in which a unit is a member, with their begin and length within the window."""
    for stretch in units_known.stretches(unit):
        begin, end = max(stretch.start, question.start), min(stretch.end, question.end)
        if begin < end and member(units_known, question, stretch.row, day_of(begin)):
            yield stretch, begin, end - begin


def says(stretch: Stretch, *connections: str) -> bool:
    """Return whether the connection is one of these."""
    return stretch.connection is not None and stretch.connection.connection in connections


def access_rate(units_known: KnownUnits, question: Question) -> Count:
    """commissioned / members, exempt ones included."""
    count = Count()
    for _, now in members_at(units_known, question):
        assert now.row is not None
        count.denominator += 1
        count.numerator += commissioned(now.row, day_of(question.start))
        count.exempt += says(now, "exempt")
    return count


def live_networking_rate(units_known: KnownUnits, question: Question) -> Count:
    """connected / members not exempt."""
    return _live(units_known, question, commissioned_only=False)


def online_rate(units_known: KnownUnits, question: Question) -> Count:
    """connected / commissioned members not exempt."""
    return _live(units_known, question, commissioned_only=True)


def _live(units_known: KnownUnits, question: Question, *, commissioned_only: bool) -> Count:
    """R27, R28, R33."""
    count = Count(detail={"partly_connected": 0})
    for _, now in members_at(units_known, question):
        assert now.row is not None
        if says(now, "exempt"):
            count.exempt += 1
            continue
        if commissioned_only and not commissioned(now.row, day_of(question.start)):
            continue
        count.denominator += 1
        count.numerator += says(now, *CONNECTED)
        count.unknown += says(now, "unknown")
        count.detail["partly_connected"] += now.connection is not None and now.connection.partly
    return count


def of_time(units_known: KnownUnits, question: Question, unit: str) -> Count:
    """Connected, counted, unknown and exempt in-scope time of one unit."""
    count = Count()
    for stretch, _, length in parts(units_known, question, unit):
        if says(stretch, "exempt"):
            count.exempt += length
            continue
        count.denominator += length
        count.numerator += length * says(stretch, *CONNECTED)
        count.unknown += length * says(stretch, "unknown")
    return count


def time_weighted(units_known: KnownUnits, question: Question) -> Count:
    """connected / in-scope time not exempt."""
    total = Count()
    for unit in units_known.known.units:
        own = of_time(units_known, question, unit)
        total.numerator += own.numerator
        total.denominator += own.denominator
        total.unknown += own.unknown
        total.exempt += own.exempt
    return total


def coverage(units_known: KnownUnits, question: Question) -> Count:
    """in-scope time not exempt and not unknown / in-scope time not exempt."""
    time = time_weighted(units_known, question)
    return Count(time.denominator - time.unknown, time.denominator, 0, time.exempt)


def meeting_units_rate(units_known: KnownUnits, question: Question) -> Count:
    """units with connected >= availability x own time / units with own time > 0."""
    availability = Fraction(str(question.ask["availability"]))
    count = Count()
    for unit in units_known.known.units:
        own = of_time(units_known, question, unit)
        if own.denominator == 0:
            count.exempt += own.exempt > 0
            continue
        needed = availability * own.denominator
        count.denominator += 1
        count.numerator += own.numerator >= needed
        count.unknown += own.numerator < needed <= own.numerator + own.unknown
    return count


def data_completeness(units_known: KnownUnits, question: Question) -> Count:
    """R30: per gateway and day min(heartbeats received, due) / due."""
    count = Count()
    for unit in units_known.known.units:
        supervised: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for stretch, begin, length in parts(units_known, question, unit):
            if says(stretch, "exempt") or not commissioned(stretch.row or {}, day_of(begin)):
                continue
            for start, end in days_within(begin, begin + length):
                if not units_known.known.is_blind(start):
                    for gateway in units_known.gateways_of(unit, day_of(start)):
                        supervised.setdefault((gateway, day_of(start)), []).append((start, end))
        for (gateway, day), spans in supervised.items():
            row = units_known.known.unit_row(unit, day)
            interval = units_known.known.pack(day).profile(row.get("profile") if row else None).interval
            due = sum(end - start for start, end in spans) // interval
            beats = units_known.heartbeats((gateway, unit))
            heard = sum(any(start <= beat < end for start, end in spans) for beat in beats)
            count.numerator += min(heard, due)
            count.denominator += due
    return count


def days_within(start: int, end: int) -> list[tuple[int, int]]:
    """Cut [start, end) at midnights."""
    days = range(day_of(start), day_of(end - 1) + 1)
    return [(max(start, midnight(day)), min(end, midnight(day + 1))) for day in days]


def device_intact_rate(units_known: KnownUnits, question: Question) -> Count:
    """Point time without fault and isolation on a connected gateway / point time of members not exempt."""
    count = Count()
    for unit in units_known.known.units:
        for stretch, _, length in parts(units_known, question, unit):
            for points in stretch.points:
                if says(stretch, "exempt"):
                    count.exempt += length * points.known
                    continue
                good = length * (points.counted - points.bad)
                count.exempt += length * (points.known - points.counted)
                count.denominator += length * points.counted
                count.numerator += good * points.connected
                count.unknown += good * (not points.connected)
    return count


def isolation_rate(units_known: KnownUnits, question: Question) -> Count:
    """isolated / known points of members not exempt."""
    count = Count()
    for _, now in members_at(units_known, question):
        if not says(now, "exempt"):
            count.numerator += sum(points.isolated for points in now.points)
            count.denominator += sum(points.counted for points in now.points)
    return count


def fault_cure_timely_rate(units_known: KnownUnits, question: Question) -> Count:
    """R31: ended within the limit / faults begun in the window while the unit was in scope."""
    limit, horizon = microseconds(question.ask["limit_s"]), units_known.known.through
    adjustments = units_known.known.adjustments
    count, cured, ages = Count(), [], []
    for pair in units_known.pairs:
        for fault in units_known.troubles[pair]:
            if fault.kind != "fault" or not question.start <= fault.begin < question.end:
                continue
            if not member_then(units_known, question, pair, fault.begin):
                continue
            if any(each.holds(pair[1], fault.begin) and each.lets_off(fault.key, "fault") for each in adjustments):
                continue
            count.denominator += 1
            if fault.end == NEVER:
                ages.append(horizon - fault.begin)
                count.unknown += horizon - fault.begin <= limit
            else:
                cured.append(fault.end - fault.begin)
                count.numerator += fault.end - fault.begin <= limit
    count.detail = {
        "cured": len(cured),
        "median_us": nearest_rank(cured, 50),
        "p90_us": nearest_rank(cured, 90),
        "open_by_age": {
            "under_1d": sum(age < DAY for age in ages),
            "under_3d": sum(DAY <= age < 3 * DAY for age in ages),
            "under_7d": sum(3 * DAY <= age < 7 * DAY for age in ages),
            "from_7d": sum(age >= 7 * DAY for age in ages),
        },
    }
    return count


def member_then(units_known: KnownUnits, question: Question, pair: Pair, at: int) -> bool:
    """Return whether the unit of a pair was in scope at an instant."""
    return member(units_known, question, units_known.known.unit_row(pair[1], day_of(at)), day_of(at))


def nearest_rank(values: list[int], percent: int) -> int | None:
    """R31: the ceil(n x p / 100)-th, None without any."""
    return sorted(values)[ceil(Fraction(len(values) * percent, 100)) - 1] if values else None


def duty_check_answer_rate(units_known: KnownUnits, question: Question, to: int) -> Count:
    """R32: answered / asked; no horizon cuts them, hence `to` as it was asked."""
    first: dict[tuple[str, str], Row] = {}
    for record in units_known.known.exchanges:
        first.setdefault((record["source"], record["id"]), record)
    checks: dict[str, list[Row]] = {}
    for record in first.values():
        if record["data"]["what"] == "duty_check":
            checks.setdefault(record["data"]["command_id"], []).append(record["data"])
    count = Count(detail={"failed": 0})
    for records in checks.values():
        at = instant(records[0]["ordered_at"])
        row = units_known.known.gateway_row(records[0]["gateway_id"], day_of(at))
        if not question.start <= at < to or row is None:
            continue
        if not member_then(units_known, question, (row["gateway_id"], row["unit_id"]), at):
            continue
        end = next((record["step"] for record in records if record["step"] in ENDING_STEPS), "unknown")
        if end == "failed":
            count.detail["failed"] += 1
            continue
        count.denominator += 1
        count.numerator += end == "answered"
        count.unknown += end == "unknown"
    return count


def tested_in_time_rate(units_known: KnownUnits, question: Question) -> Count:
    """R45: time in which a test came not longer ago than the duty allows / time under a duty to test."""
    count = Count()
    for unit in units_known.known.units:
        testing = Testing(units_known, unit)
        for stretch, begin, length in parts(units_known, question, unit):
            duty = testing.duty(begin)
            if duty is None:
                continue
            if says(stretch, "exempt"):
                count.exempt += length
                continue
            count.denominator += length
            borders = [begin, *sorted(at for at in testing.borders(duty) if begin < at < begin + length)]
            for start, end in zip(borders, [*borders[1:], begin + length], strict=True):
                state = testing.state(duty, start)
                count.numerator += (end - start) * (state == "tested")
                count.unknown += (end - start) * (state == "unknown")
    return count


class Testing:
    """R45 of one unit."""

    def __init__(self, units_known: KnownUnits, unit: str) -> None:
        self.units_known, self.unit = units_known, unit
        known = units_known.known
        never_before = [(-NEVER, known.seen[0] if known.seen else NEVER)]
        self.unseen = [*never_before, *known.blind, *known.impaired]
        self.turns = sorted(units_known.days_of_change() | units_known.adjusted_from(unit))

    def duty(self, at: int) -> Duty | None:
        """Return the first duty of the day's pack that fits the day's row of a commissioned unit."""
        day = day_of(at)
        row, pack = self.units_known.known.unit_row(self.unit, day), self.units_known.known.pack(day)
        if row is None or retired(row, day) or not commissioned(row, day):
            return None
        for duty in pack.duties:
            inside = any(in_scope(pack.scopes[name], row, day) for name in duty.scopes)
            if (inside or not duty.scopes) and (row["category"] in duty.categories or not duty.categories):
                return duty
        return None

    def since(self, duty: Duty, at: int) -> int:
        """Return from when on the unit has had this very duty, without a break, until `at`."""
        begin = at
        for turn in reversed([each for each in self.turns if each <= at]):
            then = self.duty(turn)
            same = then is not None and (then.deadline, then.counts) == (duty.deadline, duty.counts)
            if not same or self.units_known.exempt(self.unit, turn):
                break
            begin = turn
        return begin

    def tests(self, duty: Duty) -> list[int]:
        """Return when what counts as a test was received."""
        found = []
        for signal in self.units_known.known.signals:
            data = signal["data"]
            if data["unit_id"] == self.unit and not {"retained", "replayed"} & set(data.get("flags", [])):
                alarm = data["kind"] in ("test", "fire")
                silent = data["kind"] in ("heartbeat", "gap", "link_up", "link_down")
                if alarm if duty.counts == "alarms" else not silent:
                    found.append(instant(signal["time"]))
        return found

    def borders(self, duty: Duty) -> set[int]:
        """Return the instants at which the state may change."""
        later = {at + duty.deadline for at in (*self.tests(duty), *self.turns, *(b for _, b in self.unseen))}
        return later | set(self.tests(duty)) | {a for a, _ in self.unseen} | set(self.turns)

    def state(self, duty: Duty, at: int) -> str:
        """Return tested, unknown or overdue."""
        if any(at - duty.deadline < test <= at for test in self.tests(duty)):
            return "tested"
        unseen = any(a <= at and at - duty.deadline < b for a, b in self.unseen)
        return "unknown" if unseen or at - duty.deadline < self.since(duty, at) else "overdue"


TOLD = ("fire", "fault", "isolation", "supervisory", "restore", "test")
DOUBTS = ("redelivered", "no_device_time", "clock_ahead", "clock_behind")


def transmission_timely_rate(units_known: KnownUnits, question: Question) -> Count:
    """R46: signals that came within the limit of the device's own time / signals that tell of something."""
    limit = microseconds(question.ask["limit_s"])
    count, took, doubts = Count(), [], []
    for signal in units_known.known.signals:
        data, at = signal["data"], instant(signal["time"])
        flags = set(data.get("flags", []))
        row = units_known.known.unit_row(data["unit_id"], day_of(at))
        if data["kind"] not in TOLD or flags & {"retained", "replayed", "repeated"}:
            continue
        if not question.start <= at < question.end or not member(units_known, question, row, day_of(at)):
            continue
        if not commissioned(row or {}, day_of(at)):
            continue
        if units_known.exempt(data["unit_id"], at):
            count.exempt += 1
            continue
        doubt = doubt_of(data, flags, at)
        if doubt is None:
            took.append(ceil(Fraction(at - instant(data["occurred_at"]), US // 10)) * US // 10)
        else:
            doubts.append(doubt)
    count.numerator, count.unknown = sum(each <= limit for each in took), len(doubts)
    count.denominator = len(took) + len(doubts)
    count.detail = {
        "measured": len(took),
        "mean_us": sum(took) // len(took) if took else None,
        "p95_us": nearest_rank(took, 95),
        "not_believed": {doubt: doubts.count(doubt) for doubt in DOUBTS},
    }
    return count


def doubt_of(data: Row, flags: set[str], at: int) -> str | None:
    """R46: why the device's time of a signal is not believed, the first that fits."""
    for flag in DOUBTS:
        if flag in flags:
            return flag
    if data.get("occurred_at") is None:
        return "no_device_time"
    took = at - instant(data["occurred_at"])
    if took < 0:
        return "clock_ahead"
    return "clock_behind" if took > 300 * US else None


INSTANT: dict[str, Callable[[KnownUnits, Question], Count]] = {
    "access_rate": access_rate,
    "live_networking_rate": live_networking_rate,
    "online_rate": online_rate,
    "isolation_rate": isolation_rate,
}
WINDOW: dict[str, Callable[[KnownUnits, Question], Count]] = {
    "time_weighted_networking_rate": time_weighted,
    "unit_availability": time_weighted,
    "coverage": coverage,
    "meeting_units_rate": meeting_units_rate,
    "data_completeness": data_completeness,
    "device_intact_rate": device_intact_rate,
    "fault_cure_timely_rate": fault_cure_timely_rate,
    "tested_in_time_rate": tested_in_time_rate,
    "transmission_timely_rate": transmission_timely_rate,
}
DUTY_CHECKS = "duty_check_answer_rate"
COUNTS: dict[str, Any] = {
    "access_rate": "units", "live_networking_rate": "units", "online_rate": "units", "isolation_rate": "points",
    "time_weighted_networking_rate": "us", "unit_availability": "us", "coverage": "us",
    "meeting_units_rate": "units", "data_completeness": "heartbeats", "device_intact_rate": "point_us",
    "fault_cure_timely_rate": "faults", "tested_in_time_rate": "us", "transmission_timely_rate": "signals",
    DUTY_CHECKS: "checks",
}  # fmt: skip
