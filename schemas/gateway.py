"""What a gateway publishes as JSON on `firenet/v1/{gateway_id}/up/json`, `.../alarm/json` and `.../status`."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.base import Identifier, ShortText, Wire
from services.kernel.words import Restores, SignalKind

MAX_MESSAGE_BYTES = 64 * 1024


EVERY_COMPONENT = "*"
"""The address that stands for all components of a system at once."""


class Point(Wire):
    """One component of the fire-alarm system, as its controller names it.

    In a `restore` the address `*` stands for every component of `system`.
    """

    address: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    system: Annotated[str, StringConstraints(max_length=64)] | None = None
    type: Annotated[str, StringConstraints(max_length=64)] | None = None
    label: ShortText | None = None


class Measurement(Wire):
    """One analog reading: `value` in `unit`."""

    value: float
    unit: Annotated[str, StringConstraints(min_length=1, max_length=16)]


FormatVersion = Annotated[int, Field(strict=True, ge=1, le=1)]
"""A literal would take `true` and `1.0` for 1."""

GatewayKind = Literal[
    SignalKind.HEARTBEAT,
    SignalKind.FIRE,
    SignalKind.FAULT,
    SignalKind.ISOLATION,
    SignalKind.SUPERVISORY,
    SignalKind.RESTORE,
    SignalKind.TEST,
    SignalKind.DUTY_ANSWER,
    SignalKind.ANALOG,
]


class GatewayMessage(Wire):
    """One message of a gateway. Only `v` and `kind` are needed; the rest makes it traceable.

    `seq` grows by one per message of the gateway and shows gaps. `unit_id`, when given, must be the unit that the
    gateway is registered for. `restores` goes with `restore` only, `measurement` with `analog` only.
    """

    v: FormatVersion
    kind: GatewayKind
    seq: int | None = Field(default=None, ge=0, le=2**53)
    occurred_at: AwareDatetime | None = None
    unit_id: Identifier | None = None
    point: Point | None = None
    restores: Restores | None = None
    measurement: Measurement | None = None
    text: ShortText | None = None

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        if (self.kind == SignalKind.RESTORE) != (self.restores is not None):
            raise ValueError("`restores` goes with kind `restore`, and only with it")
        if (self.kind == SignalKind.ANALOG) != (self.measurement is not None):
            raise ValueError("`measurement` goes with kind `analog`, and only with it")
        return self


class GatewayStatus(Wire):
    """Retained on `.../status`; `offline` is the last will that the broker publishes for the gateway."""

    v: FormatVersion
    state: Literal["online", "offline"]
    occurred_at: AwareDatetime | None = None
