"""A district over the turn of a year, fast: random closes, cures, receipts, replies, acknowledgements, fires, edits of
pack, register and calendar, and crashes; and what must hold.

Whatever comes in whatever order: each step of a case once, none outside its case, no open case that nothing would
happen to or that nobody answers for, no notice without a cause or after an acknowledgement, no decision without an
entry, and each fire told to the centre, over or not. Nothing but memory is used.
"""

import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pytest

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject, SubjectKind
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.consent import may_send_notice
from services.alerts.domain.delivery.documents import DocumentChange
from services.alerts.domain.escalation.guarded import AreaEvent, GuardedTime
from services.alerts.domain.escalation.ladder import Pace, following
from services.alerts.domain.escalation.steps import LadderStep, StepTaken
from services.alerts.domain.escalation.triggers import OnCondition, OnEvent, Overdue, PeriodClose
from services.alerts.domain.ids import CaseId
from services.alerts.domain.listing.listing import NEXT, NotPossible
from services.alerts.ports import Ready
from services.alerts.worker.case_work import CaseWorkService
from services.alerts.worker.listing import ListingService
from services.kernel.calendar import CHINA, period_days
from services.kernel.words import ClockKind, DocumentEvent, ListingState, Period, Purpose, Recipient
from tests.fakes.calendar import WeekdayCalendar
from tests.unit.alerts.bodies import O0, O1R, ORGANISATION, close, district, next_day, on, told
from tests.unit.alerts.build import event, step
from tests.unit.alerts.listings import ACTS, said

CENTRE = Who("officer", None, "console")
BODIES = ("T1", "T2")
FIRST = date(2026, 11, 25)
DAYS = 100
"""Over the end of a month, quarter, half-year and year, and through a guarded time."""
HALF_A_DAY = 43200.0
HAZARD = (
    step("H0", 0, Recipient.CENTRE),
    step("H4", 24, Recipient.DEPARTMENT, receipt_working_days=2, reply_working_days=3),
    step("H4S", 0, Recipient.BRIGADE, trigger=Overdue(ClockKind.RECEIPT)),
    step("H4R", 0, Recipient.BRIGADE, trigger=Overdue(ClockKind.REPLY)),
    step("H6", 0, Recipient.BRIGADE, trigger=PeriodClose(Period.MONTH)),
    replace(step("H7", 15 * 24, Recipient.BRIGADE), document="I7"),
    step("H7L", 0, Recipient.BRIGADE, trigger=Overdue(ClockKind.LISTING)),
)
GUARDED = (GuardedTime("春节", "Spring Festival", date(2027, 2, 6), date(2027, 2, 12), 2, "proposal"),)


@dataclass
class Figures:
    """What compliance would say of one body: one finding is open as long as any kind of period is missed."""

    subject: Subject
    missed: set[Period] = field(default_factory=set)
    findings: int = 0

    def judge(self, said: Close, verdict: str, now: datetime, count: int) -> list[tuple[Happening, Close]]:
        was_open, was = bool(self.missed), said.period in self.missed
        if verdict == "missed":
            self.missed.add(said.period)
        elif verdict == "met":
            self.missed.discard(said.period)
        is_open = bool(self.missed)
        if not was_open and is_open:
            self.findings += 1
            return [(Happening.BEGAN, said)]
        if was_open and not is_open:
            return [(Happening.ENDED, said)]
        return [(Happening.CHANGED, said)] if was_open and (was or verdict == "missed") else []


class Simulation:
    """`told` are the missed closes of each body, with the instant at which alerts was told of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        kinds = dict.fromkeys((CaseKind.FAULT, CaseKind.CONNECTION_LOST), HAZARD)
        self.harness = district(guarded=GUARDED, un_acknowledge={CaseKind.FAULT: timedelta(days=5)})
        self.harness.directory.pack.ladders.update(kinds)
        self.harness.carrier.watch = self.watch
        # of its own: what people, packs and crashes do leaves the story of closes and answers as it is
        self.people = random.Random(seed + 1000)
        self.calendars = random.Random(seed + 2000)
        self.calendar = WeekdayCalendar(1)
        self.harness.calendar, self.harness.pace = self.calendar, Pace(calendar=self.calendar)
        self.sent_although: list[str] = []
        self.ladders: dict[CaseId, tuple[LadderStep, ...]] = {}
        self.fires = 0
        self.other_contacts = tuple(one for one in self.harness.directory.all if one.body_code != "T1")
        self.harness.clock.at = on(FIRST)
        self.harness.wait_for_documents(600)
        self.bodies = [Figures(Subject(SubjectKind.BODY, name)) for name in BODIES]
        self.told: dict[tuple[str, datetime], list[Close]] = {}
        self.faults = 0
        self.faulty = False
        self.count = 0
        self.known: set[tuple[CaseId, str]] = set()
        self.taken: Counter[tuple[CaseId, str]] = Counter()
        self.audited = 0
        self.notices = 0
        self.listed: Counter[ListingState] = Counter()

    @property
    def cases(self) -> list[Case]:
        return list(self.harness.store.tables.cases.values())

    async def run(self) -> None:
        day = FIRST
        for _ in range(DAYS):
            for _half in range(2):
                await self.move(lambda: self.harness.pass_time(HALF_A_DAY, every=HALF_A_DAY))
                if self.rng.random() < 0.1:
                    await self.move(self.fault)
                if self.rng.random() < 0.2:
                    await self.move(self.answer)
                await self.people_act()
            for body in self.bodies:
                for period in Period:
                    if period_days(period, day)[1] == period_days(Period.DAY, day)[1]:
                        await self.move(lambda body=body, period=period, day=day: self.close(body, period, day))
            day = next_day(day)

    async def people_act(self) -> None:
        """People, packs and crashes, each now and then."""
        for what, share in (
            (self.take, 0.1),
            (self.edit_pack, 0.05),
            (self.edit_register, 0.05),
            (self.burn, 0.05),
            (self.work, 0.1),
            (self.list_, 0.3),
        ):
            if self.people.random() < share:
                await self.move(what)
        if self.people.random() < 0.1:
            self.harness.kill()
        if self.calendars.random() < 0.05:
            await self.move(self.edit_calendar)
        if self.calendars.random() < 0.05:
            await self.move(self.declare)

    async def move(self, what: object) -> None:
        """Let one thing happen, and look whether all that must hold does."""
        before = {case.case_id for case in self.cases if case.is_open}
        await what()  # type: ignore[operator] # a function without arguments
        await self.harness.work()
        self.check(before)

    async def close(self, body: Figures, period: Period, day: date) -> None:
        now = self.harness.clock.now()
        verdict = self.rng.choices(("missed", "met", "undetermined"), (3, 6, 1))[0]
        said = close(period, day, missed=verdict == "missed", revision=1)
        for phase, one in body.judge(said, verdict, now, self.count):
            self.count += 1
            if one.is_missed:
                self.told.setdefault((body.subject.id, now), []).append(one)
            finding = f"f{body.findings}"
            said_again = [told(phase, one, now, subject=body.subject, finding=finding, count=self.count)]
            await self.harness.take(*said_again * self.rng.choice((1, 1, 2)))

    async def fault(self) -> None:
        self.faulty = not self.faulty
        self.faults += self.faulty
        now = (self.harness.clock.now() - event().detected_at).total_seconds()
        happening = Happening.BEGAN if self.faulty else Happening.ENDED
        await self.harness.take(event(happening, kind=CaseKind.FAULT, cause=f"d{self.faults}", seconds=now))

    async def answer(self) -> None:
        """Somebody signs, answers or has an answer returned, of any document that was ever asked for."""
        requests = list(self.harness.store.tables.requests.values())
        if not requests:
            return
        one = self.rng.choice(requests[-6:])
        self.count += 1
        await self.harness.issue(
            DocumentChange(
                event_id=f"/documents#{self.count}",
                request_id=one.request_id,
                document_id="D",
                case_id=one.case.case_id,
                what=self.rng.choice(
                    (DocumentEvent.SIGNED, DocumentEvent.REPLY_SUBMITTED, DocumentEvent.REPLY_RETURNED)
                ),
                party="T1",
                is_addressee=self.rng.random() < 0.8,
                by="张三",
                via="link",
                at=self.harness.clock.now(),
            )
        )

    async def take(self) -> None:
        """Somebody takes a case, or a department signs for it."""
        open_ = [one.case_id for one in self.cases if one.is_open]
        if open_:
            who = self.people.choice((CENTRE, CENTRE, Who("clerk", "T1", "console")))
            await self.harness.acknowledgements.acknowledge(self.people.choice(open_), who, "")

    async def work(self) -> None:
        """Somebody shelves a case, or has its next step taken now."""
        open_ = [one for one in self.cases if one.is_open]
        desk = CaseWorkService(
            store=self.harness.store, clock=self.harness.clock, acknowledgements=self.harness.acknowledgements
        )
        if open_ and self.people.random() < 0.5:
            await desk.shelve(self.people.choice(open_).case_id, CENTRE, timedelta(hours=8), "")
        elif open_:
            one = self.people.choice(open_)
            await desk.escalate(one.case_id, CENTRE, one.next_step or "", "")

    async def list_(self) -> None:
        """Somebody proposes a listing, or does what may follow on one, or what may not."""
        desk = ListingService(
            store=self.harness.store,
            directory=self.harness.directory,
            composer=self.harness.composer,
            clock=self.harness.clock,
        )
        now, who = self.harness.clock.now(), Who(self.people.choice("abc"), None, "console")
        hazards = [one for one in self.cases if one.kind is CaseKind.FAULT and one.is_open]
        listings = [one for one in self.harness.store.tables.listings.values() if one.is_active]
        with contextlib.suppress(NotPossible):
            if hazards and self.people.random() < 0.5:
                await desk.propose(self.people.choice(hazards).case_id, who, "长期未消除")
            elif listings:
                one = self.people.choice(listings)
                act = self.people.choice([*NEXT[one.state]] * 3 + [*ACTS])
                after = await desk.act(
                    one.listing_id, one.revision, act, who, said(now, days=self.people.choice((5, 30)))
                )
                self.listed[after.state] += 1

    async def edit_pack(self) -> None:
        """Another version stands from now on: what is opened from now on climbs another ladder."""
        pack = self.harness.directory.pack
        hazard = HAZARD if pack.ladders[CaseKind.FAULT] is not HAZARD else HAZARD[:-1]
        ladders = {**pack.ladders, CaseKind.FAULT: hazard, CaseKind.CONNECTION_LOST: hazard}
        self.harness.directory.pack = replace(pack, version=pack.version + 1, ladders=ladders)

    async def edit_register(self) -> None:
        """The street has no contact any more, or has one again."""
        directory = self.harness.directory
        directory.all, self.other_contacts = self.other_contacts, directory.all

    async def edit_calendar(self) -> None:
        """A better one is known: other days off than were thought."""
        today = self.harness.clock.now().astimezone(CHINA).date()
        free = {today + timedelta(days=n) for n in range(20) if self.calendars.random() < 0.4}
        self.calendar = WeekdayCalendar(int(self.calendar.version) + 1, free)
        await self.harness.go_by(self.calendar)

    async def declare(self) -> None:
        """An event of the area is declared from today on: the clocks of what begins meanwhile stand still."""
        today = self.harness.clock.now().astimezone(CHINA).date()
        span = GuardedTime("台风", "Typhoon", today, today + timedelta(days=2), 0, "proposal")
        pack = self.harness.directory.pack
        event = AreaEvent(span, frozenset(), frozenset({CaseKind.FAULT, CaseKind.FIRE}))
        self.harness.directory.pack = replace(pack, version=pack.version + 1, area_events=(event,))

    async def burn(self) -> None:
        """A fire begins, and may be over before anybody could be told."""
        self.fires += 1
        now = (self.harness.clock.now() - event().detected_at).total_seconds()
        said = event(Happening.FIRED, kind=CaseKind.FIRE, cause=f"s{self.fires}", point="1", seconds=now)
        over = event(Happening.RESTORED, kind=CaseKind.FIRE, cause=f"r{self.fires}", point="1", seconds=now + 1)
        await self.harness.take(said, *([over] if self.people.random() < 0.5 else []), topic="alarms")

    def watch(self, ready: Ready) -> None:
        row = self.harness.store.tables.notices[ready.notice_id]
        case = self.harness.store.tables.cases[row.notice.case_id]
        if may_send_notice(row.notice, case, self.harness.clock.now()).stop is not None:
            self.sent_although.append(f"{row.notice.step} of {case.case_id} left although it may not")

    def check(self, was_open: set[CaseId]) -> None:
        assert self.sent_although == [], "no notice after acknowledging"
        self.decisions_are_written_down()
        tables = self.harness.store.tables
        news = [one for one in tables.audit[self.audited :] if one.action == "step_taken"]
        self.audited = len(tables.audit)
        self.taken.update((CaseId(str(one.case_id)), str(one.detail["step"])) for one in news)
        assert [each for each, times in self.taken.items() if times > 1] == [], "each step at most once in a case"
        for key in sorted(tables.steps.keys() - self.known):
            self.known.add(key)
            self.caused(tables.steps[key], tables.cases[key[0]], was_open)
        self.listings_hold(was_open)
        for one in self.cases:
            if one.is_open:
                self.goes_on(one)
            else:
                assert one.clocks.step is None, "no step after the exit"
        for row in list(tables.notices.values())[self.notices :]:
            assert row.notice.purpose is Purpose.ALL_CLEAR or (row.notice.case_id, row.notice.step) in tables.steps
        self.notices = len(tables.notices)

    def listings_hold(self, was_open: set[CaseId]) -> None:
        """One of a case is under way; in force its deadline is a clock of the case, which nothing else closes."""
        tables = self.harness.store.tables
        active = [one for one in tables.listings.values() if one.is_active]
        assert len({one.case_id for one in active}) == len(active)
        in_force = {one.case_id: one for one in active if one.is_in_force}
        for case in self.cases:
            listing = in_force.get(case.case_id)
            assert case.is_listed is (listing is not None)
            if listing is not None:
                assert case.clocks.running[ClockKind.LISTING].due_at == listing.due_at
                assert case.is_open or case.case_id not in was_open, "closed with its listing only"
            assert case.cured_at is None or not case.is_open or case.is_listed
        for entry in tables.listing_entries:
            assert (entry.at, f"listing_{entry.act}") in {(one.at, one.action) for one in tables.audit}

    def decisions_are_written_down(self) -> None:
        """Every case, closing, taking and step has its entry; a fire's first notice is for the centre."""
        entries = {(str(entry.case_id), entry.action) for entry in self.harness.store.tables.audit}
        told = {
            row.notice.case_id
            for row in self.harness.store.tables.notices.values()
            if row.notice.first and row.notice.to.body_code == "centre"
        }
        for one in self.cases:
            assert self.ladders.setdefault(one.case_id, one.ladder) == one.ladder, "a new pack changes no ladder"
            assert (one.case_id, "case_opened") in entries
            assert one.is_open or (one.case_id, "case_closed") in entries
            assert one.acknowledged is None or entries & {
                (one.case_id, "acknowledged"), (one.case_id, "acknowledged_after_end"),
            }  # fmt: skip
            assert not one.is_fire or one.case_id in told, "a fire is told to the centre, over or not"
        for case_id, _ in self.harness.store.tables.steps:
            assert (case_id, "step_taken") in entries

    def caused(self, step_taken: StepTaken, case: Case, was_open: set[CaseId]) -> None:
        """A step is taken in an open case, and by what its trigger names."""
        now = self.harness.clock.now()
        if step_taken.step.startswith(("PROPOSAL", "CLOSURE")):
            return  # of a listing, which a person acts on, also when the case is over
        assert case.case_id in was_open or case.opened_at == now or case.is_open, "no step of a closed case"
        step_ = next(one for one in case.ladder if one.code == step_taken.step)
        assert step_taken.due_at <= step_taken.taken_at
        closes = self.told.get((case.subject.id, step_taken.taken_at), [])
        match step_.trigger:
            case PeriodClose(period) if case.subject.kind is SubjectKind.BODY:
                assert any(one.reaches(period) for one in closes), f"{step_.code} without a close that says so"
            case OnCondition():
                years = sorted(one.begins.astimezone(CHINA).year for one in case.closes if one.period is Period.YEAR)
                assert any(year + 1 in years for year in years)
            case Overdue(clock):
                assert case.clocks.running[clock].due_at <= step_taken.taken_at, "overdue, and nobody had answered"
            case PeriodClose(period):
                _, after = period_days(period, case.detected_at.astimezone(CHINA).date())
                assert step_taken.taken_at.astimezone(CHINA).date() >= date(1970, 1, 1) + timedelta(days=after)

    def goes_on(self, case: Case) -> None:
        """Somebody answers for it, and its next step has a clock, waits for a close, or there is none any more."""
        assert case.facts.town or case.facts.lead_department
        after = following(case)
        waits = after is None or (
            isinstance(after.trigger, OnEvent | OnCondition)
            or (isinstance(after.trigger, PeriodClose) and case.subject.kind is SubjectKind.BODY)
        )
        assert (case.clocks.step is None) is waits, f"{case.kind} {case.step} -> {after}"


async def test_whatever_happens_each_step_has_a_cause_and_each_case_goes_on() -> None:
    taken: Counter[str] = Counter()
    acts: set[str] = set()
    fires = held = 0
    listed: Counter[ListingState] = Counter()
    for seed in range(6):
        simulation = Simulation(seed)
        await simulation.run()
        taken.update(step for _, step in simulation.known)
        lapsed = {entry.action for entry in simulation.harness.store.tables.audit}
        acts |= lapsed & {
            "acknowledged",
            "signed",
            "acknowledgement_lapsed",
            "shelved",
            "escalated",
            "acknowledged_after_end",
            "clock_recounted",
        }
        fires += simulation.fires
        held += sum(any(span.times == 0 for span in one.guarded) for one in simulation.cases)
        listed += simulation.listed
    assert fires > 20
    assert held > 0, "no case fell into a declared event"
    assert set(ListingState) - {ListingState.PROPOSED} <= listed.keys(), "the story of listings is no story"
    told = {"acknowledged", "signed", "acknowledgement_lapsed", "shelved", "escalated", "clock_recounted"}
    assert told <= acts, "the story is no story"
    assert {"O0", "O1", "O1R", "O2", "O4", "H0", "H4", "H4S", "H4R", "H6"} <= taken.keys(), "the story is no story"


async def test_the_simulation_sees_a_step_that_nothing_caused() -> None:
    """A ladder whose first step reads as if time made it due is one that the invariants refuse."""
    simulation = Simulation(0)
    broken = tuple(step("O0", 0, Recipient.BODY) if one is O0 else one for one in ORGANISATION if one is not O1R)
    simulation.harness.directory.pack.ladders[CaseKind.BELOW_TARGET] = broken
    simulation.told = _Nothing()
    with pytest.raises(AssertionError, match="O1 without a close that says so"):
        await simulation.run()


class _Nothing(dict[tuple[str, datetime], list[Close]]):
    def setdefault(self, key: tuple[str, datetime], default: list[Close] | None = None) -> list[Close]:
        return []
