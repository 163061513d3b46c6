"""Fires are told while PostgreSQL is stopped, frozen, or cannot be looked up, and written down when it is back."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.kernel.words import ContactRole
from tests.freezing import frozen
from tests.integration.alerts.scenario import (
    Hook,
    Scenario,
    contact_record,
    fire,
    pack_record,
    restore,
    sample_pack,
    scenario,
    unit_record,
    until,
)

CLAIMED = "SELECT count(*) = 3 FROM alerts.partitions WHERE topic = 'firenet.alarms.v1'"
UNITS = ("U1", "U2", "U3")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server of the test's own, which it breaks."""
    (port,) = free_ports(1)
    one = Postgres(tmp_path / "postgres", port=port)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@contextmanager
def stopped(server: Postgres) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def standing_still(server: Postgres) -> Iterator[None]:
    parent = server.pids[0]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    with frozen([parent, *map(int, children)]):
        yield


WAYS = {"stopped": stopped, "frozen": standing_still}


def away(way: str, server: Postgres) -> AbstractContextManager[None]:
    return WAYS[way](server)


HANGING_NAMES = """
import socket, sys, time
ask = socket.getaddrinfo
def asked(host, *more, **named):
    if host == "database.firenet-demo.cn":
        time.sleep(3600)
    return ask(host, *more, **named)
socket.getaddrinfo = asked
sys.argv = ["alerts"]
import runpy
runpy.run_module("services.alerts", run_name="__main__")
"""
"""alerts where the name server never answers for the name of the database."""


@asynccontextmanager
async def district(kafka: str, dsn: str, folder: Path) -> AsyncIterator[tuple[Scenario, Hook, Hook]]:
    async with scenario(kafka, dsn, folder) as here:
        centre, room = here.hook(), here.hook()
        await here.publish(
            pack_record(sample_pack()),
            contact_record("c-centre", "centre", url=centre.url),
            *[unit_record(unit) for unit in UNITS],
            *[contact_record(f"c-{unit}", unit, ContactRole.CONTROL_ROOM, url=room.url) for unit in UNITS],
        )
        yield here, centre, room


def ids(*hooks: Hook) -> Counter[str]:
    return Counter(one.headers["webhook-id"] for hook in hooks for one in hook.received)


def said(hook: Hook, unit: str) -> list[str]:
    """Return the steps that were told of a unit, in the order of arrival."""
    data = [json.loads(one.body)["data"] for one in hook.received]
    return [one["step"] for one in data if one["unit"]["id"] == unit]


async def until_said(hook: Hook, unit: str, *steps: str) -> None:
    async def came() -> bool:
        return said(hook, unit) == list(steps)

    await until(came, f"{unit}: {steps}", 60)


async def written_as_told(here: Scenario, *hooks: Hook) -> None:
    """One row for each notice that was heard, accepted, under the same id; nothing was heard twice."""
    await here.until_row("SELECT count(*) = %s AND bool_and(state = 'accepted') FROM alerts.notices", len(ids(*hooks)))
    rows = {row["notice_id"] for row in await here.rows("SELECT notice_id FROM alerts.notices")}
    assert rows == set(ids(*hooks))
    assert set(ids(*hooks).values()) == {1}


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_fires_and_their_ends_are_told_without_the_database_and_written_down_once(
    way: str, kafka_broker: str, server: Postgres, tmp_path: Path
) -> None:
    async with district(kafka_broker, server.dsn(), tmp_path) as (here, centre, room):
        here.start(ALERTS_LANE="fire")
        await here.until_row(CLAIMED)
        await here.publish(fire("U1", "u1-s1", point="1"))
        await until_said(centre, "U1", "F0")
        await here.until_row("SELECT count(*) = 2 FROM alerts.notices WHERE state = 'accepted'")
        with away(way, server):
            await here.publish(fire("U2", "u2-s1", point="1"))
            for hook in (centre, room):
                await until_said(hook, "U2", "F0")
            await here.publish(fire("U2", "u2-s2", point="2"))
            await until_said(centre, "U2", "F0", "F0.p2")
            await here.publish(restore("U2", "u2-s3"), restore("U1", "u1-s2"))
            await until_said(centre, "U2", "F0", "F0.p2", "CLEAR")
            for hook in (centre, room):
                await until_said(hook, "U1", "F0", "CLEAR")
            await here.publish(fire("U3", "u3-s1"))
            await until_said(room, "U3", "F0")
        await here.until_row("SELECT count(*) = 3 AND count(*) FILTER (WHERE state = 'open') = 1 FROM alerts.cases")
        await written_as_told(here, centre, room)
        await here.publish(restore("U3", "u3-s2"), fire("U2", "u2-s4"))
        await until_said(room, "U2", "F0", "CLEAR", "F0")


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_started_and_killed_without_the_database_it_tells_what_nobody_has_told(
    way: str, kafka_broker: str, server: Postgres, tmp_path: Path
) -> None:
    async with district(kafka_broker, server.dsn(), tmp_path) as (here, centre, room):
        with away(way, server):
            await here.publish(fire("U1", "u1-s1", point="1"))
            first = here.start(ALERTS_LANE="fire")
            for hook in (centre, room):
                await until_said(hook, "U1", "F0")
            first.kill()
            await asyncio.to_thread(first.wait, 30)
            await here.publish(fire("U2", "u2-s1"), restore("U2", "u2-s2"))
            here.start(ALERTS_LANE="fire")
            await until_said(room, "U1", "F0", "F0")
            await until(lambda: over_told(room, "U2"), "U2 is told with its end, or its end after it")
        await here.until_row("SELECT count(*) = 2 AND count(*) FILTER (WHERE state = 'open') = 1 FROM alerts.cases")
        await here.until_row("SELECT bool_and(state = 'accepted') FROM alerts.notices")
        rows = {row["notice_id"] for row in await here.rows("SELECT notice_id FROM alerts.notices")}
        assert rows == set(ids(centre, room))
        assert max(ids(centre, room).values()) == 2, "the kill costs one more copy, the return of the database none"
        assert said(room, "U2")[0] == "F0"
        await here.publish(fire("U3", "u3-s1"))
        await until_said(room, "U3", "F0")


async def test_started_without_the_database_it_reads_on_from_its_note(
    kafka_broker: str, server: Postgres, tmp_path: Path
) -> None:
    async with district(kafka_broker, server.dsn(), tmp_path) as (here, centre, room):
        first = here.start(ALERTS_LANE="fire")
        await here.until_row(CLAIMED)
        await here.publish(fire("U3", "u3-s1"))
        await here.until_row("SELECT count(*) = 2 FROM alerts.notices WHERE state = 'accepted'")
        await until(lambda: noted(kafka_broker, 1), "a note of what was taken in")
        first.kill()
        await asyncio.to_thread(first.wait, 30)
        with stopped(server):
            await here.publish(fire("U1", "u1-s1"))
            here.start(ALERTS_LANE="fire")
            for hook in (centre, room):
                await until_said(hook, "U1", "F0")
        await here.until_row("SELECT count(*) = 4 FROM alerts.notices WHERE state = 'accepted'")
        await written_as_told(here, centre, room)


async def noted(kafka: str, taken_in: int) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        notes = await admin.list_consumer_group_offsets("alerts-fire")
    finally:
        await admin.close()
    return bool(sum(max(0, note.offset) for note in notes.values()) == taken_in)


async def over_told(hook: Hook, unit: str) -> bool:
    data = [json.loads(one.body)["data"] for one in hook.received]
    return any(one["unit"]["id"] == unit and one["over"] for one in data)


async def test_name_server_that_hangs_holds_no_fire_up(kafka_broker: str, server: Postgres, tmp_path: Path) -> None:
    async with district(kafka_broker, server.dsn(), tmp_path) as (here, centre, room):
        dsn = server.dsn().replace("127.0.0.1", "database.firenet-demo.cn")
        process = here.start(python=("-c", HANGING_NAMES), FIRENET_DATABASE_DSN=dsn)
        await here.publish(fire("U1", "u1-s1"))
        for hook in (centre, room):
            await until_said(hook, "U1", "F0")
        await here.publish(restore("U1", "u1-s2"))
        await until_said(room, "U1", "F0", "CLEAR")
        process.kill()  # its threads wait for the name server
