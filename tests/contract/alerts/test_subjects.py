"""Migrations 0015 and 0016: what is stored has a subject, and the version before does no harm beside this one."""

import shutil
from pathlib import Path

import psycopg
import pytest

from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject, SubjectKind
from services.alerts.domain.errors import Conflict
from services.alerts.domain.ids import CaseId
from services.alerts.ports import Changes
from services.runtime.migrate import MIGRATIONS, Phase, migrate
from services.runtime.postgres import open_pool
from tests.unit.alerts.build import case

SUBJECTS = "0015_pre_case_subjects.sql"
AS_BEFORE = """
INSERT INTO alerts.cases (case_id, kind, unit_id, cause_key, district, finding_id, state, effective_at, detected_at,
    opened_at, last_sighting_at, pack_id, pack_version, clause, evidence, ladder)
VALUES (%s, %s, %s, %s, 'gulou', 'f', 'open', now(), now(), now(), now(), 'sample', 1, 'c',
    '{"topic": "t", "partition": 0, "offset": 1}', '[]')
"""


@pytest.fixture
def before(database: str, tmp_path: Path) -> str:
    """A database as it stood before the migration."""
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < SUBJECTS:
            shutil.copy(file, tmp_path)
    migrate(database, tmp_path)
    return database


def opened_before(dsn: str, case_id: str, kind: str, unit_id: str | None, cause: str | None = None) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(AS_BEFORE, (case_id, kind, unit_id, cause))


async def subject_of(dsn: str, case_id: str) -> Subject:
    async with open_pool(dsn, "subjects", 1, 1) as pool, PostgresCaseStore(pool).transaction() as transaction:
        found = await transaction.case(CaseId(case_id))
    assert found is not None
    return found.subject


@pytest.mark.parametrize("stored_first", [True, False], ids=["stored before", "written by the version before"])
async def test_cases_of_the_version_before_have_a_subject(before: str, stored_first: bool) -> None:
    if not stored_first:
        migrate(before, phase=Phase.PRE)
    opened_before(before, "C1", "fire", "U1")
    opened_before(before, "C2", "common_cause", None, "carrier:cmcc")
    migrate(before)
    assert await subject_of(before, "C1") == Subject(SubjectKind.UNIT, "U1")
    assert await subject_of(before, "C2") == Subject(SubjectKind.COMMON_CAUSE, "gulou/carrier:cmcc")


@pytest.mark.parametrize("phase", [Phase.PRE, None], ids=["both versions run", "only this one"])
async def test_no_version_opens_a_second_case_beside_the_others(before: str, phase: Phase | None) -> None:
    migrate(before, phase=phase)
    opened_before(before, "C1", "fire", "U1")
    fire, lost = case(CaseKind.FIRE), case()
    async with open_pool(before, "subjects", 1, 1) as pool:
        store = PostgresCaseStore(pool)
        with pytest.raises(Conflict):
            async with store.transaction() as transaction:
                await transaction.save(Changes(opened={fire.case_id: fire}))
        async with store.transaction() as transaction:
            await transaction.save(Changes(opened={lost.case_id: lost}))
    with pytest.raises(psycopg.errors.UniqueViolation):
        opened_before(before, "C2", "connection_lost", "U1")


async def test_readers_of_the_version_before_find_the_unit(before: str) -> None:
    migrate(before)
    lost = case()
    async with open_pool(before, "subjects", 1, 1) as pool, PostgresCaseStore(pool).transaction() as transaction:
        await transaction.save(Changes(opened={lost.case_id: lost}))
    with psycopg.connect(before) as connection:
        assert connection.execute("SELECT unit_id FROM alerts.cases").fetchall() == [("U1",)]
