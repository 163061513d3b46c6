"""The TimescaleDB image: what our migrations need of it, and what its edition refuses."""

import psycopg
import pytest

from services.runtime.migrate import migrate
from tests.containers import TimescaleContainer

pytestmark = pytest.mark.container

HYPERTABLE = """
CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE TABLE samples (sampled_at timestamptz NOT NULL, scope text NOT NULL, online int NOT NULL);
SELECT create_hypertable('samples', by_range('sampled_at', INTERVAL '1 day'));
INSERT INTO samples
    SELECT at, 'S1', 100 FROM generate_series(TIMESTAMPTZ '2026-01-01 00:00Z', '2026-01-07 23:00Z', '1 hour') AS at;
"""


def test_the_owner_of_a_database_makes_a_hypertable_with_a_chunk_a_day(timescaledb_database: str) -> None:
    with psycopg.connect(timescaledb_database, autocommit=True) as connection:
        connection.execute(HYPERTABLE)
        chunks = connection.execute("SELECT count(*) FROM show_chunks('samples')").fetchone()
        rows = connection.execute("SELECT count(*) FROM samples").fetchone()
    assert (chunks, rows) == ((7,), (7 * 24,))


def test_the_edition_is_apache_2_and_refuses_compression(timescaledb_database: str) -> None:
    with psycopg.connect(timescaledb_database, autocommit=True) as connection:
        connection.execute(HYPERTABLE)
        assert connection.execute("SHOW timescaledb.license").fetchone() == ("apache",)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute("ALTER TABLE samples SET (timescaledb.compress)")


def test_migrations_make_hypertables_here_and_a_second_run_changes_nothing(timescaledb_database: str) -> None:
    assert migrate(timescaledb_database)
    assert migrate(timescaledb_database) == []
    with psycopg.connect(timescaledb_database) as connection:
        hypertables = connection.execute("SELECT count(*) FROM timescaledb_information.hypertables").fetchone()
    assert hypertables is not None
    assert hypertables[0] > 0


def test_commits_reach_the_disk_and_a_wrong_password_gets_nowhere(timescaledb_container: TimescaleContainer) -> None:
    with psycopg.connect(timescaledb_container.dsn()) as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
    assert settings == [("on",), ("on",)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(timescaledb_container.dsn(), password="wrong")


def test_counts_of_heartbeats_from_before_move_into_chunks(timescaledb_database: str) -> None:
    migrate(timescaledb_database, until="0046_pre_sample_exempt")
    with psycopg.connect(timescaledb_database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO rules.heartbeats_hourly"
            " SELECT 'U1', at, 60 FROM generate_series(TIMESTAMPTZ '2026-01-01Z', '2026-01-31Z', '1 hour') AS at"
        )
        migrate(timescaledb_database)
        assert connection.execute("SELECT count(*) FROM rules.heartbeats_hourly").fetchone() == (721,)
        chunks = connection.execute("SELECT count(*) FROM show_chunks('rules.heartbeats_hourly')").fetchone()
    assert chunks is not None
    assert chunks[0] >= 5
