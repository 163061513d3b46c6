"""Child processes that die with us, are ended by proof of identity only, and say in one sentence why they failed."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

from deploy.stack.causes import Cause, Why, cause_of, explain
from services.runtime.clock import Clock, SystemClock

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_LIMIT_BYTES = 32 * 1024 * 1024
POLL_S = 0.05
SAME_START_S = 2.0  # psutil derives start times from the boot time, which may move a little
TAIL_BYTES = 256 * 1024


class StartFailed(Exception):
    """Why something could not start: the rest of the sentence "X did not start: ..."."""

    def __init__(self, sentence: str, cause: Cause | None = None) -> None:
        super().__init__(sentence)
        self.cause = cause or cause_of(sentence)


@dataclass(frozen=True, slots=True)
class RunAs:
    """Another system user, for programs that refuse to run as root."""

    uid: int
    gid: int
    keep_search: bool
    """Let it reach folders that are closed to that user."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run, and what it gets when we die without a chance to stop it."""

    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    """The whole environment; None hands down ours."""
    cwd: Path | None = None
    user: RunAs | None = None
    last_signal: signal.Signals = signal.SIGKILL
    nice: int = 0
    """Steps of niceness, 0 to 19: how far it stands back when there is not enough processor for everybody."""
    tie: str = field(default="kernel" if sys.platform == "linux" else "watcher")


def wait_until(
    condition: Callable[[], bool], *, limit_s: float, clock: Clock, cancel: threading.Event | None = None
) -> bool:
    """Return True as soon as the condition holds, False when the limit passed or `cancel` was set before."""
    pause = cancel or threading.Event()
    until = clock.monotonic() + limit_s
    while not condition():
        if clock.monotonic() >= until or pause.wait(POLL_S):
            return condition()
    return True


def require_tool(tool: str, hint: str) -> str:
    """Return the absolute path of a program.

    Raises:  StartFailed naming the tool and what to do.
    """
    found = shutil.which(tool)
    if found is None:
        raise StartFailed(f"the program {tool} is missing; {hint}.")
    return str(Path(found).absolute())


def require_space(folder: Path, floor_mb: int) -> None:
    """Raises:  StartFailed when the disk that holds `folder` has less than `floor_mb` MiB free."""
    free_mb = shutil.disk_usage(folder).free // (1024 * 1024)
    if free_mb < floor_mb:
        raise StartFailed(
            f"the disk that holds {folder} is full, {free_mb} MB are free and {floor_mb} MB are needed; "
            "make room or choose another folder."
        )


def since_start(log: Path, marker: str = "=== start ") -> str:
    """Return what was printed since the last start, the end of it when that is long."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return text.rpartition(marker)[2].partition("\n")[2] if marker in text else text


def killed_for_memory() -> int:
    """Return how many processes the kernel has ended so far for want of memory; 0 where it does not tell."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class _Spawner:
    """Starts every child from one thread that lives as long as we do.

    The kernel ties a child to the *thread* that started it: one started by a pool's worker would be killed as
    soon as the pool closes.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._work = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._owner = 0

    def spawn(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        answer: Future[subprocess.Popen[bytes]] = Future()
        with self._lock:
            if self._thread is None or self._owner != os.getpid():  # a forked copy of us has no thread
                self._owner = os.getpid()
                self._thread = threading.Thread(target=self._serve, name="spawner", daemon=True)
                self._thread.start()
        self._work.put((start, answer))
        return answer.result()

    def _serve(self) -> None:
        while True:
            start, answer = self._work.get()
            try:
                answer.set_result(start())
            except OSError as error:
                answer.set_exception(error)


_spawner = _Spawner()


def _spawn(
    launch: Launch,
    *,
    output: IO[bytes],
    errors: IO[bytes] | int = subprocess.STDOUT,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
) -> "_Tied":
    options = [f"tie={launch.tie}", f"parent={os.getpid()}", f"last_signal={int(launch.last_signal)}"]
    if launch.user is not None:
        user = launch.user
        options += [f"uid={user.uid}", f"gid={user.gid}", f"keep_search={int(user.keep_search)}"]
    if launch.nice:
        options.append(f"nice={launch.nice}")
    reader = writer = -1
    if launch.tie == "watcher":
        reader, writer = os.pipe()
        options.append(f"pipe={reader}")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *launch.argv],
            stdin=stdin,
            stdout=output,
            stderr=errors,
            env=None if launch.env is None else dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,
            pass_fds=() if reader < 0 else (reader,),
        )

    try:
        return _Tied(_spawner.spawn(start), writer)
    finally:
        if reader >= 0:
            os.close(reader)


class _Tied:
    """A started child and, where the kernel cannot tie it to us, the pipe that does."""

    def __init__(self, popen: subprocess.Popen[bytes], writer: int) -> None:
        self.popen = popen
        self._writer = writer
        self._lock = threading.Lock()

    def ended(self) -> bool:
        """Tell whether it ended, without collecting it: until then its process group id stays ours."""
        if self.popen.returncode is not None:
            return True
        try:
            return bool(psutil.Process(self.popen.pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def send(self, number: signal.Signals) -> None:
        with self._lock:
            if not self.ended():
                os.kill(self.popen.pid, number)

    def collect(self) -> int:
        """Kill what is left of its group, collect it and return its exit code."""
        with self._lock:
            if self.popen.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.popen.pid, signal.SIGKILL)
                self.popen.wait()
            if self._writer >= 0:
                os.close(self._writer)
                self._writer = -1
            return self.popen.returncode


def _open_log(log: Path) -> IO[bytes]:
    """Open a log to append to, unbuffered; where there is no room for one, what takes everything and keeps nothing.

    A service that needs no disk must start on one that is full.
    """
    try:
        return log.open("ab", buffering=0)
    except OSError:
        return Path(os.devnull).open("ab", buffering=0)


class Child:
    """One running child: its own session, a log file, a pid file that proves who it is."""

    def __init__(self, launch: Launch, *, log: Path, pid_file: Path | None = None, clock: Clock | None = None) -> None:
        """Raises:  OSError when it cannot be started at all."""
        self.clock = clock or SystemClock()
        self.log = log
        self._pid_file = pid_file
        with contextlib.suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
        trim_log(log)
        self._killed_before = killed_for_memory()
        with _open_log(log) as output:
            with contextlib.suppress(OSError):
                output.write(f"=== start {self.clock.now().isoformat(timespec='seconds')}\n".encode())
            self._tied = _spawn(launch, output=output)
        if pid_file is not None:
            with contextlib.suppress(OSError):  # without it, it still dies with us
                Process.of(self.pid).write(pid_file)

    @property
    def pid(self) -> int:
        return self._tied.popen.pid

    def alive(self) -> bool:
        return not self._tied.ended()

    def exit_code(self) -> int | None:
        """Return None while it runs; negative is the signal that ended it."""
        return self._tied.collect() if self._tied.ended() else None

    def why(self) -> Why:
        """Return why it ended, from what it printed; of one that still runs, what it complains of."""
        by_system = killed_for_memory() > self._killed_before
        return explain(since_start(self.log), self.exit_code(), by_system=by_system)

    def stop(self, number: signal.Signals, *, limit_s: float) -> int:
        """Send a signal, kill it and its group when it has not ended within the limit; return its exit code."""
        self._tied.send(number)
        wait_until(self._tied.ended, limit_s=limit_s, clock=self.clock)
        return self.kill()

    def kill(self) -> int:
        """Kill it and what is left of its group, and return its exit code."""
        code = self._tied.collect()
        if self._pid_file is not None:
            with contextlib.suppress(OSError):
                self._pid_file.unlink(missing_ok=True)
        return code


@dataclass(frozen=True, slots=True)
class Process:
    """A process id with the start time that tells it from a later process of the same number."""

    pid: int
    started: float
    owner_pid: int
    owner_started: float

    @classmethod
    def of(cls, pid: int) -> "Process":
        return cls(pid, _started(pid) or 0.0, os.getpid(), _started(os.getpid()) or 0.0)

    @classmethod
    def from_file(cls, path: Path) -> "Process | None":
        """Return the process a pid file names if exactly that one still runs; remove a file that says nothing true."""
        try:
            found = cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            found = None
        if found is None or not _same(found.pid, found.started):
            path.unlink(missing_ok=True)
            return None
        return found

    def write(self, path: Path) -> None:
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    def owner_alive(self) -> bool:
        return self.owner_pid != os.getpid() and _same(self.owner_pid, self.owner_started)

    def end(self, first: signal.Signals, *, limit_s: float, clock: Clock) -> None:
        """Send it a signal, kill it after the limit; does nothing when that process is gone."""
        for number in (first, signal.SIGKILL):
            if not _same(self.pid, self.started):
                return
            os.kill(self.pid, number)
            wait_until(lambda: not _same(self.pid, self.started), limit_s=limit_s, clock=clock)


def _started(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _same(pid: int, started: float) -> bool:
    now = _started(pid)
    return now is not None and abs(now - started) < SAME_START_S


def run_tool(
    launch: Launch, *, limit_s: float, clock: Clock, cancel: threading.Event | None = None, text: str = ""
) -> str:
    """Run a program to its end with `text` as its input and return its standard output.

    Raises:  StartFailed when it fails, takes longer than the limit, or `cancel` is set meanwhile.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as given:
        given.write(text.encode())
        given.seek(0)
        tied = _spawn(launch, output=output, errors=errors, stdin=given)
        in_time = wait_until(tied.ended, limit_s=limit_s, clock=clock, cancel=cancel)
        code = tied.collect()
        printed, complained = _text(output), _text(errors)
    name = Path(launch.argv[0]).name
    if not in_time:
        stopped = cancel is not None and cancel.is_set()
        raise StartFailed("it was stopped." if stopped else f"{name} took longer than {limit_s:.0f} s.")
    if code != 0:
        why = explain(complained + printed, code)
        raise StartFailed(f"{name} failed with code {code}: {why.words}.", why.cause)
    return printed


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def trim_log(log: Path, *, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Keep at most two files of `limit_bytes`: copy a larger log to `.1` and empty it in place.

    In place, since the writer keeps it open for appending and goes on at the new end.
    """
    with contextlib.suppress(OSError):
        if log.stat().st_size > limit_bytes:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)
