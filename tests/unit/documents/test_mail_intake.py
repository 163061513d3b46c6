"""Mails are taken in one by one, beside the letters, and none keeps the next one waiting for ever."""

import threading

import pytest
from prometheus_client import CollectorRegistry

from services.documents.domain.errors import MailboxUnavailable, StoreUnavailable
from services.documents.domain.mails import Mail, MailSort
from services.documents.domain.mails import read as really_read
from services.documents.metrics import DocumentsMetrics
from services.documents.worker import mail_intake
from services.documents.worker.mail_intake import MAX_BEGINNINGS, MailIntake
from services.runtime.lifecycle import Stop
from services.runtime.task_health import OK, TaskHealth
from tests.fakes.clock import ManualClock
from tests.fakes.documents import MemoryMailbox, MemoryMails
from tests.unit.alerts.build import T0

MAILS = tuple(f"From: zhang@health.firenet-demo.cn\r\nSubject: {n}\r\n\r\nx".encode() for n in range(1, 4))


class WentDown(BaseException):
    """Stands for the end of the process."""


def intake(mailbox: MemoryMailbox, store: MemoryMails, clock: ManualClock | None = None) -> MailIntake:
    metrics = DocumentsMetrics(CollectorRegistry())
    return MailIntake(mailbox=mailbox, store=store, metrics=metrics, clock=clock or ManualClock(T0), ours=frozenset())


async def test_a_mail_is_fetched_when_the_one_before_it_is_kept_and_behind_us(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox, store = MemoryMailbox(*MAILS), MemoryMails()
    seen: list[tuple[int, int]] = []

    def read(raw: bytes, ours: frozenset[str]) -> Mail:
        seen.append((len(mailbox.asked), store.reached.last_uid if store.reached else 0))
        return really_read(raw, ours)

    monkeypatch.setattr(mail_intake, "read", read)
    assert await intake(mailbox, store).turn() == 3
    assert seen == [(1, 0), (2, 1), (3, 2)]
    assert [mail.subject for mail in store.kept] == ["1", "2", "3"]
    assert store.begun == {}


async def test_a_mail_is_read_beside_the_event_loop_that_issues_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def read(raw: bytes, ours: frozenset[str]) -> Mail:
        threads.append(threading.get_ident())
        return really_read(raw, ours)

    monkeypatch.setattr(mail_intake, "read", read)
    await intake(MemoryMailbox(*MAILS), MemoryMails()).turn()
    assert threads
    assert threading.get_ident() not in threads


async def test_a_mail_that_ends_processes_is_passed_over_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox, store = MemoryMailbox(*MAILS), MemoryMails()

    def goes_down(raw: bytes, ours: frozenset[str]) -> Mail:
        if raw == MAILS[1]:
            raise WentDown
        return really_read(raw, ours)

    monkeypatch.setattr(mail_intake, "read", goes_down)
    for _ in range(MAX_BEGINNINGS):
        with pytest.raises(WentDown):
            await intake(mailbox, store).turn()
    assert [mail.subject for mail in store.kept] == ["1"]
    assert await intake(mailbox, store).turn() == 2
    assert [(mail.sort, mail.reason) for mail in store.kept[1:]] == [
        (MailSort.REFUSED, "never_read_to_its_end"),
        (MailSort.REPLY, ""),
    ]
    assert store.kept[1].mail_id == "mail at 2"


async def test_a_database_that_is_away_makes_no_mail_be_passed_over() -> None:
    mailbox, store = MemoryMailbox(*MAILS), MemoryMails()
    one = intake(mailbox, store)
    store.away = StoreUnavailable()
    for _ in range(2 * MAX_BEGINNINGS):
        with pytest.raises(StoreUnavailable):
            await one.turn()
    store.away = None
    assert await one.turn() == 3
    assert {mail.sort for mail in store.kept} == {MailSort.REPLY}


class Hurried(Stop):
    """Waits by the clock that it moves, says how the task is at the end of each wait, and stops after some minutes."""

    def __init__(self, clock: ManualClock, health: TaskHealth) -> None:
        super().__init__()
        self.clock = clock
        self.health = health
        self.seen: list[str] = []

    async def wait_for(self, seconds: float) -> bool:
        self.clock.forward(seconds)
        self.seen.append(self.health.checks()["mails"])
        if self.clock.monotonic() > 200:
            self.set()
        return self.is_set()


@pytest.mark.parametrize("away", [None, MailboxUnavailable("away")])
async def test_it_is_ready_while_it_waits_for_the_next_look(away: Exception | None) -> None:
    clock, mailbox = ManualClock(T0), MemoryMailbox()
    mailbox.away = away
    health = TaskHealth(clock, lambda task: None)
    stop = Hurried(clock, health)
    await intake(mailbox, MemoryMails(), clock).run(60, lambda: health.beat("mails"), stop)
    assert set(stop.seen) == {OK}


async def test_it_is_ready_while_a_mail_server_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_intake, "BEAT_S", 0.001)
    answered, beats, stop = threading.Event(), 0, Stop()

    def slow(raw: bytes, ours: frozenset[str]) -> Mail:
        answered.wait(20)
        return really_read(raw, ours)

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 3:
            answered.set()
            stop.set()

    monkeypatch.setattr(mail_intake, "read", slow)
    store = MemoryMails()
    await intake(MemoryMailbox(*MAILS), store).run(60, beat, stop)
    assert beats > 3
    assert len(store.kept) == 3
