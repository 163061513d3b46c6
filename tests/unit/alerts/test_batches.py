"""Events taken in together become what they become one by one, and one that breaks us costs only itself."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from services.alerts.adapters.topic_handler import TopicHandler
from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject, SubjectFacts
from services.alerts.domain.delivery.reasons import Reason
from services.kernel.words import Purpose
from services.runtime.kafka_loop import ConsumedRecord
from tests.fakes.alerts_store import Tables
from tests.unit.alerts.build import event
from tests.unit.alerts.harness import Harness

UNITS = ("U1", "U2", "U3")
OF_NOTICES = ("all_clear", "notice_cancelled")
TROUBLE = (CaseKind.CONNECTION_LOST, CaseKind.FAULT)


def story(seed: int) -> list[list[Event]]:
    """Return what comes, batch by batch: troubles that begin, change, end and come again, fires, repeats."""
    chance = random.Random(seed)
    told: list[Event] = []
    batches, seconds, causes = [], 0.0, 0
    for _ in range(8):
        batch = []
        for _ in range(chance.randint(1, 9)):
            seconds += 1
            if told and chance.random() < 0.15:
                batch.append(chance.choice(told))
                continue
            unit, lane = chance.choice(UNITS), chance.random()
            if lane < 0.2:
                happening, kind = chance.choice((Happening.FIRED, Happening.RESTORED)), CaseKind.FIRE
                point: str | None = chance.choice(("1", "2"))
            else:
                happening = chance.choice((Happening.BEGAN, Happening.ENDED, Happening.CHANGED))
                kind, point = chance.choice(TROUBLE), None
            causes += happening in (Happening.BEGAN, Happening.FIRED)
            batch.append(event(happening, cause=f"d{causes}", of=unit, kind=kind, seconds=seconds, point=point))
            told.append(batch[-1])
        batches.append(batch)
    return batches


def dump(tables: Tables) -> dict[str, Any]:
    """Return what came of it. How often a case was written is no part of it.

    Nor is an all-clear that nobody got, for its case was open again: where both come together it is never written.
    """
    return {
        "cases": {key: replace(case, revision=0) for key, case in tables.cases.items()},
        "seen": tables.seen,
        "steps": tables.steps,
        "notices": {
            key: (row.notice, row.state, row.reason)
            for key, row in tables.notices.items()
            if (row.notice.purpose, row.reason) != (Purpose.ALL_CLEAR, Reason.REOPENED)
        },
        "audit": sorted(repr(entry) for entry in tables.audit if entry.action not in OF_NOTICES),
    }


async def told_by(batches: Sequence[Sequence[Event]], *, together: bool) -> dict[str, Any]:
    """Return what came of it; the clock moves and ladders are climbed between the batches only."""
    here = Harness(*UNITS)
    here.intake = here.lagging()
    for batch in batches:
        for part in [batch] if together else [[one] for one in batch]:
            await here.take(*part)
        here.clock.forward(20)
        await here.work()
    return dump(here.store.tables)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(60))
async def test_a_batch_is_the_same_as_one_by_one(seed: int) -> None:
    batches = story(seed)
    assert await told_by(batches, together=True) == await told_by(batches, together=False)


async def test_a_repeat_in_the_same_batch_counts_where_it_came_first() -> None:
    here = Harness("U1")
    began, ended = event(), event(Happening.ENDED, seconds=1)
    await here.take(began, ended, began)
    (case,) = here.store.tables.cases.values()
    assert not case.is_open


async def test_an_event_that_breaks_us_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    here, rejected = Harness(*UNITS), 0
    events = [event(of=unit) for unit in UNITS] + [event(Happening.ENDED, of="U1", seconds=1)]
    known = here.directory.facts

    def facts(subject: Subject, now: datetime) -> SubjectFacts:
        if subject.id == "U2":
            raise ZeroDivisionError("our own bug")
        return known(subject, now)

    def reject() -> None:
        nonlocal rejected
        rejected += 1

    monkeypatch.setattr(here.directory, "facts", facts)
    handler: TopicHandler[Event] = TopicHandler(
        topic="firenet.findings.v1",
        decode=lambda topic, record: events[record.offset],
        store=here.store,
        intake=here.intake,
        owner="me",
        at_once=len(events),
        side_by_side=1,
        hold=100,
        on_rejected=reject,
        on_progress=lambda: None,
    )
    await handler.assigned(0)
    await handler.handle({0: [ConsumedRecord(b"", b"", 0, offset, 0) for offset in range(len(events))]})
    async with asyncio.timeout(30):
        while handler.saved()[0] < len(events):  # noqa: ASYNC110 - a handler tells nobody that it has come so far
            await asyncio.sleep(0)
    cases = {case.subject.id: case.is_open for case in here.store.tables.cases.values()}
    assert (cases, rejected) == ({"U1": False, "U3": True}, 1)
