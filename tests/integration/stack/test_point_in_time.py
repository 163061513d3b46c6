"""The embedded database put back to an instant, on real servers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from deploy.stack.backup import BackupError
from deploy.stack.point_in_time import base_copy, recover
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.runtime.clock import SystemClock

NOW = datetime(2026, 3, 9, tzinfo=UTC)


def rows(server: Postgres, *statements: str) -> list[str]:
    """Run the statements, each by itself, and return what the table holds then."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY word")]


def test_the_database_is_as_it_was_at_the_instant(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # PostgreSQL runs as nobody where we are root
    folder, log = tmp_path / "postgres", tmp_path / "log"
    folder.mkdir(mode=0o755)
    (port,) = free_ports(1)
    server = Postgres(folder, port=port, archive_to=log, space_floor_mb=1)
    server.start()
    try:
        rows(server, "CREATE TABLE words (word text)", "INSERT INTO words VALUES ('a before the copy')")
        base = base_copy(folder, tmp_path / "bases", NOW, SystemClock())
        rows(server, "INSERT INTO words VALUES ('b before the instant')")
        with psycopg.connect(server.dsn()) as connection:
            until: datetime = connection.execute("SELECT clock_timestamp()").fetchall()[0][0]
        rows(server, "INSERT INTO words VALUES ('c after it')")
        with pytest.raises(BackupError, match="still runs"):
            recover(folder, base, log, until, NOW)
        server.stop()
        before = recover(folder, base, log, until, NOW)
        assert before is not None
        assert (before / "PG_VERSION").exists(), "what was there is kept"
        server.start()
        assert rows(server) == ["a before the copy", "b before the instant"]
        assert rows(server, "INSERT INTO words VALUES ('d goes on')")[-1] == "d goes on"
        later = base_copy(folder, tmp_path / "bases", NOW + timedelta(days=1), SystemClock())  # carries that instant
        all_there = rows(server, "INSERT INTO words VALUES ('e after the second copy')", "SELECT pg_switch_wal()")
        server.stop()
        recover(folder, later, log, None, NOW + timedelta(days=1))
        server.start()
        assert rows(server) == all_there, "the end of the log, not the instant of the recovery before"
    finally:
        server.stop()
