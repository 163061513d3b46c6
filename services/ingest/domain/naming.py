"""Which process of ingest has which name, and whose sessions at the broker nobody reads any more.

A name is what a process of ingest is known by: to the broker, which keeps a session for it with all that waits there,
and to rules, which waits for its ticks. Two processes of one name throw each other out of that session. So a process
connects under a name only while it *holds* it. The register is the broker itself, in three kinds of retained records;
where they are lost, the sessions that they speak of are lost too:

    members/{token}   the names that one process claims, said again every second; its last will clears it
    sessions/{name}   sessions of this name gather messages, whether or not anybody reads them; cleared with their end
    memory/{id}       said by whoever finds none: where it is gone, the broker forgot everything

    joining --all records heard--> claiming --own claim heard first--> held --another holds it--> lost: process ends
       ^                             |   ^                               |
       | connection cut              v   | free again                    +--> adopts sessions that nobody reads
       +-- from every state        waiting

Of two claims the one that the broker passed on first counts: all members hear them in the same order. A member that
ends, or dies, is gone at once by its will; one that stands still, as soon as the broker misses its pings.

A session whose member is gone keeps its share of what `$share` deals out. A member that is there *adopts* it: takes
the name in addition, reads what waits, and ends the session. A process that may have no other name comes first: while
it waits, nobody adopts that one. Should the member come back to an ended session, it ends too, and begins anew as a
process that has read nothing. It knows by the record of its sessions: it hears that it is cleared, or, where it was
away then, misses it at a broker that has forgotten nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

SLOT = "ingest-{}"
MAX_SLOTS = 64
SAY_EVERY_S = 1.0
VALID_S = 5.0
"""So long after the broker last passed our claim on we may open connections under our names; less than `LAPSES_S`."""
LAPSES_S = 10.0
"""A claim that is not said again for so long is of a process whose will was lost with the broker."""
STOOD_STILL_S = 3.0
"""We turn four times a second: after a longer pause it was we who heard nothing, not they who said nothing."""
SETTLE_S = 1.0
ADOPT_AFTER_S = 2.0
"""A member on its way back needs longer; fires that wait in its session must not."""
TRY_AGAIN_S = 5.0
"""After an attempt that came to no end; meanwhile another session has its turn, or another member tries."""
MAX_MEMBERS = 256
MAX_SESSIONS = 512
MAX_MEMORIES = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Say(NamedTuple):
    """A record to publish under `kind` and `key`; one that says nothing is cleared.

    `names` are claimed; `wants` is waited for, and claimed once it is free. `there`: what is no member is there.
    """

    kind: Literal["members", "sessions", "memory"]
    key: str
    names: tuple[str, ...] = ()
    there: bool = False
    wants: str = ""


@dataclass(slots=True)
class _Member:
    names: tuple[str, ...]
    host: str
    heard_at: float
    wants: str = ""


class NameRegister:
    """What the records say. For each name the tokens that claim it, the holder first."""

    def __init__(self, own: str) -> None:
        """`own`: the token of this process; there is always room for it."""
        self._own = own
        self._members: dict[str, _Member] = {}
        self._claims: dict[str, list[str]] = {}
        self.unread_since: dict[str, float] = {}
        """The names that have sessions; since when nobody has held each, or when it was last held."""
        self.left_out = 0
        """Records that there was no room for since all were heard anew."""
        self.knows_all_members = True

    def heard(self, token: str, names: Sequence[str], host: str, now: float, wants: str = "") -> None:
        known = self._members.get(token)
        if known is None and token != self._own and len(self._members) >= MAX_MEMBERS:
            self.left_out += 1
            self.knows_all_members = False
            return
        names = tuple(name for name in names if _NAME.fullmatch(name))
        for name in set(known.names if known else ()) - set(names):
            self._withdraw(token, name)
        for name in names:
            claims = self._claims.setdefault(name, [])
            if token not in claims:
                claims.append(token)
        self._members[token] = _Member(names, host, now, wants)

    def gone(self, token: str) -> None:
        member = self._members.pop(token, None)
        for name in member.names if member else ():
            self._withdraw(token, name)

    def heard_session(self, name: str, now: float, *, there: bool, ours: bool = False) -> None:
        """`ours`: this process has or claims the name, so there is room for it."""
        if not there:
            self.unread_since.pop(name, None)
        elif name not in self.unread_since and _NAME.fullmatch(name):
            if ours or len(self.unread_since) < MAX_SESSIONS:
                self.unread_since[name] = now
            else:
                self.left_out += 1

    def holder(self, name: str) -> str | None:
        claims = self._claims.get(name)
        return claims[0] if claims else None

    def claims(self, token: str, name: str) -> bool:
        return token in self._claims.get(name, ())

    def is_asked_for(self, name: str, but: str) -> bool:
        """Say whether a process waits for `name`. Claims are none: two that adopt at once would both let go."""
        return any(token != but and one.wants == name for token, one in self._members.items())

    def host_of(self, name: str) -> str:
        member = self._members.get(self.holder(name) or "")
        return member.host if member else ""

    def lapsed(self, now: float, but: str) -> list[str]:
        return [token for token, one in self._members.items() if token != but and now - one.heard_at > LAPSES_S]

    def others(self, but: str) -> int:
        return sum(1 for token, one in self._members.items() if token != but and one.names)

    def has_sessions(self, but: str | None) -> bool:
        return any(name != but for name in self.unread_since)

    def shift(self, seconds: float) -> None:
        for member in self._members.values():
            member.heard_at += seconds
        for name in self.unread_since:
            self.unread_since[name] += seconds

    def begin_anew(self, own: str, now: float) -> None:
        """Before all records are heard again: ours counts when it is heard, the others until they lapse."""
        self.gone(own)
        self.unread_since.clear()
        self.left_out = 0
        self.knows_all_members = True
        for member in self._members.values():
            member.heard_at = now

    def note_readers(self, now: float) -> None:
        for name in self.unread_since:
            if self.holder(name) is not None:
                self.unread_since[name] = now

    def _withdraw(self, token: str, name: str) -> None:
        claims = self._claims.get(name, [])
        if token in claims:
            claims.remove(token)
        if not claims:
            self._claims.pop(name, None)


class Naming:
    """The way of one process to its name. Instants are seconds of a monotonic clock. Not thread-safe."""

    def __init__(self, token: str, wanted: str, *, slots: int = MAX_SLOTS, adopts: bool = True) -> None:
        """`wanted`: the only name that will do; empty: the first free one of `ingest-1` to `ingest-{slots}`.

        `adopts`: members share the messages, so sessions that nobody reads are read.
        """
        self.token = token
        self._wanted = wanted
        self._slots = slots
        self._adopts = adopts
        self._register = NameRegister(token)
        self._joined_at: float | None = None
        self._turned_at: float | None = None
        self._echo_at: float | None = None
        self._claimed: str | None = None
        self._adopting: str | None = None
        self._reading: str | None = None
        """The name whose sessions are being read, until that is said to have ended; it may be ours no longer."""
        self._said: tuple[tuple[str, ...], str] = (), ""
        self._said_at = 0.0
        self._marked_at: float | None = None
        self._emptied: list[str] = []
        self._not_before: dict[str, float] = {}
        """The names whose sessions we could not read to their end; when we may try again."""
        self._own_marked = False
        self._memories: set[str] = set()
        """What the broker remembers, by the records that say so, when we had last heard all of them."""
        self._memories_heard: set[str] = set()
        self._memories_said = 0
        self._memory_said_at: float | None = None
        self.own: str | None = None
        """The name that was held once; it is never changed for another."""
        self.lost = False
        """Another process holds our name, or has ended its sessions: whoever works under it must end."""

    def cut(self) -> None:
        self._joined_at = None
        self._adopting = None  # somebody may have it before we are back

    def joining(self, now: float) -> None:
        """All records will be heard from the beginning, and then `joined` is called."""
        self.cut()
        self._register.begin_anew(self.token, now)
        self._said = (), ""
        self._memories_heard = set()
        self._memory_said_at = None
        self._emptied.clear()  # what we ended then may be somebody's by now; at worst an empty session is adopted

    def joined(self, now: float) -> None:
        self._joined_at = now
        if self.own is not None and self.own not in self._register.unread_since:
            if self._own_marked and not self._memories.isdisjoint(self._memories_heard):
                self.lost = True  # ended while we were away; a broker that forgot everything is told again
            self._own_marked = False
        self._memories = self._memories_heard

    def heard(self, token: str, names: Sequence[str], host: str, now: float, wants: str = "") -> None:
        self._register.heard(token, names, host, now, wants)
        if token == self.token:
            self._echo_at = now

    def gone(self, token: str) -> None:
        self._register.gone(token)

    def heard_session(self, name: str, now: float, *, there: bool) -> None:
        ours = name in (self.own, self._claimed, self._adopting)
        self._register.heard_session(name, now, there=there, ours=ours)
        if name == self.own:
            self._own_marked = self._own_marked or there
            self.lost = self.lost or not there

    def heard_memory(self, key: str) -> None:
        if _NAME.fullmatch(key) and len(self._memories_heard) < MAX_MEMORIES:
            self._memories_heard.add(key)

    def holds(self, name: str, now: float) -> bool:
        """Say whether a connection under `name` may be opened now."""
        return (
            not self.lost
            and self._joined_at is not None
            and self._echo_at is not None
            and now - self._echo_at < VALID_S
            and name in (self.own, self._adopting)
            and self._register.holder(name) == self.token
            and (name == self.own or not self._register.is_asked_for(name, but=self.token))
        )

    @property
    def adopted(self) -> str | None:
        """The name whose sessions are ours to read and to end."""
        name = self._adopting
        return name if name is not None and self._register.holder(name) == self.token else None

    def begin_reading(self, now: float) -> str | None:
        """Return the name whose sessions are to be read now, to their end or until `holds` denies it."""
        name = self._adopting
        if name is None or not self.holds(name, now):
            return None
        self._reading = name
        return name

    @property
    def left_out(self) -> int:
        """How many records there was no room for: sessions among them are not adopted."""
        return self._register.left_out

    @property
    def others(self) -> int:
        """How many other processes claim names."""
        return self._register.others(self.token)

    @property
    def alone(self) -> bool | None:
        """Whether every message comes to our own sessions; None while the broker, which knows, is not reached.

        A session is dealt its share until it is ended, whether or not a process is there to read it.
        """
        if self._joined_at is None:
            return None
        shared = self._adopts and (self.left_out > 0 or self._register.has_sessions(but=self.own))
        return self.others == 0 and not shared

    def waits_for(self) -> tuple[str, str] | None:
        """Return the name that would do and who holds it (host and process); None while nothing is waited for."""
        if self._joined_at is None or self.own is not None or self._claimed is not None or self._pick() is not None:
            return None
        name = self._wanted or SLOT.format(1)
        return name, self._register.host_of(name)

    def problem(self, now: float) -> str:
        """Return `ok`, or why this process may not work under its name, in one sentence."""
        if self.lost:
            return f"{self.own} was taken over by another process; this one ends"
        if (waits := self.waits_for()) is not None:
            which = waits[0] if self._wanted or self._slots == 1 else f"each of {self._slots} names"
            return f"{which} is in use ({waits[1]}); waiting until it is free"
        if self._joined_at is None:
            return "the broker, which knows the names in use, is not reached"
        if self.own is None or not self.holds(self.own, now):
            return "not confirmed by the broker"
        return "ok"

    def emptied(self, name: str) -> None:
        """The sessions of an adopted name are read to their end, and ended."""
        self._emptied.append(name)
        self._let_go(name)

    def give_up(self, name: str, now: float) -> None:
        """Let an adopted name go for a while; its sessions stay."""
        self._not_before = {one: at for one, at in self._not_before.items() if at > now}
        self._not_before[name] = now + TRY_AGAIN_S
        self._let_go(name)

    def _let_go(self, name: str) -> None:
        self._reading = None
        if self._adopting == name:
            self._adopting = None

    def turn(self, now: float) -> list[Say]:
        """Return what to publish now. To be called whenever something was heard, and four times a second."""
        before, self._turned_at = self._turned_at, now
        if before is not None and now - before > STOOD_STILL_S:
            self._register.shift(now - before)
        if self._joined_at is None or self.lost:
            return []
        says = []
        for token in self._register.lapsed(now, but=self.token):
            self._register.gone(token)
            says.append(Say("members", token))
        self._register.note_readers(now)
        says += self._begin_memory(now)
        for name in [name for name in self._emptied if self._register.holder(name) == self.token]:
            self._register.heard_session(name, now, there=False)
            says.append(Say("sessions", name))
        self._emptied.clear()
        if self.own is None:
            says += self._claim(now)
        else:
            says += self._keep(self.own, now, self._joined_at)
        names = tuple(name for name in (self.own or self._claimed, self._adopting) if name is not None)
        wants = self._wanted if not names else ""
        if (names, wants) != self._said or ((names or wants) and now - self._said_at >= SAY_EVERY_S):
            self._said, self._said_at = (names, wants), now
            says.append(Say("members", self.token, names, wants=wants))
        return says

    def leaving(self) -> list[Say]:
        """Return what to publish when nothing works under our names any more.

        Who lost its name may have opened its session once more before it heard of that: it must be found, though at
        worst nothing is in it.
        """
        says = [Say("sessions", self.own, there=True)] if self.lost and self.own is not None else []
        return [*says, Say("members", self.token)]

    def _claim(self, now: float) -> list[Say]:
        if self._claimed is not None and self._register.claims(self.token, self._claimed):
            if self._register.holder(self._claimed) != self.token:
                self._claimed = None  # another was first
            elif self._claimed in self._register.unread_since:
                self.own, self._own_marked = self._claimed, True
                return []
            else:
                return self._mark(self._claimed, now)
        if self._claimed is None:
            self._claimed = self._pick()
        return []

    def _keep(self, own: str, now: float, joined_at: float) -> list[Say]:
        holder = self._register.holder(own)
        if holder not in (None, self.token):
            self.lost = now - joined_at > SETTLE_S
            return []
        adopting = self._adopting
        if adopting is not None and self._register.claims(self.token, adopting) and self.adopted is None:
            self._adopting = None  # another was first
        elif adopting is not None and adopting not in self._register.unread_since:
            self._adopting = None  # the broker forgot it
        elif adopting is not None and self._reading is None and self._register.is_asked_for(adopting, but=self.token):
            self._adopting = None  # whoever reads it already lets it go when its connections are closed
        elif (
            adopting is None and self._reading is None and self._may_adopt and holder == self.token
        ):  # never ours, while our claim is on its way
            self._adopting = next(self._unread(now), None)
        return self._mark(own, now) if own not in self._register.unread_since else []

    @property
    def _may_adopt(self) -> bool:
        """Where members were left out, a session that nobody seems to read may be one of theirs."""
        return self._adopts and self._register.knows_all_members

    def _begin_memory(self, now: float) -> list[Say]:
        """Where the broker remembers nothing say what it will be known by; each time something that was never there."""
        if self._memories or (self._memory_said_at is not None and now - self._memory_said_at < SAY_EVERY_S):
            return []
        self._memory_said_at = now
        self._memories_said += 1
        return [Say("memory", f"{self.token}.{self._memories_said}", there=True)]

    def _mark(self, name: str, now: float) -> list[Say]:
        """Say that a session of this name is about to be: what waits in it must be found, whatever becomes of us."""
        if self._marked_at is not None and now - self._marked_at < SAY_EVERY_S:
            return []
        self._marked_at = now
        return [Say("sessions", name, there=True)]

    def _unread(self, now: float) -> Iterator[str]:
        return iter(
            [
                name
                for name, since in self._register.unread_since.items()
                if name != self.own
                and self._register.holder(name) is None
                and not self._register.is_asked_for(name, but=self.token)
                and now - since >= ADOPT_AFTER_S
                and now >= self._not_before.get(name, now)
            ]
        )

    def _pick(self) -> str | None:
        """Return a free name: one whose session waits to be read before one that has none."""
        if self._wanted:
            return None if self._register.holder(self._wanted) is not None else self._wanted
        slots = (SLOT.format(number) for number in range(1, self._slots + 1))
        free = [name for name in slots if self._register.holder(name) is None]
        return next((name for name in free if name in self._register.unread_since), free[0] if free else None)
