"""Start parts and services together, watch them, and leave nothing running.

    kafka = Kafka(var / "kafka", port=9092, controller_port=9093)
    postgres = Postgres(var / "postgres", port=5432)
    with Stack(say=print) as stack:
        stack.start(kafka, postgres)                     # side by side; returns when both answer
        migrate(postgres.dsn())
        env = {**os.environ, "INGEST_KAFKA": kafka.bootstrap}
        argv = [sys.executable, "-m", "services.ingest"]
        stack.start(Service(var / "ingest", name="ingest", argv=argv, env=env, ready=http_ok(URL)))
        stack.watch()                                    # until Ctrl-C, SIGTERM, or somebody dies too often

`PartError` carries the one sentence to print, `Stopped` means that the user asked to end; on both, and on any other
way out of the `with` block, everything is stopped: the batch that was started last first.
"""

import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import FrameType, TracebackType

from deploy.stack.part import Part, PartError
from deploy.stack.process import trim_log
from services.runtime.clock import Clock, SystemClock

POLL_S = 0.05
TRIM_EVERY_S = 60.0
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """The user asked to end while something was being started."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When something that died is started again: after a wait that doubles up to a cap, and not for ever."""

    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    deaths: int = 6
    """With so many deaths within the window it is given up."""
    window_s: float = 120.0

    def wait_s(self, deaths: int) -> float | None:
        """Return how long to wait after the n-th death within the window, n >= 1; None to give up."""
        if deaths >= self.deaths:
            return None
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** (deaths - 1))


NEVER_RESTART = RestartPolicy(deaths=1)


@dataclass(slots=True)
class _Watched:
    part: Part
    deaths: deque[float] = field(default_factory=deque)
    due: float | None = None
    starting: "Future[None] | None" = None


class Stack:
    """Owns what it started from `start` to the end of its `with` block. Use it from the main thread."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        restart: RestartPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._say = say
        self._restart = restart or RestartPolicy()
        self._clock = clock or SystemClock()
        self._batches: list[list[_Watched]] = []
        self._asks = 0  # a plain number: a signal handler that took a lock could wait for the very code it interrupted
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="stack")
        self._former: dict[signal.Signals, object] = {}
        self._trimmed = self._clock.monotonic()

    @property
    def parts(self) -> list[Part]:
        """Everything started so far, in order."""
        return [watched.part for batch in self._batches for watched in batch]

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
        batch = [_Watched(part, starting=self._pool.submit(part.start)) for part in parts]
        self._batches.append(batch)
        while any(watched.starting is not None for watched in batch):
            for watched in batch:
                if watched.starting is not None and watched.starting.done():
                    watched.starting.result()
                    watched.starting = None
                    where = "".join(f", {address}" for address in watched.part.addresses.values())
                    self._say(f"{watched.part.name} is ready after {self._clock.monotonic() - began:.1f} s{where}")
            _pause()
            self._check()

    def watch(self) -> None:
        """Return when the user asked to end. Meanwhile start again whatever dies, as the policy has it.

        Raises:  PartError when something died too often, or died and must not be started again.
        """
        while not self.asked_to_stop:
            _pause()
            for batch in self._batches:
                for watched in batch:
                    self._look_at(watched)
            self._trim_logs()

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

    def _look_at(self, watched: _Watched) -> None:
        now = self._clock.monotonic()
        if watched.starting is not None:
            if watched.starting.done():
                self._restarted(watched, watched.starting.exception(), now)
        elif watched.due is not None:
            if now >= watched.due:
                watched.due = None
                watched.starting = self._pool.submit(watched.part.start)
        elif not watched.part.alive():
            self._died(watched, watched.part.epitaph(), now)

    def _restarted(self, watched: _Watched, error: BaseException | None, now: float) -> None:
        watched.starting = None
        if error is None:
            self._say(f"{watched.part.name} runs again.")
        elif isinstance(error, PartError):
            self._died(watched, error.sentence, now)
        else:
            raise error

    def _died(self, watched: _Watched, sentence: str, now: float) -> None:
        watched.deaths.append(now)
        while watched.deaths[0] < now - self._restart.window_s:
            watched.deaths.popleft()
        wait_s = self._restart.wait_s(len(watched.deaths))
        if wait_s is None:
            raise PartError(watched.part.name, sentence)
        self._say(f"{sentence} Starting it again in {wait_s:.1f} s.")
        watched.due = now + wait_s

    def _trim_logs(self) -> None:
        now = self._clock.monotonic()
        if now - self._trimmed >= TRIM_EVERY_S:
            self._trimmed = now
            for part in self.parts:
                trim_log(part.log)


def _pause() -> None:
    threading.Event().wait(POLL_S)
