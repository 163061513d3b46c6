"""What happened, as the case book sees it: a finding of rules or a signal of the fire lane."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject


class Happening(StrEnum):
    """What an event says. FIRED and RESTORED come by the fire lane, the others from rules."""

    BEGAN = "began"
    CHANGED = "changed"
    ENDED = "ended"
    FIRED = "fired"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Proof:
    """Where in the log the evidence stands."""

    topic: str
    partition: int
    offset: int
    signal_id: str | None = None


EVERY_COMPONENT = "*"
"""The address of an end that covers all components of its system (`schemas.gateway`)."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component as its controller names it. `key` tells components of a unit apart."""

    address: str
    system: str = ""
    label: str = ""

    @property
    def key(self) -> str:
        return f"{self.system_key}{self.address}"

    @property
    def system_key(self) -> str:
        """How the keys of all components of its system begin."""
        return f"{self.system}|"


@dataclass(frozen=True, slots=True)
class Event:
    """A finding or a fire signal, as the case book sees it.

    `event_id` is the deduplication key across topics. `component` None means the whole unit. `text` is for people: what
    an alarm that is no plain fire says. `close` comes with what is said of a body.
    """

    event_id: str
    happening: Happening
    subject: Subject
    kind: CaseKind
    finding_id: str
    effective_at: datetime
    detected_at: datetime
    cause: str
    proof: Proof
    component: Component | None = None
    clause: str = ""
    text: str = ""
    close: Close | None = None
