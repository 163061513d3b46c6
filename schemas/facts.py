"""What `python -m services.rules facts` establishes of a log, one JSON object a line.

Ticks and records stand in the order of the log; of all others the order says nothing. Each carries the `recorded_at`
of the line that it was established from: cut there, the facts are those of the log cut there. The last line says how
many there are, so that a pipe that broke is not taken for a short log.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas.base import Identifier, Wire
from schemas.codec import Codec
from schemas.gateway import Point
from schemas.listing import ListingActedData
from schemas.registry import RegistryData
from services.kernel.words import ExchangeStep, Flag, Restores, SignalKind


class TickFact(Wire):
    """Somebody looked until `seen`. `watermark` is how far everybody has, after this tick.

    `impaired_from` is set on the tick that shows the first silent instance, `impaired_to` on the one that ends that.
    """

    fact: Literal["tick"] = "tick"
    recorded_at: AwareDatetime
    seen: AwareDatetime
    watermark: AwareDatetime
    impaired_from: AwareDatetime | None = None
    impaired_to: AwareDatetime | None = None


class SignalFact(Wire):
    """A signal, told when it is the earliest of its `source` and `id` so far.

    It replaces the fact of the same both with a later `time`.
    """

    fact: Literal["signal"] = "signal"
    recorded_at: AwareDatetime
    source: str
    id: str
    time: AwareDatetime
    gateway_id: Identifier
    unit_id: Identifier
    kind: SignalKind
    flags: tuple[Flag, ...] = ()
    seq: int | None = None
    occurred_at: AwareDatetime | None = None
    first_received_at: AwareDatetime | None = None
    point: Point | None = None
    restores: Restores | None = None


class HeartbeatsFact(Wire):
    """Heartbeats of one gateway for one unit that are signs of life and nothing else, as many as came together.

    They are nearly all of a log. Each `received` (event `time`) has its `recorded`; both in microseconds since 1970.
    """

    fact: Literal["heartbeats"] = "heartbeats"
    gateway_id: Identifier
    unit_id: Identifier
    received: tuple[int, ...]
    recorded: tuple[int, ...]


class ReplacedFact(Wire):
    """A heartbeat told in a `heartbeats` counts no more: a copy with an earlier time came."""

    fact: Literal["replaced"] = "replaced"
    recorded_at: AwareDatetime
    gateway_id: Identifier
    unit_id: Identifier
    received: int


class CheckFact(Wire):
    """One step of a duty check, the first record of its source and id."""

    fact: Literal["check"] = "check"
    recorded_at: AwareDatetime
    command_id: str
    gateway_id: Identifier
    ordered_at: AwareDatetime
    step: ExchangeStep


class ListingFact(Wire):
    """An act of a listing; of two with one number the later holds, and what followed the former is gone."""

    fact: Literal["listing"] = "listing"
    recorded_at: AwareDatetime
    at: AwareDatetime
    data: ListingActedData


class RecordFact(Wire):
    """A registry record came: it replaces the earlier one of its kind and id whole."""

    fact: Literal["record"] = "record"
    recorded_at: AwareDatetime
    data: RegistryData


class EndFact(Wire):
    """`facts` lines came before this one."""

    fact: Literal["end"] = "end"
    facts: int = Field(ge=0)


Fact = TickFact | SignalFact | HeartbeatsFact | ReplacedFact | CheckFact | ListingFact | RecordFact | EndFact

facts: Codec[Fact] = Codec(Annotated[Fact, Field(discriminator="fact")], drop_nulls=True)
