"""Random stories of a partition for property tests: a log, and registry rows that come in between.

A story is a list of plain steps that a strategy draws, so that it shrinks well. `tell` turns it into the very inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from hypothesis import strategies as st

from services.rules.domain.effects import Effects
from services.rules.domain.engine import Engine
from services.rules.domain.facts import GatewayVersion, UnitVersion
from services.rules.domain.inputs import Heartbeat, Input, Signal, Tick
from services.rules.domain.time.instants import SECOND, day_start
from tests.unit.rules.scenario import IN_S1, IN_S2, LISTED, PACK, T0, unit_version

UNITS = ("U1", "U2", "U3")
GRACE = 900 * SECOND
TODAY = date(2026, 3, 2)


@dataclass(frozen=True)
class Row:
    """A registry row that comes after so many records."""

    unit_id: str
    versions: tuple[UnitVersion, ...]


@dataclass(frozen=True)
class Story:
    """`inputs` holds records of the log and registry rows in their order."""

    inputs: tuple[Input | Row, ...]


_STEP = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 9)),
    st.tuples(st.just("wait"), st.sampled_from([20, 100, 260, 700])),
    st.tuples(st.just("beat"), st.sampled_from(UNITS), st.sampled_from("ab")),
    st.tuples(st.just("beat"), st.sampled_from(UNITS), st.just("a")),
    st.tuples(st.just("signal"), st.sampled_from(UNITS), st.sampled_from(["fire", "fault", "isolation", "test"]),
              st.sampled_from(["", "p1", "p2"]), st.integers(-400, 5)),
    st.tuples(st.just("restore"), st.sampled_from(UNITS), st.sampled_from(["fire", "fault", "all"]),
              st.sampled_from(["", "p1", "p*"]), st.integers(-400, 5)),
    st.tuples(st.just("down"), st.sampled_from(UNITS)),
    st.tuples(st.just("repeat"), st.integers(1, 6)),
    st.tuples(st.just("silent"), st.sampled_from(["i1", "i2"])),
    st.tuples(st.just("back"), st.sampled_from(["i1", "i2"])),
    st.tuples(st.just("leave"), st.sampled_from(["i1", "i2"])),
    st.tuples(st.just("row"), st.sampled_from(UNITS), st.integers(0, 5), st.integers(-50, 300)),
)  # fmt: skip
STEPS = st.lists(_STEP, min_size=5, max_size=60)


def random_steps(random: Random, count: int = 120) -> list[tuple[object, ...]]:
    """Return steps of a long story, the same for the same seed: most of them beats and signals, as in `STEPS`."""
    steps: list[tuple[object, ...]] = []
    for _ in range(count):
        unit, instance = random.choice(UNITS), random.choice(["i1", "i2"])
        point, shift = random.choice(["", "p1", "p2"]), random.randint(-400, 5)
        wait = random.choice([random.randint(1, 9)] * 6 + [20, 100, 260, 260, 700])
        steps += random.choices(
            [
                ("wait", wait),
                ("beat", unit, random.choice("aab")),
                ("signal", unit, random.choice(["fire", "fault", "isolation", "test"]), point, shift),
                ("restore", unit, random.choice(["fire", "fault", "all"]), random.choice([point, "p*"]), shift),
                ("down", unit),
                ("repeat", random.randint(1, 6)),
                (random.choice(["silent", "back", "back", "leave"]), instance),
                ("row", unit, random.randint(0, 5), random.randint(-50, 300)),
            ],
            [8, 8, 4, 3, 1, 1, 1, 1],
        )
    return steps


class _Writer:
    """Writes the log of a story; instants are seconds after T0, ticks come every 4 seconds of waiting."""

    def __init__(self) -> None:
        self.inputs: list[Input | Row] = []
        self.now = 0
        self.live = {"i1"}
        self.numbers = {"i1": 0, "i2": 0}
        self.versions: dict[str, tuple[UnitVersion, ...]] = dict.fromkeys(UNITS, (unit_version(),))
        self.offset = 0

    def at(self, seconds: float) -> int:
        return T0 + round(seconds * SECOND)

    def put(self, record: Input) -> None:
        self.inputs.append(record._replace(offset=self.offset))
        self.offset += 1

    def ticks(self) -> None:
        for name in sorted(self.live):
            self.tick(name, leaving=False)

    def tick(self, name: str, *, leaving: bool) -> None:
        self.numbers[name] += 1
        self.put(Tick(name, 1, self.numbers[name], leaving, self.at(self.now - 0.5), self.at(self.now), 0))

    def wait(self, seconds: int) -> None:
        """Up to 9 seconds pass with ticks; longer waits are blind for their first half, if longer than the patience."""
        end = self.now + seconds
        if seconds in (20, 700):
            self.now = end
        while self.now < end:
            self.now = min(end, self.now + 4)
            self.ticks()

    def beat(self, unit_id: str, gateway: str) -> None:
        name = f"{unit_id}{gateway}"
        self.put(Heartbeat(unit_id, name, f"h{self.offset}", self.at(self.now), 0))

    def signal(self, unit_id: str, kind: str, point: str, shift_s: int, restores: str = "") -> None:
        self.put(
            Signal(
                unit_id,
                f"{unit_id}a",
                f"s{self.offset}",
                kind,
                self.at(self.now),
                0,
                occurred_at=self.at(self.now + shift_s),
                point=point,
                restores=restores,
                system="p" if point == "p*" else "",
            )
        )

    def restore(self, unit_id: str, restores: str, point: str, shift_s: int) -> None:
        self.signal(unit_id, "restore", point, shift_s, restores)

    def down(self, unit_id: str) -> None:
        self.put(Signal(unit_id, f"{unit_id}a", f"d{self.offset}", "link_down", self.at(self.now), 0))

    def repeat(self, count: int) -> None:
        for record in [one for one in self.inputs[-count:] if not isinstance(one, Row)]:
            self.put(record)

    def silent(self, name: str) -> None:
        self.live.discard(name)

    def back(self, name: str) -> None:
        self.live.add(name)

    def leave(self, name: str) -> None:
        if name in self.live:
            self.live.discard(name)
            self.tick(name, leaving=True)

    def row(self, unit_id: str, change: int, known_in_s: int) -> None:
        yesterday, tomorrow = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
        changes: list[dict[str, object]] = [
            {"exempt_from": yesterday, "exempt_until": TODAY},
            {"commissioned_on": None},
            {"facts": IN_S2, "accepted_on": TODAY},
            {"facts": IN_S1 | IN_S2, "accepted_on": tomorrow, "town": "town-2"},
            {"retired_on": TODAY},
            {"lead_department": "education", "category": "SCHOOL"},
        ]
        known = self.at(self.now + known_in_s)
        version = unit_version(valid_from=TODAY, recorded_at=known, **changes[change])
        held = sorted([*self.versions[unit_id], version], key=lambda one: (one.valid_from, one.recorded_at))
        self.versions[unit_id] = tuple(held)
        self.inputs.append(Row(unit_id, self.versions[unit_id]))


def tell(steps: Sequence[tuple[object, ...]]) -> Story:
    """Return the inputs of a story."""
    writer = _Writer()
    for name, *values in steps:
        getattr(writer, str(name))(*values)
    return Story(tuple(writer.inputs))


GATEWAYS = {
    f"{unit_id}{mark}": (GatewayVersion(LISTED, day_start(LISTED), unit_id, f"carrier-{mark}"),)
    for unit_id in UNITS
    for mark in ("ab" if unit_id == "U2" else "a")
}
PACKS = {"sample-2026": (replace(PACK, recorded_at=0),)}


def fresh() -> Engine:
    """Return an engine that knows the pack, three units and their gateways; U2 has two."""
    engine = Engine(GRACE)
    engine.registry(dict.fromkeys(UNITS, (unit_version(),)), GATEWAYS, PACKS)
    return engine


def step(engine: Engine, item: Input | Row) -> None:
    if isinstance(item, Row):
        engine.registry(units={item.unit_id: item.versions})
    else:
        engine.apply(item)


def play(engine: Engine, items: Sequence[Input | Row]) -> Effects:
    """Feed everything and return all that was said."""
    for item in items:
        step(engine, item)
    return engine.take_effects()
