"""Plays a district: heartbeats at their pace, and the script's events at their time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.kernel.words import SignalKind
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.simulator.domain.device import Device
from services.simulator.domain.district import District, Gateway
from services.simulator.domain.fleet import Fleet
from services.simulator.domain.makes import MAKES
from services.simulator.domain.script import Act, Event, Pace
from services.simulator.domain.signals import Signal
from services.simulator.ports import Link, Links, Narrator
from services.simulator.worker.devices import DeviceLink

LONGEST_NAP_S = 0.25


@dataclass
class Tally:
    """What was handed to the broker."""

    heartbeats: int = 0
    others: int = 0


class Player:
    """Runs one district against one broker. Units that the script drops and devices have connections of their own."""

    def __init__(
        self,
        *,
        district: District,
        script: Sequence[Event],
        pace: Pace,
        links: Links,
        narrator: Narrator,
        clock: Clock,
        seed: int,
        gateways_per_connection: int = 500,
    ) -> None:
        self._script = sorted(script, key=lambda event: event.at_s)
        self._gateways = {gateway.gateway_id: gateway for gateway in district.speaking()}
        self._fleet = Fleet(list(self._gateways), pace.heartbeat_s, seed)
        self._links = links
        self._narrator = narrator
        self._clock = clock
        self._per_connection = gateways_per_connection
        self._link_of: dict[str, Link] = {}
        self._own: set[str] = set()
        self._pending: set[asyncio.Future[None]] = set()
        self._upcoming: list[Event] = []
        self._again = False
        self.tally = Tally()

    def again(self) -> bool:
        """Tell the story once more from now on; False while it is still being told: nothing changes then."""
        if self._upcoming or self._again:
            return False
        self._again = True
        return True

    async def run(self, stop: Stop, *, until_s: float | None = None) -> None:
        """Play until stop, or for `until_s` seconds. Raises LinkRefused when the broker cannot be reached at first."""
        await self._connect()
        started_s = self._clock.monotonic()
        self._upcoming, told_from_s = list(self._script), 0.0
        try:
            while not stop.is_set():
                at_s = self._clock.monotonic() - started_s
                if self._again:
                    self._upcoming, told_from_s, self._again = list(self._script), at_s, False
                if until_s is not None and at_s >= until_s:
                    return
                for gateway_id in self._fleet.due(at_s):
                    self._say(self._gateways[gateway_id], SignalKind.HEARTBEAT)
                while self._upcoming and told_from_s + self._upcoming[0].at_s <= at_s:
                    await self._perform(self._upcoming.pop(0))
                event_s = told_from_s + self._upcoming[0].at_s if self._upcoming else None
                moments = [self._fleet.next_due_s(), event_s, until_s]
                nap_s = min((moment - at_s for moment in moments if moment is not None), default=LONGEST_NAP_S)
                await stop.wait_for(min(max(nap_s, 0.001), LONGEST_NAP_S))
        finally:
            await self._close()

    async def _connect(self) -> None:
        dropped = {unit for event in self._script if event.act is Act.DROP for unit in event.units}
        self._own = {gateway.gateway_id for gateway in self._gateways.values() if gateway.unit_id in dropped}
        self._own |= {gateway.gateway_id for gateway in self._gateways.values() if gateway.device is not None}
        for gateway_id in sorted(self._own):
            self._link_of[gateway_id] = await self._open(self._gateways[gateway_id])
        shared = [gateway_id for gateway_id in self._gateways if gateway_id not in self._own]
        for number, first in enumerate(range(0, len(shared), self._per_connection)):
            link = await self._links.open(f"shared-{number}")
            for gateway_id in shared[first : first + self._per_connection]:
                self._link_of[gateway_id] = link

    async def _open(self, gateway: Gateway) -> Link:
        if gateway.device is None:
            return await self._links.open(gateway.gateway_id, gateway.gateway_id)
        link = DeviceLink(Device(MAKES[gateway.device.make], gateway.device.address), self._clock)
        link.attach(self._links.line(gateway, link))
        await link.restore()
        return link

    async def _close(self) -> None:
        links = list({id(link): link for link in self._link_of.values()}.values())
        await asyncio.gather(*(link.close() for link in links), return_exceptions=True)

    async def _perform(self, event: Event) -> None:
        self._narrator.tell(self._clock.now(), event)
        targets = self._targets(event)
        if event.act in (Act.DROP, Act.MUTE):
            self._fleet.silence(gateway.gateway_id for gateway in targets)
            if event.act is Act.DROP:
                await asyncio.gather(*(self._link_of[gateway.gateway_id].cut() for gateway in targets))
        elif event.act is Act.RECOVER:
            for gateway_id in self._fleet.wake(gateway.gateway_id for gateway in targets):
                if gateway_id in self._own:
                    await self._link_of[gateway_id].restore()
                self._say(self._gateways[gateway_id], SignalKind.HEARTBEAT)
        elif event.act is Act.SIGNAL and event.kind is not None:
            for gateway in targets[:1]:  # the controller reports through one of a unit's gateways
                self._say(gateway, event.kind, event)

    def _targets(self, event: Event) -> list[Gateway]:
        return [
            gateway
            for gateway in self._gateways.values()
            if gateway.unit_id in event.units or (event.carrier is not None and gateway.carrier == event.carrier)
        ]

    def _say(self, gateway: Gateway, kind: SignalKind, event: Event | None = None) -> None:
        signal = Signal(
            gateway.gateway_id,
            gateway.unit_id,
            kind,
            self._fleet.take_seq(gateway.gateway_id),
            self._clock.now(),
            point=event.point if event else None,
            restores=event.restores if event else None,
        )
        if kind is SignalKind.HEARTBEAT:
            self.tally.heartbeats += 1
        else:
            self.tally.others += 1
        sent = asyncio.ensure_future(self._link_of[gateway.gateway_id].publish(signal))
        if not sent.done():
            self._pending.add(sent)
            sent.add_done_callback(self._pending.discard)
