"""The shape every embedded part has, and the one error that any of them may raise."""

import contextlib
import re
import shutil
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deploy.stack.causes import Cause, Why, cause_of
from deploy.stack.process import Child, Launch, Process, StartFailed, wait_until
from services.runtime.clock import Clock, SystemClock

FULL_BYTES = 1024 * 1024
"""With less than this free on its disk, want of room is why a part ended."""


class PartError(Exception):
    """A part could not start or died; `str(error)` is one sentence for the person at the keyboard."""

    def __init__(self, part: str, sentence: str, cause: Cause = Cause.OTHER) -> None:
        super().__init__(sentence)
        self.part = part
        self.sentence = sentence
        self.cause = cause


class Part(Protocol):
    """Something that runs beside the services and is started, watched and stopped by us."""

    @property
    def name(self) -> str:
        """How people call it, for sentences: "Kafka"."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the parts without which it need not be started."""
        ...

    @property
    def log(self) -> Path:
        """The file that holds everything the part printed."""
        ...

    @property
    def pids(self) -> list[int]:
        """Return the processes that we started for it and that still live."""
        ...

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where it listens, by protocol; known before it starts."""
        ...

    def start(self) -> None:
        """Return once the part answers its own protocol. Starting a dead part again keeps its data.

        Raises:  PartError with one sentence; nothing of the part is left running then.
        """
        ...

    def ready(self) -> bool:
        """Ask the part now, over its own protocol; False also when it does not run."""
        ...

    def alive(self) -> bool:
        """Tell whether its process still runs, without asking the part."""
        ...

    def epitaph(self) -> str:
        """Say in one sentence how it ended and why; only of a part that is not alive."""
        ...

    def obituary(self) -> PartError:
        """Return the epitaph with the cause of death."""
        ...

    def stop(self) -> None:
        """Ask it to end and return once nothing of it runs. Safe at any time, from any thread, twice."""
        ...

    def kill(self) -> None:
        """Like `stop`, without asking first; also hurries a `stop` that another thread waits for."""
        ...


class ChildPart(ABC):
    """A part that is one child process: the common way to start, await and stop it."""

    name: str
    start_limit_s: float = 60.0
    stop_limit_s: float = 20.0
    stop_signal: signal.Signals = signal.SIGTERM
    mute_is_dead: bool = True
    """One that runs and is not ready when the limit passes is ended; otherwise it is left to get ready some day."""
    needs: tuple[str, ...] = ()

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self.folder = folder.absolute()
        self.clock = clock or SystemClock()
        self._child: Child | None = None
        self._cancel = threading.Event()

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name.lower()}.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name.lower()}.pid"

    @property
    def pids(self) -> list[int]:
        return [self._child.pid] if self._child is not None and self._child.alive() else []

    @property
    @abstractmethod
    def addresses(self) -> Mapping[str, str]: ...

    @abstractmethod
    def ready(self) -> bool: ...

    @abstractmethod
    def _prepare(self) -> Launch:
        """Check ports and tools, write configuration, format what is new; return what to run."""

    def start(self) -> None:
        if self.alive():
            return
        self._cancel.clear()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._child is not None:
                self._child.kill()  # collects it, and ends what it left of its group
            self._reclaim()
            self._child = Child(self._prepare(), log=self.log, pid_file=self.pid_file, clock=self.clock)
            self._await_ready(self._child)
        except StartFailed as error:
            self.stop()
            raise PartError(self.name, f"{self.name} did not start: {error}", error.cause) from error
        except OSError as error:
            self.stop()
            words = error.strerror or str(error)
            raise PartError(self.name, f"{self.name} did not start: {words}.", cause_of(words)) from error
        except BaseException:
            self.stop()
            raise

    def alive(self) -> bool:
        return self._child is not None and self._child.alive()

    def epitaph(self) -> str:
        return self.obituary().sentence

    def obituary(self) -> PartError:
        code = None if self._child is None else self._child.exit_code()
        if self._child is None or code is None:
            return PartError(self.name, f"{self.name} does not run.")
        how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        why = self._why(self._child)
        return PartError(self.name, f"{self.name} ended {how}: {why.words} (log: {self.log}).", why.cause)

    def _why(self, child: Child) -> Why:
        why = child.why()
        # A disk may be so full that not even the log says it any more.
        if why.cause is Cause.DISK_FULL or (why.cause is not Cause.KILLED and self._disk_is_full()):
            return Why(Cause.DISK_FULL, f"the disk that holds {self.folder} is full")
        if why.cause is Cause.PORT_TAKEN and not re.search(r":\d", why.words):
            return Why(why.cause, f"{why.words} ({', '.join(self.addresses.values())})")
        return why

    def _disk_is_full(self) -> bool:
        with contextlib.suppress(OSError):
            return shutil.disk_usage(self.folder).free < FULL_BYTES
        return False

    def stop(self) -> None:
        self._cancel.set()
        if self._child is not None:
            self._child.stop(self.stop_signal, limit_s=self.stop_limit_s)

    def kill(self) -> None:
        self._cancel.set()
        if self._child is not None:
            self._child.kill()

    def _reclaim(self) -> None:
        """End what an earlier, killed owner left behind; refuse when the owner lives."""
        left = Process.from_file(self.pid_file)
        if left is None:
            return
        if left.owner_alive():
            other = f"for another FireNet (process {left.owner_pid})"
            sentence = f"{self.name} already runs in {self.folder} {other}; stop that one first."
            raise PartError(self.name, sentence, Cause.RUNS_ALREADY)
        left.end(self.stop_signal, limit_s=self.stop_limit_s, clock=self.clock)

    def _await_ready(self, child: Child) -> None:
        def settled() -> bool:
            return self._cancel.is_set() or not child.alive() or self.ready()

        in_time = wait_until(settled, limit_s=self.start_limit_s, clock=self.clock)
        if self._cancel.is_set():
            raise PartError(self.name, f"{self.name} was stopped while it started.")
        if not child.alive():
            why = self._why(child)
            sentence = f"{self.name} ended while it started: {why.words} (log: {self.log})."
            raise PartError(self.name, sentence, why.cause)
        if not in_time and self.mute_is_dead:
            why = self._why(child)
            sentence = f"{self.name} did not answer within {self.start_limit_s:.0f} s: {why.words} (log: {self.log})."
            raise PartError(self.name, sentence, Cause.NO_ANSWER if why.cause is Cause.OTHER else why.cause)
