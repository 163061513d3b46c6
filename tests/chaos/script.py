"""What the devices of a chaos run say and when, all of it decided by a seed: pure, no clock, no network.

Every device is one gateway that counts over both its lanes. Most send heartbeats and have fires, faults and isolations
with their ends. Some know no alarm lane, some know seconds only, some leave numbers out, some are silent for a while or
for good, and some boot again and again: counter and clock begin anew, and they say the very same words once more.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

COMPONENTS = 12
TROUBLE_POINTS = 4
EPOCH_2000 = 946_684_800.0
QUIET_FIRST_S = 6.0
BOOT_FIRST_FIRE_S = 1.0
CHATTY_PERIOD_S = 0.1
MAX_AGAIN = 250
"""So far back goes a message that is sent again: further than any window of ingest."""
FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is said: messages a second in all, and how often something happens in all, per second."""

    messages: float = 150.0
    fires: float = 0.8
    faults: float = 0.5
    isolations: float = 0.2
    silence_s: float = 25.0
    silences_within_s: float = 50.0
    """In the first so many seconds falls the one silence of a device that has one."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is odd about a device. `silent` is from and until when, in seconds of the run."""

    fire_lane: str = "alarm"
    whole_seconds: bool = False
    skips: bool = False
    boots: bool = False
    silent: tuple[float, float] | None = None
    burns_on: bool = False
    boot_burns_s: float = 1.0
    chatty: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """One message: `body` without its time. `clock` is the device's own time where it is not ours.

    `again` is not 0: no new message, but the one so many before the last, as a gateway that saw no PUBACK sends it.
    """

    due_s: float
    gateway: str
    lane: str
    body: dict[str, Any]
    skipped: int
    traits: Traits
    clock: float | None = None
    again: int = 0


def traits_of(gateways: Sequence[tuple[str, str]], seed: int, pace: Pace) -> dict[str, Traits]:
    """Deal the oddities out: disjoint where one would blur what another is to show. Gateways of one unit are alike."""
    dice = random.Random(f"{seed}/traits")
    found: dict[str, Traits] = {}
    units = sorted({unit for _, unit in gateways})
    dice.shuffle(units)
    kinds = (
        ["boots"] * 7 + ["skips"] * 10 + ["silent"] * 8 + ["gone"] * 4 + ["up"] * 8 + ["burns_on"] * 3 + ["chatty"] * 3
    )
    kind_of = {unit: kinds[at] if at < len(kinds) else "plain" for at, unit in enumerate(units)}
    for unit in units:
        start = 10 + pace.silences_within_s * dice.random()
        made = Traits(
            fire_lane="up" if kind_of[unit] == "up" else "alarm",
            whole_seconds=dice.random() < 0.2,
            skips=kind_of[unit] == "skips",
            boots=kind_of[unit] == "boots",
            silent={"silent": (start, start + pace.silence_s), "gone": (start, FOR_EVER)}.get(kind_of[unit]),
            burns_on=kind_of[unit] == "burns_on",
            chatty=kind_of[unit] == "chatty",
            boot_burns_s=dice.choice((0.2, 1.0, 4.0)),
        )
        found.update((gateway, made) for gateway, of in gateways if of == unit)
    return found


@dataclass(slots=True)
class _Device:
    gateway: str
    traits: Traits
    dice: random.Random
    first_of_unit: bool
    seq: int = 0
    booted_at: float | None = None
    held_until: float = 0.0
    burning: set[str] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)
    isolated: set[str] = field(default_factory=set)

    def silent_at(self, due_s: float) -> bool:
        return self.traits.silent is not None and self.traits.silent[0] <= due_s < self.traits.silent[1]


Action = tuple[str, str | None]


class Script:
    """Yields what is said, in the order of time, for as long as it is asked."""

    def __init__(self, seed: int, gateways: Sequence[tuple[str, str]], pace: Pace) -> None:
        self.traits = traits_of(gateways, seed, pace)
        self._pace = pace
        self._calm = False
        self._number = 0
        self._heap: list[tuple[float, int, str, Action]] = []
        self._devices: dict[str, _Device] = {}
        met: set[str] = set()
        for gateway, unit in gateways:
            dice = random.Random(f"{seed}/{gateway}")
            self._devices[gateway] = _Device(gateway, self.traits[gateway], dice, unit not in met)
            met.add(unit)
        self._period = len(gateways) / pace.messages
        troubled = [one for one in self._devices.values() if one.first_of_unit and not one.traits.boots]
        self._share = max(1, len(troubled))
        for device in self._devices.values():
            self._push(device.dice.random() * self._period, device, ("beat", None))
            if device in troubled:
                self._push(self._next(0.0, device, pace.fires), device, ("fires", None))
                self._push(self._next(0.0, device, pace.faults), device, ("fault", None))
                self._push(self._next(0.0, device, pace.isolations), device, ("isolation", None))
            elif device.traits.boots and device.first_of_unit:
                self._push(QUIET_FIRST_S + 40 * device.dice.random(), device, ("boot", None))

    def calm(self, now_s: float) -> None:
        """End everything that may end, soon; from then on there are heartbeats only."""
        self._calm = True
        for device in self._devices.values():
            if not device.traits.burns_on:
                self._push(now_s + device.dice.random(), device, ("end_all", None))

    def due(self, now_s: float) -> Iterator[Said]:
        """Yield what is due by now."""
        while self._heap and self._heap[0][0] <= now_s:
            due_s, _, gateway, (name, point) = heappop(self._heap)
            device = self._devices[gateway]
            yield from getattr(self, f"_{name}")(device, due_s, point)

    def _push(self, due_s: float, device: _Device, action: Action) -> None:
        self._number += 1
        heappush(self._heap, (due_s, self._number, device.gateway, action))

    def _next(self, due_s: float, device: _Device, rate: float) -> float:
        return max(due_s, QUIET_FIRST_S) + device.dice.expovariate(rate / self._share)

    def _say(self, device: _Device, due_s: float, lane: str, body: dict[str, Any]) -> Iterator[Said]:
        if device.silent_at(due_s):
            return
        skipped = 0
        if device.traits.skips and not self._calm and device.dice.random() < 0.01:
            skipped = device.dice.choice((1, 1, 2, 5, 40))
        device.seq += 1 + skipped
        clock = None if device.booted_at is None else EPOCH_2000 + float(int(due_s - device.booted_at + 0.01))
        whole = {"v": 1, **body, "seq": device.seq}
        yield Said(due_s, device.gateway, lane, whole, skipped, device.traits, clock)

    # --- what a device does

    def _beat(self, device: _Device, due_s: float, _: str | None) -> Iterator[Said]:
        period = CHATTY_PERIOD_S if device.traits.chatty else self._period
        self._push(due_s + period * (0.8 + 0.4 * device.dice.random()), device, ("beat", None))
        if due_s >= device.held_until:
            yield from self._say(device, due_s, "up", {"kind": "heartbeat"})
        if device.traits.chatty and device.seq > MAX_AGAIN and device.dice.random() < 0.01:
            again = device.dice.randint(1, MAX_AGAIN)
            yield Said(due_s, device.gateway, "up", {}, 0, device.traits, again=again)

    def _fires(self, device: _Device, due_s: float, _: str | None) -> Iterator[Said]:
        """Begin a fire at one to three components, now or within moments, and arrange for its end."""
        if self._calm:
            return
        self._push(self._next(due_s, device, self._pace.fires), device, ("fires", None))
        dice = device.dice
        points = dice.sample([f"r-{number}" for number in range(COMPONENTS)], dice.choice((1, 1, 1, 2, 3)))
        lasts = dice.choice((0.5 * dice.random(), 0.5 * dice.random(), 1 + 9 * dice.random(), 10 + 50 * dice.random()))
        at_once = dice.random() < 0.4
        begins = [due_s + 0.3 * number * dice.random() for number in range(len(points))]
        for begin, point in zip(begins, points, strict=True):
            self._push(begin, device, ("fire", point))
            if not at_once:
                self._push(begin + lasts * (0.5 + dice.random()), device, ("end_fire", point))
        if at_once:
            self._push(max(begins) + lasts, device, ("end_fire", None))
        yield from ()

    def _fire(self, device: _Device, due_s: float, point: str | None) -> Iterator[Said]:
        assert point is not None
        if device.silent_at(due_s) or point in device.burning or self._calm:
            return
        device.burning.add(point)
        yield from self._say(device, due_s, device.traits.fire_lane, {"kind": "fire", "point": {"address": point}})

    def _end_fire(self, device: _Device, due_s: float, point: str | None) -> Iterator[Said]:
        if self._put_off(device, due_s, ("end_fire", point)):
            return
        if point is None and device.burning:
            device.burning.clear()
            yield from self._say(device, due_s, device.traits.fire_lane, {"kind": "restore", "restores": "fire"})
        elif point in device.burning:
            device.burning.discard(point)
            body = {"kind": "restore", "restores": "fire", "point": {"address": point}}
            yield from self._say(device, due_s, device.traits.fire_lane, body)

    def _fault(self, device: _Device, due_s: float, _: str | None) -> Iterator[Said]:
        yield from self._trouble(device, due_s, "fault", device.faults, self._pace.faults)

    def _isolation(self, device: _Device, due_s: float, _: str | None) -> Iterator[Said]:
        yield from self._trouble(device, due_s, "isolation", device.isolated, self._pace.isolations)

    def _trouble(self, device: _Device, due_s: float, kind: str, points: set[str], rate: float) -> Iterator[Said]:
        """Begin trouble at a component that is well, or end that of one that is not."""
        if self._calm:
            return
        self._push(self._next(due_s, device, rate), device, (kind, None))
        if device.silent_at(due_s):
            return
        address = f"{kind[0]}-{device.dice.randrange(TROUBLE_POINTS)}"
        if address in points:
            points.discard(address)
            yield from self._say(
                device, due_s, "up", {"kind": "restore", "restores": kind, "point": {"address": address}}
            )
        else:
            points.add(address)
            yield from self._say(device, due_s, "up", {"kind": kind, "point": {"address": address}})

    def _boot(self, device: _Device, due_s: float, _: str | None) -> Iterator[Said]:
        """Counter and clock begin anew; the first words are a fire and its end, the same at every boot."""
        if self._calm:
            return
        burns_s = device.traits.boot_burns_s
        device.booted_at, device.seq = due_s, 0
        device.held_until = due_s + BOOT_FIRST_FIRE_S + burns_s + 0.1
        self._push(due_s + BOOT_FIRST_FIRE_S, device, ("boot_fire", "b-1"))
        self._push(due_s + BOOT_FIRST_FIRE_S + burns_s, device, ("end_fire", "b-1"))
        self._push(due_s + 40 + 60 * device.dice.random(), device, ("boot", None))
        yield from ()

    def _boot_fire(self, device: _Device, due_s: float, point: str | None) -> Iterator[Said]:
        device.burning.add(point or "")
        yield from self._say(device, due_s, device.traits.fire_lane, {"kind": "fire", "point": {"address": point}})

    def _end_all(self, device: _Device, due_s: float, _: str | None) -> Iterator[Said]:
        """End all trouble with one word, as a reset of the panel does."""
        if self._put_off(device, due_s, ("end_all", None)):
            return
        if device.burning or device.faults or device.isolated:
            for points in (device.burning, device.faults, device.isolated):
                points.clear()
            yield from self._say(device, due_s, device.traits.fire_lane, {"kind": "restore", "restores": "all"})

    def _put_off(self, device: _Device, due_s: float, action: Action) -> bool:
        """A device that is silent says it when it speaks again; one that is gone never does."""
        if not device.silent_at(due_s):
            return False
        assert device.traits.silent is not None
        if device.traits.silent[1] < FOR_EVER:
            self._push(device.traits.silent[1] + 0.5, device, action)
        return True
