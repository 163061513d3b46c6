"""What the simulator needs from outside."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from services.simulator.domain.district import Gateway
from services.simulator.domain.frames import Frame
from services.simulator.domain.load import Block, LoadPlan
from services.simulator.domain.script import Event
from services.simulator.domain.signals import Signal


class Link(Protocol):
    """A connection to the broker that gateways share, or that one gateway has for itself."""

    def publish(self, signal: Signal) -> Awaitable[None]:
        """Hand over a message, QoS 1; the result is done when the broker has acknowledged it.

        After a lost connection it is sent again, marked as a duplicate. Heartbeats beyond the bound of the waiting
        line are dropped and counted: an old sign of life proves nothing.
        """
        ...

    async def cut(self) -> None:
        """Break the line without a word, as a failing line does: the broker speaks the last will. Stays broken."""
        ...

    async def restore(self) -> None:
        """Make the connection again after `cut`; a link of one gateway says on its status topic that it is online."""
        ...

    async def close(self) -> None:
        """Say goodbye; a gateway's retained status becomes offline."""
        ...


class Links(Protocol):
    async def open(self, name: str, gateway_id: str | None = None) -> Link:
        """Connect. With `gateway_id` the link is that gateway's own, with its last will and its status.

        Raises:  LinkRefused when the broker cannot be reached or does not want us.
        """
        ...

    def line(self, gateway: Gateway, listener: "FrameListener") -> "Line":
        """Return the line of a gateway that speaks GB/T 26875.3, over the carrier that is its own; not connected yet.

        Raises:  LinkRefused when nobody takes such devices here.
        """
        ...


class FrameListener(Protocol):
    """Who listens at the device's end of a line."""

    def connected(self) -> None:
        """The line is there, for the first time or again."""
        ...

    def heard(self, frame: Frame) -> None: ...


class Line(Protocol):
    """The way of one GB/T 26875.3 device to the centre and back. It makes itself anew when it is lost."""

    def send(self, frame: Frame) -> None:
        """Send without waiting. While the line is lost nothing goes out: the device sends again by itself."""
        ...

    async def cut(self) -> None:
        """Break the line without a word; it stays broken until `restore`."""
        ...

    async def restore(self) -> None:
        """Connect, for the first time or after `cut`. Raises LinkRefused."""
        ...

    async def close(self) -> None: ...


class LinkRefused(Exception):
    """The broker could not be reached, or refused the connection; the text says which."""


class Narrator(Protocol):
    def tell(self, at: datetime, event: Event) -> None:
        """Say what happens now, in both languages, as one line."""
        ...


class LoadPipes(Protocol):
    """Connections of the load generator for one plan. Each gateway stays on one connection, in order."""

    async def open(self) -> None:
        """Connect. Raises LinkRefused."""
        ...

    def send(self, first: int, count: int, wall: datetime) -> int:
        """Send the plan's messages from `first` on, as far as windows and lines allow; return how many went out.

        `wall` is put into them as the device's time.
        """
        ...

    def in_flight(self) -> int:
        """Return how many messages wait for their acknowledgement."""
        ...

    async def close(self) -> None: ...


class Outcomes(Protocol):
    """Where pipes note what became of each message; instants in monotonic seconds."""

    def sent(self, number: int, at_s: float) -> None: ...

    def acked(self, number: int, at_s: float) -> None: ...


class Ledger(Protocol):
    def write(self, plan: LoadPlan, first: int, block: Block, started_s: float, started_at: datetime) -> None:
        """Append the outcome of every sent message of a block that begins with message `first`."""
        ...
