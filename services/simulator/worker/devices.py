"""A GB/T 26875.3 device at work: what it has to say goes out over its line, again until the centre confirms it."""

import asyncio
from collections.abc import Iterable

from services.kernel.words import Lane, SignalKind
from services.runtime.clock import Clock
from services.simulator.domain.device import Device, Now, Reaction
from services.simulator.domain.frames import Frame
from services.simulator.domain.signals import Signal
from services.simulator.domain.wording import body_of
from services.simulator.ports import Line


class DeviceLink:
    """The `Link` of a gateway that speaks GB/T 26875.3. It hears as the `FrameListener` of its own line."""

    def __init__(self, device: Device, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._line: Line | None = None
        self._pending: dict[int, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.given_up = 0

    def attach(self, line: Line) -> None:
        self._line = line

    def publish(self, signal: Signal) -> "asyncio.Future[None]":
        """Say it. The result is done when the centre has confirmed it, or all resends were in vain."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        now = self._now()
        if signal.kind is SignalKind.HEARTBEAT:
            frames = self._device.beat(now)
        else:
            body = body_of(signal, self._device.at(now))
            frames = [self._device.send(now, body, urgent=signal.lane is Lane.ALARM)]
        if self._device.waits_for(frames[0].serial):
            self._pending[frames[0].serial] = done
        else:
            done.set_result(None)
        self._say(frames)
        return done

    def heard(self, frame: Frame) -> None:
        self._take(self._device.hear(frame, self._now()))

    def connected(self) -> None:
        self._take(self._device.announce(self._now()))

    async def cut(self) -> None:
        await self._open_line().cut()

    async def restore(self) -> None:
        await self._open_line().restore()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._open_line().close()

    def _take(self, step: Reaction) -> None:
        for serial, confirmed in step.ended:
            self.given_up += not confirmed
            done = self._pending.pop(serial, None)
            if done is not None and not done.done():
                done.set_result(None)
        self._say(step.frames)

    def _say(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._open_line().send(frame)
        if self._timer is not None:
            self._timer.cancel()
        due_s = self._device.next_due_s()
        if due_s is not None:
            wait_s = max(0.0, due_s - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        self._take(self._device.due(self._now()))

    def _now(self) -> Now:
        return Now(self._clock.monotonic(), self._clock.now())

    def _open_line(self) -> Line:
        assert self._line is not None, "attached before anything happens"
        return self._line
