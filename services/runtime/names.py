"""The name of a process: no two of a service work under one. A session at PostgreSQL holds the lock of it.

A session ends with its process, so the name of one that was killed is free at once. A frozen process keeps its session
open and says nothing on it: whoever waits for its name has that session ended. When the process goes on it finds that
out with its next word, asks for its name again and ends itself if another has it.

Where the line to the server was cut, the server keeps our session as well, without us: we end it when we come back.

Nobody waits for a database: without an answer a process works under the name that it would ask for first, and asks
when it can. What it then may not do is said by the epochs of partitions, not by the name.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from prometheus_client import Gauge

from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop, TaskDied
from services.runtime.logging import get_logger
from services.runtime.postgres import connect_arguments
from services.runtime.queries import load_queries
from services.runtime.settings import MAX_NAME, NamedSettings
from services.runtime.status import Readiness, StatusServer, process_registry

SQL = load_queries(Path(__file__).with_name("sql"))
CLOCK = SystemClock()
NAMES_OF_A_HOST = 64
"""Processes of one service on one host that find a name of their own."""
CLOSING_S = 1.0
APPLICATION = "firenet-name "
S = TypeVar("S", bound=NamedSettings)
Session = psycopg.Connection[tuple[Any, ...]]


class _Shared(Exception):
    """The sessions are given to other clients between two words, as a pooler does: they keep no lock for us."""


class NameLost(TaskDied):
    """Another process has our name: ours was frozen, or it began while no database could be asked."""

    def __init__(self, name: str) -> None:
        super().__init__("name")
        self.args = (f"another process works under the name {name}",)


@dataclass(frozen=True, slots=True)
class _Holder:
    """The session that has the lock of a name."""

    pid: int
    application: str
    silent_s: float | None

    @property
    def who(self) -> str:
        return self.application.removeprefix(APPLICATION).partition("/")[0]


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds. `frozen_s` is several times `every_s`: a word may come late on a busy machine."""

    every_s: float = 2.0
    """How often the holder speaks on its session, and others ask for the name."""
    frozen_s: float = 6.0
    """A holder that has not spoken for so long does not run any more."""
    answer_s: float = 1.0
    """So long a start waits for the database."""
    away_s: float = 5.0
    """So long somebody who waits for a name goes without an answer, and a holder may take to come back first."""


PACE = Pace()


def names_of(service: str, given: str) -> tuple[str, ...]:
    """Return the names that would do, the best first: the given one, or those of this host."""
    if given:
        return (given,)
    first = f"{service}-{socket.gethostname()}"[: MAX_NAME - 3]
    return (first, *(f"{first}-{number}" for number in range(2, NAMES_OF_A_HOST + 1)))


class NameHolder:
    """Asks for a name and holds it, in a thread: long arithmetic in the event loop must not look like a frost."""

    def __init__(self, dsn: str, service: str, names: Sequence[str], stop: Stop, pace: Pace = PACE) -> None:
        self._dsn = dsn
        self._service = service
        self._names = names
        self._stop = stop
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._deciding = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="name", daemon=True)
        self._answered_s = CLOCK.monotonic()
        self._name: str | None = None
        who = f"{socket.gethostname()[:24]}, process {os.getpid()}"
        self._application = f"{APPLICATION}{who}/{secrets.token_hex(4)}"  # no more than the 63 bytes that are kept
        self.held_by: str | None = None
        """Who works under the name that we wait for: host and process."""
        self.lost = False

    def start(self) -> None:
        self._thread.start()

    async def name(self, *, even_if_in_use: bool = True) -> str | None:
        """Wait until it is known under which name we work; None when stop came before.

        Without `even_if_in_use` None also when it is known that another process has it.
        """
        while not self._stop.is_set() and (even_if_in_use or self.held_by is None):
            with self._deciding:
                waits = self.held_by is not None
                if self._name is None and CLOCK.monotonic() - self._answered_s > self._patience_s(waits):
                    self._go_on_unasked("no answer of PostgreSQL")
                if self._name is not None:
                    return self._name
            self._news.clear()
            await self._stop.or_until(self._any_news())
        return None

    def close(self) -> None:
        """Give the name back, at once if the database answers."""
        self._ended.set()
        self._thread.join(CLOSING_S)

    def _patience_s(self, waits: bool) -> float:
        return self._pace.away_s if waits else self._pace.answer_s

    def _go_on_unasked(self, why: str) -> None:
        """Work under the name that we have, or the first; `_deciding` is held."""
        if self._name is None:
            # nobody has the second one: the holder of the first may well be there
            self._name = self._names[0] if self.held_by is None else f"{self._names[0]}-{secrets.token_hex(2)}"
        get_logger().warning("instance_name_not_asked_for", name=self._name, why=why)

    async def _any_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.answer_s / 4):
                await self._news.wait()

    def _tell(self, what: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever could want to know
            self._loop.call_soon_threadsafe(what)

    def _run(self) -> None:
        arguments = {**connect_arguments("name"), "application_name": self._application}
        while not self._ended.is_set():
            try:
                # a statement prepared on one session of a pooler is not known on the next: an error instead of a proof
                with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None, **arguments) as session:
                    self._talk(session)
            except _Shared:
                with self._deciding:
                    self._go_on_unasked("a pooler in transaction mode stands before PostgreSQL and keeps no lock")
                self._tell(self._news.set)
                return
            except (psycopg.Error, OSError):
                pass
            self._ended.wait(self._pace.every_s / 4)

    def _talk(self, session: Session) -> None:
        """Take a name or ours again, then show that we live, until the name is lost.

        Raises:  _Shared; and what psycopg does.
        """
        since_s, held = CLOCK.monotonic(), False
        backend = self._speak(session)
        while not self._ended.is_set():
            if self._speak(session) != backend:
                raise _Shared
            if held:
                pass
            elif self._name is not None:
                held = self._take(session, self._name)
                if not held and (holder := self._living_holder(session, self._name)):
                    self._lose(holder)
                    return
            elif self.held_by is None or CLOCK.monotonic() - since_s >= self._pace.away_s:
                held = self._seek(session)
            # else after an outage who had the name comes first
            self._answered_s = CLOCK.monotonic()
            self._ended.wait(self._pace.every_s if held else self._pace.every_s / 4)

    def _speak(self, session: Session) -> int:
        """Show that we live and return which process of the server hears it."""
        (pid,) = session.execute(SQL["name_speak"].encode()).fetchall()[0]
        return int(pid)

    def _seek(self, session: Session) -> bool:
        for name in self._names:
            if self._take(session, name):
                with self._deciding:
                    mine = self._name is None
                    self._name = self._name or name
                if not mine and self._name != name:
                    session.execute(SQL["name_give_back"].encode(), {"key": self._key(name)})
                    return False
                self._tell(self._news.set)
                return True
        self._wait_for_holder(session)
        return False

    def _take(self, session: Session, name: str) -> bool:
        row = session.execute(SQL["name_take"].encode(), {"key": self._key(name)}).fetchone()
        return row is not None and bool(row[0])

    def _living_holder(self, session: Session, name: str) -> _Holder | None:
        """Return who has the name. A session that nobody speaks on is ended, and nobody has the name.

        Such are ours of before the line was cut, which the server keeps until it misses us, and that of a frozen
        process. Raises _Shared where the session does other work as well.
        """
        row = session.execute(SQL["name_holder"].encode(), {"key": self._key(name)}).fetchone()
        if row is None:
            return None
        holder = _Holder(*row)
        if not holder.application.startswith(APPLICATION):
            raise _Shared
        frozen = holder.silent_s is not None and holder.silent_s > self._pace.frozen_s
        if holder.application != self._application and not frozen:
            return holder
        silent_s = None if holder.silent_s is None else round(holder.silent_s, 1)
        get_logger().warning("instance_name_taken_over", name=name, by=holder.who, silent_s=silent_s)
        session.execute(SQL["name_end_holder"].encode(), {"pid": holder.pid})
        return None

    def _wait_for_holder(self, session: Session) -> None:
        """Say once who has the name."""
        name = self._names[0]
        holder = self._living_holder(session, name)
        if holder is not None and self.held_by != holder.who:
            self.held_by = holder.who
            get_logger().warning("instance_name_in_use", name=name, by=holder.who, meaning="waiting until it is free")
            self._tell(self._news.set)

    def _lose(self, holder: _Holder) -> None:
        get_logger().error("instance_name_lost", name=self._name, by=holder.who)
        self.lost = True
        self._ended.set()
        self._tell(self._stop.set)

    def _key(self, name: str) -> str:
        return f"firenet name {self._service}/{name}"


async def under_a_name(
    service: str, settings: S, port: int, stop: Stop, work: Callable[[S], Awaitable[None]], pace: Pace = PACE
) -> None:
    """Run `work` with settings that bear our name, once we have one; `port` says meanwhile for whom we wait.

    Raises:  NameLost, after an orderly stop, when another process has it; and what `work` raises.
    """
    names = names_of(service, settings.instance)
    holder = NameHolder(settings.database_dsn.get_secret_value(), service, names, stop, pace)
    holder.start()
    try:
        name = await holder.name(even_if_in_use=False) or await _wait(holder, names[0], settings, port)
        if name is None:
            return
        await work(settings.model_copy(update={"instance": name}))
        if holder.lost:
            raise NameLost(name)
    finally:
        holder.close()


async def _wait(holder: NameHolder, name: str, settings: NamedSettings, port: int) -> str | None:
    registry = process_registry()
    Gauge("firenet_name_waiting", "1 while the name of this process is in use by another", registry=registry).set(1)

    def readiness() -> Readiness:
        return Readiness(False, {"name": f"{name} is in use ({holder.held_by}); waiting until it is free"})

    over = Stop()
    page = asyncio.create_task(StatusServer(settings.http_host, port, readiness, registry).serve(over))
    try:
        return await holder.name()
    finally:
        over.set()
        with contextlib.suppress(OSError):  # whoever has the name may have the port as well
            await page
