"""The whole system lost and put back: from a copy of everything, the database alone to an instant, Kafka not at all."""

import hashlib
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from deploy.stack.backup import backup, restore
from deploy.stack.part import Part, PartError
from deploy.stack.point_in_time import base_copy, recover
from services.runtime.clock import SystemClock
from tests.system import System, broker_options, message, running, wait_for

UNITS = 20
CLOCK = SystemClock()
TABLES = """SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2"""
GATEWAY = "SELECT min(id) FROM registry.in_force WHERE kind = 'gateway' AND body ->> 'unit_id' = %s"
NOTICES = """SELECT count(*) FROM alerts.notices n JOIN alerts.cases c USING (case_id)
    WHERE c.unit_id = %s AND c.kind = %s AND n.state = 'accepted'"""
WAITING = """SELECT count(*) FROM alerts.notices
    WHERE state IN ('pending', 'sending') AND reason IS DISTINCT FROM 'grouped'"""
FACTS = """SELECT transition_id, unit_id, aspect, from_state, to_state, effective_at, detected_at, cause,
    evidence_topic, evidence_partition, evidence_offset FROM rules.transitions WHERE unit_id = ANY(%s) ORDER BY 1"""
CASES = (
    "SELECT case_id, unit_id, kind, finding_id FROM alerts.cases WHERE unit_id = ANY(%s) AND kind = ANY(%s) ORDER BY 1"
)
NUMBERS = """SELECT document_id, unit_id, issuer, mark, year, serial, issued_at FROM documents.documents
    WHERE serial IS NOT NULL ORDER BY issuer, mark, year, serial"""
KINDS = ["fire", "fault"]


class District:
    """Units that say what happened to them, and what the system knows of it."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.seq: Counter[str] = Counter()
        self.told: list[str] = []

    def happens(self, *stories: tuple[str, str]) -> None:
        """Say what happens to which unit, and return once somebody was told; of a fault, once a document has a number.

        Ladders run on meanwhile: there may be more documents at any time.
        """
        for kind, unit in stories:
            gateway = self.system.value(GATEWAY, unit)
            self.seq[gateway] += 1
            lane = "alarm/json" if kind == "fire" else "up/json"
            self.system.publish(gateway, message(kind, self.seq[gateway], point={"address": "12"}), lane)
        for kind, unit in stories:
            self._await(kind, unit)
            self.told.append(unit)

    def _await(self, kind: str, unit: str) -> None:
        wait_for(f"{kind} of {unit} told", lambda: self.system.value(NOTICES, unit, kind) > 0)
        if kind == "fault":
            wait_for(f"document of {unit}", lambda: unit in {row[1] for row in self.numbers()})

    def settle(self) -> None:
        """Return once all that was to be sent by now is sent; what waits for a common mail may wait."""
        wait_for("nothing on its way", lambda: self.system.value(WAITING) == 0)

    def without_gap(self) -> bool:
        """Tell whether each series has its numbers from 1 on, each once."""
        series: dict[tuple[Any, ...], list[int]] = {}
        for _, _, issuer, mark, year, serial, _ in self.numbers():
            series.setdefault((issuer, mark, year), []).append(serial)
        return all(sorted(found) == list(range(1, len(found) + 1)) for found in series.values())

    def facts(self) -> list[tuple[Any, ...]]:
        return self.system.rows(FACTS, self.told)

    def cases(self) -> list[tuple[Any, ...]]:
        return self.system.rows(CASES, self.told, KINDS)

    def numbers(self) -> list[tuple[Any, ...]]:
        return self.system.rows(NUMBERS)

    def heard(self) -> Counter[str]:
        """Return how often the centre heard each notice."""
        return Counter(one.id for one in self.system.heard)


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


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(900)
def test_everything_comes_back_from_a_copy_the_database_from_an_instant_and_alarms_without_the_log(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o755)  # PostgreSQL runs as nobody where we are root
    log = tmp_path / "log"
    options = broker_options(ladder_rate=600, mailbox=True, local_webhooks=True, log_archive=log)
    with running(tmp_path / "site", options, UNITS) as system:
        district = District(system)
        system.heartbeat_all()
        district.happens(("fire", "U000002"), ("fault", "U000003"))
        _from_a_copy(system, district, tmp_path / "copies")
        _to_an_instant(system, district, tmp_path / "bases", log)
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
