"""The TimescaleDB image: what our migrations need of it, and what its edition refuses."""

import secrets
from collections.abc import Iterator, Mapping

import docker
import docker.errors
import psycopg
import pytest

from services.runtime.migrate import migrate
from tests.containers import TimescaleContainer, running_timescaledb

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


@pytest.fixture
def volumes(docker_engine: docker.DockerClient) -> Iterator[dict[str, str]]:
    mark = secrets.token_hex(6)
    names = {f"firenet-test-{mark}-{kind}": f"/var/lib/firenet-{kind}" for kind in ("db", "copies")}
    try:
        yield names
    finally:
        for name in names:
            docker_engine.volumes.get(name).remove()


def notes(server: TimescaleContainer) -> list[str]:
    with psycopg.connect(server.dsn()) as connection:
        return [str(row[0]) for row in connection.execute("SELECT text FROM notes ORDER BY text")]


def recover(engine: docker.DockerClient, volumes: Mapping[str, str], *arguments: str) -> str:
    """Run `recover` beside or after the server and return what it said, also where it refused."""
    mounts = [f"{name}:{folder}" for name, folder in volumes.items()]
    try:
        said = engine.containers.run(
            "firenet/timescaledb:local",
            list(arguments),
            entrypoint="recover",
            volumes=mounts,
            network_mode="host",
            remove=True,
            stderr=True,
        )
    except docker.errors.ContainerError as error:
        said = error.stderr
    return bytes(said).decode()


def test_the_database_goes_back_to_an_instant_between_two_writes(
    docker_engine: docker.DockerClient, volumes: dict[str, str]
) -> None:
    with running_timescaledb(docker_engine, volumes, DATABASE_COPIES="yes") as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE notes (text text)")
            connection.execute("INSERT INTO notes VALUES ('1 before the copy')")
            code, said = server.container.exec(["base-copy"])
            base = said.decode().strip().splitlines()[-1]
            assert (code, base[:5]) == (0, "base-"), said
            connection.execute("INSERT INTO notes VALUES ('2 after the copy')")
            row = connection.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            connection.execute("INSERT INTO notes VALUES ('3 after the instant')")
        assert "still runs" in recover(docker_engine, volumes, base)
        server.container.get_wrapped_container().stop(timeout=60)
    assert "base-" in recover(docker_engine, volumes, "base-none")
    assert "is no time such as" in recover(docker_engine, volumes, base, "yesterday'")
    assert row[0].isoformat() in recover(docker_engine, volumes, base, row[0].isoformat())
    with running_timescaledb(docker_engine, volumes, DATABASE_COPIES="yes") as server:
        assert notes(server) == ["1 before the copy", "2 after the copy"]
        server.container.get_wrapped_container().stop(timeout=60)
    recover(docker_engine, volumes, base)
    with running_timescaledb(docker_engine, volumes) as server:
        assert notes(server) == ["1 before the copy", "2 after the copy"]
