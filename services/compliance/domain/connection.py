"""Connection of one gateway to one unit over all time (R10 to R17, R44). Instants in microseconds."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from services.compliance.domain.policy import Profile
from services.compliance.domain.visibility import NEVER, Span, Visibility
from services.kernel.calendar import day_of, midnight


class Link(StrEnum):
    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Piece:
    """One state over [start, end). `anchor`: the last proof, or when supervision began; that of the first where
    neighbours are one.

    `lost_at` goes with offline: the last proof of the loss that it goes back to, None when there was none before.
    """

    start: int
    end: int
    link: Link
    cause: str
    anchor: int
    lost_at: int | None = None


def connection(
    run: Span,
    proofs: Sequence[int],
    wills: Sequence[int],
    visibility: Visibility,
    profile_at: Callable[[int], Profile],
    heard: bool,
) -> tuple[list[Piece], bool]:
    """Return the pieces of one run, which cover it up to the horizon, and whether the pair was ever heard by its end.

    `proofs` and `wills` of the run are sorted, the blind ones left out; `heard` says whether it was in an earlier run.
    """
    track = _Track(wills, visibility, profile_at, heard)
    at, stop = run.start, min(run.end, visibility.end)
    for blind in [*visibility.blind, None]:
        end = stop if blind is None else max(at, min(blind.start, stop))
        if at < end:
            within = proofs[bisect_left(proofs, at) : bisect_left(proofs, end)]
            judged = visibility.through if end == visibility.end else end
            track.supervised(at, end, judged, within)
            at = end
        if blind is not None and at < min(blind.end, stop):
            track.add(at, min(blind.end, stop), Link.UNKNOWN, "blind", at)
            at = min(blind.end, stop)
    return track.pieces, track.heard


@dataclass(slots=True)
class _Track:
    wills: Sequence[int]
    visibility: Visibility
    profile_at: Callable[[int], Profile]
    heard: bool
    pieces: list[Piece] = field(default_factory=list)
    lost_at: int | None = None
    row: list[int] = field(default_factory=list)
    """Proofs in a row of a pair that is on its way back from offline."""

    def add(self, start: int, end: int, link: Link, cause: str, anchor: int) -> None:
        if start >= end:
            return
        lost_at = self.lost_at if link is Link.OFFLINE else None
        piece = Piece(start, end, link, cause, anchor, lost_at)
        if self.pieces and self.pieces[-1].end == start and self._continues(piece):
            piece = replace(self.pieces.pop(), end=end)
        self.pieces.append(piece)

    def _continues(self, piece: Piece) -> bool:
        last = self.pieces[-1]
        if (last.link, last.cause) != (piece.link, piece.cause):
            return False
        # only of an offline piece it matters from which proof on it is
        return piece.link is not Link.OFFLINE or (last.anchor, last.lost_at) == (piece.anchor, piece.lost_at)

    def supervised(self, start: int, end: int, judged: int, proofs: Sequence[int]) -> None:
        """One stretch that is not blind: begins anew at `start`; at `judged` it is judged as if a proof came."""
        self.row = []
        anchor, proven, offline = start, False, False
        index = 0
        while True:
            if proven and not offline:
                index, anchor = self._through_quiet(proofs, index, anchor)
            proof = proofs[index] if index < len(proofs) else None
            until = end if proof is None else proof
            if offline:
                self._stays_offline(until)
            else:
                offline = self._silence(anchor, proven, until, judged if proof is None else proof)
            if proof is None:
                return
            index += 1
            if offline and self.heard and not self._returned(proof):
                continue
            anchor, proven, offline = proof, True, False
            self.heard, self.lost_at, self.row = True, None, []

    def _through_quiet(self, proofs: Sequence[int], index: int, last: int) -> tuple[int, int]:
        """Paint over proofs that came before they were late while nothing else happened: nearly all of them.

        Returns the index of the first other one, and the last proof before it.
        """
        profile, begun = self.profile_at(last), last
        longest = min(profile.late, profile.deadline)
        will = bisect_left(self.wills, last + 1)
        until = min(
            midnight(day_of(last) + 1),  # there another profile may hold
            self.wills[will] if will < len(self.wills) else NEVER,
            next((impaired.start for impaired in self.visibility.impaired_between(last, NEVER)), NEVER),
        )
        while index < len(proofs) and proofs[index] <= until and proofs[index] - last <= longest:
            last = proofs[index]
            index += 1
        self.add(begun, last, Link.ONLINE, "signal", begun)
        return index, last

    def _stays_offline(self, until: int) -> None:
        last = self.pieces[-1]
        self.add(last.end, until, Link.OFFLINE, last.cause, last.anchor)

    def _returned(self, proof: int) -> bool:
        """Count a proof of a pair that is offline; tell whether it is the last that was needed (R17)."""
        if self.row and proof - self.row[-1] > self.profile_at(self.row[-1]).deadline:
            self.row = []
        self.row.append(proof)
        return len(self.row) >= self.profile_at(self.row[0]).stable

    def _silence(self, last: int, proven: bool, end: int, judged: int) -> bool:
        """Paint from an anchor to the next proof, or the end. Tells whether it ended offline."""
        silence = _Silence(last, end, judged, anchor=last, painted=last, proven=proven, connected=proven)
        for impaired in self.visibility.impaired_between(last, judged):
            if impaired.start <= self._deadline(silence.anchor) and self._impaired(silence, impaired):
                return False
        if judged <= self._deadline(silence.anchor):
            self._holds(silence, end)
            return False
        self._holds(silence, silence.anchor)
        if silence.proven:
            self.lost_at = silence.anchor
        cause = "deadline" if silence.proven else "no_proof"
        self.add(silence.anchor, end, Link.OFFLINE, cause, silence.anchor)
        return True

    def _deadline(self, anchor: int) -> int:
        return anchor + self.profile_at(anchor).deadline

    def _impaired(self, silence: "_Silence", impaired: Span) -> bool:
        """Take a silence through an impaired time that begins before its deadline (R16). Tells whether it ends in it.

        A deadline within is not held against anybody; one beyond begins anew, unless a proof came in between.
        """
        deadline = self._deadline(silence.anchor)
        if deadline < impaired.end:
            if silence.judged <= deadline:
                return False
            start = max(silence.anchor, impaired.start)
            self._holds(silence, start)
            silence.painted, silence.connected = min(impaired.end, silence.end), False
            self.add(start, silence.painted, Link.UNKNOWN, "impaired", silence.anchor)
            if silence.judged < impaired.end:
                return True
        elif silence.judged < impaired.end or (silence.proven and impaired.start <= silence.anchor):
            return False
        elif not silence.connected:
            self._holds(silence, impaired.end)
        silence.anchor, silence.proven = impaired.end, False
        return False

    def _holds(self, silence: "_Silence", end: int) -> None:
        """Paint up to `end` what is neither lost nor impaired."""
        start, last = silence.painted, silence.last
        silence.painted = max(start, end)
        if not silence.connected:
            self.add(start, end, Link.UNKNOWN, "unproven", silence.anchor)
            return
        late = last + self.profile_at(last).late
        after = bisect_left(self.wills, last + 1)
        will = self.wills[after] if after < len(self.wills) else end
        first, second = min(late, will), max(start, min(will, end))
        self.add(start, min(first, end), Link.ONLINE, "signal", last)
        self.add(max(start, first), second, Link.LATE, "late", last)
        self.add(max(start, second), end, Link.LATE, "link_down", last)


@dataclass(slots=True)
class _Silence:
    """Between two proofs, or supervision's begin and end. `anchor`: from which the deadline runs, a proof if `proven`.

    `connected`: until now it was, with `last` its last proof. `painted`: up to there it has its pieces.
    """

    last: int
    end: int
    judged: int
    anchor: int
    painted: int
    proven: bool
    connected: bool
