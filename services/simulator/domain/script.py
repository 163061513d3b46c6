"""Scripts: what happens to the district, when, and what a watcher should see."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.kernel.words import SignalKind
from services.simulator.domain.signals import Point


class Act(StrEnum):
    """`drop` cuts the line without a word (the broker then speaks the last will), `mute` only stops the heartbeats."""

    TELL = "tell"
    DROP = "drop"
    MUTE = "mute"
    RECOVER = "recover"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Event:
    """At `at_s` seconds after the start do `act` to the gateways of `units` or of `carrier`, and tell the story."""

    at_s: float
    act: Act
    units: tuple[str, ...] = ()
    carrier: str | None = None
    kind: SignalKind | None = None
    restores: SignalKind | None = None
    point: Point | None = None
    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the district lives: `clock_rate` for supervision, `ladder_rate` for the ladder of the notices.

    1 is real time. The stack must run at the same rates; these here only set heartbeats and the script's waits.
    """

    interval_s: float = 60.0
    offline_s: float = 240.0
    clock_rate: float = 1.0
    ladder_rate: float = 1.0
    steps_s: Sequence[tuple[str, float]] = field(
        default=(("H0", 0.0), ("H1", 3600.0), ("H2", 14400.0), ("H3", 28800.0), ("H4", 86400.0))
    )

    @property
    def heartbeat_s(self) -> float:
        return self.interval_s / self.clock_rate

    @property
    def deadline_s(self) -> float:
        """Seconds from the last proof of life to offline."""
        return self.offline_s / self.clock_rate

    def step_s(self, code: str) -> float:
        """Seconds from offline to a step of the hazard ladder."""
        return dict(self.steps_s)[code] / self.ladder_rate
