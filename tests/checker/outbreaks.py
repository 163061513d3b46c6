"""What devices said about trouble, told by the book alone; and what alerts and rules must have made of it.

An outbreak lasts from the first component of a unit that is in trouble until none is any more. An outbreak of fire is
one case; each component that began is told once to each of its recipients.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.checker import Account
from tests.checker.book import Matched, Spoken

CENTRE = "C-centre"
TOLD_WITHIN_S = 5.0
"""Fires that came so shortly before the database was back are not asked for."""
IdOfFinding = Callable[[str, str, str], str]
"""(unit, kind, id of the signal that began it) to the id of the finding."""


@dataclass(slots=True)
class Outbreak:
    """`begins` are the components that began, in order; `end` is what ended the last of them, None while it lasts."""

    unit: str
    kind: str
    begins: list[Spoken] = field(default_factory=list)
    end: Spoken | None = None

    def __str__(self) -> str:
        till = "lasts" if self.end is None else f"over after {self.end.due_at - self.begins[0].due_at:.2f} s"
        return f"{self.unit} {self.kind} x{len(self.begins)} from {self.begins[0]}, {till}"


def outbreaks(book: Iterable[Spoken], kind: str) -> list[Outbreak]:
    """Return the outbreaks of a kind, told by messages in the order in which each unit said them."""
    open_now: dict[str, Outbreak] = {}
    troubled: dict[str, set[str]] = defaultdict(set)
    found: list[Outbreak] = []
    for one in book:
        words, points = one.words, troubled[one.unit]
        if words.kind == kind and (words.point or "") not in points:
            points.add(words.point or "")
            if one.unit not in open_now:
                open_now[one.unit] = Outbreak(one.unit, kind)
                found.append(open_now[one.unit])
            open_now[one.unit].begins.append(one)
        elif words.restores in (kind, "all") and points:
            points.difference_update(set(points) if words.point is None else {words.point})
            if not points:
                open_now.pop(one.unit).end = one
    return found


# --- what rules made of it


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the findings topic."""

    event_id: str
    finding_id: str
    unit: str
    kind: str
    phase: str
    effective_at: float
    detected_at: float


def check_findings_of(
    kind: str, wanted: Sequence[Outbreak], matched: Matched, findings: Iterable[Told], finding_id: IdOfFinding
) -> list[Account]:
    """Each outbreak has one finding that began with it, ended when it did; and there is no other."""
    mine = {one.event_id: one for one in findings if one.kind == kind}.values()
    began = Counter(one.finding_id for one in mine if one.phase == "began")
    ended = Counter(one.finding_id for one in mine if one.phase == "ended")
    known: set[str] = set()
    ids: dict[int, set[str]] = {}
    for one in wanted:
        ids[id(one)] = {finding_id(one.unit, kind, name) for name in matched.ids(one.begins[0])} - known
        known |= ids[id(one)]
    missing = [one for one in wanted if sum(began[name] for name in ids[id(one)]) == 0]
    doubled = [one for one in wanted if sum(began[name] for name in ids[id(one)]) > 1]
    other_end = [one for one in wanted if sum(ended[n] for n in ids[id(one)]) != (one.end is not None)]
    causeless = [one for one in mine if one.phase == "began" and one.finding_id not in known]
    return [
        Account(f"outbreaks of {kind} without a finding", len(wanted), missing),
        Account(f"outbreaks of {kind} with two findings", len(wanted), doubled),
        Account(f"findings of {kind} without a cause", len(began), causeless),
        Account(f"findings of {kind} that do not end exactly when their outbreak did", len(wanted), other_end),
    ]


# --- what alerts made of it


@dataclass(frozen=True, slots=True)
class FireCase:
    case_id: str
    unit: str
    finding_id: str
    is_open: bool
    alarms: int
    opened_at: float


@dataclass(frozen=True, slots=True)
class Note:
    """One notice as alerts keeps it. `heard` are the times at which its receiver took a copy."""

    notice_id: str
    case_id: str
    step: str
    purpose: str
    contact: str
    channel: str
    state: str
    heard: tuple[float, ...] = ()
    says_over: bool = False
    """It is a first notice that says itself that the fire is over."""

    def __str__(self) -> str:
        return f"{self.notice_id} {self.case_id} {self.step} {self.purpose} {self.contact}/{self.channel} {self.state}"


@dataclass(slots=True)
class CasesOfFires:
    """Outbreaks of fire beside the cases that alerts has for them."""

    pairs: list[tuple[Outbreak, list[FireCase]]]
    phantoms: list[FireCase]


def pair_cases(
    wanted: Sequence[Outbreak], matched: Matched, cases: Iterable[FireCase], finding_id: IdOfFinding
) -> CasesOfFires:
    """Give each case to the outbreak that the signal which opened it belongs to."""
    place: dict[str, int] = {}
    for number, one in enumerate(wanted):
        for begin in one.begins:
            for name in matched.ids(begin):
                place.setdefault(finding_id(one.unit, "fire", name), number)
    of: dict[int, list[FireCase]] = defaultdict(list)
    phantoms = []
    for case in sorted(cases, key=lambda one: one.opened_at):
        if case.finding_id in place:
            of[place[case.finding_id]].append(case)
        else:
            phantoms.append(case)
    return CasesOfFires([(one, of[number]) for number, one in enumerate(wanted)], phantoms)


def check_cases(paired: CasesOfFires) -> list[Account]:
    """One case per outbreak of fire, open as long as it lasts, with every component that burned; no other case."""
    pairs = paired.pairs
    once = [(one, cases[0]) for one, cases in pairs if len(cases) == 1]
    return [
        Account("fires without a case", len(pairs), [one for one, cases in pairs if not cases]),
        Account(
            "fires with more than one case",
            len(pairs),
            [f"{one}: {', '.join(case.case_id for case in cases)}" for one, cases in pairs if len(cases) > 1],
        ),
        Account("phantom cases of fire", sum(len(cases) for _, cases in pairs), paired.phantoms),
        Account(
            "cases of fire that count other components than burned",
            len(once),
            [f"{case.case_id} counts {case.alarms}: {one}" for one, case in once if case.alarms != len(one.begins)],
        ),
        Account(
            "cases of fire that are open though it is over, or closed while it burns",
            len(once),
            [f"{case}: {one}" for one, case in once if case.is_open != (one.end is None)],
        ),
    ]


def check_fires_told(
    paired: CasesOfFires, notes: Mapping[str, Sequence[Note]], control_rooms: Mapping[str, str]
) -> list[Account]:
    """Each component on fire is told once to each address of the centre, the first of an outbreak to the control room.

    `notes` are all notices by case, `control_rooms` the contact of each unit's control room (mail only).
    """
    nobody: list[object] = []
    short: list[object] = []
    often: list[object] = []
    for one, cases in paired.pairs:
        told = [n for case in cases for n in notes.get(case.case_id, ()) if n.purpose == "notice" and n.heard]
        had = Counter((note.contact, note.channel) for note in told)
        wanted = {(CENTRE, "webhook"): len(one.begins), (CENTRE, "email"): len(one.begins)}
        if one.unit in control_rooms:
            wanted[control_rooms[one.unit], "email"] = 1
        if not told:
            nobody.append(one)
            continue
        for recipient, count in wanted.items():
            if had[recipient] < count:
                short.append(f"{recipient[0]}/{recipient[1]} heard {had[recipient]} of {count}: {one}")
            elif had[recipient] > count:
                often.append(f"{recipient[0]}/{recipient[1]} heard {had[recipient]} of {count}: {one}")
    fires = len(paired.pairs)
    return [
        Account("fires that were told to nobody", fires, nobody),
        Account("recipients who did not hear of a fire, or of a component of it", fires, short),
        Account("recipients who were told of a fire under two ids", fires, often),
    ]


def _is_late(note: Note, clear: Note) -> bool:
    """Say whether a notice was first heard after the all-clear, and calls the fire."""
    if note.purpose != "notice" or not note.heard or note.says_over:
        return False
    return min(note.heard) > min(clear.heard)


def name_waiting(
    paired: CasesOfFires, matched: Matched, notes: Mapping[str, Sequence[Note]], away: Sequence[tuple[float, float]]
) -> Account:
    """Name the fires that came while the database was away (from, until) and were told only when it was back."""
    late: list[object] = []
    during = 0
    for one, cases in paired.pairs:
        at = matched.received_at(one.begins[0])
        for began, over in away:
            if began < at < over - TOLD_WITHIN_S:
                during += 1
                heard = [min(note.heard) for case in cases for note in notes.get(case.case_id, ()) if note.heard]
                if not heard or min(heard) > over:
                    late.append(one)
    return Account("... told only when the database was back", during, late, counts=False)


def check_clears(paired: CasesOfFires, notes: Mapping[str, Sequence[Note]]) -> list[Account]:
    """Nobody hears the end while it burns; everybody who was told of a fire that is over hears that it is."""
    early: list[object] = []
    before: list[object] = []
    uncleared: list[object] = []
    strangers: list[object] = []
    cases_of = [(one, case) for one, cases in paired.pairs for case in cases]
    for one, case in cases_of:
        mine = notes.get(case.case_id, ())
        clears = [note for note in mine if note.purpose == "all_clear" and note.heard]
        warned = {(note.contact, note.channel) for note in mine if note.purpose == "notice" and note.heard}
        told_over = {(note.contact, note.channel) for note in mine if note.says_over and note.heard}
        calmed = {(note.contact, note.channel) for note in clears}
        over_at = None if one.end is None else one.end.sent_at
        early += [f"{note}: {one}" for note in clears if over_at is None or min(note.heard) < over_at]
        if one.end is not None:
            uncleared += [f"{who} of {case.case_id}: {one}" for who in sorted(warned - calmed - told_over)]
        strangers += [f"{who} of {case.case_id}: {one}" for who in sorted(calmed - warned)]
        before += [
            f"{clear} at {min(clear.heard):.2f}, {note} at {min(note.heard):.2f}: {one}"
            for clear in clears
            for note in mine
            if (note.contact, note.channel) == (clear.contact, clear.channel) and _is_late(note, clear)
        ]
    return [
        Account("all-clears while it burns", len(cases_of), early),
        Account("notices of a fire that came after its all-clear and do not say so", len(cases_of), before),
        Account("recipients of a fire who never heard that it is over", len(cases_of), uncleared),
        Account("all-clears to somebody who had not been told", len(cases_of), strangers),
    ]
