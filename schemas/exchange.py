"""`firenet.exchanges.v1`: what became of the controls that people ordered, step by step."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.base import Event, Identifier, Wire
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport


class ExchangeData(Wire):
    """`by` gave the order at `ordered_at`; `serial` is our number in the frames; `attempt` counts sendings from 1.

    `seconds` goes with `confirmed`, `denied` and `answered`: since the control was first sent.
    """

    command_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    gateway_id: Identifier
    what: ControlKind
    minutes: int | None = Field(default=None, ge=1, le=255)
    by: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    ordered_at: AwareDatetime
    step: ExchangeStep
    instance: Identifier
    serial: int | None = Field(default=None, ge=0, le=0xFFFF)
    carrier: Transport | None = None
    attempt: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, ge=0)
    reason: ExchangeReason | None = None


class Exchange(Event[ExchangeData]):
    """source `/ingest`, subject = gateway id = record key, time = when it happened, id from command, step and attempt.

    Several ingest processes may tell the same step, and then with the same id; of a gateway's records the first of each
    id holds, and the first that ends an exchange is its end.
    """

    type: Literal["cn.firenet.exchange.v1"] = "cn.firenet.exchange.v1"
