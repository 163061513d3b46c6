"""Words of the schema: migrations 0038 and 0039, and the version that said sight and told beside this one."""

import shutil
from pathlib import Path

import psycopg
import pytest

from services.runtime.migrate import MIGRATIONS, Phase, migrate

PRE = "0038_pre_words.sql"
CAME = "INSERT INTO rules.partitions AS p (partition) VALUES (0) ON CONFLICT DO NOTHING"
AS_BEFORE = "UPDATE rules.partitions SET sight = %s, watermark = now(), saved_at = now()"
AS_NOW = "UPDATE rules.partitions SET visibility = %s, watermark = now(), saved_at = now()"
STEPS_BEFORE = "INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, told)"
STEPS_NOW = "INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, recipients)"
STEP = " VALUES ('C1', 'H0', now(), now(), 'd', 'c', '{centre}')"
READ_BEFORE = "SELECT sight FROM rules.sight_now"
READ_NOW = "SELECT visibility FROM rules.visibility_now"


@pytest.fixture
def before(database: str, tmp_path: Path) -> str:
    """A database as it stood before the migration, with one partition that is impaired."""
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < PRE:
            shutil.copy(file, tmp_path)
    migrate(database, tmp_path)
    with psycopg.connect(database) as connection:
        connection.execute(CAME)
        connection.execute(AS_BEFORE, ["impaired"])
        connection.execute("ALTER TABLE alerts.steps DROP CONSTRAINT steps_case_id_fkey")  # steps without their cases
    return database


def read(connection: psycopg.Connection, statement: str) -> str:
    (found,) = connection.execute(statement).fetchall()
    return str(found[0])


def test_what_was_called_sight_is_visibility(before: str) -> None:
    migrate(before, phase=Phase.PRE)
    with psycopg.connect(before) as connection:
        assert read(connection, READ_NOW) == "impaired"


@pytest.mark.parametrize("statement", [AS_BEFORE, AS_NOW])
@pytest.mark.parametrize("said", ["clear", "impaired", "blind"])
def test_both_versions_read_what_either_wrote(before: str, statement: str, said: str) -> None:
    migrate(before, phase=Phase.PRE)
    with psycopg.connect(before) as connection:
        connection.execute(statement, ["clear"])
        connection.execute(statement, [said])
        assert (read(connection, READ_BEFORE), read(connection, READ_NOW)) == (said, said)


def test_a_partition_that_is_new_is_blind_before_and_after_the_version_before_is_gone(before: str) -> None:
    with psycopg.connect(before) as connection:
        connection.execute("DELETE FROM rules.partitions")
    for phase in (Phase.PRE, Phase.POST):
        migrate(before, phase=phase)
        with psycopg.connect(before) as connection:
            connection.execute(CAME)
            assert read(connection, "SELECT visibility FROM rules.partitions") == "blind"
            connection.execute("DELETE FROM rules.partitions")


def test_the_word_of_the_version_before_is_gone_afterwards_and_what_stood_there_is_kept(before: str) -> None:
    migrate(before, phase=Phase.PRE)
    migrate(before, phase=Phase.POST)
    with psycopg.connect(before) as connection:
        assert read(connection, READ_NOW) == "impaired"
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute(READ_BEFORE)


@pytest.mark.parametrize("statement", [STEPS_BEFORE, STEPS_NOW])
def test_both_versions_read_the_recipients_of_a_step_that_either_took(before: str, statement: str) -> None:
    migrate(before, phase=Phase.PRE)
    with psycopg.connect(before) as connection:
        connection.execute(statement + STEP)
        assert connection.execute("SELECT told, recipients FROM alerts.steps").fetchone() == (["centre"], ["centre"])


def test_the_recipients_of_steps_that_were_taken_before_are_kept(before: str) -> None:
    with psycopg.connect(before) as connection:
        connection.execute(STEPS_BEFORE + STEP)
    migrate(before, phase=Phase.PRE)
    migrate(before, phase=Phase.POST)
    with psycopg.connect(before) as connection:
        assert connection.execute("SELECT recipients FROM alerts.steps").fetchone() == (["centre"],)
