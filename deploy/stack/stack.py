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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import FrameType, TracebackType

from deploy.stack.part import Part
from deploy.stack.part_status import PartStatus
from deploy.stack.supervision import PartSupervision, RestartPolicy, WatchedPart
from services.runtime.clock import Clock, SystemClock

POLL_S = 0.05
SETTLED_AFTER_S = 45.0
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """The user asked to end while something was being started."""


class Stack:
    """Owns what it started from `start` to the end of its `with` block. Use it from the main thread."""

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        restart: RestartPolicy | None = None,
        clock: Clock | None = None,
        look: Callable[[Sequence[PartStatus]], None] = lambda _: None,
    ) -> None:
        """`look` is told every second how each part is doing."""
        self._clock = clock or SystemClock()
        self._asks = 0  # a plain number: a signal handler that took a lock could wait for the very code it interrupted
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="stack")
        self._former: dict[signal.Signals, object] = {}
        self._supervision = PartSupervision(
            say=say, restart=restart or RestartPolicy(), clock=self._clock, look=look, pool=self._pool
        )

    @property
    def parts(self) -> list[Part]:
        """Everything started so far, in order."""
        return [watched.part for watched in self._supervision.watched]

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
        batch = [WatchedPart(part, starting=self._pool.submit(part.start), was_up=True) for part in parts]
        self._supervision.batches.append(batch)
        while any(watched.starting is not None for watched in batch):
            for watched in batch:
                if watched.starting is not None and watched.starting.done():
                    watched.starting.result()
                    watched.starting = None
                    self._supervision.say_ready(watched, began)
            _pause()
            self._check()

    def take_up(self, *parts: Part) -> None:
        """Start parts side by side, each as soon as what it needs is up; return when it is known which come up now.

        At the latest after `SETTLED_AFTER_S`. The others are tried again, and waited for, by `watch`, and it is said
        why. Raises Stopped.
        """
        self._check()
        began = self._clock.monotonic()
        batch = [WatchedPart(part, due=began, began=began) for part in parts]
        self._supervision.batches.append(batch)
        while not all(watched.settled for watched in batch) or any(
            self._supervision.may_go(watched) for watched in batch
        ):
            self._supervision.turn()
            _pause()
            self._check()
            if self._clock.monotonic() - began >= SETTLED_AFTER_S:
                return

    def watch(self) -> None:
        """Return when the user asked to end. Meanwhile start again whatever dies, as the policy has it."""
        while not self.asked_to_stop:
            _pause()
            self._supervision.turn()

    def stop(self) -> None:
        """Return when nothing runs that was started here: the last batch first, side by side within one."""
        for batch in reversed(self._supervision.batches):
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
        self._supervision.batches.clear()

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


def _pause() -> None:
    threading.Event().wait(POLL_S)
