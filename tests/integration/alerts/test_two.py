"""Two of each say what one says: the same log, once worked off by one process of each kind, once by two of them.

Of the two one is killed in the middle. What may differ is left out of the comparison, and only that: when a row was
written and by whom (wall clock, leases, counts of attempts and of writes), the texts that name such an instant, and
which of several documents that were asked for at the same time bears which number: requests of different units stand on
different partitions. Sets are compared as sets.
"""

import re
import signal
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from schemas.topics import ALARMS, FINDINGS
from services.kernel.words import ContactRole, FindingKind, Phase
from services.runtime.kafka import Record
from tests.integration.alerts.scenario import (
    CLOCK,
    Scenario,
    contact_record,
    finding,
    fire,
    gateway_record,
    pack_record,
    restore,
    sample_pack,
    scenario,
    unit_record,
    until,
)
from tests.parts import fresh_database

UNITS = [f"U{number:02}" for number in range(12)]
BURNING, LOST, FAULTY = UNITS[:4], UNITS[4:5], UNITS[5:]
NUMBER = re.compile(r"〕\d+号")
CASES = """SELECT case_id, kind, subject_kind, subject_id, finding_id, state, close_reason, alarms, sightings, drops,
    step, effective_at, detected_at, over_at, burning, reported, carriers, lead_department, copy_departments, clause,
    evidence, pack_id, pack_version, ladder::text
    FROM alerts.cases ORDER BY case_id"""
NOTICES = """SELECT notice_id, case_id, step, purpose, contact_id, body_code, channel, address, lang, state, reason,
    fire, first, is_copy, template, clause, subject, request_id IS NOT NULL AS asked
    FROM alerts.notices ORDER BY notice_id"""
DOCUMENTS = """SELECT request_id, case_id, instrument, issuer, mark, year, template, unit_id
    FROM documents.documents ORDER BY request_id"""
NUMBERS = (
    "SELECT issuer, mark, year, array_agg(serial ORDER BY serial) AS serials FROM documents.documents GROUP BY 1, 2, 3"
)
READ = "SELECT sum(next_offset)::int FROM alerts.partitions WHERE topic = ANY(%s)"
UNSENT = "SELECT count(*) FROM alerts.notices WHERE state IN ('pending', 'sending')"
SOON = {"ALERTS_SMTP_TIMEOUT_S": "2", "ALERTS_WEBHOOK_DEADLINE_S": "5", "ALERTS_DOCUMENT_WAIT_S": "600"}
PATIENCE = {"DOCUMENTS_PDF_TIMEOUT_S": "60", "DOCUMENTS_PDF_WITHIN_S": "600"}


def register() -> list[Record]:
    of_units = [
        record
        for unit in UNITS
        for record in (
            unit_record(unit, copies=["bureau"]),
            gateway_record(unit),
            contact_record(f"c-{unit}", unit, ContactRole.CONTROL_ROOM, email=f"{unit.lower()}@mail.firenet-demo.cn"),
        )
    ]
    centre = contact_record("c-centre", "centre", email="centre@mail.firenet-demo.cn")
    return [pack_record(sample_pack(group_wait_s=0)), centre, *of_units]


def log() -> tuple[list[Record], list[Record]]:
    """Return how troubles begin, and how most of them end: the very records that both runs read."""
    begun = CLOCK.now() - timedelta(seconds=90)
    later = begun + timedelta(seconds=60)
    begins = [
        *[fire(unit, f"a-{unit}-{point}", point=point, at=begun) for unit in BURNING for point in ("1", "2")],
        *[finding(unit, f"l-{unit}", at=begun) for unit in LOST],
        *[finding(unit, f"f-{unit}", kind=FindingKind.FAULT, point="7", at=begun) for unit in FAULTY],
    ]
    ends = [
        *[restore(unit, f"r-{unit}", at=later) for unit in BURNING[1:]],
        *[finding(unit, f"l-{unit}", Phase.ENDED, at=later) for unit in LOST],
        *[finding(unit, f"f-{unit}", Phase.ENDED, kind=FindingKind.FAULT, point="7", at=later) for unit in FAULTY[1:]],
    ]
    return begins, ends


class Run:
    """The log worked off by `each` processes of every kind."""

    def __init__(self, here: Scenario, each: int) -> None:
        self.here, self.each = here, each
        self.second: list[Any] = []

    def start(self) -> None:
        for number in range(1, self.each + 1):
            ports = free_ports(3)
            started = [
                self.here.start(ALERTS_LANE="fire", **_named("ALERTS", f"fire-{number}", ports[0]), **SOON),
                self.here.start(ALERTS_LANE="ordinary", **_named("ALERTS", f"alerts-{number}", ports[1]), **SOON),
                self.here.start(
                    python=("-m", "services.documents"),
                    **_named("DOCUMENTS", f"documents-{number}", ports[2]),
                    **PATIENCE,
                ),
            ]
            self.second = started if number > 1 else []

    async def share(self) -> None:
        """Wait until every process owns partitions: two that do not share the work would prove nothing."""
        alerts = "SELECT count(DISTINCT owner) FROM alerts.partitions WHERE owner <> ''"
        documents = "SELECT count(DISTINCT owner) FROM documents.partitions WHERE owner <> ''"

        async def owned() -> bool:
            return [await self.here.one(alerts), await self.here.one(documents)] == [2 * self.each, self.each]

        await until(owned, "each process owns partitions", 120)

    async def work_off(self, records: Sequence[Record], kill: bool) -> None:
        """Publish, and kill the second of each with a half of it on its way; return when nothing is."""
        half = len(records) // 2
        await self.here.publish(*records[:half])
        if kill:
            for process in self.second:
                process.send_signal(signal.SIGKILL)
        await self.here.publish(*records[half:])

    async def settled(self, taken: int, closed: int) -> None:
        async def quiet() -> bool:
            read = await self.here.one(READ, [ALARMS, FINDINGS])
            cases = await self.here.one("SELECT count(*) FROM alerts.cases WHERE state = 'closed'")
            return (read, cases) == (taken, closed) and not await self.here.one(UNSENT)

        await until(quiet, f"{taken} records taken in, {closed} cases closed, all notices brought", 150)

    async def dump(self) -> dict[str, Any]:
        here = self.here
        numbers = {(row["issuer"], row["mark"], row["year"]): row["serials"] for row in await here.rows(NUMBERS)}
        return {
            "cases": [_plain(row) for row in await here.rows(CASES)],
            "notices": [_plain(row) for row in await here.rows(NOTICES)],
            "documents": [_plain(row) for row in await here.rows(DOCUMENTS)],
            "numbers": numbers,
            "heard": sorted(self.heard()),
        }

    def heard(self) -> Counter[tuple[str, str]]:
        mails = ((to, message_from_bytes(raw, policy=policy.default)) for to, raw in self.here.mailbox.mails)
        return Counter((to, str(mail["message-id"])) for to, mail in mails)


def _named(prefix: str, name: str, port: int) -> dict[str, str]:
    return {f"{prefix}_INSTANCE": name, f"{prefix}_HTTP_PORT": str(port)}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which every number of a document is the same one."""
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(value)
    return NUMBER.sub("〕?号", value) if isinstance(value, str) else value


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(600)
async def test_two_of_each_and_one_of_them_killed_say_what_one_says(
    kafka_broker: str, postgres_server: Postgres, tmp_path: Path
) -> None:
    begins, ends = log()
    found = []
    for each in (1, 2):
        folder = tmp_path / str(each)
        folder.mkdir()
        with fresh_database(postgres_server) as name:
            async with scenario(kafka_broker, postgres_server.dsn(name), folder) as here:
                run = Run(here, each)
                await here.publish(*register())
                run.start()
                await run.share()
                await run.work_off(begins, kill=each > 1)
                await run.settled(len(begins), 0)
                await run.work_off(ends, kill=False)
                await run.settled(len(begins) + len(ends), len(ends))
                copies = [what for what, count in run.heard().items() if count > 2]
                assert copies == [], "at most one copy more of what was on its way at the kill"
                found.append(await run.dump())
    one, two = found
    assert len(one["documents"]) > 1
    assert all(list(serials) == list(range(1, len(serials) + 1)) for serials in two["numbers"].values())
    for what in one:
        assert two[what] == one[what], what
