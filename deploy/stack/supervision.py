"""What keeps parts running: starts them once they can run, and again whenever they die.

waits --all it needs is up--> starting --ready--> up --died--+
  ^                              | failed                    |
  |                              v                           v
  +------------ due again <---- failed (a wait that doubles; said once, and again when it changes)
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from deploy.stack.causes import Cause
from deploy.stack.part import Part, PartError
from deploy.stack.part_status import PartStatus
from deploy.stack.process import trim_log
from services.kernel.words import PartState
from services.runtime.clock import Clock

TRIM_EVERY_S = 60.0
LOOK_EVERY_S = 1.0
"""How often the page hears how each part is doing."""
REPEAT_EVERY_S = 600.0
"""How often it is said again that something still does not start, for the same reason."""
STEADY_S = 5.0
"""What ran for so long has come up; what dies sooner, for the same reason again and again, is said like the above."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When something that died is started again: after a wait that doubles up to a cap, and for ever."""

    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    window_s: float = 120.0
    """Deaths longer ago than this do not count any more."""

    def wait_s(self, deaths: int) -> float:
        """Return how long to wait after the n-th death within the window, n >= 1."""
        return float(min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(deaths - 1, 16)))


@dataclass(slots=True)
class WatchedPart:
    """One part that is started again whenever it dies; see the module for its states."""

    part: Part
    deaths: deque[float] = field(default_factory=deque)
    due: float | None = None
    starting: "Future[None] | None" = None
    failed: PartError | None = None
    """Why it does not run; None while it runs or is started for the first time."""
    said: tuple[str, float] = ("", 0.0)
    aloud: bool = False
    """Whether its present failure was said."""
    began: float = 0.0
    was_up: bool = False
    up_at: float = 0.0
    waits_for: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        return self.starting is None and self.due is None and not self.waits_for

    @property
    def settled(self) -> bool:
        """Whether it is known if it comes up now."""
        return self.up or self.failed is not None or bool(self.waits_for)

    def status(self) -> PartStatus:
        """Return how it is doing, for the page."""
        if self.waits_for:
            return PartStatus(self.part.name, PartState.WAITS, waits_for=self.waits_for)
        if self.failed is not None:
            return PartStatus(self.part.name, PartState.FAILED, self.failed.cause)
        return PartStatus(self.part.name, PartState.RUNS if self.up else PartState.STARTS)


class PartSupervision:
    """Batches of parts, and one `turn` over all of them whenever somebody has time. Not thread-safe."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        restart: RestartPolicy,
        clock: Clock,
        look: Callable[[Sequence[PartStatus]], None],
        pool: ThreadPoolExecutor,
    ) -> None:
        """`look` is told every second how each part is doing; parts start and stop in `pool`."""
        self._say = say
        self._restart = restart
        self._clock = clock
        self._look = look
        self._pool = pool
        self._trimmed = self._looked = clock.monotonic()
        self.batches: list[list[WatchedPart]] = []

    @property
    def watched(self) -> list[WatchedPart]:
        """All parts, in the order in which they were given."""
        return [watched for batch in self.batches for watched in batch]

    def say_ready(self, watched: WatchedPart, began: float) -> None:
        where = "".join(f", {address}" for address in watched.part.addresses.values())
        self._say(f"{watched.part.name} is ready after {self._clock.monotonic() - began:.1f} s{where}")

    def turn(self) -> None:
        """Look at each part once and do what is due; never waits."""
        for watched in self.watched:
            self._look_at(watched)
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._look([watched.status() for watched in self.watched])
        if now - self._trimmed >= TRIM_EVERY_S:
            self._trimmed = now
            for watched in self.watched:
                trim_log(watched.part.log)

    def _look_at(self, watched: WatchedPart) -> None:
        now = self._clock.monotonic()
        if watched.starting is not None:
            if watched.starting.done():
                self._started(watched, watched.starting.exception(), now)
        elif watched.due is not None:
            if now >= watched.due:
                self._go(watched, now)
        elif not watched.part.alive():
            self._died(watched, watched.part.obituary(), now)

    def _missing(self, watched: WatchedPart) -> tuple[str, ...]:
        """Return what it needs and what is not up."""
        down = {other.part.name for other in self.watched if not other.up}
        return tuple(name for name in watched.part.needs if name in down)

    def may_go(self, watched: WatchedPart) -> bool:
        """Tell whether it waits, or has just waited, for something that has come up."""
        return bool(watched.waits_for) and not self._missing(watched)

    def _go(self, watched: WatchedPart, now: float) -> None:
        """Start it, or let it wait for what it needs: without that it would only fail as well."""
        watched.waits_for = missing = self._missing(watched)
        if missing:
            if any(other.failed for other in self.watched if other.part.name in missing):
                self._tell(watched, f"{watched.part.name} waits for {' and '.join(missing)}.", now)
            return
        watched.due = None
        watched.starting = self._pool.submit(watched.part.start)

    def _started(self, watched: WatchedPart, error: BaseException | None, now: float) -> None:
        watched.starting = None
        if error is None:
            if watched.failed is not None and watched.aloud:
                self._say(f"{watched.part.name} runs again.")
            elif not watched.was_up:
                self.say_ready(watched, watched.began)
            watched.failed, watched.aloud, watched.up_at, watched.was_up = None, False, now, True
        elif isinstance(error, PartError):
            self._died(watched, error, now)
        else:  # a fault of ours; the others need not end for it
            sentence = f"{watched.part.name} did not start: {type(error).__name__}: {error}."
            self._died(watched, PartError(watched.part.name, sentence, Cause.OTHER), now)

    def _died(self, watched: WatchedPart, death: PartError, now: float) -> None:
        watched.deaths.append(now)
        while watched.deaths[0] < now - self._restart.window_s:
            watched.deaths.popleft()
        wait_s = self._restart.wait_s(len(watched.deaths))
        first = watched.failed is None
        if first and now - watched.up_at >= STEADY_S:
            watched.said = ("", 0.0)
        watched.failed, watched.due = death, now + wait_s
        again = f"Starting it again in {wait_s:.1f} s" + ("." if first else ", and so on until it runs.")
        self._tell(watched, death.sentence, now, f"{death.sentence} {again}")

    def _tell(self, watched: WatchedPart, what: str, now: float, sentence: str | None = None) -> None:
        """Say it once, and again when it has changed or was said long ago."""
        former, at = watched.said
        if what != former or now - at >= REPEAT_EVERY_S:
            watched.said, watched.aloud = (what, now), True
            self._say(sentence or what)
