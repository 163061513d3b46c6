"""Several of each service, as `INGEST=2 RULES=4 make run` wires them: they share the work, and one of each may go."""

from pathlib import Path

import pytest

from deploy.stack.firenet import Options
from services.kernel.words import FindingKind
from tests.e2e.district import District
from tests.system import System, broker_options, running, wait_for

UNITS = 40
SEVERAL = {"ingest": 2, "rules": 4, "alerts": 4, "documents": 2}
OWNERS = """SELECT (SELECT count(DISTINCT owner) FROM rules.partitions),
    (SELECT count(DISTINCT owner) FROM alerts.partitions WHERE topic = 'firenet.findings.v1'),
    (SELECT count(DISTINCT owner) FROM alerts.partitions WHERE topic = 'firenet.alarms.v1'),
    (SELECT count(DISTINCT owner) FROM documents.partitions)"""
TWICE = """SELECT finding_id FROM alerts.cases WHERE unit_id = ANY(%s) GROUP BY finding_id HAVING count(*) > 1"""


def several() -> Options:
    options = broker_options(ladder_rate=600, mailbox=True, local_webhooks=True, several=SEVERAL)
    if not options.mosquitto:
        pytest.skip("no mosquitto on PATH: several processes of ingest share the messages of a broker that can do it")
    return options


def owners(system: System) -> tuple[int, ...]:
    (row,) = system.rows(OWNERS)
    return row


@pytest.mark.chaos
@pytest.mark.long
@pytest.mark.timeout(600)
def test_several_of_each_share_the_work_and_one_of_each_may_be_killed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # PostgreSQL runs as nobody where we are root
    with running(tmp_path / "site", several(), UNITS) as system:
        system.second("alerts", {"ALERTS_LANE": "fire"})
        wait_for("all have partitions", lambda: owners(system) == (4, 4, 2, 2))
        system.heartbeat_all()
        district = District(system)
        units = [f"U{number:06}" for number in range(2, 22)]
        fires, faults = FindingKind.FIRE.value, FindingKind.FAULT.value
        district.happens(*[(fires if number % 2 else faults, unit) for number, unit in enumerate(units[:8])])
        for name in ("ingest-2", "rules-2", "alerts-2", "second-alerts", "documents-2"):
            system.kill(name)
        district.happens(*[(fires if number % 2 else faults, unit) for number, unit in enumerate(units[8:16])])
        for name in ("ingest-2", "rules-2", "alerts-2", "second-alerts", "documents-2"):
            system.restart(name)
        district.happens(*[(fires if number % 2 else faults, unit) for number, unit in enumerate(units[16:])])
        district.settle()
        assert system.rows(TWICE, units) == []
        assert district.without_gap()
        assert max(district.heard().values()) <= 2, "of what was on its way at the kill one more copy at most"
