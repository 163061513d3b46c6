"""A rolling upgrade under load, back, and forward again: nothing is lost, and nothing is done twice."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence

import pytest

from schemas import topics
from tests.chaos import probe
from tests.chaos.scenario import LIMIT_S, Scenario, scenario
from tests.checker import told
from tests.system import wait_for
from tests.upgrade.fleet import ON_THE_WAY_OF_A_FIRE, READERS_FIRST, Fleet
from tests.upgrade.versions import LONG, NEW, Version

ISSUED = "SELECT request_id FROM documents.documents"
SERIES = """SELECT issuer, mark, year, array_agg(serial ORDER BY serial) FROM documents.documents
    WHERE serial IS NOT NULL GROUP BY issuer, mark, year"""

PLAN = {"messages_per_s": 60.0, "faults_per_s": 1.0, "fires_per_s": 0.3, "silent_share": 0.2, "gone_share": 0.05}
"""What the gateways send: little enough for a machine that starts some twenty processes meanwhile."""

pytestmark = [pytest.mark.chaos, pytest.mark.long]


@pytest.fixture(scope="module")
def here(old: Version, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    if shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto on PATH: two processes of ingest share the messages of a broker that can do it")
    folder = tmp_path_factory.mktemp("rolling")
    with scenario(folder, units=24, rate=24, ladder_rate=60, root=old.root, **PLAN) as one:
        yield one


@pytest.mark.timeout(1200)
def test_forwards_back_and_forwards_again_under_load(here: Scenario, old: Version) -> None:
    fleet = Fleet(here.system)
    writers_first = tuple(reversed(READERS_FIRST if os.environ.get(LONG) else ON_THE_WAY_OF_A_FIRE))
    with here.storm():
        here.await_messages(300)
        prepare(here)
        roll(here, fleet, READERS_FIRST, NEW)
        roll_back(here, fleet, writers_first, old)
        roll(here, fleet, tuple(reversed(writers_first)), NEW)
        if os.environ.get(LONG):
            for order in (writers_first, READERS_FIRST):  # a cluster that replaces all at once keeps to no order
                roll_back(here, fleet, order, old)
                roll(here, fleet, order, NEW)
        here.say(here.system.firenet.command("services.runtime.migrate", "--post").strip())
        here.await_messages(300)
    here.drain()
    assert not wrong(here)
    assert not numbers(here)
    assert not here.restore_fires()


def roll_back(here: Scenario, fleet: Fleet, order: Sequence[str], version: Version) -> None:
    """The register first: as the version to come has written it the one before may not be able to read it."""
    here.system.firenet.root = version.root
    here.system.firenet.command("services.registry", "publish")
    roll(here, fleet, order, version)


def prepare(here: Scenario) -> None:
    """What a release does first, with the version before still at work (deploy/helm, prepare.yaml)."""
    firenet = here.system.firenet
    firenet.root = NEW.root
    firenet.command("services.registry", "topics")
    here.say(firenet.command("services.runtime.migrate").strip())
    firenet.command("services.registry", "publish")


def roll(here: Scenario, fleet: Fleet, order: Sequence[str], version: Version) -> None:
    for kind in order:
        fleet.replace(kind, version, together=lambda: here.await_messages(60))
    here.say(f"{', '.join(order)}: {version.name}")


def wrong(here: Scenario) -> list[str]:
    """Return what the accounts of the chaos tests find.

    One thing is left out: two processes of ingest bring the messages of one gateway in another order. That this changes
    nothing is what the replay says. Nobody was killed, so no notice may come twice.
    """
    return [line for line in here.verdict() if not line.startswith("out of order")]


def numbers(here: Scenario) -> list[str]:
    """Each request becomes one document, and each series of numbers is 1, 2, 3 .. ."""
    log = probe.read_topic(here.system.firenet.kafka.bootstrap, topics.REQUESTS)
    requested = {json.loads(entry.value)["data"]["request_id"] for records in log.values() for entry, _ in records}
    wait_for("each request's document", lambda: requested <= {name for (name,) in here.system.rows(ISSUED)}, LIMIT_S)
    series = here.system.rows(SERIES)
    here.say(f"{len(requested)} documents in {len(series)} series of numbers")
    gaps = [f"{row[:3]}: {row[3]}" for row in series if list(row[3]) != list(range(1, len(row[3]) + 1))]
    return told("series with a gap, or with a number twice", gaps)
