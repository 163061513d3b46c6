"""Import to topic on real PostgreSQL and Kafka."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.adapters.kafka import KafkaBus
from services.registry.adapters.postgres import PostgresStore, open_store
from services.registry.domain.entities import Facts, Kind, Version
from services.registry.domain.errors import BusUnavailable
from services.registry.ports import Bus
from services.registry.worker.asking import Answers
from services.registry.worker.importing import Importer
from services.registry.worker.publishing import Publisher
from services.runtime.kafka import TopicSpec, ensure_topics
from services.simulator.adapters.tables import write_tables
from services.simulator.domain.district import District
from tests.contract.registry.test_bus import read_topic
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryBus
from tests.unit.registry.builders import PACK_FILE, T0


@dataclass
class Stand:
    dsn: str
    bootstrap: str
    topic: str
    store: PostgresStore
    bus: KafkaBus
    clock: ManualClock
    importer: Importer
    publisher: Publisher

    async def on_topic(self) -> dict[str, list[Version[Facts]]]:
        return await read_topic(self.bootstrap, self.topic)

    async def in_store(self) -> dict[str, list[Version[Facts]]]:
        async with self.store.transaction() as register:
            found = [each for kind in Kind for each in (await register.histories(kind)).values()]
        return {f"{history.kind.value}:{history.id}": list(history.versions) for history in found}

    def count(self) -> tuple[int, int]:
        """Return how many versions and imports the database holds."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM registry.versions), (SELECT count(*) FROM registry.imports)"
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    async def take(self, paths: list[Path]) -> int:
        """Import and return how many errors there were."""
        reports = await self.importer.import_files([(str(path), None) for path in paths])
        return sum(report.total_errors for report in reports)


@pytest.fixture
async def stand(migrated_database: str, kafka_broker: str) -> AsyncIterator[Stand]:
    topic = f"registry-{secrets.token_hex(4)}"
    await ensure_topics(kafka_broker, [TopicSpec(topic, 3, True, None, 1_048_576)])
    clock, bus = ManualClock(T0), KafkaBus(bootstrap=kafka_broker, topic=topic)
    async with open_store(migrated_database, "tests") as store:
        importer = Importer(files=LocalFiles(), store=store, clock=clock)
        publisher = Publisher(store=store, bus=bus, clock=clock, batch=300)
        assert not (await importer.import_pack(str(PACK_FILE))).refused
        yield Stand(migrated_database, kafka_broker, topic, store, bus, clock, importer, publisher)
    await bus.close()


async def test_topic_holds_what_the_register_holds(stand: Stand, tmp_path: Path) -> None:
    district = District.generate(1, units=60, towns=5)
    assert await stand.take(write_tables(district, tmp_path)) == 0
    count = await stand.publisher.publish()
    held = await stand.in_store()
    assert count == len(held) == 1 + 5 + 60 + len(district.gateways) + len(district.contacts)
    assert await stand.on_topic() == held
    assert await stand.publisher.publish() == 0


async def test_second_import_changes_nothing(stand: Stand, tmp_path: Path) -> None:
    paths = write_tables(District.generate(1, units=40, towns=5), tmp_path)
    await stand.take(paths)
    before = stand.count()
    stand.clock.forward(days=2)
    assert await stand.take(paths) == 0
    assert not (await stand.importer.import_pack(str(PACK_FILE))).changed
    assert stand.count() == before


async def test_refused_file_changes_nothing(stand: Stand, tmp_path: Path) -> None:
    paths = write_tables(District.generate(1, units=40, towns=5), tmp_path)
    departments, units, *_ = paths
    await stand.take([departments])
    before = stand.count()
    text = units.read_text(encoding="utf-8-sig").splitlines()
    text[20] = text[20].replace("sample", "elsewhere")
    units.write_text("\n".join(text), encoding="gb18030")
    assert await stand.take([units]) == 1
    assert stand.count() == before


async def test_dry_run_changes_nothing(stand: Stand, tmp_path: Path) -> None:
    paths = write_tables(District.generate(1, units=40, towns=5), tmp_path)
    before = stand.count()
    reports = await stand.importer.import_files([(str(path), None) for path in paths], dry_run=True)
    assert [report.total_errors for report in reports] == [0, 0, 0, 0]
    assert all(report.changed for report in reports)
    assert stand.count() == before


async def test_publish_that_failed_is_made_up_for(stand: Stand, tmp_path: Path) -> None:
    """Kafka goes away after the first batch; what it has is not forgotten, what it lacks goes out next time."""
    await stand.take(write_tables(District.generate(1, units=40, towns=5), tmp_path))
    broken: Bus = MemoryBus(fail_after=1)
    with pytest.raises(BusUnavailable):
        await Publisher(store=stand.store, bus=broken, clock=stand.clock, batch=50).publish()
    waiting = (await Answers(store=stand.store, clock=stand.clock).check()).unpublished
    assert waiting == len(await stand.in_store()) - 50
    assert await stand.publisher.publish() == waiting


async def test_changed_unit_is_published_with_all_its_versions(stand: Stand, tmp_path: Path) -> None:
    district = District.generate(1, units=40, towns=5)
    await stand.take(write_tables(district, tmp_path))
    await stand.publisher.publish()
    stand.clock.forward(days=1)
    renamed = replace(district.units[0], name="更名医院")
    after = replace(district, valid_from=stand.clock.now().date(), units=[renamed, *district.units[1:]])
    assert await stand.take([write_tables(after, tmp_path)[1]]) == 0
    assert await stand.publisher.publish() == 1
    versions = (await stand.on_topic())["unit:U000001"]
    assert [version.facts.name for version in versions if hasattr(version.facts, "name")] == [
        district.units[0].name, "更名医院",
    ]  # fmt: skip


async def test_two_imports_at_once_take_turns(stand: Stand, tmp_path: Path) -> None:
    """The lock is the database's: a second connection waits, sees the first one's rows and changes nothing."""
    paths = write_tables(District.generate(1, units=40, towns=5), tmp_path)
    async with open_store(stand.dsn, "other") as other:
        second = Importer(files=LocalFiles(), store=other, clock=stand.clock)
        async with stand.store.transaction():
            task = asyncio.create_task(second.import_files([(str(path), None) for path in paths]))
            await _someone_waits_for_the_lock(stand.dsn)
        first = await task
        again = await stand.importer.import_files([(str(path), None) for path in paths])
    assert all(report.changed for report in first)
    assert not any(report.changed for report in again)


async def _someone_waits_for_the_lock(dsn: str) -> None:
    waiting = (
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with asyncio.timeout(60), await psycopg.AsyncConnection.connect(dsn, autocommit=True) as watcher:
        while await (await watcher.execute(waiting)).fetchone() is None:  # noqa: ASYNC110 - the server sends no event
            await asyncio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_twenty_thousand_units(stand: Stand, tmp_path: Path) -> None:
    district = District.generate(1, units=20_000, towns=100)
    departments, units, gateways, _ = write_tables(district, tmp_path)
    assert await stand.take([departments, units, gateways]) == 0
    assert await Publisher(store=stand.store, bus=stand.bus, clock=stand.clock, batch=2000).publish() > 40_000
    assert sum(key.startswith("unit:") for key in await stand.on_topic()) == 20_000
