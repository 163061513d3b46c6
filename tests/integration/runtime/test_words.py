"""Words of the schema: migrations 0038 and 0039, and the version that said sight and told beside this one."""

from collections.abc import Iterator

import psycopg
import pytest

from deploy.stack.postgres import Postgres
from services.runtime.migrate import Phase, migrate
from tests.parts import fresh_database

LAST_BEFORE = "0037_pre_receipts"
CAME = "INSERT INTO rules.partitions AS p (partition) VALUES (0) ON CONFLICT DO NOTHING"
AS_BEFORE = "UPDATE rules.partitions SET sight = %s, watermark = now(), saved_at = now()"
AS_NOW = "UPDATE rules.partitions SET visibility = %s, watermark = now(), saved_at = now()"
STEPS_BEFORE = "INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, told)"
STEPS_NOW = "INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, recipients)"
STEP = " VALUES ('C1', 'H0', now(), now(), 'd', 'c', '{centre}')"
READ_BEFORE = "SELECT sight FROM rules.sight_now"
READ_NOW = "SELECT visibility FROM rules.visibility_now"


@pytest.fixture(scope="module")
def before_template(postgres_server: Postgres) -> Iterator[str]:
    """The name of a database as it stood before the migration, with one partition that is impaired."""
    with fresh_database(postgres_server) as name:
        migrate(postgres_server.dsn(name), until=LAST_BEFORE)
        with psycopg.connect(postgres_server.dsn(name)) as connection:
            connection.execute(CAME)
            connection.execute(AS_BEFORE, ["impaired"])
            connection.execute("UPDATE rules.partitions SET blind_after_s = 86400")  # however slow the machine is
            connection.execute("ALTER TABLE alerts.steps DROP CONSTRAINT steps_case_id_fkey")  # steps without cases
        yield name


@pytest.fixture(scope="module")
def between_template(postgres_server: Postgres, before_template: str) -> Iterator[str]:
    """The name of the same database in the middle of the upgrade: both versions may use it."""
    with fresh_database(postgres_server, before_template) as name:
        migrate(postgres_server.dsn(name), phase=Phase.PRE)
        yield name


@pytest.fixture
def before(postgres_server: Postgres, before_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, before_template) as name:
        yield postgres_server.dsn(name)


@pytest.fixture
def between(postgres_server: Postgres, between_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, between_template) as name:
        yield postgres_server.dsn(name)


def read(connection: psycopg.Connection, statement: str) -> str:
    (found,) = connection.execute(statement).fetchall()
    return str(found[0])


def test_what_was_called_sight_is_visibility(between: str) -> None:
    with psycopg.connect(between) as connection:
        assert read(connection, READ_NOW) == "impaired"


@pytest.mark.parametrize("statement", [AS_BEFORE, AS_NOW])
@pytest.mark.parametrize("said", ["clear", "impaired", "blind"])
def test_both_versions_read_what_either_wrote(between: str, statement: str, said: str) -> None:
    with psycopg.connect(between) as connection:
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


def test_the_word_of_the_version_before_is_gone_afterwards_and_what_stood_there_is_kept(between: str) -> None:
    migrate(between, phase=Phase.POST)
    with psycopg.connect(between) as connection:
        assert read(connection, READ_NOW) == "impaired"
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute(READ_BEFORE)


@pytest.mark.parametrize("statement", [STEPS_BEFORE, STEPS_NOW])
def test_both_versions_read_the_recipients_of_a_step_that_either_took(between: str, statement: str) -> None:
    with psycopg.connect(between) as connection:
        connection.execute(statement + STEP)
        assert connection.execute("SELECT told, recipients FROM alerts.steps").fetchone() == (["centre"], ["centre"])


def test_the_recipients_of_steps_that_were_taken_before_are_kept(before: str) -> None:
    with psycopg.connect(before) as connection:
        connection.execute(STEPS_BEFORE + STEP)
    migrate(before, phase=Phase.PRE)
    migrate(before, phase=Phase.POST)
    with psycopg.connect(before) as connection:
        assert connection.execute("SELECT recipients FROM alerts.steps").fetchone() == (["centre"],)
