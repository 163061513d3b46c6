"""Back-up, destruction and restore of the real log and the real database, as `make run` keeps them."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from deploy.stack.backup import backup, restore
from deploy.stack.kafka import Kafka
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics

TOPIC = "firenet.test.log"


class Parts:
    """Database and log of one folder, on new ports each time: a restored machine is another one."""

    def __init__(self, folder: Path) -> None:
        kafka_port, controller, postgres_port = free_ports(3)
        self.kafka = Kafka(folder / "kafka", port=kafka_port, controller_port=controller)
        self.postgres = Postgres(folder / "postgres", port=postgres_port)

    def __enter__(self) -> "Parts":
        self.kafka.start()
        self.postgres.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.postgres.stop()
        self.kafka.stop()

    async def take(self, *values: bytes) -> list[int]:
        """Write to the log, and the next offset to the database; return the offsets."""
        await ensure_topics(
            self.kafka.bootstrap, [TopicSpec(TOPIC, 1, compact=False, retention_ms=None, max_message_bytes=1000)]
        )
        producer = BatchProducer(self.kafka.bootstrap, "test")
        await producer.start()
        places = await producer.send_many([Record(TOPIC, None, value, 0) for value in values])
        await producer.stop()
        offsets = [offset for _, offset in places]
        with psycopg.connect(self.postgres.dsn()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS positions (next_offset bigint)")
            connection.execute("INSERT INTO positions VALUES (%s)", (offsets[-1] + 1,))
        return offsets

    def positions(self) -> list[int]:
        with psycopg.connect(self.postgres.dsn()) as connection:
            return [row[0] for row in connection.execute("SELECT next_offset FROM positions ORDER BY 1")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)  # PostgreSQL runs as nobody where we are root
    found = tmp_path / "run"
    found.mkdir(mode=0o755)
    return found


async def test_the_log_goes_on_at_the_position_that_the_database_has_and_later_work_is_gone(
    folder: Path, tmp_path: Path
) -> None:
    with Parts(folder) as parts:
        assert await parts.take(b"one", b"two") == [0, 1]
    backup(folder, tmp_path / "copies", datetime(2026, 3, 9, tzinfo=UTC))
    shutil.rmtree(folder)
    restore(tmp_path / "copies", folder, datetime(2026, 3, 10, tzinfo=UTC))
    with Parts(folder) as parts:
        assert parts.positions() == [2]
        assert await parts.take(b"three") == [2], "the log goes on where the database reads on"
        assert parts.positions() == [2, 3]
