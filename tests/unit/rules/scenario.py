"""A small scenario for tests of rules: one district, one pack, a log that numbers its records."""

from datetime import date

from services.kernel.words import FindingKind
from services.rules.domain.effects import Effects, Finding, Transition
from services.rules.domain.engine import Engine
from services.rules.domain.facts import (
    GatewayVersion,
    PackVersion,
    Place,
    Profile,
    Route,
    Scope,
    UnitVersion,
    pack_texts,
)
from services.rules.domain.inputs import Heartbeat, Input, Signal, Tick
from services.rules.domain.time.instants import SECOND, day_start

LISTED = date(2026, 1, 1)
T0 = day_start(date(2026, 3, 2)) + 10 * 3600 * SECOND
"""The first instant of a story, in the middle of a day."""

FAST = Profile.of(60, 3, 60, 2, 300, 1.0)
LATE_AFTER, OFFLINE_AFTER = FAST.late_after, FAST.offline_after

S1 = Scope(
    "S1",
    (
        frozenset({"key_unit"}),
        frozenset({"auto_fire_facilities"}),
        frozenset({"crowded_place", "flammable_place"}),
    ),
    from_acceptance=False,
    clause="000 S1",
)
S2 = Scope(
    "S2",
    (frozenset({"new_build", "renovated", "extended"}), frozenset({"fire_alarm_system"})),
    from_acceptance=True,
    clause="000 S2",
)
PACK = PackVersion(
    valid_from=LISTED,
    recorded_at=day_start(LISTED),
    pack_id="sample-2026",
    version=1,
    district="sample",
    blind_after=10 * SECOND,
    default_profile="CN-FAST",
    profiles={"CN-FAST": FAST},
    scopes=(S1, S2),
    union=("S1", "S2"),
    ladder_clauses={
        FindingKind.FIRE: "F0",
        FindingKind.FAULT: "H0",
        FindingKind.ISOLATION: "H0",
        FindingKind.CONNECTION_LOST: "H0",
    },
)
IN_S1 = frozenset({"key_unit", "auto_fire_facilities", "crowded_place"})
IN_S2 = frozenset({"new_build", "fire_alarm_system"})

PLAIN = UnitVersion(
    valid_from=LISTED,
    recorded_at=day_start(LISTED),
    packed_texts=pack_texts("第一医院"),
    place=Place("sample", "town-1", "c-1", "HOSPITAL"),
    route=Route("health"),
    facts=IN_S1,
    commissioned_on=LISTED,
)


def unit_version(**changes: object) -> UnitVersion:
    """Return the plain version with other fields, those of its place and route among them."""
    place = {name: changes.pop(name) for name in Place._fields if name in changes}
    route = {name: changes.pop(name) for name in Route._fields if name in changes}
    changes |= {"place": PLAIN.place._replace(**place), "route": PLAIN.route._replace(**route)}  # type: ignore[arg-type] # names of their fields, checked by them
    return PLAIN._replace(**changes)  # type: ignore[arg-type] # names of its fields, checked by it


class Scenario:
    """An engine and the log that it reads. Instants are seconds after T0."""

    def __init__(self, units: int = 1, pack: PackVersion | None = PACK, never_grace_s: float = 3600) -> None:
        self.engine = Engine(round(never_grace_s * SECOND))
        self.offset = 0
        self.said = Effects()
        self.log: list[Input] = []
        self._ticks: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        if pack is not None:
            self.engine.registry(packs={pack.pack_id: (pack,)})
        for number in range(1, units + 1):
            self.list_unit(f"U{number}")
        self.collect()

    def list_unit(self, unit_id: str, *versions: UnitVersion, gateways: tuple[str, ...] | None = None) -> None:
        names = gateways if gateways is not None else (f"G{unit_id[1:]}",)
        held = {name: (GatewayVersion(LISTED, day_start(LISTED), unit_id, "carrier-a"),) for name in names}
        self.engine.registry(units={unit_id: versions or (PLAIN,)}, gateways=held)
        self.collect()

    def feed(self, record: Input) -> None:
        self.log.append(record)
        self.engine.apply(record)
        self.offset += 1
        self.collect()

    def beat(self, at_s: float, unit_id: str = "U1", gateway_id: str | None = None, signal_id: str = "") -> None:
        gateway = gateway_id or f"G{unit_id[1:]}"
        name = signal_id or f"{gateway}-{at_s}-{self.offset}"
        self.feed(Heartbeat(unit_id, gateway, name, when(at_s), self.offset))

    def signal(
        self,
        at_s: float,
        kind: str,
        point: str = "",
        restores: str = "",
        unit_id: str = "U1",
        **more: object,
    ) -> None:
        values: dict[str, object] = {"signal_id": f"{kind}-{at_s}-{self.offset}", **more}
        self.feed(
            Signal(
                unit_id=unit_id,
                gateway_id=f"G{unit_id[1:]}",
                kind=kind,
                received_at=when(at_s),
                offset=self.offset,
                point=point,
                restores=restores,
                **values,  # type: ignore[arg-type] # fields of Signal by name
            )
        )

    def tick(self, at_s: float, instance: str = "i1", *, epoch: int = 0, leaving: bool = False) -> None:
        epoch = self._epochs[instance] = epoch or self._epochs.get(instance, 1)
        number = self._ticks[instance] = self._ticks.get(instance, 0) + 1
        self.feed(Tick(instance, epoch, number, leaving, when(at_s), when(at_s), self.offset))

    def lagging_tick(self, at_s: float, lag_s: float, instance: str = "i1") -> None:
        """A tick written now whose proof is older."""
        number = self._ticks[instance] = self._ticks.get(instance, 0) + 1
        self.feed(Tick(instance, 1, number, False, when(at_s - lag_s), when(at_s), self.offset))

    def ticks(self, first_s: float, last_s: float, *instances: str, step_s: float = 1.0) -> None:
        at_s = first_s
        while at_s <= last_s:
            for name in instances or ("i1",):
                self.tick(at_s, name)
            at_s += step_s

    def collect(self) -> None:
        new = self.engine.take_effects()
        self.said.transitions += new.transitions
        self.said.components += new.components
        self.said.findings += new.findings
        self.said.signals += new.signals
        self.said.hours += new.hours
        self.said.samples += new.samples

    def connection(self, unit_id: str = "U1") -> str:
        found = self.engine.units[unit_id].connection.shown
        return "" if found is None else found.value

    def health(self, unit_id: str = "U1") -> str:
        return self.engine.units[unit_id].condition.health.value

    def moves(self, unit_id: str = "U1", aspect: str = "connection") -> list[str]:
        return [t.to_state for t in self.transitions(unit_id, aspect)]

    def transitions(self, unit_id: str = "U1", aspect: str = "connection") -> list[Transition]:
        return [t for t in self.said.transitions if t.unit_id == unit_id and t.aspect == aspect]

    def findings(self, kind: str, unit_id: str = "U1") -> list[Finding]:
        return [f for f in self.said.findings if f.kind == kind and f.unit_id == unit_id]

    def phases(self, kind: str, unit_id: str = "U1") -> list[str]:
        return [f.phase.value for f in self.findings(kind, unit_id)]


def when(at_s: float) -> int:
    """Return the instant `at_s` seconds after T0."""
    return T0 + round(at_s * SECOND)


def since_t0(at: int) -> float:
    """Return an instant as seconds after T0."""
    return (at - T0) / SECOND
