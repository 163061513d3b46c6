"""`firenet.commands.v1`: what people order ingest to do. Who gave the order stands in it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import Event, Identifier, Wire

MAX_REPLAYED_AT_ONCE = 500


class RefusalPlace(Wire):
    """A refusal and where it stands on `firenet.refusals.v1`, so that nobody has to search for it."""

    id: Identifier
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class Replay(Wire):
    """Decide anew about refusals, with today's registry and decoders, as of the instant each was received."""

    what: Literal["replay"] = "replay"
    refusals: tuple[RefusalPlace, ...] = Field(min_length=1, max_length=MAX_REPLAYED_AT_ONCE)


class SetClock(Wire):
    """Set the clock of a GB/T 26875.3 device to ours."""

    what: Literal["set_clock"] = "set_clock"
    gateway_id: Identifier


class DutyCheck(Wire):
    """查岗: ask whether somebody is at the device; a person has `minutes` to press the key."""

    what: Literal["duty_check"] = "duty_check"
    gateway_id: Identifier
    minutes: int = Field(ge=1, le=255)


Order = Annotated[Replay | SetClock | DutyCheck, Field(discriminator="what")]


class CommandData(Wire):
    """`by` is the account or the name of the person at the command line."""

    by: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    order: Order


class Command(Event[CommandData]):
    """source `/console` or `/cli`; subject = record key = the gateway that is to be told, or none for a replay.

    Carrying it out twice has the effect of once: what comes of it has ids derived from the command's `id`.
    """

    type: Literal["cn.firenet.command.v1"] = "cn.firenet.command.v1"
