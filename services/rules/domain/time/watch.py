"""How far a partition is proven, and whether we see: all of it read from the log, so a replay sees the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.kernel.words import VisibilityState
from services.rules.domain.inputs import Tick
from services.rules.domain.time.instants import SECOND

DEFAULT_BLIND_AFTER = 10 * SECOND
FORGET_AFTER = 600 * SECOND
"""An instance of ingest that is silent for so long is no longer waited for: it will not come back under its name."""

SHARED_FOR = 7200 * SECOND
"""So long after several instances of ingest were there, one of them may still miss what another one took."""


@dataclass(slots=True)
class Instance:
    """The newest word of one instance of ingest."""

    epoch: int
    number: int
    proven_until: int
    written_at: int


class Watch:
    """Watermark and visibility of one partition.

    `watermark` is the smallest `proven_until` of the instances that are not silent; it never goes back and stands still
    while we are blind. `clear_since` and `usable_since` say from when on absence of a signal means anything: the first
    for declaring a unit offline, the second for calling it late or overdue. `seen` is the newest time of any record,
    `shared_at` when several instances of ingest were last known.
    """

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.blind_after = DEFAULT_BLIND_AFTER
        self.watermark: int | None = None
        self.visibility = VisibilityState.BLIND
        self.seen = 0
        self.proven = 0
        self.resume_from = 0
        self.clear_since: int | None = None
        self.usable_since: int | None = None
        self.impaired_since = 0
        self.shared_at = 0

    def silence(self, at: int) -> bool:
        """Take note of a record of time `at`; return whether it ends a silence so long that nobody was looking."""
        gap = at - self.seen
        if gap <= 0:
            return False
        self.seen = at
        return gap > self.blind_after

    def jump(self, tick: Tick) -> bool:
        """Return whether `tick` leaves a stretch without any proof that is too long to vouch for."""
        return self.proven > 0 and tick.proven_until - self.proven > self.blind_after

    def is_news(self, tick: Tick) -> bool:
        """A tick that is older than what its instance has said already proves nothing (a repeat, or a zombie).

        Nobody joins with an old tick: it would have to be waited for at once.
        """
        known = self.instances.get(tick.instance)
        if known is None:
            return tick.written_at >= self.seen - self.blind_after
        return (tick.epoch, tick.number) > (known.epoch, known.number)

    def lose(self, resumed_at: int) -> None:
        """We were blind until `resumed_at`; visibility comes back with a proof that reaches this instant."""
        self.visibility = VisibilityState.BLIND
        self.resume_from = resumed_at
        self.clear_since = self.usable_since = None

    def take(self, tick: Tick) -> int | None:
        """Take in a tick and return how far the watermark may go now; None while it has to stand still."""
        if tick.leaving:
            self.instances.pop(tick.instance, None)
        else:
            self.instances[tick.instance] = Instance(tick.epoch, tick.number, tick.proven_until, tick.written_at)
        if len(self.instances) > 1:
            self.shared_at = max(self.shared_at, tick.written_at)
        self.proven = max(self.proven, tick.proven_until)
        live, silent = self._split()
        self._update_visibility(silent=bool(silent))
        if self.visibility is VisibilityState.BLIND:
            return None
        target = min((self.instances[name].proven_until for name in live), default=tick.proven_until)
        return target if self.watermark is None else max(self.watermark, target)

    def is_shared(self, at: int) -> bool:
        """Whether instances of ingest share the messages: what is missing to one of them may be with another."""
        return self.shared_at > 0 and at - self.shared_at < SHARED_FOR

    def _split(self) -> tuple[Sequence[str], Sequence[str]]:
        newest = max((instance.written_at for instance in self.instances.values()), default=0)
        gone = [name for name, one in self.instances.items() if newest - one.written_at > FORGET_AFTER]
        for name in gone:
            del self.instances[name]
        silent = [name for name, one in self.instances.items() if newest - one.written_at > self.blind_after]
        return [name for name in self.instances if name not in silent], silent

    def _update_visibility(self, *, silent: bool) -> None:
        if self.visibility is VisibilityState.BLIND:
            if self.proven < self.resume_from:
                return
            self.usable_since = self.proven
            self.visibility = VisibilityState.IMPAIRED if silent else VisibilityState.CLEAR
            self.clear_since = None if silent else self.proven
            self.impaired_since = self.proven
        elif self.visibility is VisibilityState.CLEAR and silent:
            self.visibility = VisibilityState.IMPAIRED
            self.usable_since, self.clear_since = self.clear_since, None
            self.impaired_since = self.watermark or self.proven
        elif self.visibility is VisibilityState.IMPAIRED and not silent:
            # What a silent instance held back may lie anywhere before its return: nothing before is proven.
            self.visibility = VisibilityState.CLEAR
            self.clear_since = self.proven


def visibility_now(visibility: VisibilityState, watermark: int | None, blind_after: int, now: int) -> VisibilityState:
    """Return the visibility as a reader of the present must take it: behind a stalled watermark nobody looks.

    The same overlay as the view rules.visibility_now; no process has to write it down.
    """
    return VisibilityState.BLIND if watermark is None or now - watermark > blind_after else visibility
