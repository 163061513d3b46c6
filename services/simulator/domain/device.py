"""A GB/T 26875.3 device: numbers what it sends, sends it again until it is confirmed, and does what the centre asks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from services.simulator.domain.frames import (
    Body,
    Command,
    DeviceClock,
    DeviceFlag,
    DeviceOperated,
    DeviceState,
    DutyCheck,
    Frame,
    Key,
    Opaque,
    Part,
    Sample,
    SetClock,
)
from services.simulator.domain.makes import KeepAlive, Make

CENTRE = (10).to_bytes(6, "little")
PATIENCE_S = 10.0
RESENDS = 3
SERIALS = 1 << 16
HANDSHAKE_BEGIN, HANDSHAKE_GOES_ON = Opaque(b"\x16"), Opaque(b"\x17")
GAUGE, KILOPASCAL = Part(12, 0, 99, 1, 1), 5
BEATS_PER_SAMPLE = 10
BEATS_PER_KEY = 60
_UNANSWERED = frozenset({Command.REGISTER, Command.KEEPALIVE})


class Now(NamedTuple):
    """`seconds` on a clock that never jumps, `wall` the true time."""

    seconds: float
    wall: datetime


class EndedFrame(NamedTuple):
    """An exchange that the device began is over: confirmed by the centre, or given up after all resends."""

    serial: int
    confirmed: bool


class Reaction(NamedTuple):
    """What comes of something that happened: frames to send now, exchanges that are over."""

    frames: Sequence[Frame] = ()
    ended: Sequence[EndedFrame] = ()


@dataclass(slots=True)
class _Waiting:
    frame: Frame
    again_s: float
    resends_left: int


class Device:
    """`answer_after_s`: how long the person at the key takes to answer a duty check; None: nobody is there."""

    def __init__(
        self,
        make: Make,
        address: bytes,
        *,
        serial: int = 0,
        clock_ahead: timedelta = timedelta(0),
        answer_after_s: float | None = 5.0,
        patience_s: float = PATIENCE_S,
        resends: int = RESENDS,
    ) -> None:
        self.make = make
        self.address = address
        self.clock_ahead = clock_ahead
        self.state = DeviceFlag.NORMAL
        self._serial = serial
        self._answer_after_s = answer_after_s
        self._patience_s = patience_s
        self._resends = resends
        self._waiting: dict[int, _Waiting] = {}
        self._answers_due: list[float] = []
        self._last_control: int | None = None
        self._beats = 0

    def at(self, now: Now) -> datetime:
        """Return what the device's own clock shows."""
        return (now.wall + self.clock_ahead).replace(microsecond=0)

    def send(self, now: Now, *bodies: Body, command: Command = Command.SEND, urgent: bool = False) -> Frame:
        """Return the next frame. It is sent again by `due` until `hear` takes in its confirm."""
        for body in bodies:
            if isinstance(body, DeviceState):
                self.state = body.flags  # it says so with every keep-alive from now on
        frame = Frame(self._serial, command, self.at(now), self.address, CENTRE, bodies, urgent)
        self._serial = (self._serial + 1) % SERIALS
        if command not in _UNANSWERED:
            self._waiting[frame.serial] = _Waiting(frame, now.seconds + self._patience_s, self._resends)
        return frame

    def waits_for(self, serial: int) -> bool:
        return serial in self._waiting

    def announce(self, now: Now) -> Reaction:
        """Return what the device says when it has connected."""
        if not self.make.announces:
            return Reaction()
        if self.make.keepalive is KeepAlive.HANDSHAKE:
            return Reaction([self.send(now, HANDSHAKE_BEGIN)])
        return Reaction([self.send(now, command=Command.REGISTER)])

    def keepalive(self, now: Now) -> Frame:
        """Return what this make sends to show that it lives."""
        match self.make.keepalive:
            case KeepAlive.STATUS:
                return self.send(now, DeviceState(self.state, self.at(now)))
            case KeepAlive.CLOCK:
                return self.send(now, DeviceClock(self.at(now)))
            case KeepAlive.EMPTY_SEND:
                return self.send(now)
            case KeepAlive.COMMAND_7:
                return self.send(now, command=Command.KEEPALIVE)
            case KeepAlive.TYPE_190:
                return self.send(now, Opaque(b"\xbe\x01"))
            case KeepAlive.HANDSHAKE:
                return self.send(now, HANDSHAKE_GOES_ON)

    def beat(self, now: Now) -> list[Frame]:
        """Return what a quiet hour is made of: the keep-alive, now and then a sample, rarely a key that was pressed."""
        self._beats += 1
        frames = [self.keepalive(now)]
        if self._beats % BEATS_PER_SAMPLE == 0:
            swing = self._beats // BEATS_PER_SAMPLE % 7
            frames.append(self.send(now, Sample(GAUGE, KILOPASCAL, 3_500 + 12 * swing, self.at(now))))
        if self._beats % BEATS_PER_KEY == 0:
            frames.append(self.send(now, DeviceOperated(Key.SELF_TEST, 1, self.at(now))))
        return frames

    def hear(self, frame: Frame, now: Now) -> Reaction:
        """Take in a frame of the centre. One for somebody else changes nothing."""
        if frame.dest != self.address:
            return Reaction()
        match frame.command:
            case Command.CONFIRM:
                waiting = self._waiting.pop(frame.serial, None)
                return Reaction() if waiting is None else Reaction(ended=[EndedFrame(frame.serial, True)])
            case Command.DENY:
                return self._again(frame.serial, now)
            case Command.CONTROL:
                return Reaction([self._obey(frame, now)])
            case Command.REQUEST:
                return Reaction([self._answer(frame, Command.DENY, now)])
            case _:
                return Reaction()

    def due(self, now: Now) -> Reaction:
        """Return the frames to send again, the exchanges given up, and the answer of the person at the key."""
        frames: list[Frame] = []
        ended: list[EndedFrame] = []
        for serial in [serial for serial, waiting in self._waiting.items() if waiting.again_s <= now.seconds]:
            step = self._again(serial, now)
            frames += step.frames
            ended += step.ended
        for _ in [due_s for due_s in self._answers_due if due_s <= now.seconds]:
            frames.append(self.send(now, DeviceOperated(Key.CONFIRM, 1, self.at(now))))
        self._answers_due = [due_s for due_s in self._answers_due if due_s > now.seconds]
        return Reaction(frames, ended)

    def next_due_s(self) -> float | None:
        """Return when `due` will have something next."""
        moments = [waiting.again_s for waiting in self._waiting.values()] + self._answers_due
        return min(moments, default=None)

    def restart(self) -> Reaction:
        """Forget everything, as after a power cut: numbers begin with 0 again."""
        lost = [EndedFrame(serial, False) for serial in self._waiting]
        self._serial = 0
        self.state = DeviceFlag.NORMAL
        self._waiting.clear()
        self._answers_due.clear()
        self._last_control = None
        return Reaction(ended=lost)

    def _again(self, serial: int, now: Now) -> Reaction:
        waiting = self._waiting.get(serial)
        if waiting is None:
            return Reaction()
        if waiting.resends_left == 0:
            del self._waiting[serial]
            return Reaction(ended=[EndedFrame(serial, False)])
        waiting.resends_left -= 1
        waiting.again_s = now.seconds + self._patience_s
        return Reaction([waiting.frame])

    def _obey(self, frame: Frame, now: Now) -> Frame:
        """Do what a control says, once however often it comes, and return the answer."""
        match frame.bodies:
            case (SetClock(at=datetime() as at),):
                self.clock_ahead = at - now.wall
            case (DutyCheck(minutes=minutes),):
                if frame.serial != self._last_control and self._answer_after_s is not None:
                    self._answers_due.append(now.seconds + min(self._answer_after_s, 60.0 * minutes))
            case _:  # it monitors only: nothing else can be controlled
                return self._answer(frame, Command.DENY, now)
        self._last_control = frame.serial
        return self._answer(frame, Command.CONFIRM, now)

    def _answer(self, frame: Frame, command: Command, now: Now) -> Frame:
        return replace(frame, command=command, at=self.at(now), source=frame.dest, dest=frame.source, bodies=())
