"""What stands around the case store of alerts: clock, directory, carrier, writer, and the standby of the fire lane."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from services.alerts.domain.case.event import Event
from services.alerts.domain.case.subject import Subject, SubjectFacts
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.documents import Attached, AwaitingNotice, IssuedDocument, Named, Particulars
from services.alerts.domain.delivery.letters import Letter
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.ids import NoticeId
from services.alerts.domain.noise.digest import DigestLetter
from services.alerts.domain.routing.contacts import NO_TELEPHONES, Address, Telephones
from services.alerts.ports import Ready
from services.kernel.words import Recipient
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import RULES, Book, contact, unit


class FakeDirectory(Book):
    phones = NO_TELEPHONES

    def __init__(self, units: Sequence[str]) -> None:
        people = [
            contact("centre", "centre"),
            contact("brigade", "brigade"),
            contact("health", "health"),
            contact("street", "T1"),
            *[contact(f"room-{name}", name, "control_room") for name in units],
        ]
        super().__init__(*people)
        self.pack = RULES

    def rules(self, now: datetime, district: str) -> PackRules:
        return self.pack

    def longest_window(self, now: datetime) -> timedelta:
        return self.pack.common_window

    def facts(self, subject: Subject, now: datetime) -> SubjectFacts:
        return unit(subject.id)

    def particulars(
        self, facts: SubjectFacts, recipients: Sequence[str], now: datetime, issuer: Recipient = Recipient.CENTRE
    ) -> Particulars | None:
        return Particulars("centre", Named("监控中心", "Centre"), Named(facts.name, facts.name_en))

    def telephones(self, subject: Subject, now: datetime) -> Telephones:
        return self.phones

    def sizes(self, district: str) -> Mapping[str, int]:
        return {}


class PlainWriter:
    def write(self, letter: Letter, notice_id: NoticeId, to: Address) -> tuple[str, str, str]:
        over = "" if letter.case.is_open else " over"
        return (
            f"{letter.step_code} {letter.case.subject.id}{over}",
            f"{letter.proof}{letter.telephones.control_room or ''}",
            "plain@1",
        )

    def write_digest(self, letter: DigestLetter, digest_id: NoticeId) -> tuple[str, str]:
        said = [f"{item.step} {item.case.subject.id}" for item in letter.named]
        return f"DIGEST {letter.notices}+{letter.all_clears}", "\n".join([*said, f"others {letter.others}"])

    def attach(self, waiting: AwaitingNotice, document: IssuedDocument) -> Attached:
        page = document.in_language(waiting.lang)
        of = document.document_id
        return Attached(waiting.notice_id, page.title, page.text, page.html, document.template, document.number, of)


class EveryDay:
    version = "every day"

    def supersedes(self, version: str) -> bool:
        return False

    def is_working(self, day: date) -> bool:
        return True

    def confirmed(self, year: int) -> bool:
        return True


class FakeChannel:
    """Remembers what was sent and when; answers what `answers` holds, then accepts."""

    def __init__(self, clock: ManualClock) -> None:
        self.sent: list[tuple[datetime, Ready]] = []
        self.answers: list[Outcome] = []
        self._clock = clock
        self.watch: Callable[[Ready], None] = lambda notice: None

    async def send(self, notice: Ready) -> Outcome:
        self.watch(notice)
        self.sent.append((self._clock.now(), notice))
        return self.answers.pop(0) if self.answers else Outcome(None)


class MemoryStandby:
    """Stands in for what tells from memory."""

    def __init__(self) -> None:
        self.away = False
        self.answers = False
        self.looked = asyncio.Event()
        self.recipients: list[str] = []

    def lost(self) -> None:
        self.away = True

    def found(self) -> None:
        self.away = False

    async def look(self) -> bool:
        self.away = not self.answers
        self.looked.set()
        return self.away

    async def take(self, events: Sequence[Event]) -> None:
        if any(event.subject.id == "BUG" for event in events):
            raise ZeroDivisionError
        self.recipients += [str(event.subject.id) for event in events]
