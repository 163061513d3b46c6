"""Pages of cases: memory and PostgreSQL answer alike, and no page reads the years behind it."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from deploy.stack.postgres import Postgres
from services.console.adapters.case_pages import case_pages
from services.console.adapters.postgres_names import PostgresNames, initials_of
from services.console.adapters.postgres_read import PostgresReadModel
from services.console.adapters.statements import SQL
from services.console.domain.case_list import CasePlace, CaseQuery, CaseSort, CaseView
from services.console.domain.cases import Owner
from services.console.domain.units import UnitQuery
from services.console.domain.viewer import WHOLE, BodyCode, Slice, Username
from services.console.ports.district import ReadModel
from services.console.worker.names import NameIndexer
from services.kernel.words import AlarmState
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.contract.console.test_read_model import LIMIT_S, UNITS
from tests.fakes.console import FakeReadModel
from tests.integration.console.scenario import Scenario, Unit, opened
from tests.parts import fresh_database
from tests.unit.console import builders

NOW = SystemClock().now()
CENTRE, OTHER = Username("centre"), Username("other")


@dataclass(frozen=True)
class Put:
    """A case as a test wants it: minutes ago opened, minutes from now due, whose it is."""

    case_id: str
    unit_id: str
    kind: str = "fault"
    opened: int = 10
    due: int | None = 30
    taken: bool = False
    owner: Username | None = None
    closed: int | None = None

    @property
    def alarm_state(self) -> AlarmState:
        if self.closed is not None:
            return AlarmState.RETURNED_UNACKNOWLEDGED
        return AlarmState.ACKNOWLEDGED if self.taken else AlarmState.UNACKNOWLEDGED

    @property
    def row(self) -> dict[str, Any]:
        changes: dict[str, Any] = {
            "opened_at": NOW - timedelta(minutes=self.opened),
            "next_step_at": None if self.due is None else NOW + timedelta(minutes=self.due),
        }
        if self.taken:
            changes |= {"acknowledged_at": NOW, "acknowledged_by": "someone"}
        if self.closed is not None:
            changes |= {"state": "closed", "closed_at": NOW - timedelta(minutes=self.closed)}
        return changes


CASES = [
    Put("C1", "U02", "connection_lost", opened=50, due=20),
    Put("C2", "U06", "fire", opened=5),
    Put("C3", "U03", opened=40, due=None),
    Put("C4", "U04", "connection_lost", opened=30, due=10, taken=True, owner=CENTRE),
    Put("C5", "U01", opened=20, due=20, owner=OTHER),
    Put("C6", "U07", "unreadable_alarm", opened=20, due=None),
    Put("D1", "U01", "fire", closed=3),
    Put("D2", "U02", closed=2),
    Put("D3", "U04", closed=2),
    Put("D4", "U05", closed=1),
]
PRESSING = ["C2", "C6", "C1", "C5", "C3", "C4"]


def fake() -> FakeReadModel:
    units = {unit.unit_id: unit for unit in UNITS}
    until = NOW + timedelta(hours=8)
    rows = []
    for put in CASES:
        unit = units[put.unit_id]
        owner = None if put.owner is None else Owner(put.owner, put.owner, NOW, until)
        row = builders.case(
            put.case_id, unit_id=unit.unit_id, kind=put.kind, unit_name=unit.name, town=unit.town,
            lead_department=unit.lead, copy_departments=unit.copies, owner=owner, alarm_state=put.alarm_state,
        )  # fmt: skip
        rows.append(replace(row, step="F0" if put.kind == "fire" else "H0", **put.row))
    return FakeReadModel([], rows)


@pytest.fixture(scope="module")
def filled(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, migrated_template) as name, opened(postgres_server.dsn(name)) as scenario:
        scenario.create()
        scenario.put(UNITS)
        for put in CASES:
            scenario.open_case(put.case_id, put.unit_id, put.kind, **put.row)
            if put.owner is not None:
                scenario.own(put.case_id, put.owner)
        yield scenario.dsn


@pytest.fixture(params=["memory", "postgres"])
async def read(request: pytest.FixtureRequest) -> AsyncIterator[ReadModel]:
    if request.param == "memory":
        yield fake()
        return
    async with open_pool(request.getfixturevalue("filled"), "test", max_size=1) as pool:
        yield PostgresReadModel(pool, LIMIT_S)


async def ids(read: ReadModel, query: CaseQuery, slice_: Slice = WHOLE) -> list[str]:
    return [case.case_id for case in (await read.cases(slice_, query)).rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (CaseQuery(), PRESSING),
        (CaseQuery(sort=CaseSort.NEWEST), ["C2", "C6", "C5", "C4", "C3", "C1"]),
        (CaseQuery(sort=CaseSort.OLDEST), ["C1", "C3", "C4", "C5", "C6", "C2"]),
        (CaseQuery(view=CaseView.CLOSED), ["D4", "D2", "D3", "D1"]),
        (CaseQuery(view=CaseView.CLOSED, sort=CaseSort.OLDEST), ["D4", "D2", "D3", "D1"]),
    ],
)
async def test_pages_of_every_size_put_together_are_the_whole_list_in_its_order(
    read: ReadModel, query: CaseQuery, expected: list[str]
) -> None:
    for limit in (1, 2, 3, 100):
        found: list[str] = []
        asked = replace(query, limit=limit)
        while True:
            page = await read.cases(WHOLE, asked)
            assert page.matching == len(expected)
            found += [case.case_id for case in page.rows]
            if page.next is None:
                break
            asked = replace(asked, after=CasePlace.parse(page.next))
        assert found == expected, limit


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (CaseQuery(kinds=("connection_lost", "fire")), ["C2", "C1", "C4"]),
        (CaseQuery(step="F0"), ["C2"]),
        (CaseQuery(town="nanjie"), ["C6", "C1"]),
        (CaseQuery(department="health"), ["C6", "C1", "C5", "C3"]),
        (CaseQuery(view=CaseView.UNTAKEN), ["C2", "C6", "C1", "C5", "C3"]),
        (CaseQuery(view=CaseView.MINE, reader=CENTRE), ["C4"]),
        (CaseQuery(view=CaseView.MINE, reader=Username("nobody")), []),
        (CaseQuery(text="医院"), ["C6", "C1", "C5"]),
        (CaseQuery(text="u03"), ["C3"]),
        (CaseQuery(text="100%"), []),
        (CaseQuery(view=CaseView.CLOSED, text="100%_"), ["D4"]),
        (CaseQuery(view=CaseView.CLOSED, text="D1"), ["D1"]),
        (CaseQuery(view=CaseView.CLOSED, text="医院"), ["D2", "D1"]),
        (CaseQuery(view=CaseView.CLOSED, kinds=("fire",), town="dongjie"), ["D1"]),
        (CaseQuery(town="nowhere"), []),
        (CaseQuery(alarm_state=AlarmState.ACKNOWLEDGED), ["C4"]),
        (CaseQuery(alarm_state=AlarmState.RETURNED_UNACKNOWLEDGED), ["D4", "D2", "D3", "D1"]),
        (CaseQuery(alarm_state=AlarmState.RETURNED_UNACKNOWLEDGED, kinds=("fire",)), ["D1"]),
        (CaseQuery(view=CaseView.CLOSED, alarm_state=AlarmState.UNACKNOWLEDGED), ["C2", "C6", "C1", "C5", "C3"]),
        (CaseQuery(alarm_state=AlarmState.NORMAL), []),
    ],
)
async def test_filters_narrow_what_is_counted_and_listed(
    read: ReadModel, query: CaseQuery, expected: list[str]
) -> None:
    page = await read.cases(WHOLE, query)
    assert ([case.case_id for case in page.rows], page.matching) == (expected, len(expected))
    assert (page.open, page.unacknowledged) == (6, 5), "the counts of the slice stay"
    assert (page.shelved, page.returned) == (0, 4)


async def test_a_slice_holds_whatever_is_asked_for(read: ReadModel) -> None:
    own = Slice(BodyCode("education"))
    assert await ids(read, CaseQuery(department="health"), own) == []
    assert await ids(read, CaseQuery(), own) == ["C4"]
    assert await ids(read, CaseQuery(view=CaseView.CLOSED), own) == ["D3"]


async def test_ownership_that_has_run_out_is_nobody_s(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("C1", "U02")
    empty_scenario.own("C1", "centre", hours=-1)
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        assert await ids(read, CaseQuery(view=CaseView.MINE, reader=CENTRE)) == []
        assert (await read.case(WHOLE, "C1")).case.owner is None


async def test_each_alarm_state_is_shown_and_a_fire_is_always_in_sight(empty_scenario: Scenario) -> None:
    """Whatever the database holds of a case, the list says the same as the pure function, and filters by it."""
    put = empty_scenario
    put.put([*UNITS, Unit("U10", "已豁免", "dongjie", "HOSPITAL", "health", connection="exempt")])
    soon, before = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
    put.open_case("CC", None, "common_cause", cause_key="carrier:x", next_step_at=None)
    put.open_case("OUT", "U10", "fault")
    put.open_case("SHELVED", "U02", "fault", detected_at=before)
    put.open_case("LAPSED", "U03", "fault", detected_at=before)
    put.open_case("AGAIN", "U04", "fault", detected_at=NOW)
    put.open_case("FIRE", "U06", "fire", detected_at=before, held_until=soon, common_case_id="CC")
    put.open_case("HELD", "U07", "connection_lost", held_until=soon, common_case_id="CC")
    put.open_case("WINDOW", "U08", "connection_lost")
    put.open_case("GONE", "U01", "fault", state="closed", closed_at=NOW, close_reason="registry")
    put.open_case("BACK", "U05", "fault", state="closed", closed_at=NOW, close_reason="signal")
    put.open_case("SEEN", "U01", "isolation", state="closed", closed_at=NOW, acknowledged_at=NOW, acknowledged_by="x")
    for case_id, since, until in (
        ("SHELVED", before, soon), ("LAPSED", before, NOW - timedelta(minutes=1)),
        ("AGAIN", before, soon), ("FIRE", before, soon),
    ):  # fmt: skip
        put.execute(
            "INSERT INTO alerts.shelved (case_id, account, since, until, note) VALUES (%s, 'officer', %s, %s, '')",
            [case_id, since, until],
        )
    put.execute(
        "INSERT INTO registry.adjustments (adjustment_id, unit_id, what, starts_at, ends_at, reason, requested_by,"
        " requested_at, approvals, approvals_needed, state, note)"
        " VALUES ('A1', 'U08', 'maintenance', %s, %s, 'r', 'a', %s, '{b}', 1, 'approved', '')",
        [before, soon, before],
    )
    expected = {
        AlarmState.OUT_OF_SERVICE: {"OUT"}, AlarmState.SHELVED: {"SHELVED"}, AlarmState.ACKNOWLEDGED: set(),
        AlarmState.UNACKNOWLEDGED: {"LAPSED", "AGAIN", "FIRE", "CC"}, AlarmState.NORMAL: {"GONE", "SEEN"},
        AlarmState.SUPPRESSED_BY_DESIGN: {"HELD", "WINDOW"}, AlarmState.RETURNED_UNACKNOWLEDGED: {"BACK"},
    }  # fmt: skip
    async with open_pool(put.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        for state, cases in expected.items():
            rows = (await read.cases(WHOLE, CaseQuery(alarm_state=state))).rows
            assert {row.case_id for row in rows} == cases, state
            assert {row.alarm_state for row in rows} <= {state}
        everywhere = set(await ids(read, CaseQuery()))
        assert "FIRE" in everywhere
        assert "SHELVED" not in everywhere
        assert "SHELVED" in await ids(read, CaseQuery(), Slice(BodyCode("health"))), "shelving is the centre's alone"
        page = await read.cases(WHOLE, CaseQuery())
        assert (page.shelved, page.returned) == (1, 1)
        shelved = (await read.case(WHOLE, "SHELVED")).case.shelved
        assert shelved is not None
        assert (shelved.by, shelved.until) == ("officer", soon)
    put.execute("DELETE FROM registry.adjustments WHERE adjustment_id = 'A1'")


async def test_a_unit_and_its_cases_are_found_by_initials_and_address(empty_scenario: Scenario) -> None:
    empty_scenario.put([*UNITS, Unit("U09", "重庆路万象城", "dongjie", "COMPLEX", "commerce", address="云澜东路 7 号")])
    empty_scenario.open_case("C9", "U09")
    empty_scenario.open_case("D9", "U09", state="closed", closed_at=NOW)
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        assert await NameIndexer(PostgresNames(pool, LIMIT_S), initials_of).turn() == 9
        assert await NameIndexer(PostgresNames(pool, LIMIT_S), initials_of).turn() == 0
        read = PostgresReadModel(pool, LIMIT_S)
        for text in ("cqlwxc", "WXC", "云澜东路"):
            assert await ids(read, CaseQuery(text=text)) == ["C9"], text
            assert await ids(read, CaseQuery(text=text, view=CaseView.CLOSED)) == ["D9"], text
            assert [unit.unit_id for unit in (await read.units(WHOLE, UnitQuery(text=text))).rows] == ["U09"], text


@pytest.mark.parametrize("text", ["\\", "%", "_", "' OR 1=1 --", "\N{FIRE ENGINE}", "{slice}", "%(like)s"])
async def test_a_strange_search_finds_nothing(read: ReadModel, text: str) -> None:
    for view in (CaseView.OPEN, CaseView.CLOSED):
        found = await ids(read, CaseQuery(text=text, view=view))
        assert found == (["D4"] if view is CaseView.CLOSED and text in ("%", "_") else [])


async def test_a_member_of_a_common_cause_is_listed_for_whoever_looks_for_it(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("CC", None, "common_cause", cause_key="carrier:x", next_step_at=None)
    empty_scenario.open_case("C1", "U02", common_case_id="CC")
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        assert await ids(read, CaseQuery()) == ["CC"]
        assert await ids(read, CaseQuery(text="第二医院")) == ["C1"]


OWN = '{"bodies_centre": ["centre"], "bodies_brigade": ["brigade"]}'
"""Which bodies an account of each role acts for, as the audit says it."""


async def test_what_people_did_proves_nothing_of_a_notice_that_no_channel_accepted(empty_scenario: Scenario) -> None:
    """It is cancelled by the very act, waits, or was refused: who acted has heard by another one."""
    empty_scenario.put(UNITS)
    empty_scenario.open_case("C1", "U02", "connection_lost")
    empty_scenario.execute(
        "INSERT INTO documents.documents (document_id, source, request_id, case_id, instrument, unit_id, issuer,"
        " issued_at, requested_at, request, state, template)"
        " VALUES ('D1', 'alerts', 'R1', 'C1', 'I2', 'U02', 'brigade', now(), now(), '{}', 'received', 't')"
    )
    states = ("accepted", "pending", "sending", "dead", "cancelled")
    for state in states:
        empty_scenario.notice(f"centre-{state}", "C1", "H0", "centre", state)
        for other in ("brigade", "committee", "government", "control_room"):
            empty_scenario.notice(f"{other}-{state}", "C1", "H0", "U02" if other == "control_room" else other, state)
        empty_scenario.notice(f"signed-{state}", "C1", "H0", "health", state)
        for number, act in enumerate(("read", "receipted", "answered")):
            to = f"c-{state}-{number}"
            empty_scenario.notice(f"{act}-{state}", "C1", "H1", "U02", state, contact_id=to, document_id="D1")
            empty_scenario.execute(
                "INSERT INTO documents.recipients (document_id, contact_id, party, is_addressee)"
                " VALUES ('D1', %s, %s, true)",
                [to, act],
            )
    empty_scenario.sign("C1", "health")
    empty_scenario.execute("UPDATE alerts.receipts SET at = now()")
    for statement in (
        "INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)"
        f" VALUES (now(), 'x', 'acknowledged', 'C1', '{OWN}')",
        "INSERT INTO documents.openings (document_id, party, via, who, first_at, last_at)"
        " VALUES ('D1', 'read', 'console', '', now(), now())",
        "INSERT INTO documents.receipts (document_id, party, by, name, via, at)"
        " VALUES ('D1', 'receipted', 'x', 'x', 'console', now())",
        "INSERT INTO documents.submissions (submission_id, document_id, party, kind, state, by, name, text, via, at)"
        " VALUES ('S1', 'D1', 'answered', 'reply', 'submitted', 'x', 'x', 'x', 'console', now())",
    ):
        empty_scenario.execute(statement)

    async def proven() -> dict[str, str]:
        async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
            sent = (await PostgresReadModel(pool, LIMIT_S).case(WHOLE, "C1")).deliveries
        assert len(sent) == 9 * len(states)
        return {one.notice_id: one.proof for one in sent if one.proof is not None}

    done = {"signed": "acknowledged", "read": "read", "receipted": "acknowledged", "answered": "acted"}
    others = dict.fromkeys(("centre", "brigade", "committee", "government", "control_room"), "accepted")
    wanted = {f"{name}-accepted": proof for name, proof in (done | others).items()}
    assert await proven() == wanted | {"centre-accepted": "acknowledged"}
    empty_scenario.execute(
        "INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)"
        f" VALUES (now(), 'x', 'verified', 'C1', '{OWN}')"
    )
    assert await proven() == wanted | {"centre-accepted": "acted"}
    # the same by an account of the brigade says that the brigade knows, and nothing of the centre
    empty_scenario.execute(
        "INSERT INTO console.accounts (username, display_name, role, password_hash, created_at)"
        " VALUES ('x', 'x', 'brigade', 'x', now())"
    )
    assert await proven() == wanted | {"brigade-accepted": "acted"}


async def test_a_providers_report_says_more_than_that_it_took_the_message(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("C1", "U02", "connection_lost")
    for name, proofs in (("a", ("delivered",)), ("b", ("failed",)), ("c", ("delivered", "acknowledged")), ("d", ())):
        empty_scenario.notice(name, "C1", "H0", "centre")
        empty_scenario.execute(
            "INSERT INTO alerts.provider_messages (channel, message_id, notice_id, sent_at)"
            " VALUES ('voice', %s, %s, now())",
            [name, name],
        )
        for proof in proofs:
            empty_scenario.execute(
                "INSERT INTO alerts.delivery_reports (channel, message_id, proof, code, at, recorded_at)"
                " VALUES ('voice', %s, %s, '', now(), now())",
                [name, proof],
            )
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        sent = (await PostgresReadModel(pool, LIMIT_S).case(WHOLE, "C1")).deliveries
    found = {one.notice_id: (one.proof, one.proven_by) for one in sent}
    assert found == {
        "a": ("delivered", "provider"),
        "b": ("failed", "provider"),
        "c": ("acknowledged", "key_press"),
        "d": ("accepted", found["d"][1]),
    }


async def test_no_page_reads_more_than_it_needs(empty_scenario: Scenario) -> None:
    """Of 5 000 open and 20 000 closed cases: an order with an index is read in it, nothing scans all cases."""
    empty_scenario.put(UNITS)
    empty_scenario.many_cases(5_000)
    empty_scenario.many_cases(20_000, "closed")
    taken = "UPDATE alerts.cases SET acknowledged_at = closed_at WHERE state = 'closed' AND case_id NOT LIKE '%%9'"
    empty_scenario.execute(taken)
    empty_scenario.execute("ANALYZE alerts.cases")
    place = CasePlace(11, None, NOW - timedelta(seconds=2500), "open2500")
    ordered = {
        CaseQuery(sort=CaseSort.NEWEST): "cases_open",
        CaseQuery(sort=CaseSort.OLDEST): "cases_open",
        CaseQuery(view=CaseView.CLOSED): "cases_closed",
        CaseQuery(alarm_state=AlarmState.RETURNED_UNACKNOWLEDGED): "cases_returned",
    }
    others = (CaseQuery(), CaseQuery(view=CaseView.CLOSED, text="医院"), CaseQuery(text="医院"))
    for query in [*ordered, *others]:
        for after in (None, place):
            plan = explained(empty_scenario, replace(query, after=after))
            assert "Seq Scan on cases" not in plan, plan
            if query in ordered:
                assert ordered[query] in plan, plan
                assert not re.search(r"(?<!Incremental )Sort  ", plan), plan
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        pages = []
        asked: CaseQuery | None = CaseQuery(limit=200)
        while asked is not None:
            page = await read.cases(WHOLE, asked)
            pages.append([case.case_id for case in page.rows])
            asked = replace(asked, after=CasePlace.parse(page.next)) if page.next else None
    listed = [case_id for page in pages for case_id in page]
    assert (len(listed), len(set(listed))) == (5_000, 5_000)
    assert all(first != second for first, second in pairwise(pages))


def explained(scenario: Scenario, query: CaseQuery) -> str:
    pages = case_pages(query, hides_members=True)
    text = pages.page.format(slice=SQL["slice_whole"], where=pages.where, after=pages.after)
    found = scenario.connection.execute(f"EXPLAIN {text}".encode(), pages.parameters).fetchall()
    return "\n".join(row[0] for row in found)
