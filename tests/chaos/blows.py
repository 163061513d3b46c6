"""Which part is hit when and how, decided by a seed; and the hitting itself, by process id only."""

import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from deploy.stack.part import Part
from services.runtime.clock import SystemClock
from tests.checker.copies import Outage

READY_LIMIT_S = 180.0
SHORTEST_S = 2.0
LONGEST_S = 40.0


@dataclass(frozen=True, slots=True)
class Blow:
    """`for_s` is how long a freeze lasts, 0 of a kill."""

    number: int
    at_s: float
    part: str
    for_s: float

    @property
    def kills(self) -> bool:
        return self.for_s == 0


def plan(seed: int, blows: int, parts: Sequence[str], longest_s: float, gap_s: tuple[float, float]) -> list[Blow]:
    """Return the blows in order: each part is hit once before any is hit again, and the other way the second time.

    The gaps between them are drawn from `gap_s`; one may fall while others still come back.
    """
    dice = random.Random(f"{seed}/blows")
    planned: list[Blow] = []
    at_s = 8.0
    while len(planned) < blows:
        kills = {part: dice.random() < 0.5 for part in sorted(parts)}
        for second in (False, True):
            order = sorted(parts)
            dice.shuffle(order)
            for part in order:
                at_s += dice.uniform(*gap_s)
                evenly = dice.uniform(SHORTEST_S, longest_s)
                freeze_s = dice.choice((evenly, SHORTEST_S * (longest_s / SHORTEST_S) ** dice.random()))
                for_s = 0.0 if kills[part] != second else freeze_s
                planned.append(Blow(len(planned) + 1, at_s, part, for_s))
    return planned[:blows]


@dataclass(slots=True)
class Struck:
    """What happened: one row of the table. Instants are seconds since 1970."""

    blow: Blow
    began_at: float
    unacknowledged: int
    sending: str
    thawed_at: float | None = None
    ready_at: float | None = None

    def outage(self, end: float) -> Outage:
        return Outage(self.blow.part, self.began_at, self.ready_at or end)

    def row(self, started_at: float) -> str:
        blow = self.blow
        what = "SIGKILL" if blow.kills else f"SIGSTOP {blow.for_s:4.1f} s"
        back = "not back" if self.ready_at is None else f"{self.ready_at - self.began_at:6.1f} s"
        return (
            f"{blow.number:3}  {self.began_at - started_at:7.1f}  {blow.part:12} {what:15} "
            f"{self.unacknowledged:6}  {self.sending:>7}  {back}"
        )


HEADING = " no   time, s  part         signal          unackd  sending  ready again after"


class Striker:
    """Strikes parts and waits, beside the caller, for each to be ready again."""

    def __init__(self, part_of: Callable[[str], Part], probe: Callable[[], tuple[int, str]], stop: threading.Event):
        self.struck: list[Struck] = []
        self._part_of = part_of
        self._look = probe
        self._stop = stop
        self._clock = SystemClock()
        self._followers: list[threading.Thread] = []
        self._away: set[str] = set()

    def is_free(self, part: str) -> bool:
        return part not in self._away and self._part_of(part).alive()

    def strike(self, blow: Blow) -> Struck:
        """Hit a part that lives; return at once. It is thawed, and its return is awaited, in the background."""
        part = self._part_of(blow.part)
        unacknowledged, sending = self._look()
        pids = tree(part.pids)
        struck = Struck(blow, self._now(), unacknowledged, sending)
        self._away.add(blow.part)
        send(pids, signal.SIGKILL if blow.kills else signal.SIGSTOP)
        self.struck.append(struck)
        follower = threading.Thread(target=self._follow, args=(struck, part, pids), daemon=True)
        self._followers.append(follower)
        follower.start()
        return struck

    def join(self) -> None:
        """Wait until every part that was struck is ready again, or its limit has passed."""
        for follower in self._followers:
            follower.join(LONGEST_S + READY_LIMIT_S + 10)

    def _follow(self, struck: Struck, part: Part, pids: Sequence[int]) -> None:
        if struck.blow.kills:
            self._wait(lambda: not any(map(_runs, pids)), 30)
        else:
            self._stop.wait(struck.blow.for_s)
            send(pids, signal.SIGCONT)
            struck.thawed_at = self._now()
        if self._wait(lambda: part.alive() and part.ready(), READY_LIMIT_S):
            struck.ready_at = self._now()
        self._away.discard(struck.blow.part)

    def _wait(self, condition: Callable[[], bool], limit_s: float) -> bool:
        until = self._clock.monotonic() + limit_s
        while self._clock.monotonic() < until and not self._stop.is_set():
            if condition():
                return True
            self._stop.wait(0.1)
        return condition()

    def _now(self) -> float:
        return self._clock.now().timestamp()


def tree(pids: Sequence[int]) -> list[int]:
    """Return processes of ours and all that they started, parents first."""
    found: list[int] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            found += [pid, *(child.pid for child in process.children(recursive=True))]
    return found


def send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
