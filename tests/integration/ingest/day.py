"""A day in the life of GB/T 26875.3 devices, as fast as they are answered, with all the mischief of real lines.

Each device beats every quarter of an hour of its own time and goes on as soon as all it said is confirmed: a day
takes as long as the answers do. It keeps a ledger of what it sent and of what was confirmed to it.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.signal import Signal
from services.kernel.words import Lane, SignalKind
from services.simulator.adapters import gb26875
from services.simulator.adapters.mqtt import MqttLine
from services.simulator.adapters.tcp import TcpLine
from services.simulator.domain.device import GAUGE, KILOPASCAL, SERIALS, Device, Now, Reaction
from services.simulator.domain.district import Gateway
from services.simulator.domain.frames import (
    DeviceFlag,
    DeviceOperated,
    DeviceState,
    Flag,
    Frame,
    Key,
    Part,
    PartState,
    Sample,
    SystemOperated,
    SystemState,
)
from services.simulator.domain.makes import MAKES
from tests.integration.ingest.log import Written

BEAT_S = 900
IMPATIENT_S = 1.0
"""Seconds of real time without an answer after which a device believes that its own ten have passed."""
RESENDS = 300
NOON = 0.5
"""Nobody goes on from here before ingest was killed and is there again, however quickly his beats are answered."""
AFTERNOON = 0.6
"""Numbers are skipped, and losses counted, from this part of the day on, when ingest knows every device again: one that
was killed forgets what it has heard, and misses nothing before it is sure of a count."""
FAR = 30_000
"""Where the stranger counts: a refused frame that names a number came, so that number would not be missing."""
SIESTA = 12
"""Samples that make a count sure."""


@dataclass
class Ledger:
    """What one device sent, by the bytes on the wire; `spoilt` was never to be believed."""

    sent: set[bytes] = field(default_factory=set)
    confirmed: set[bytes] = field(default_factory=set)
    fires: set[bytes] = field(default_factory=set)
    afternoon: set[bytes] = field(default_factory=set)
    spoilt: list[bytes] = field(default_factory=list)
    given_up: list[bytes] = field(default_factory=list)
    skipped: int = 0
    mischief: Counter[str] = field(default_factory=Counter)


class ForgetfulDevice(Device):
    """Loses frames of its own."""

    def skip(self, frames: int) -> None:
        """Use up so many numbers, as for frames that the device itself has lost."""
        self._serial = (self._serial + frames) % SERIALS


class DayDevice:
    """One device, what it does all day, and its ledger. It hears as the `FrameListener` of its own line."""

    def __init__(self, gateway: Gateway, number: int, starts: datetime, stranger: bytes) -> None:
        """`stranger` is an address that is not its own."""
        assert gateway.device is not None
        self.gateway = gateway
        self.ledger = Ledger()
        self.make = MAKES[gateway.device.make]
        self._rng = random.Random(number)
        wraps = number % 4 == 1
        self._restarts = number % 5 == 0 and not wraps  # so near the wrap nobody could tell the two apart
        self._stranger = Device(self.make, stranger, serial=FAR)
        first = 65_536 - 150 if wraps else 0
        self._device = ForgetfulDevice(self.make, gateway.device.address, serial=first, resends=RESENDS)
        self._starts = starts
        self._seconds = 0.0
        self._is_afternoon = False
        self.is_resting = self.is_over = False
        self._raw: dict[int, bytes] = {}
        self._news = asyncio.Event()
        self._line: MqttLine | TcpLine | None = None

    def attach(self, line: MqttLine | TcpLine) -> None:
        self._line = line

    async def live(self, beats: int, noon: asyncio.Event, known: asyncio.Event, dusk: asyncio.Event) -> None:
        """`noon`: ingest was killed and is there again; `known`: it knows all devices; `dusk`: it has told all."""
        assert self._line is not None
        await self._line.restore()
        for beat in range(beats):
            if beat / beats >= NOON:
                await noon.wait()
            if beat / beats > AFTERNOON and not self._is_afternoon:
                await self._sample_until(known)
                for _ in range(SIESTA):
                    await self._sample()
            await self._beat(beat / beats)
        self.is_over = True
        await self._sample_until(dusk)

    async def close(self) -> None:
        assert self._line is not None
        await self._line.close()

    # --- what it hears

    def connected(self) -> None:
        self._take(self._device.announce(self._now()))

    def heard(self, frame: Frame) -> None:
        self._take(self._device.hear(frame, self._now()))

    def _take(self, step: Reaction) -> None:
        for serial, confirmed in step.ended:
            if confirmed:
                self.ledger.confirmed.add(self._raw[serial])
            else:
                self.ledger.given_up.append(self._raw[serial])
        for frame in step.frames:
            self._send(frame)
        self._news.set()

    # --- what it does

    async def _beat(self, part_of_day: float) -> None:
        self._seconds += BEAT_S
        self._is_afternoon = part_of_day > AFTERNOON
        if self._restarts and part_of_day >= 0.3:
            self._restarts = False
            self._take(self._device.restart())
            self.ledger.mischief["restart"] += 1
        if self._is_afternoon and part_of_day < 0.9 and self._rng.random() < 0.05:
            lost = self._rng.randrange(1, 5)
            self._device.skip(lost)
            self.ledger.skipped += lost
        frames = self._device.beat(self._now()) + [self._say() for _ in range(self._rng.choice((0, 0, 0, 1, 2)))]
        if self._rng.random() < 0.2:
            self._rng.shuffle(frames)
            self.ledger.mischief["reordered"] += len(frames) > 1
        self._spoil()
        for frame in frames:
            self._send(frame)
            if self._rng.random() < 0.1:
                self.ledger.mischief["doubled"] += 1
                self._send(frame)
        await self._all_confirmed()

    async def _sample_until(self, done: asyncio.Event) -> None:
        """Take samples, which no fire makes urgent: they show the losses that were still open."""
        self.is_resting = True
        while not done.is_set():
            await self._sample()
            await asyncio.sleep(0.05)

    async def _sample(self) -> None:
        self._send(self._device.send(self._now(), Sample(GAUGE, KILOPASCAL, 3_500, self._device.at(self._now()))))
        await self._all_confirmed()

    async def _all_confirmed(self) -> None:
        """Return when nothing waits for its confirm any more; what is not answered in good time is sent again."""
        while self._device.next_due_s() is not None:
            self._news.clear()
            try:
                async with asyncio.timeout(IMPATIENT_S):
                    await self._news.wait()
            except TimeoutError:
                self._seconds += 10
                self._take(self._device.due(self._now()))

    def _say(self) -> Frame:
        """Return something that is worth a record, each as likely."""
        now, at = self._now(), self._device.at(self._now())
        part = Part(1, 0, 42, self._rng.randrange(1, 9), self._rng.randrange(1, 200))
        burning, normal = Flag.NORMAL | Flag.FIRE, Flag.NORMAL
        match self._rng.randrange(9):
            case 0 | 1:
                frame = self._device.send(now, PartState(part, burning, "三层走廊感烟", at), urgent=True)
                self.ledger.fires.add(gb26875.write(frame, self.make))
                return frame
            case 2:
                return self._device.send(now, PartState(part, normal, "三层走廊感烟", at), urgent=True)
            case 3:
                return self._device.send(now, PartState(part, normal | Flag.FAULT, "喷淋泵", at))
            case 4:
                return self._device.send(now, PartState(part, normal | Flag.SHIELDED, "地下车库", at))
            case 5:
                states = (SystemState(1, 0, normal | Flag.SUPERVISORY, at), SystemState(10, 1, normal | Flag.BUS, at))
                return self._device.send(now, *states)
            case 6:
                return self._device.send(now, DeviceState(DeviceFlag.NORMAL | DeviceFlag.MAIN_POWER, at))
            case 7:
                return self._device.send(now, Sample(part, 3, self._rng.randrange(-300, 900), at))
            case _:
                keys = SystemOperated(1, 0, Key.SILENCE, 2, at), DeviceOperated(Key.SELF_TEST, 2, at)
                return self._device.send(now, self._rng.choice(keys))

    def _spoil(self) -> None:
        """Now and then send what no device of this address should."""
        rng = self._rng.random()
        good = gb26875.write(self._stranger.keepalive(self._now()), self.make)
        if rng < 0.03:
            self._write(b"junk" + bytes(byte for byte in self._rng.randbytes(40) if byte != 0x40), "junk")
        elif rng < 0.06:
            self._write(good[:-3] + bytes((good[-3] ^ 0x5A,)) + good[-2:], "checksum")
        elif rng < 0.08:
            self._write(good, "stranger")

    def _write(self, raw: bytes, mischief: str) -> None:
        self.ledger.spoilt.append(raw)
        self.ledger.mischief[mischief] += 1
        self._put(raw, Lane.UP)

    def _send(self, frame: Frame) -> None:
        raw = gb26875.write(frame, self.make)
        if frame.dest != self._device.address:
            self._raw[frame.serial] = raw
            self.ledger.sent.add(raw)
            if self._is_afternoon:
                self.ledger.afternoon.add(raw)
        self._put(raw, Lane.ALARM if frame.urgent else Lane.UP)

    def _put(self, raw: bytes, lane: Lane) -> None:
        assert self._line is not None
        if isinstance(self._line, MqttLine):
            self._line.write(raw, lane)
        else:
            self._line.write(raw)

    def _now(self) -> Now:
        return Now(self._seconds, self._starts + timedelta(seconds=self._seconds))


def accounts(devices: Sequence[DayDevice], written: Written) -> list[str]:
    """Return everything in which the ledgers and the topics differ."""
    said: dict[str, dict[bytes, list[Signal]]] = defaultdict(lambda: defaultdict(list))
    for _, _, signal in written.signals:
        if signal.data.frame is not None:
            said[signal.data.gateway_id][signal.data.frame.raw].append(signal)
    alarms = {(one.data.gateway_id, one.data.frame.raw) for one in written.alarms if one.data.frame is not None}
    refused = {refusal.data.raw for refusal in written.refusals}
    wrong: list[str] = []
    for device in devices:
        name, ledger = device.gateway.gateway_id, device.ledger
        stored = said[name]
        wrong += _told(f"{name} confirmed and lost", (raw for raw in ledger.confirmed if not stored.get(raw)))
        wrong += _told(
            f"{name} two ids of one reception", (raw for raw, signals in stored.items() if _doubled(signals))
        )
        wrong += _told(f"{name} never sent", stored.keys() - ledger.sent)
        burnt = (raw for raw in ledger.fires & ledger.confirmed if (name, raw) not in alarms)
        wrong += _told(f"{name} fire not on the fast lane", burnt)
        if device.gateway.device and device.gateway.device.calls_from is None:
            wrong += _told(f"{name} spoilt and not refused", (raw for raw in ledger.spoilt if raw not in refused))
        wrong += _losses(device, stored)
    return wrong


def _losses(device: DayDevice, stored: Mapping[bytes, Sequence[Signal]]) -> list[str]:
    """Return what is wrong with the losses that stand on the topic; a gap may stand there twice under one id."""
    missing = {
        signal.id: signal.data.missing or 0
        for raw in device.ledger.afternoon
        for signal in stored.get(raw, ())
        if signal.data.kind is SignalKind.GAP
    }
    told, skipped = sum(missing.values()), device.ledger.skipped
    return [] if told == skipped else [f"{device.gateway.gateway_id} skipped {skipped} numbers, {told} were missed"]


def _doubled(signals: Iterable[Signal]) -> bool:
    """Say whether one reception stands there as two signals: a device may send again, and each time is one."""
    seen: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for signal in signals:
        data = signal.data
        if data.kind is not SignalKind.HEARTBEAT:
            what = (data.kind, data.restores, data.point and data.point.address, data.point and data.point.system)
            seen[(*what, signal.time)].add(signal.id)
    return any(len(found) > 1 for found in seen.values())


def _told(what: str, raws: Iterable[bytes]) -> list[str]:
    found = sorted(raws)
    return [f"{what}: {len(found)}, first {found[0].hex()}"] if found else []
