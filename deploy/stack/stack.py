"""Start parts and services together, watch them, and leave nothing running.

    kafka = Kafka(var / "kafka", port=9092, controller_port=9093)
    postgres = Postgres(var / "postgres", port=5432)
    with Stack(say=print) as stack:
        stack.start(kafka, postgres)                     # side by side; returns when both answer
        migrate(postgres.dsn())
        env = {**os.environ, "INGEST_KAFKA": kafka.bootstrap}
        argv = [sys.executable, "-m", "services.ingest"]
        ingest = Service(var / "ingest", name="ingest", argv=argv, env=env, ready=http_ok(URL), needs=("Kafka",))
        stack.take_up(ingest)                            # started now or when it can be, and for ever again
        stack.watch()                                    # until Ctrl-C or SIGTERM

What `start` starts must come up: `PartError` carries the one sentence to print. What `take_up` was given, and whatever
died since it was started, is tried again for ever, with waits that grow: one part that cannot start does not end the
others. `Stopped` means that the user asked to end; on both, and on any other way out of the `with` block, everything
is stopped: the batch that was started last first.
"""

import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import FrameType, TracebackType

from deploy.stack.causes import Cause
from deploy.stack.part import Part, PartError
from deploy.stack.process import trim_log
from deploy.stack.standing import Standing
from services.kernel.words import PartState
from services.runtime.clock import Clock, SystemClock

POLL_S = 0.05
TRIM_EVERY_S = 60.0
LOOK_EVERY_S = 1.0
REPEAT_EVERY_S = 600.0
"""How often it is said again that something still does not start, for the same reason."""
SETTLED_AFTER_S = 45.0
STEADY_S = 5.0
"""What ran for so long has come up; what dies sooner, for the same reason again and again, is told like the above."""
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """The user asked to end while something was being started."""


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
class _Watched:
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

    def standing(self) -> Standing:
        """Return how it is doing, for the page."""
        if self.waits_for:
            return Standing(self.part.name, PartState.WAITS, waits_for=self.waits_for)
        if self.failed is not None:
            return Standing(self.part.name, PartState.FAILED, self.failed.cause)
        return Standing(self.part.name, PartState.RUNS if self.up else PartState.STARTS)


class Stack:
    """Owns what it started from `start` to the end of its `with` block. Use it from the main thread."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        restart: RestartPolicy | None = None,
        clock: Clock | None = None,
        look: Callable[[Sequence[Standing]], None] = lambda _: None,
    ) -> None:
        """`look` is told every second how each part is doing."""
        self._say = say
        self._restart = restart or RestartPolicy()
        self._clock = clock or SystemClock()
        self._look = look
        self._batches: list[list[_Watched]] = []
        self._asks = 0  # a plain number: a signal handler that took a lock could wait for the very code it interrupted
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="stack")
        self._former: dict[signal.Signals, object] = {}
        self._trimmed = self._looked = self._clock.monotonic()

    @property
    def parts(self) -> list[Part]:
        """Everything started so far, in order."""
        return [watched.part for watched in self._watched]

    @property
    def _watched(self) -> list[_Watched]:
        return [watched for batch in self._batches for watched in batch]

    @property
    def asked_to_stop(self) -> bool:
        return self._asks > 0

    def ask_to_stop(self) -> None:
        """Do what Ctrl-C does; a second time, what a second Ctrl-C does: kill instead of asking."""
        self._asks += 1

    def start(self, *parts: Part) -> None:
        """Start parts side by side; return when all are ready.

        Raises:  PartError of the first that failed, Stopped when the user asked to end. Leaving the `with` block
                 then stops everything, those still starting included.
        """
        self._check()
        began = self._clock.monotonic()
        batch = [_Watched(part, starting=self._pool.submit(part.start), was_up=True) for part in parts]
        self._batches.append(batch)
        while any(watched.starting is not None for watched in batch):
            for watched in batch:
                if watched.starting is not None and watched.starting.done():
                    watched.starting.result()
                    watched.starting = None
                    self._say_ready(watched, began)
            _pause()
            self._check()

    def take_up(self, *parts: Part) -> None:
        """Start parts side by side, each as soon as what it needs is up; return when it is known which come up now.

        At the latest after `SETTLED_AFTER_S`. The others are tried again, and waited for, by `watch`, and it is said
        why. Raises Stopped.
        """
        self._check()
        began = self._clock.monotonic()
        batch = [_Watched(part, due=began, began=began) for part in parts]
        self._batches.append(batch)
        while not all(watched.settled for watched in batch) or any(self._may_go(watched) for watched in batch):
            self._turn()
            _pause()
            self._check()
            if self._clock.monotonic() - began >= SETTLED_AFTER_S:
                return

    def watch(self) -> None:
        """Return when the user asked to end. Meanwhile start again whatever dies, as the policy has it."""
        while not self.asked_to_stop:
            _pause()
            self._turn()

    def stop(self) -> None:
        """Return when nothing runs that was started here: the last batch first, side by side within one."""
        for batch in reversed(self._batches):
            stopping = [self._pool.submit(watched.part.stop) for watched in batch]
            while not all(future.done() for future in stopping):
                _pause()
                if self._asks > 1:
                    for watched in batch:
                        watched.part.kill()
            for watched in batch:
                if watched.starting is not None:  # it has seen the stop, or had not begun and starts all the same
                    watched.starting.exception()
                    watched.part.stop()
        self._batches.clear()

    def __enter__(self) -> "Stack":
        for number in ASKING:
            self._former[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._pool.shutdown()
            for number, former in self._former.items():
                signal.signal(number, former)  # type: ignore[arg-type]
            self._former.clear()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask_to_stop()

    def _check(self) -> None:
        if self.asked_to_stop:
            raise Stopped("asked to end")

    def _say_ready(self, watched: _Watched, began: float) -> None:
        where = "".join(f", {address}" for address in watched.part.addresses.values())
        self._say(f"{watched.part.name} is ready after {self._clock.monotonic() - began:.1f} s{where}")

    # --- one turn over everything

    def _turn(self) -> None:
        for watched in self._watched:
            self._look_at(watched)
        now = self._clock.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._look([watched.standing() for watched in self._watched])
        if now - self._trimmed >= TRIM_EVERY_S:
            self._trimmed = now
            for part in self.parts:
                trim_log(part.log)

    def _look_at(self, watched: _Watched) -> None:
        now = self._clock.monotonic()
        if watched.starting is not None:
            if watched.starting.done():
                self._started(watched, watched.starting.exception(), now)
        elif watched.due is not None:
            if now >= watched.due:
                self._go(watched, now)
        elif not watched.part.alive():
            self._died(watched, watched.part.obituary(), now)

    def _missing(self, watched: _Watched) -> tuple[str, ...]:
        """Return what it needs and what is not up."""
        down = {other.part.name for other in self._watched if not other.up}
        return tuple(name for name in watched.part.needs if name in down)

    def _may_go(self, watched: _Watched) -> bool:
        """Tell whether it waits, or has just waited, for something that has come up."""
        return bool(watched.waits_for) and not self._missing(watched)

    def _go(self, watched: _Watched, now: float) -> None:
        """Start it, or let it wait for what it needs: without that it would only fail as well."""
        watched.waits_for = missing = self._missing(watched)
        if missing:
            if any(other.failed for other in self._watched if other.part.name in missing):
                self._tell(watched, f"{watched.part.name} waits for {' and '.join(missing)}.", now)
            return
        watched.due = None
        watched.starting = self._pool.submit(watched.part.start)

    def _started(self, watched: _Watched, error: BaseException | None, now: float) -> None:
        watched.starting = None
        if error is None:
            if watched.failed is not None and watched.aloud:
                self._say(f"{watched.part.name} runs again.")
            elif not watched.was_up:
                self._say_ready(watched, watched.began)
            watched.failed, watched.aloud, watched.up_at, watched.was_up = None, False, now, True
        elif isinstance(error, PartError):
            self._died(watched, error, now)
        else:  # a fault of ours; the others need not end for it
            sentence = f"{watched.part.name} did not start: {type(error).__name__}: {error}."
            self._died(watched, PartError(watched.part.name, sentence, Cause.OTHER), now)

    def _died(self, watched: _Watched, death: PartError, now: float) -> None:
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

    def _tell(self, watched: _Watched, what: str, now: float, sentence: str | None = None) -> None:
        """Say it once, and again when it has changed or was said long ago."""
        former, at = watched.said
        if what != former or now - at >= REPEAT_EVERY_S:
            watched.said, watched.aloud = (what, now), True
            self._say(sentence or what)


def _pause() -> None:
    threading.Event().wait(POLL_S)
