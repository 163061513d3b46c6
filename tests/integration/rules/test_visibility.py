"""Visibility of partitions: migrations 0038 and 0039, and the version that called it sight beside this one."""

import shutil
from pathlib import Path

import psycopg
import pytest

from services.runtime.migrate import MIGRATIONS, Phase, migrate

PRE = "0038_pre_visibility.sql"
CAME = "INSERT INTO rules.partitions AS p (partition) VALUES (0) ON CONFLICT DO NOTHING"
AS_BEFORE = "UPDATE rules.partitions SET sight = %s, watermark = now(), saved_at = now()"
AS_NOW = "UPDATE rules.partitions SET visibility = %s, watermark = now(), saved_at = now()"
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
