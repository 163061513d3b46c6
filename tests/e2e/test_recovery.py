"""The whole system lost and put back: from a copy of everything, the database alone to an instant, Kafka not at all."""

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from deploy.stack.backup import backup, restore
from deploy.stack.part import Part, PartError
from deploy.stack.point_in_time import base_copy, recover
from services.runtime.clock import SystemClock
from tests.e2e.district import District
from tests.system import System, broker_options, running, wait_for

UNITS = 20
CLOCK = SystemClock()
TABLES = """SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2"""


def contents(system: System) -> dict[str, str]:
    """Return a digest of all rows of each table: to be called while no service runs."""
    found: dict[str, str] = {}
    for schema, table in system.rows(TABLES):
        query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(schema, table))
        digest = hashlib.sha256()
        for (row,) in system.rows(query.as_string()):
            digest.update(row.encode() + b"\n")
        found[f"{schema}.{table}"] = digest.hexdigest()
    return found


def out(text: str) -> None:
    """Print for `pytest -s`: a bound would be one on the machine's load."""
    sys.stdout.write(f"{text}\n")


def start(parts: Sequence[Part]) -> None:
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        list(pool.map(lambda part: part.start(), parts))


def stop(parts: Sequence[Part]) -> None:
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        list(pool.map(lambda part: part.stop(), parts))


pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(900)]


@contextmanager
def district_of(folder: Path, log: Path | None = None) -> Iterator[tuple[System, District]]:
    folder.chmod(0o755)  # PostgreSQL runs as nobody where we are root
    options = broker_options(ladder_rate=600, mailbox=True, local_webhooks=True, log_archive=log)
    with running(folder / "site", options, UNITS) as system:
        district = District(system)
        system.heartbeat_all()
        district.happens(("fire", "U000002"), ("fault", "U000003"))
        yield system, district


def test_everything_comes_back_from_a_copy_and_the_database_alone_from_an_instant(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with district_of(tmp_path, log) as (system, district):
        _from_a_copy(system, district, tmp_path / "copies")
        _to_an_instant(system, district, tmp_path / "bases", log)


def test_alarms_go_on_without_the_log_and_all_the_rest_when_a_person_has_said_how(tmp_path: Path) -> None:
    with district_of(tmp_path) as (system, district):
        _without_the_log(system, district)


def _from_a_copy(system: System, district: District, copies: Path) -> None:
    folder, services = system.firenet.folder, list(system.services.values())
    district.settle()
    stop(services)
    before, numbers, heard = contents(system), district.numbers(), district.heard()
    stop(system.firenet.parts)
    backup(folder, copies, CLOCK.now())
    shutil.rmtree(folder)
    began = CLOCK.monotonic()
    restore(copies, folder, CLOCK.now())
    start(system.firenet.parts)
    assert contents(system) == before
    start(services)
    out(f"a copy of {UNITS} units put back, compared and running: {CLOCK.monotonic() - began:.1f} s")
    system.heartbeat_all()
    district.happens(("fire", "U000004"), ("fault", "U000005"))
    assert set(numbers) <= set(district.numbers())
    assert district.without_gap(), "numbers go on where they were"
    assert {one: district.heard()[one] for one in heard} == heard, "what was told is told no second time"


def _to_an_instant(system: System, district: District, bases: Path, log: Path) -> None:
    """The database is put back to before a fire and faults that were told of, with numbers on paper; Kafka is not."""
    services, postgres = list(system.services.values()), system.firenet.postgres
    base = base_copy(postgres.folder, bases, CLOCK.now(), CLOCK)
    district.happens(("fault", "U000006"))
    until = system.value("SELECT clock_timestamp()")
    after = [("fire", "U000007"), ("fault", "U000008"), ("fault", "U000009")]
    district.happens(*after)
    district.settle()
    stop(services)
    facts, cases, numbers, heard = district.facts(), district.cases(), district.numbers(), district.heard()
    postgres.stop()  # its last piece of log is archived when it ends

    began = CLOCK.monotonic()
    recover(postgres.folder, base, log, until, CLOCK.now())
    postgres.start()
    assert {row[1] for row in district.numbers()}.isdisjoint({unit for _, unit in after}), "it is as it was then"
    start(services)
    wait_for("facts as before", lambda: set(facts) <= set(district.facts()))
    wait_for("cases as before", lambda: district.cases() == cases)
    wait_for("numbers as on paper", lambda: set(numbers) <= set(district.numbers()))
    out(f"the database put back to an instant, and all after it worked off: {CLOCK.monotonic() - began:.1f} s")
    system.heartbeat_all()
    district.happens(("fault", "U000010"), ("fire", "U000011"))
    district.settle()
    assert set(numbers) <= set(district.numbers())
    assert district.without_gap()
    again = {one: district.heard()[one] - many for one, many in heard.items()}
    assert set(again.values()) <= {0, 1}, "one more copy at most, under the same id"


def _without_the_log(system: System, district: District) -> None:
    """Kafka lost all that it had; the database is whole. Fires are told before a person has said how to go on."""
    firenet = system.firenet
    others = [one for name, one in system.services.items() if name not in ("ingest", "alerts-fire")]
    district.settle()
    stop(others)
    facts, cases, numbers, heard = district.facts(), district.cases(), district.numbers(), district.heard()
    firenet.kafka.stop()
    shutil.rmtree(firenet.kafka.folder)

    began = CLOCK.monotonic()
    firenet.kafka.start()
    firenet.command("services.registry", "topics")
    firenet.command("services.registry", "publish", "--all")
    district.happens(("fire", "U000012"))
    out(f"Kafka made anew, and the first fire told: {CLOCK.monotonic() - began:.1f} s")
    (firenet.folder / "archive").rename(firenet.folder / "archive-before")
    for service in ("rules", "alerts", "documents"):
        with pytest.raises(PartError, match="code 1"):
            firenet.command(f"services.{service}", "positions")
        firenet.command(f"services.{service}", "positions", "--move", "beginning")
        firenet.command(f"services.{service}", "positions")
    start(others)
    system.heartbeat_all()
    district.happens(("fault", "U000013"), ("fire", "U000014"))
    out(f"Kafka made anew, and everything runs: {CLOCK.monotonic() - began:.1f} s")
    district.settle()
    assert set(facts) <= set(district.facts())
    assert set(cases) <= set(district.cases())
    assert set(numbers) <= set(district.numbers())
    assert district.without_gap(), "numbers go on where they were"
    assert {one: district.heard()[one] for one in heard} == heard, "what was told is told no second time"
