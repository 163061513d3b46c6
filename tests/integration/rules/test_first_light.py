"""One heartbeat through real Kafka and PostgreSQL: online, offline after its deadline, online again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.stack.ports import free_ports
from services.rules.app import run
from services.rules.settings import RulesSettings
from services.runtime.lifecycle import Stop
from tests.integration.rules.harness import Harness, at, eventually, signal


@asynccontextmanager
async def rules(harness: Harness, instance: str = "rules-1") -> AsyncIterator[Stop]:
    """Run the service in this process until the block ends."""
    (port,) = free_ports(1)
    settings = RulesSettings(
        FIRENET_KAFKA_BOOTSTRAP=harness.bootstrap,
        FIRENET_DATABASE_DSN=harness.dsn,
        instance=instance,
        http_port=port,
        group=f"g-{harness.topics.signals}",
    )
    stop = Stop()
    running = asyncio.create_task(run(settings, stop, harness.topics))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(90):
            await running


async def test_a_heartbeat_brings_a_unit_online_and_its_deadline_takes_it_off(kafka_broker: str, database: str) -> None:
    harness = await Harness.build(kafka_broker, database, ["U1", "U2"])
    async with rules(harness):
        await eventually(lambda: harness.unit("U1"), lambda row: row == ("never_connected", "unknown"))
        await harness.tick(at(0))
        await harness.send([("U1", signal("U1", "heartbeat", at(1), "h1"))])
        await eventually(lambda: harness.unit("U1"), lambda row: row == ("online", "normal"))
        for second in range(1, 260, 3):
            await harness.tick(at(second))
        await eventually(lambda: harness.unit("U1"), lambda row: row == ("offline", "normal"))
        (began,) = await harness.findings(1)
        assert (began.data.kind, began.data.phase, began.data.effective_at) == ("connection_lost", "began", at(1))
        assert began.data.detected_at == at(241)
        assert began.data.clause == "000 二(二) last item"
        await harness.send([("U1", signal("U1", "heartbeat", at(n), f"h{n}")) for n in (262, 265)])
        await eventually(lambda: harness.unit("U1"), lambda row: row == ("online", "normal"))
    moves = await harness.query(
        "SELECT to_state FROM rules.transitions WHERE unit_id = 'U1' AND aspect = 'connection' ORDER BY detected_at"
    )
    assert [row[0] for row in moves] == ["never_connected", "online", "late", "offline", "online"]
    rates = await harness.query(
        "SELECT sum(in_scope), sum(connected), sum(never) FROM rules.rate_counts"
        " WHERE scope = 'S1' AND dimension = 'department' AND value = 'health'"
    )
    assert rates == [(2, 1, 1)]
    await harness.producer.stop()
