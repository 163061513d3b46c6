"""What the engine is fed: signals and ticks in log order. NamedTuples, as one is made per record."""

from typing import NamedTuple


class Heartbeat(NamedTuple):
    """A heartbeat that was not retained: nearly all of the traffic."""

    unit_id: str
    gateway_id: str
    signal_id: str
    received_at: int
    offset: int
    redelivered: bool = False


class Signal(NamedTuple):
    """Any other usable message.

    `occurred_at` is the device's own claim, 0 without one. `point` names a component, "" the whole unit. `restores` is
    a trouble kind, "all", or "" for what is no restore; `system` is how the names of all points begin that it ends, ""
    when it ends `point` only. `body` is stored as it is; the domain does not look inside.
    `redelivered`: the broker had delivered it before, so it may be older than what arrived earlier. `content`: the same
    for the same bytes of the same gateway, "" where it has none. `again`: its unit said just this before, in another
    message: the time that it claims was said of another moment.
    `replayed`: refused once, at `first_received_at`, and taken in by a person at `received_at`. What it says counts, in
    the place that it would have had; that its gateway lives does not.
    `missing`: so many messages of the gateway never came; below 0 so many of those did after all.
    `reconnected`: the first that came over a new connection of a gateway which had another one before.
    """

    unit_id: str
    gateway_id: str
    signal_id: str
    kind: str
    received_at: int
    offset: int
    occurred_at: int = 0
    clock_behind: bool = False
    clock_ahead: bool = False
    retained: bool = False
    redelivered: bool = False
    replayed: bool = False
    first_received_at: int = 0
    reconnected: bool = False
    missing: int = 0
    seq: int | None = None
    point: str = ""
    restores: str = ""
    system: str = ""
    body: str = "{}"
    content: str = ""
    again: bool = False


class Tick(NamedTuple):
    """An instance of ingest proves that all it received before `proven_until` stands before this record."""

    instance: str
    epoch: int
    number: int
    leaving: bool
    proven_until: int
    written_at: int
    offset: int


Input = Heartbeat | Signal | Tick
