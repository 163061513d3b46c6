"""What the engine says: facts to store and findings to send. Plain values in the order in which they arose."""

from dataclasses import dataclass, field
from typing import NamedTuple

from services.kernel.words import FindingKind, Phase
from services.rules.domain.inputs import Signal
from services.rules.domain.rate import RateRow
from services.rules.domain.words import Aspect, Cause

SIGNALS_TOPIC = "firenet.signals.v1"
REGISTRY_TOPIC = "firenet.registry.v1"


class Evidence(NamedTuple):
    """Where the proof stands: the record of the signals topic that was being worked off.

    Facts that come from the registry alone name that topic and offset 0: it is compacted, so a record's place is not
    stable there, and the unit id (its key) together with the instants says which version is meant.
    """

    topic: str
    offset: int


class Moment(NamedTuple):
    """When and why something became so; `signal_id` and `body` are those of the signal that was the cause, if any."""

    effective: int
    detected: int
    cause: Cause
    evidence: Evidence
    signal_id: str = ""
    body: str = ""


class Transition(NamedTuple):
    """A unit's state changed. Read in the order of `detected`: a later one holds from its own `effective` on."""

    transition_id: str
    unit_id: str
    aspect: Aspect
    from_state: str
    to_state: str
    effective: int
    detected: int
    cause: Cause
    evidence: Evidence


class ComponentTransition(NamedTuple):
    """A trouble of `kind` began (`open`) or ended at one component, whose key is `point`, "" for the unit as a whole.

    Of one component and kind, what begins and what ends take turns in the order of `evidence.offset`.
    """

    transition_id: str
    unit_id: str
    kind: FindingKind
    point: str
    open: bool
    effective: int
    detected: int
    cause: Cause
    evidence: Evidence


class Finding(NamedTuple):
    """A problem of one unit began, changed or ended. `event_id` is unique per message, `finding_id` per problem."""

    event_id: str
    finding_id: str
    unit_id: str
    kind: FindingKind
    phase: Phase
    moment: Moment
    point: str
    open_points: int
    clause: str
    pack_id: str
    pack_version: int


class HourCount(NamedTuple):
    """Heartbeats of one unit in one hour; counts of the same hour add up."""

    unit_id: str
    hour: int
    beats: int


class RateSample(NamedTuple):
    """A counter as it stood when the watermark had passed `sampled_at`, a whole minute."""

    sampled_at: int
    row: RateRow


@dataclass(slots=True)
class Effects:
    """Everything since the last collection."""

    transitions: list[Transition] = field(default_factory=list)
    components: list[ComponentTransition] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    hours: list[HourCount] = field(default_factory=list)
    samples: list[RateSample] = field(default_factory=list)

    def take(self) -> "Effects":
        """Return what gathered since the last call, and begin anew."""
        taken = Effects(self.transitions, self.components, self.findings, self.signals, self.hours, self.samples)
        self.transitions, self.components, self.findings = [], [], []
        self.signals, self.hours, self.samples = [], [], []
        return taken

    def size(self) -> int:
        told = len(self.transitions) + len(self.components) + len(self.findings)
        return told + len(self.signals) + len(self.hours) + len(self.samples)

    def pressing(self) -> bool:
        """Whether somebody waits for this: anything but hour counts and samples."""
        return bool(self.transitions or self.components or self.findings or self.signals)
