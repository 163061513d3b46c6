"""How FireNet itself is: what was seen of its parts, judged. What nobody could look at is unknown, never well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.console.domain.errors import NotAllowed
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.report_schedules import MailCounts
from services.console.domain.viewer import Role, Viewer
from services.kernel.words import VisibilityState

Value = float | int | str | None
LAG_LATE, LAG_BAD = timedelta(seconds=20), timedelta(seconds=60)
DELIVERY_LATE, DELIVERY_BAD = timedelta(minutes=1), timedelta(minutes=10)
REPORT_LATE = timedelta(hours=1)
"""Tried in vain for so long: no mail server that asks for a moment."""
REFUSED_MANY = 100
"""Refused messages within a day."""
ROOM_LOW, ROOM_BAD = 5 << 30, 1 << 30
"""Bytes free."""
CERTIFICATE_SOON, CERTIFICATE_BAD = timedelta(days=30), timedelta(days=7)
SYNTHETIC_OLD = timedelta(hours=26)
"""A day and some."""


class SystemState(StrEnum):
    """Ordered by how pressing it is in `worst_of`."""

    WELL = "well"
    UNKNOWN = "unknown"
    ATTENTION = "attention"
    BAD = "bad"


_PRESSING = (SystemState.WELL, SystemState.UNKNOWN, SystemState.ATTENTION, SystemState.BAD)


@dataclass(frozen=True, slots=True)
class InstanceSeen:
    """One process as its status page has it. `ready` None: it did not answer. `metrics`: sums of the series by name."""

    address: str
    ready: bool | None
    checks: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceSeen:
    """All instances that the service's name led to; none where it led nowhere."""

    name: str
    instances: tuple[InstanceSeen, ...]


@dataclass(frozen=True, slots=True)
class SyntheticSeen:
    """The newest synthetic alarm that has ended; `stages` that it passed, by name."""

    outcome: str
    started_at: datetime
    stages: Mapping[str, datetime]
    missing: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database tells.

    `waiting`: notices that are due or were tried in vain; `oldest_due`: since when the oldest is due that was never
    tried. `oldest_tried`, `oldest_fire_tried`: when the oldest was made that was tried in vain, and that of a fire.
    """

    partitions: tuple[PartitionVisibility, ...]
    waiting: int
    oldest_due: datetime | None
    oldest_tried: datetime | None
    oldest_fire_tried: datetime | None
    findings_waiting: int
    refused: int
    database_bytes: int
    certificates: int
    first_end: datetime | None
    reports: MailCounts
    synthetic: SyntheticSeen | None


@dataclass(frozen=True, slots=True)
class InstanceRow:
    address: str
    state: SystemState
    troubles: tuple[str, ...]
    """Checks that are not well, as the process calls them."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    name: str
    state: SystemState
    instances: tuple[InstanceRow, ...]
    runbook: str = "firenettargetdown"


@dataclass(frozen=True, slots=True)
class ItemRow:
    """`values` are what the page's sentence of this item and state has places for; `runbook` an anchor there."""

    name: str
    state: SystemState
    runbook: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SystemHealth:
    at: datetime
    state: SystemState
    services: tuple[ServiceRow, ...]
    items: tuple[ItemRow, ...]
    synthetic: SyntheticSeen | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was looked at. `stored` None: the database did not answer. `broker_end`: of its certificate."""

    services: Sequence[ServiceSeen]
    stored: Stored | None
    broker_end: datetime | None


def may_see_system(viewer: Viewer) -> None:
    """The brigade and whoever administers: it names processes and addresses inside our network. Raises NotAllowed."""
    if viewer.role is not Role.BRIGADE and not viewer.administers:
        raise NotAllowed("not for this role")


def judged(seen: Seen, now: datetime) -> SystemHealth:
    """Return everything with its state; the whole is as its worst part, and unknown where nothing is worse."""
    services = tuple(_service(one) for one in seen.services)
    stored = seen.stored
    items = (
        _database(stored),
        _lag(stored, now),
        _deliveries(stored, now),
        _findings(stored),
        _reports(stored, now),
        _synthetic(stored, now),
        _refusals(stored),
        _gaps(seen.services),
        _archive_room(seen.services),
        _late_troubles(seen.services),
        _database_room(stored),
        _certificates(stored, now),
        _broker(seen.broker_end, now),
    )
    states = [*(one.state for one in services), *(one.state for one in items)]
    if not services:
        states.append(SystemState.UNKNOWN)
    synthetic = None if stored is None else stored.synthetic
    return SystemHealth(now, worst_of(states), services, items, synthetic)


def worst_of(states: Sequence[SystemState]) -> SystemState:
    return max(states, key=_PRESSING.index, default=SystemState.UNKNOWN)


def _service(seen: ServiceSeen) -> ServiceRow:
    rows = tuple(_instance(one) for one in seen.instances)
    state = worst_of([row.state for row in rows]) if rows else SystemState.BAD
    return ServiceRow(seen.name, state, rows)


def _instance(seen: InstanceSeen) -> InstanceRow:
    if seen.ready is None:
        return InstanceRow(seen.address, SystemState.BAD, ())
    odd = _is_trouble if seen.ready else _may_be_trouble
    troubles = tuple(f"{name}: {word}" for name, word in sorted(seen.checks.items()) if odd(word))
    if not seen.ready:
        return InstanceRow(seen.address, SystemState.BAD, troubles)
    return InstanceRow(seen.address, SystemState.ATTENTION if troubles else SystemState.WELL, troubles)


_WELL = frozenset({"ok", "answers", "up", "turning", "saved", "known"})
_TROUBLE = ("away", "down", "expired", "none", "no ", "not known", "not started", "not turning", "stalled", "wait")


def _may_be_trouble(word: str) -> bool:
    return word not in _WELL


def _is_trouble(word: str) -> bool:
    """A process that is ready says odd things of its parts in these words; of others nobody knows that they are odd."""
    return word.startswith(_TROUBLE)


def _database(stored: Stored | None) -> ItemRow:
    return ItemRow("database", SystemState.BAD if stored is None else SystemState.WELL, "firenetconsolereadsfailing")


def _unknown(name: str, runbook: str) -> ItemRow:
    return ItemRow(name, SystemState.UNKNOWN, runbook)


def _lag(stored: Stored | None, now: datetime) -> ItemRow:
    name, runbook = "lag", "firenetruleslagging"
    marks = [] if stored is None else [one.watermark for one in stored.partitions]
    if stored is None or not marks:
        return _unknown(name, runbook)
    blind = sum(one.visibility is VisibilityState.BLIND for one in stored.partitions)
    proven = [mark for mark in marks if mark is not None]
    if blind_partitions(stored):
        return ItemRow(name, SystemState.BAD, "firenetvisibilityblind", {"blind": blind, "of": len(marks)})
    lag = max(timedelta(), now - min(proven))
    impaired = any(one.visibility is VisibilityState.IMPAIRED for one in stored.partitions)
    state = _by(lag, LAG_LATE, LAG_BAD)
    if impaired:
        state = worst_of([state, SystemState.ATTENTION])
    return ItemRow(name, state, runbook, {"seconds": int(lag.total_seconds())})


def blind_partitions(stored: Stored) -> int:
    """Return of how many partitions nothing is proven, or not any more: their units are unknown."""
    return sum(one.watermark is None or one.visibility is VisibilityState.BLIND for one in stored.partitions)


def _by(value: timedelta, late: timedelta, bad: timedelta) -> SystemState:
    return SystemState.BAD if value > bad else SystemState.ATTENTION if value > late else SystemState.WELL


def _deliveries(stored: Stored | None, now: datetime) -> ItemRow:
    name, runbook = "deliveries", "firenetoutboxstuck"
    if stored is None:
        return _unknown(name, runbook)
    due, tried, fire = waits(stored, now)
    state = worst_of(
        [
            _by(due, DELIVERY_LATE, DELIVERY_BAD),
            SystemState.ATTENTION if tried >= DELIVERY_BAD else SystemState.WELL,  # it may be one mailbox that is full
            SystemState.BAD if fire >= DELIVERY_LATE else SystemState.WELL,
        ]
    )
    values: dict[str, Value] = {"n": stored.waiting, "seconds": int(max(due, tried, fire).total_seconds())}
    return ItemRow(name, state, runbook, values)


def waits(stored: Stored, now: datetime) -> tuple[timedelta, timedelta, timedelta]:
    """Return how long the oldest notice waits: of those due, of those tried in vain, and of the fires among these."""
    due, tried, fire = (
        timedelta() if since is None else max(timedelta(), now - since)
        for since in (stored.oldest_due, stored.oldest_tried, stored.oldest_fire_tried)
    )
    return due, tried, fire


def _findings(stored: Stored | None) -> ItemRow:
    name, runbook = "findings", "firenetfindingsnotpublished"
    if stored is None:
        return _unknown(name, runbook)
    state = SystemState.ATTENTION if stored.findings_waiting > 1000 else SystemState.WELL
    return ItemRow(name, state, runbook, {"n": stored.findings_waiting})


def _reports(stored: Stored | None, now: datetime) -> ItemRow:
    name, runbook = "reports", "firenetreportmailsfailing"
    if stored is None:
        return _unknown(name, runbook)
    mails = stored.reports
    late = mails.oldest is not None and now - mails.oldest > REPORT_LATE
    state = SystemState.ATTENTION if mails.failed or late else SystemState.WELL
    return ItemRow(name, state, runbook, {"n": mails.waiting, "failed": mails.failed})


def _synthetic(stored: Stored | None, now: datetime) -> ItemRow:
    name, runbook = "synthetic", "firenetsyntheticalarmfailing"
    if stored is None or stored.synthetic is None:
        return _unknown(name, "firenetsyntheticalarmoverdue")
    run = stored.synthetic
    took = max(run.stages.values(), default=run.started_at) - run.started_at
    values: dict[str, Value] = {"seconds": round(took.total_seconds(), 1), "at": run.started_at.isoformat()}
    if run.outcome != "arrived":
        return ItemRow(name, SystemState.BAD, runbook, values)
    if now - run.started_at > SYNTHETIC_OLD:
        return ItemRow(name, SystemState.ATTENTION, "firenetsyntheticalarmoverdue", values)
    return ItemRow(name, SystemState.WELL, runbook, values)


def _refusals(stored: Stored | None) -> ItemRow:
    name, runbook = "refusals", "firenetrefusalssurge"
    if stored is None:
        return _unknown(name, runbook)
    state = SystemState.ATTENTION if stored.refused >= REFUSED_MANY else SystemState.WELL
    return ItemRow(name, state, runbook, {"n": stored.refused})


def _total(services: Sequence[ServiceSeen], service: str, metric: str) -> float | None:
    """Return the sum over every instance of a service; None unless each of them told it."""
    found = [one.metrics.get(metric) for each in services if each.name == service for one in each.instances]
    told = [value for value in found if value is not None]
    return sum(told) if told and len(told) == len(found) else None


def _gaps(services: Sequence[ServiceSeen]) -> ItemRow:
    name, runbook = "gaps", "messages-that-never-came"
    missing = _total(services, "ingest", "firenet_ingest_sequence_missing_total")
    found = _total(services, "ingest", "firenet_ingest_sequence_found_total")
    counting = _total(services, "ingest", "firenet_ingest_counting_numbers")
    if missing is None or found is None or counting is None:
        return _unknown(name, runbook)
    lost = max(0, int(missing - found))
    if not lost and not counting:  # several share the messages, and none of them can know
        return ItemRow(name, SystemState.UNKNOWN, runbook, {"counting": 0})
    return ItemRow(name, SystemState.ATTENTION if lost else SystemState.WELL, runbook, {"n": lost})


def _late_troubles(services: Sequence[ServiceSeen]) -> ItemRow:
    name, runbook = "late_troubles", "firenetfigureslatetrouble"
    late = _total(services, "compliance", "firenet_figures_late_troubles_total")
    if late is None:
        return _unknown(name, runbook)
    return ItemRow(name, SystemState.ATTENTION if late else SystemState.WELL, runbook, {"n": int(late)})


def free_bytes(services: Sequence[ServiceSeen]) -> int | None:
    """Return the least room that an archive has left, None where nobody tells."""
    rooms = [
        one.metrics["firenet_archive_free_bytes"]
        for each in services
        if each.name == "compliance"
        for one in each.instances
        if "firenet_archive_free_bytes" in one.metrics
    ]
    return int(min(rooms)) if rooms else None


def _archive_room(services: Sequence[ServiceSeen]) -> ItemRow:
    name, runbook = "archive_room", "firenetarchivewaiting"
    least = free_bytes(services)
    if least is None:
        return _unknown(name, runbook)
    state = SystemState.BAD if least < ROOM_BAD else SystemState.ATTENTION if least < ROOM_LOW else SystemState.WELL
    return ItemRow(name, state, runbook, {"bytes": least})


def _database_room(stored: Stored | None) -> ItemRow:
    """The size is known, the room that is left is not: nobody on the way can see those disks."""
    values: dict[str, Value] = {} if stored is None else {"bytes": stored.database_bytes}
    return ItemRow("database_room", SystemState.UNKNOWN, "what-the-database-keeps", values)


def _certificates(stored: Stored | None, now: datetime) -> ItemRow:
    name, runbook = "certificates", "let-a-gateway-in-and-out"
    if stored is None:
        return _unknown(name, runbook)
    values: dict[str, Value] = {"n": stored.certificates}
    if stored.first_end is None:
        return ItemRow(name, SystemState.WELL, runbook, values)
    return _ends(name, runbook, stored.first_end, now, values)


def _broker(end: datetime | None, now: datetime) -> ItemRow:
    name, runbook = "broker_certificate", "let-a-gateway-in-and-out"
    return _unknown(name, runbook) if end is None else _ends(name, runbook, end, now, {})


def _ends(name: str, runbook: str, end: datetime, now: datetime, values: Mapping[str, Value]) -> ItemRow:
    left = end - now
    state = SystemState.WELL
    if left < CERTIFICATE_SOON:
        state = SystemState.BAD if left < CERTIFICATE_BAD else SystemState.ATTENTION
    return ItemRow(name, state, runbook, {**values, "at": end.isoformat(), "days": left.days})
