"""What can be wrong with a file, said so that the person who made it can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.registry.domain.words import Said


class AdjustmentRefusal(StrEnum):
    """Why a request or a decision about an adjustment or a proposal is refused; the code in the answer of the API."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_UNIT = "unknown_unit"
    UNKNOWN_ADJUSTMENT = "unknown_adjustment"
    NOT_ALLOWED = "not_allowed"
    SAME_PERSON = "same_person"
    NOT_WAITING = "not_waiting"
    OVER = "over"
    TOO_MANY = "too_many"
    UNKNOWN_PROPOSAL = "unknown_proposal"
    UNKNOWN_PACK = "unknown_pack"
    UNKNOWN_ENTITY = "unknown_entity"
    NO_CHANGE = "no_change"
    CHANGED_SINCE = "changed_since"


FOUND_LENGTH = 40


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing to mend. `row` is the number that a spreadsheet shows beside it, 0 for the file as a whole.

    `column` is the name of a field; whoever prints it says the heading that the file has there. In a policy pack `row`
    is the line, `char` the character in it, both from 1, and `column` the path to the value.
    """

    row: int
    column: str
    expected: Said
    found: str
    char: int = 0


class ErrorList:
    """Errors of one file in the order found: all are counted, the first `keep` are kept.

    A file of the wrong kind can have millions; nobody reads them, and they must not fill the memory.
    """

    def __init__(self, keep: int = 10_000) -> None:
        self._keep = keep
        self._kept: list[RowError] = []
        self._total = 0

    def add(self, *errors: RowError) -> None:
        self._total += len(errors)
        self._kept.extend(errors[: max(0, self._keep - len(self._kept))])

    def refuse_if_any(self) -> None:
        """Raise FileRefused when there is an error."""
        if self._total:
            raise FileRefused(self._kept, self._total)


class RegistryError(Exception):
    """Base of everything that the registry refuses with a sentence."""


class FileRefused(RegistryError):
    """The file cannot be taken; nothing of it was. Carries every error found, up to a limit, and their number.

    `asks`: nothing is wrong for certain; whoever made the file can say that it is meant so.
    """

    def __init__(self, errors: Sequence[RowError], total: int | None = None, *, asks: bool = False) -> None:
        super().__init__(f"{len(errors) if total is None else total} errors")
        self.errors = tuple(errors)
        self.total = len(errors) if total is None else total
        self.asks = asks


class StoreUnavailable(RegistryError):
    """The database did not answer; nothing was changed."""


class BusUnavailable(RegistryError):
    """Kafka did not answer; what is not published yet goes out with the next publish."""


class TopicRefused(RegistryError):
    """A topic exists in a shape that must not be altered."""


class RecordTooLarge(RegistryError):
    """An entity has more versions than one record of the topic may hold."""


class AdjustmentRefused(RegistryError):
    """What was asked for an adjustment or a proposal cannot be done; nothing was changed."""

    def __init__(self, refusal: AdjustmentRefusal, sentence: str) -> None:
        super().__init__(sentence)
        self.refusal = refusal


class CredentialsRefused(RegistryError):
    """What was asked for cannot be given; nothing was changed."""


class ExportRefused(RegistryError):
    """The files cannot be written."""


class AuthorityUnusable(RegistryError):
    """The certificate authority's files are missing, damaged or expired."""


class BrokerUnavailable(RegistryError):
    """The MQTT broker could not be reached or did not let us in."""


def shortened(text: str) -> str:
    """Return what was found, on one line, without control characters and not longer than a table cell can show."""
    if isinstance(text, Said):
        return text
    shown = "".join(char if char.isprintable() else "?" for char in " ".join(text.splitlines()))
    return shown if len(shown) <= FOUND_LENGTH else f"{shown[: FOUND_LENGTH - 1]}…"
