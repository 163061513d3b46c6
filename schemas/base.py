"""Base of every wire model, and the CloudEvents 1.0 envelope in structured JSON mode."""

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MAX_ID = 64

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Ids of units, gateways, departments, contacts: safe in topics, keys, URLs and file names."""

ShortText = Annotated[str, StringConstraints(max_length=200)]


class Wire(BaseModel):
    """Closed and immutable: whoever makes one with an unknown field has made an error. NaN and infinity are refused.

    Readers of topics are tolerant (codec.Codec).
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, ser_json_bytes="base64", val_json_bytes="base64"
    )


DataT = TypeVar("DataT", bound=Wire)


class Event(Wire, Generic[DataT]):
    """CloudEvents 1.0 attributes around `data`. `source` + `id` is the deduplication key on every topic.

    `subject` is the unit id wherever there is one; `time` is when the producer recorded the event (UTC).
    """

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    source: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9_./-]{1,127}$")]
    subject: Annotated[str, StringConstraints(max_length=128)] | None = None
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: DataT


class Evidence(Wire):
    """Where in the log the proof stands."""

    topic: ShortText
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class PackRef(Wire):
    """The policy pack that a decision was made under."""

    pack_id: Identifier
    version: int = Field(ge=1)


__all__ = ["AwareDatetime", "DataT", "Event", "Evidence", "Identifier", "PackRef", "ShortText", "Wire", "datetime"]
