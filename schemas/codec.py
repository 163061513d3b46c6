"""Bytes on a topic to models and back. Decoders are built once; a record that does not fit raises `BadRecord`."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from schemas.body_finding import BodyFinding
from schemas.command import Command
from schemas.document import DocumentChanged, DocumentIssued, DocumentRequest, IssuedOrChanged
from schemas.exchange import Exchange
from schemas.figure import FigurePublished
from schemas.finding import Finding
from schemas.notice import Notice
from schemas.refusal import Refusal, RefusalOrReplayed, Replayed
from schemas.registry import RegistryEvent
from schemas.signal import Signal, SignalOrTick, SignalOrUnregistered, Tick, UnregisteredAlarm

CONTENT_TYPE = "application/cloudevents+json"
HEADERS: list[tuple[str, bytes]] = [("content-type", CONTENT_TYPE.encode())]
"""Kafka record header of CloudEvents structured mode: the whole event is the value."""

T = TypeVar("T")


class BadRecord(Exception):
    """The bytes are not an event of this topic. `detail` says where, without quoting the content."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def first_problem(error: ValidationError) -> str:
    """Return where the first problem lies, if at one place, and what it is; nothing of the content."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return ": ".join(filter(None, (".".join(str(part) for part in first["loc"]), first["msg"])))


class Codec(Generic[T]):
    """Strict JSON codec of one topic's events."""

    def __init__(self, model: Any, *, drop_nulls: bool = False) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(model)
        self._drop_nulls = drop_nulls

    def decode(self, raw: bytes) -> T:
        """Return the event in `raw` (UTF-8 JSON). Raises `BadRecord`."""
        try:
            return self._adapter.validate_json(raw)
        except ValidationError as error:
            raise BadRecord(first_problem(error)) from error

    def encode(self, event: T) -> bytes:
        """Return compact UTF-8 JSON; decode(encode(x)) == x."""
        return self._adapter.dump_json(event, exclude_none=self._drop_nulls)


signals: Codec[Signal | Tick] = Codec(SignalOrTick, drop_nulls=True)
alarms: Codec[Signal | UnregisteredAlarm] = Codec(SignalOrUnregistered, drop_nulls=True)
refusals: Codec[Refusal | Replayed] = Codec(RefusalOrReplayed)
findings: Codec[Finding | BodyFinding] = Codec(Annotated[Finding | BodyFinding, Field(discriminator="type")])
notices: Codec[Notice] = Codec(Notice)
registry: Codec[RegistryEvent] = Codec(RegistryEvent)
commands: Codec[Command] = Codec(Command)
exchanges: Codec[Exchange] = Codec(Exchange, drop_nulls=True)
requests: Codec[DocumentRequest] = Codec(DocumentRequest)
documents: Codec[DocumentIssued | DocumentChanged] = Codec(IssuedOrChanged)
figures: Codec[FigurePublished] = Codec(FigurePublished)
