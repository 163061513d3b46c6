"""`firenet.exchanges.v1`: what became of the controls that people ordered, step by step."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.base import Event, Identifier, Wire
from services.kernel.words import Carrier


class ExchangeStep(StrEnum):
    """The steps of one exchange. `failed`, `answered`, `not_answered` and `unknown` end it, `confirmed` a set clock.

    `began`: an ingest process took it on; `sent`, `denied`: once for each attempt; `confirmed`: the device has it, for
    a duty check no more than that. `answered`: a person pressed the key. `not_answered` is said only when the device
    had confirmed and FireNet was looking all the time; else it is `unknown`. `blind`: one process was not looking.
    """

    BEGAN = "began"
    SENT = "sent"
    DENIED = "denied"
    BLIND = "blind"
    CONFIRMED = "confirmed"
    ANSWERED = "answered"
    NOT_ANSWERED = "not_answered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ExchangeReason(StrEnum):
    """Why an exchange `failed`, or why what became of it is `unknown` (`blind`, `restarted`, `abandoned`).

    `time_unproven` goes with `answered`: nothing shows whether the key was pressed after the check, or the device had
    kept the answer from before it. `old_answer` goes with `not_answered`: an answer came that was older than the check.
    """

    UNKNOWN_GATEWAY = "unknown_gateway"
    BUSY = "busy"
    TOO_MANY = "too_many"
    EXPIRED = "expired"
    UNREACHABLE = "unreachable"
    DENIED = "denied"
    NO_CONFIRM = "no_confirm"
    BLIND = "blind"
    RESTARTED = "restarted"
    ABANDONED = "abandoned"
    TIME_UNPROVEN = "time_unproven"
    OLD_ANSWER = "old_answer"


class ExchangeData(Wire):
    """`by` gave the order at `ordered_at`; `serial` is our number in the frames; `attempt` counts sendings from 1.

    `seconds` goes with `confirmed`, `denied` and `answered`: since the control was first sent.
    """

    command_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    gateway_id: Identifier
    what: Literal["set_clock", "duty_check"]
    minutes: int | None = Field(default=None, ge=1, le=255)
    by: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    ordered_at: AwareDatetime
    step: ExchangeStep
    instance: Identifier
    serial: int | None = Field(default=None, ge=0, le=0xFFFF)
    carrier: Carrier | None = None
    attempt: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, ge=0)
    reason: ExchangeReason | None = None


class Exchange(Event[ExchangeData]):
    """source `/ingest`, subject = gateway id = record key, time = when it happened, id from command, step and attempt.

    Several ingest processes may tell the same step, and then with the same id; of a gateway's records the first of each
    id holds, and the first that ends an exchange is its end.
    """

    type: Literal["cn.firenet.exchange.v1"] = "cn.firenet.exchange.v1"
