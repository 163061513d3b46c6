"""Several processes of ingest: none throws another out, and no message waits for a member that is gone."""

import asyncio
import signal
from functools import partial

import pytest

from schemas.signal import TickState
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import assert_nothing_lost, load
from tests.integration.ingest.process import IngestProcess, until


def named(process: IngestProcess, name: str) -> bool:
    return f'"instance": "{name}"' in process.log()


def waits(process: IngestProcess) -> bool:
    return "is in use" in (process.checks() or {}).get("name", "")


def adopted(process: IngestProcess, count: int) -> bool:
    return process.metric("sessions_adopted_total") == count


@pytest.mark.chaos
async def test_a_second_process_under_a_name_in_use_says_so_and_waits_until_it_is_free(site: Site) -> None:
    gateways = await site.gateways(2)
    await site.ingest.start()
    twin = site.twin()
    await twin.launch()
    await until(lambda: waits(twin))
    await load(gateways, 100)
    assert twin.log().count("instance_name_in_use") == 1
    assert twin.metric("name_waiting") == 1
    assert twin.metric("mqtt_connects_total") == 0
    assert site.ingest.metric("mqtt_connects_total") == 2, "nobody threw the first one out"
    await site.ingest.kill()
    await load(gateways, 100)
    await until(twin.ready)
    assert twin.metric("name_waiting") == 0
    site.ingest = twin
    await assert_nothing_lost(site, gateways)


@pytest.mark.chaos
async def test_members_that_start_at_once_have_names_of_their_own_and_share_the_messages(group_site: Site) -> None:
    site = group_site
    gateways = await site.gateways(2)
    members = [site.member() for _ in range(3)]
    await asyncio.gather(*(member.start() for member in members))
    assert sorted(name for name in ("ingest-1", "ingest-2", "ingest-3") for one in members if named(one, name)) == [
        "ingest-1",
        "ingest-2",
        "ingest-3",
    ]
    await load(gateways, 100)
    await until(lambda: sum(one.metric("stored_total") for one in members) >= 200)
    if site.marked:  # dealt out in turn; from one queue of the group whoever comes first takes what is there
        assert min(one.metric("stored_total") for one in members) > 0
    assert {one.metric("mqtt_connects_total") for one in members} == {2}
    site.ingest = members[0]
    await assert_nothing_lost(site, gateways)


@pytest.mark.chaos
async def test_what_waits_for_a_member_that_is_gone_is_read_by_one_that_is_there(group_site: Site) -> None:
    """Stopped, killed and frozen; each time with messages dealt out to it that it has not read."""
    site = group_site
    gateways = await site.gateways(2)
    stays, goes = site.member(), site.member()
    await stays.start()
    await goes.start()
    for number, how in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP), 1):
        if how is not signal.SIGTERM:
            await goes.start()
        await load(gateways, 50)
        goes.signal(signal.SIGSTOP)  # in the midst of it; what is dealt out to it from now on waits at the broker
        await load(gateways, 50)
        if how is not signal.SIGSTOP:
            goes.signal(how)
            goes.signal(signal.SIGCONT)
        await load(gateways, 50)
        await until(partial(adopted, stays, number))
        if how is signal.SIGSTOP:
            goes.signal(signal.SIGCONT)
            assert await goes.wait() == 1, "its name is no longer its own: it ends, to begin anew"
            assert "took over" in goes.log()
    assert stays.metric("mqtt_connects_total") == 2
    site.ingest = stays
    written = await assert_nothing_lost(site, gateways)
    last = {(partition, tick.data.instance): tick.data.state for partition, _, tick in written.ticks}
    assert {state for (_, name), state in last.items() if name == "ingest-2"} == {TickState.LEAVING}, (
        "nobody waits for a member that is gone"
    )


@pytest.mark.chaos
@pytest.mark.long
async def test_without_a_share_group_the_next_process_goes_on_where_the_first_one_was(plain_site: Site) -> None:
    """Stopped, killed and frozen under load; each comes back and stands by."""
    site = plain_site
    gateways = await site.gateways(2)
    works, stands_by = site.member(), site.member()
    await works.start()
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        await stands_by.launch()
        await until(partial(waits, stands_by))
        await load(gateways, 50)
        works.signal(how)
        await load(gateways, 50)
        await until(stands_by.ready)
        await load(gateways, 50)
        if how is signal.SIGSTOP:
            works.signal(signal.SIGCONT)
            assert await works.wait() == 1, "its name is no longer its own: it ends, to begin anew"
        else:
            await works.wait()
        works, stands_by = stands_by, works
    site.ingest = works
    await assert_nothing_lost(site, gateways)
