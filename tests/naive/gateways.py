"""Section 4: the connection of one gateway, as the pair (gateway, unit) that its row names."""

from dataclasses import dataclass, field

from tests.naive.inputs import NEVER, Profile, Row, day_number, day_of, instant, midnight, retired
from tests.naive.knowledge import Knowledge, Span

Pair = tuple[str, str]
NO_PROOF_KINDS = {"gap", "link_down"}
NO_PROOF_FLAGS = {"retained", "replayed"}


@dataclass
class Offline:
    """One time offline: `cause` deadline or no_proof; `before` is the one that it goes on from (R20)."""

    pair: Pair
    anchor: int
    cause: str
    before: "Offline | None" = None


@dataclass(frozen=True)
class Segment:
    """[start, end) of a gateway in one state: online, late, unknown or offline."""

    start: int
    end: int
    state: str
    cause: str
    offline: Offline | None = None


@dataclass
class Supervised:
    """What is established of a pair: segments within visible times and runs, proofs that counted, times offline."""

    segments: list[Segment] = field(default_factory=list)
    proofs: list[int] = field(default_factory=list)
    offlines: list[Offline] = field(default_factory=list)


def names(row: Row | None, unit: str, day: int) -> bool:
    """R19, R44: whether a gateway's row of the day names the unit and is not retired."""
    return row is not None and row["unit_id"] == unit and not retired(row, day)


def runs(known: Knowledge, pair: Pair) -> list[Span]:
    """R44: the runs of a pair, as instants; the last one may never end."""
    gateway, unit = pair
    rows = known.gateways.get(gateway, [])
    dates = {row[key] for row in rows for key in ("valid_from", "retired_on") if row.get(key)}
    days = sorted(day_number(text) for text in dates)
    result: list[Span] = []
    for day, until in zip(days, [*days[1:], None], strict=False):
        if names(known.gateway_row(gateway, day), unit, day):
            end = NEVER if until is None else midnight(until)
            start = midnight(day)
            if result and result[-1][1] == start:
                start = result.pop()[0]
            result.append((start, end))
    return result


def received(known: Knowledge, pair: Pair) -> list[Row]:
    """Return the signals that name a pair."""
    return [
        signal
        for signal in known.signals
        if (signal["data"]["gateway_id"], signal["data"]["unit_id"]) == pair
    ]  # fmt: skip


def is_proof(signal: Row) -> bool:
    """R10: every signal but some kinds and flags."""
    data = signal["data"]
    return data["kind"] not in NO_PROOF_KINDS and not NO_PROOF_FLAGS & set(data.get("flags", []))


def is_last_will(signal: Row) -> bool:
    """R14: a link_down that is neither retained nor replayed."""
    data = signal["data"]
    return data["kind"] == "link_down" and not NO_PROOF_FLAGS & set(data.get("flags", []))


def supervise(known: Knowledge, pair: Pair) -> Supervised:
    """R10 to R17, R44: follow a pair through all its runs."""
    signals = received(known, pair)
    seen = [signal for signal in signals if not known.is_blind(instant(signal["time"]))]
    proofs = sorted({instant(signal["time"]) for signal in seen if is_proof(signal)})
    wills = sorted(instant(signal["time"]) for signal in seen if is_last_will(signal))
    result = Supervised()
    for start, end in runs(known, pair):
        before: Offline | None = None
        for begin, until in known.visible_spans(start, end):
            inside = [at for at in proofs if begin <= at < until]
            visible = Visible(known, pair, wills, result, before)
            visible.follow(begin, until, inside)
            before = visible.before
    return result


class Visible:
    """One time in which somebody looked without a break, within one run."""

    def __init__(
        self, known: Knowledge, pair: Pair, wills: list[int], result: Supervised, before: Offline | None
    ) -> None:
        self.known, self.pair, self.wills, self.result = known, pair, wills, result
        self.before = before
        """The last time offline, while no proof has ended it for good."""

    def profile(self, at: int) -> Profile:
        """R12: that of the unit's row on the day of `at`."""
        day = day_of(at)
        row = self.known.unit_row(self.pair[1], day)
        return self.known.pack(day).profile(row.get("profile") if row else None)

    def follow(self, begin: int, end: int, proofs: list[int]) -> None:
        """R13, R15, R17: from the begin of supervision to its end, which is judged like a proof."""
        anchor, proven = begin, False
        left = list(proofs)
        while True:
            until = left[0] if left else end
            offline = self.silence(anchor, until, proven)
            if offline is None:
                if not left:
                    return
                anchor, proven = self.heard(left.pop(0)), True
                continue
            back = self.comes_back(left)
            self.result.segments.append(Segment(offline.anchor, back or end, "offline", offline.cause, offline))
            if back is None:
                self.result.proofs += left
                return
            self.result.proofs += [at for at in left if at < back]
            left = [at for at in left if at > back]
            anchor, proven = self.heard(back), True

    def heard(self, at: int) -> int:
        """Note a proof that makes the pair connected."""
        self.result.proofs.append(at)
        self.before = None
        return at

    def comes_back(self, proofs: list[int]) -> int | None:
        """R17: the proof of these, received while offline, that brings the pair back; None when none does."""
        if proofs and not self.result.proofs:
            return proofs[0]
        row: list[int] = []
        for at in proofs:
            if row and at - row[-1] > self.profile(row[-1]).deadline:
                row = []
            row.append(at)
            if len(row) >= self.profile(row[0]).stable:
                return at
        return None

    def silence(self, begin: int, until: int, proven: bool) -> Offline | None:
        """R13 to R16: judge [begin, until) without a proof in it, `begin` being a proof or the begin of supervision.

        Adds the segments that are not offline. Returns the time offline that lasts at `until`, else None.
        """
        anchor = begin
        """It moves to the end of an impairment that gives a new deadline; then `connected` tells how it went in."""
        connected = proven
        for start, end in self.known.impaired:
            deadline = anchor + self.profile(anchor).deadline
            if end <= anchor or until <= start:
                continue
            if deadline < start or until <= min(deadline, end):
                break
            if deadline < end:
                dark = max(anchor, start)
                self.quiet(begin, dark, connected)
                self.unknown(dark, min(until, end), "impaired")
                if until <= end:
                    return None
                begin = anchor = end
                connected = False
            elif not (connected and anchor == begin and anchor >= start):
                anchor = end
        if until - anchor <= self.profile(anchor).deadline:
            self.quiet(begin, until, connected)
            return None
        self.quiet(begin, anchor, connected)
        cause = "deadline" if connected and anchor == begin else "no_proof"
        offline = Offline(self.pair, anchor, cause, self.before)
        self.before = offline
        self.result.offlines.append(offline)
        return offline

    def quiet(self, begin: int, end: int, connected: bool) -> None:
        """Add [begin, end): connected since the proof `begin`, or unproven."""
        if not connected:
            self.unknown(begin, end, "unproven")
            return
        late = begin + self.profile(begin).late
        will = min((at for at in self.wills if begin < at < end), default=end)
        self.add(begin, min(late, will, end), "online", "signal")
        self.add(min(late, will, end), min(will, end), "late", "late")
        self.add(min(will, end), end, "late", "link_down")

    def unknown(self, begin: int, end: int, cause: str) -> None:
        """Add [begin, end) of which nothing is known."""
        self.add(begin, end, "unknown", cause)

    def add(self, begin: int, end: int, state: str, cause: str) -> None:
        """Add a segment, unless it is empty."""
        if begin < end:
            self.result.segments.append(Segment(begin, end, state, cause))
