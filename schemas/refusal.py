"""`firenet.refusals.v1`: unusable messages, raw, with a reason from a closed set; and what a replay made of them."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AliasChoices, AwareDatetime, Field, StringConstraints

from schemas.base import Event, Identifier, ShortText, Wire
from services.kernel.words import Lane, RefusalReason, Transport

MAX_RAW_BYTES = 4 * 1024 * 1024


class RefusalOrigin(Wire):
    """Whom a device that came without a broker was: what `topic` says for all others.

    `peer` is the IP address it called from, `certified` the common name of its certificate.
    """

    carrier: Transport
    lane: Lane
    peer: ShortText
    certified: ShortText | None = None


class RefusalData(Wire):
    """`raw` is the payload as received, base64 in JSON, up to 4 MiB (the brokers' own limit).

    `gateway_id` is what the topic claims, null when the topic is not ours. `detail` is for people, one sentence.
    `origin` goes with the TCP and UDP carriers.
    """

    reason: RefusalReason
    detail: ShortText
    topic: Annotated[str, StringConstraints(max_length=65535)]
    gateway_id: Identifier | None = None
    instance: Identifier
    received_at: AwareDatetime
    redelivered: bool = False
    retained: bool = False
    raw_bytes: int = Field(ge=0)
    raw: Annotated[bytes, Field(max_length=MAX_RAW_BYTES)]
    origin: RefusalOrigin | None = None


class Refusal(Event[RefusalData]):
    """source `/ingest/{instance}`, subject = claimed gateway id, id derived from topic, payload and received_at."""

    type: Literal["cn.firenet.refusal.v1"] = "cn.firenet.refusal.v1"


class ReplayOutcome(StrEnum):
    """`refused`: it is still unusable, and stays open."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class ReplayedData(Wire):
    """What became of one refusal that a person had decided anew: so many `signals`, or the `reason` why none.

    `undecodable` parts of an accepted payload stay unusable; `detail` says in one sentence why.
    """

    refusal_id: Identifier
    command_id: Identifier
    by: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    outcome: ReplayOutcome
    signals: int = Field(default=0, ge=0)
    # written as `spoiled` before
    undecodable: int = Field(default=0, ge=0, validation_alias=AliasChoices("undecodable", "spoiled"))
    reason: RefusalReason | None = None
    detail: ShortText = ""


class Replayed(Event[ReplayedData]):
    """source `/ingest/{instance}`, subject and partition those of the refusal, which it always follows."""

    type: Literal["cn.firenet.replayed.v1"] = "cn.firenet.replayed.v1"


RefusalOrReplayed = Annotated[Refusal | Replayed, Field(discriminator="type")]
