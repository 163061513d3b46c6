"""The audit chain in PostgreSQL grows turn by turn, without a gap, and holds whatever was written down."""

from services.alerts.adapters.postgres_audit import PostgresAuditLog
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.statements import SQL
from services.alerts.domain.audit.chain import verify
from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.ids import CaseId
from services.alerts.ports import Changes
from services.runtime.postgres import Pool, open_pool
from tests.unit.alerts.build import at

TEXTS = ("", "误报", "a\"b\\c,{d}'e", r"\u4e2d", "NULL", "%s", "line\nline")


async def test_turns_of_sealing_make_one_chain_without_a_gap(migrated_database: str) -> None:
    entries = [
        AuditEntry(
            at(number),
            "alerts",
            "noted",
            CaseId(f"c{number}") if number % 2 else None,
            {"text": text, "told": [text, "b"]},
        )
        for number, text in enumerate(TEXTS)
    ]
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store, log = PostgresCaseStore(pool), PostgresAuditLog(pool)
        async with store.transaction() as transaction:
            await transaction.save(Changes(audit=entries))
        assert [await log.seal(3) for _ in range(4)] == [3, 3, 1, 0]
        links = await log.links(0, 100)
    assert [link.seq for link in links] == [1, 2, 3, 4, 5, 6, 7]
    assert [link.entry for link in links] == entries
    assert verify(links).broken_at is None
    assert verify(links).entries == len(TEXTS)


async def left_out(pool: Pool, case_id: str) -> list[tuple[str, list[str]]]:
    async with pool.connection() as connection:
        return await (await connection.execute(SQL["off_duty_of_case"], {"case_id": case_id})).fetchall()


async def test_who_a_step_left_out_is_found_before_and_after_its_entry_is_in_the_chain(migrated_database: str) -> None:
    off = ["c1 until 2026-03-04T17:30+08:00", "c2 until 2026-03-05T08:30+08:00"]
    entries = [
        AuditEntry(at(0), "alerts", "step_taken", CaseId("C1"), {"step": "H0", "told": ["centre"]}),
        AuditEntry(at(1), "alerts", "step_taken", CaseId("C1"), {"step": "H1", "off_duty": off}),
        AuditEntry(at(2), "alerts", "noted", CaseId("C1"), {"step": "H2", "off_duty": off}),
        AuditEntry(at(3), "alerts", "step_taken", CaseId("C2"), {"step": "H1", "off_duty": off}),
    ]
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store, log = PostgresCaseStore(pool), PostgresAuditLog(pool)
        async with store.transaction() as transaction:
            await transaction.save(Changes(audit=entries))
        assert await left_out(pool, "C1") == [("H1", off)]
        assert await log.seal(10) == 4
        assert await left_out(pool, "C1") == [("H1", off)]
        assert await left_out(pool, "C3") == []
