"""Bytes on a topic to models and back. Decoders are built once; a record that does not fit raises `BadRecord`."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from schemas.body_finding import BodyFinding
from schemas.command import Command
from schemas.document import DocumentChanged, DocumentIssued, DocumentRequest, IssuedOrChanged
from schemas.exchange import Exchange
from schemas.figure import FigurePublished
from schemas.finding import Finding
from schemas.listing import ListingActed
from schemas.notice import Notice
from schemas.refusal import Refusal, RefusalOrReplayed, Replayed
from schemas.registry import RegistryEvent
from schemas.signal import Signal, SignalOrTick, SignalOrUnregistered, Tick, UnregisteredAlarm

CONTENT_TYPE = "application/cloudevents+json"
HEADERS: list[tuple[str, bytes]] = [("content-type", CONTENT_TYPE.encode())]
"""Kafka record header of CloudEvents structured mode: the whole event is the value."""

WORDS = ("enum", "literal_error")
"""What pydantic calls a word that is none of those it knows."""

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
    """JSON codec of one topic's events: strict in what it writes, tolerant in what it reads.

    While services are replaced one by one the version before reads what this one writes, and an event of a fire must
    not be refused because it says more. So a member that this version does not know is passed over, and so is an
    unknown word in a list of words (`flags`). An unknown word anywhere else is a bad record: it would mean something
    else without it (docs/decisions/0107-readers-pass-over-what-they-do-not-know.md).
    """

    def __init__(self, model: Any, *, drop_nulls: bool = False) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(model)
        self._drop_nulls = drop_nulls

    def decode(self, raw: bytes) -> T:
        """Return the event in `raw` (UTF-8 JSON). Raises `BadRecord`."""
        try:
            return self._adapter.validate_json(raw, extra="ignore")
        except ValidationError as error:
            known = _without_unknown_words(raw, error)
            if known is None:
                raise BadRecord(first_problem(error)) from error
        return self.decode(known)

    def encode(self, event: T) -> bytes:
        """Return compact UTF-8 JSON; decode(encode(x)) == x."""
        return self._adapter.dump_json(event, exclude_none=self._drop_nulls)


def _without_unknown_words(raw: bytes, error: ValidationError) -> bytes | None:
    """Return `raw` without the unknown words in its lists; None where anything else is wrong with it."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    words = [one for one in problems if one["type"] in WORDS and isinstance(one["loc"][-1], int)]
    if not all(one in words or _follows(one, words) for one in problems):
        return None
    event = json.loads(raw)
    for problem in reversed(words):  # the last of a list first: the places of those before it stay what they are
        *path, place = problem["loc"]
        found = _at(event, path)
        if not isinstance(found, list) or not isinstance(place, int):
            return None
        del found[place]
    return json.dumps(event).encode()


def _follows(problem: ErrorDetails, words: Sequence[ErrorDetails]) -> bool:
    """Tell whether a list is too short only as something in it, with an unknown word deep inside, was not counted."""
    loc = problem["loc"]
    return problem["type"] == "too_short" and any(word["loc"][: len(loc)] == loc for word in words)


def _at(event: Any, path: list[int | str]) -> Any:
    """Return what stands there; pydantic's paths also name the member of a union, which is no place in the event."""
    found = event
    for step in path:
        if isinstance(found, list) or (isinstance(found, dict) and step in found):
            found = found[step]  # type: ignore[index] # a path goes into a list by a number, into an object by a name
    return found


signals: Codec[Signal | Tick] = Codec(SignalOrTick, drop_nulls=True)
alarms: Codec[Signal | UnregisteredAlarm] = Codec(SignalOrUnregistered, drop_nulls=True)
refusals: Codec[Refusal | Replayed] = Codec(RefusalOrReplayed)
findings: Codec[Finding | BodyFinding] = Codec(Annotated[Finding | BodyFinding, Field(discriminator="type")])
notices: Codec[Notice] = Codec(Notice)
registry: Codec[RegistryEvent] = Codec(RegistryEvent)
commands: Codec[Command] = Codec(Command)
exchanges: Codec[Exchange] = Codec(Exchange, drop_nulls=True)
listings: Codec[ListingActed] = Codec(ListingActed)
requests: Codec[DocumentRequest] = Codec(DocumentRequest)
documents: Codec[DocumentIssued | DocumentChanged] = Codec(IssuedOrChanged)
figures: Codec[FigurePublished] = Codec(FigurePublished)
