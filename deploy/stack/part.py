"""The shape every embedded part has, and the one error that any of them may raise."""

import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deploy.stack.process import Child, Launch, Process, StartFailed, last_words, wait_until
from services.runtime.clock import Clock, SystemClock


class PartError(Exception):
    """A part could not start or died; `str(error)` is one sentence for the person at the keyboard."""

    def __init__(self, part: str, sentence: str) -> None:
        super().__init__(sentence)
        self.part = part
        self.sentence = sentence


class Part(Protocol):
    """Something that runs beside the services and is started, watched and stopped by us."""

    @property
    def name(self) -> str:
        """How people call it, for sentences: "Kafka"."""
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
        """Say in one sentence how it ended and what it said last; only of a part that is not alive."""
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
            raise PartError(self.name, f"{self.name} did not start: {error}") from error
        except OSError as error:
            self.stop()
            raise PartError(self.name, f"{self.name} did not start: {error.strerror or error}.") from error
        except BaseException:
            self.stop()
            raise

    def alive(self) -> bool:
        return self._child is not None and self._child.alive()

    def epitaph(self) -> str:
        code = None if self._child is None else self._child.exit_code()
        if code is None:
            return f"{self.name} does not run."
        how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        return f"{self.name} ended {how}: {last_words(self.log)}"

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
            raise PartError(self.name, f"{self.name} already runs in {self.folder} {other}; stop that one first.")
        left.end(self.stop_signal, limit_s=self.stop_limit_s, clock=self.clock)

    def _await_ready(self, child: Child) -> None:
        def settled() -> bool:
            return self._cancel.is_set() or not child.alive() or self.ready()

        in_time = wait_until(settled, limit_s=self.start_limit_s, clock=self.clock)
        if self._cancel.is_set():
            raise PartError(self.name, f"{self.name} was stopped while it started.")
        if not child.alive():
            raise PartError(self.name, f"{self.name} ended while it started: {last_words(self.log)}")
        if not in_time:
            raise PartError(
                self.name, f"{self.name} did not answer within {self.start_limit_s:.0f} s: {last_words(self.log)}"
            )
