"""The agenda of one partition: what falls due as the watermark moves. It says what is due and changes no state.

Deadlines are moved lazily: a proof of life changes the link only, and the agenda finds out when the deadline comes up.
So a heartbeat costs the same however many units there are, and nobody walks over them to find a deadline.

Nearly all deadlines are those of links that live, and come to nothing. They wait unordered in buckets of two seconds,
which hold no more than their units; only what is still due when its bucket is opened becomes an entry of the heap, and
is in order there.
"""

from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from services.kernel.words import Connection, FindingKind
from services.rules.domain.supervision import due_at
from services.rules.domain.time.instants import SECOND
from services.rules.domain.time.watch import Watch
from services.rules.domain.unit.connection import Link
from services.rules.domain.unit.state import Unit

_FACTS, _LINK, _UNIT, _TEST, _REPEATS = 0, 1, 2, 3, 4
_WIDTH = 2 * SECOND
"""Of a bucket: short, so that no tick has to open very many at once."""


class _Entry(NamedTuple):
    """Ordered by instant, then rank: facts of the registry change before deadlines of the same instant are looked at,
    as an exemption that begins at midnight covers the deadline at midnight. Then by name, so that a replay after a
    restart, whose heap was filled in another order, says the same in the same order.
    """

    at: int
    rank: int
    unit_id: str
    gateway_id: str


class FactsDue(NamedTuple):
    """What the registry says changes at `at`, of one unit or of all (""): a pack begins."""

    at: int
    unit_id: str


class LinkDue(NamedTuple):
    """The silence of `link`, a gateway of `unit`, lasted until `deadline`."""

    at: int
    unit: Unit
    link: Link
    deadline: int


class NeverConnectedDue(NamedTuple):
    """A unit with a duty to be connected had its first word to say until `deadline`."""

    at: int
    unit: Unit
    deadline: int


class OverdueTest(NamedTuple):
    """A unit with a duty to test had until `at` to send one."""

    at: int
    unit: Unit


class RepeatsDue(NamedTuple):
    """What components of a unit said again and again may be past at `at`."""

    at: int
    unit: Unit


Due = FactsDue | LinkDue | NeverConnectedDue | OverdueTest | RepeatsDue


class Deadlines:
    """`timer` of a link, a connection, of testing and of repeats say when each is looked at; others run out.

    `_units_by_bucket` holds the units of which a link or the first word is looked at in a bucket to come, `_buckets`
    its keys as a heap. Buckets before `_opened` are in the heap of entries, and so are facts and tests from the first.
    """

    def __init__(self, units: Mapping[str, Unit], watch: Watch, never_grace: int) -> None:
        self._units = units
        self._watch = watch
        self._never_grace = never_grace
        self._heap: list[_Entry] = []
        self._units_by_bucket: dict[int, list[Unit]] = {}
        self._buckets: list[int] = []
        self._opened = 0

    def __len__(self) -> int:
        return len(self._heap) + sum(map(len, self._units_by_bucket.values()))

    def add_facts(self, at: int, unit_id: str) -> None:
        """What the registry says of a unit, or of all (""), changes at `at`."""
        heappush(self._heap, _Entry(at, _FACTS, unit_id, ""))

    def add_link(self, unit: Unit, link: Link) -> None:
        """Look at `link` at its deadline; in doubt when it could be decided if visibility were to clear right now."""
        deadline = due_at(link, self._watch)
        if deadline is None and link.state is Connection.UNKNOWN:
            deadline = max(self._watch.watermark or 0, link.last_proof) + link.registration.profile.offline_after
        if deadline is not None:
            self._look_at(unit, link, deadline)

    def _look_at(self, unit: Unit, link: Link, at: int) -> None:
        """Look at `link` once the watermark has passed `at`. An earlier look stands: it sets the next one."""
        if link.timer == 0 or at < link.timer:
            link.timer = at
            if not self._put_off(unit, at):
                heappush(self._heap, _Entry(at, _LINK, unit.unit_id, link.gateway_id))

    def _put_off(self, unit: Unit, at: int) -> bool:
        """Look at `unit` when the bucket of `at` is opened; return False when it is open already."""
        bucket = at // _WIDTH
        if bucket < self._opened:
            return False
        found = self._units_by_bucket.get(bucket)
        if found is None:
            found = self._units_by_bucket[bucket] = []
            heappush(self._buckets, bucket)
        found.append(unit)
        return True

    def add_unit(self, unit: Unit) -> None:
        """Look at a unit that must be connected and never was, when its grace is over."""
        connection = unit.connection
        if connection.never_from and connection.timer == 0 and FindingKind.NEVER_CONNECTED not in unit.findings:
            self._look_at_unit(unit, connection.never_from + self._never_grace)

    def _look_at_unit(self, unit: Unit, at: int) -> None:
        unit.connection.timer = at
        if not self._put_off(unit, at):
            heappush(self._heap, _Entry(at, _UNIT, unit.unit_id, ""))

    def add_test(self, unit: Unit) -> None:
        """Look at a unit that has to test when that is overdue; in doubt when it could be if visibility cleared now."""
        testing = unit.testing
        if testing is None or testing.duty is None or testing.timer or FindingKind.TEST_OVERDUE in unit.findings:
            return
        now = self._watch.watermark or 0
        self._look_for_test(unit, testing.due_at(self._watch.clear_since) or now + testing.duty.deadline)

    def _look_for_test(self, unit: Unit, at: int) -> None:
        assert unit.testing is not None, "it has a duty to test"
        unit.testing.timer = at
        heappush(self._heap, _Entry(at, _TEST, unit.unit_id, ""))

    def add_repeats(self, unit: Unit) -> None:
        """Look at a unit whose components repeat themselves when the first of it may be past."""
        repeats, rule = unit.repeats, unit.registration.pack.runaway
        if repeats is None or rule is None:
            return
        at = repeats.next_look(self._watch.watermark or self._watch.seen, rule, self._watch.clear_since)
        if at is not None and (repeats.timer == 0 or at < repeats.timer):  # a later entry runs out
            repeats.timer = at
            heappush(self._heap, _Entry(at, _REPEATS, unit.unit_id, ""))

    def until(self, target: int) -> Iterator[Due]:
        """Yield what falls due before `target`, in the order of the instants `at`.

        One by one, for what the engine makes of it may set further deadlines before `target`: a late unit goes offline
        in the same tick.
        """
        self._open(target)
        while self._heap and self._heap[0].at < target:
            entry = heappop(self._heap)
            due: Due | None
            if entry.rank == _FACTS:
                due = FactsDue(entry.at, entry.unit_id)
            elif entry.rank == _LINK:
                due = self._link_due(entry, target)
            elif entry.rank == _UNIT:
                due = self._unit_due(entry, target)
            elif entry.rank == _TEST:
                due = self._test_due(entry, target)
            else:
                due = self._repeats_due(entry)
            if due is not None:
                yield due

    def _open(self, target: int) -> None:
        """Make entries of all that is looked at before `target`, and of the bucket after: the tick that finds very many
        silent has them in order already.
        """
        self._opened = max(self._opened, target // _WIDTH + 2)
        while self._buckets and self._buckets[0] < self._opened:
            bucket = heappop(self._buckets)
            for unit in set(self._units_by_bucket.pop(bucket)):  # the heap orders them
                self._open_unit(unit, bucket)

    def _open_unit(self, unit: Unit, bucket: int) -> None:
        connection = unit.connection
        if connection.timer // _WIDTH == bucket:
            heappush(self._heap, _Entry(connection.timer, _UNIT, unit.unit_id, ""))
        for link in connection.links:
            if link.timer // _WIDTH != bucket:
                continue
            deadline = due_at(link, self._watch)
            if deadline is not None and deadline > link.timer and self._put_off(unit, deadline):
                link.timer = deadline
            else:
                heappush(self._heap, _Entry(link.timer, _LINK, unit.unit_id, link.gateway_id))

    def _link_due(self, entry: _Entry, target: int) -> LinkDue | None:
        unit = self._units[entry.unit_id]
        link = unit.connection.link(entry.gateway_id)
        if link is None or link.timer != entry.at:
            return None
        link.timer = 0
        deadline = due_at(link, self._watch)
        if deadline is None:
            if link.state is Connection.UNKNOWN:  # cannot be decided before visibility is clear for a whole deadline
                self._look_at(unit, link, target + link.registration.profile.offline_after)
            return None
        if deadline > entry.at:
            self._look_at(unit, link, deadline)
            return None
        return LinkDue(entry.at, unit, link, deadline)

    def _unit_due(self, entry: _Entry, target: int) -> NeverConnectedDue | None:
        unit = self._units[entry.unit_id]
        connection = unit.connection
        if connection.timer != entry.at:
            return None
        connection.timer = 0
        if not connection.never_from or FindingKind.NEVER_CONNECTED in unit.findings:
            return None
        clear_since = self._watch.clear_since
        begins = target if clear_since is None else max(connection.never_from, clear_since)
        deadline = begins + self._never_grace
        if deadline > entry.at:
            self._look_at_unit(unit, deadline)
            return None
        return NeverConnectedDue(entry.at, unit, deadline)

    def _test_due(self, entry: _Entry, target: int) -> OverdueTest | None:
        unit = self._units[entry.unit_id]
        testing = unit.testing
        if testing is None or testing.timer != entry.at:
            return None
        testing.timer = 0
        if testing.duty is None or FindingKind.TEST_OVERDUE in unit.findings:
            return None
        deadline = testing.due_at(self._watch.clear_since)
        if deadline is None:
            deadline = target + testing.duty.deadline
        if deadline > entry.at:
            self._look_for_test(unit, deadline)
            return None
        return OverdueTest(entry.at, unit)

    def _repeats_due(self, entry: _Entry) -> RepeatsDue | None:
        unit = self._units[entry.unit_id]
        if unit.repeats is None or unit.repeats.timer != entry.at:
            return None
        unit.repeats.timer = 0
        return RepeatsDue(entry.at, unit)
