"""The link between broker and ingest in every bad mood: ingest comes back by itself, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import assert_nothing_lost, load, load_until
from tests.integration.ingest.process import Gateway, until
from tests.proxy import Manners, Proxy, proxy

pytestmark = pytest.mark.chaos


class Linked:
    """A site whose ingest reaches the broker over a hop, under load."""

    def __init__(self, site: Site, hop: Proxy, gateways: list[Gateway]) -> None:
        self.site = site
        self.hop = hop
        self.gateways = gateways
        self._done = asyncio.Event()
        self._loading: asyncio.Task[None] | None = None

    async def load(self) -> None:
        self._loading = asyncio.create_task(load_until(self.gateways, self._done))
        await self.more()

    async def more(self, messages: int = 200) -> None:
        """Return when so many more messages are stored."""
        stored = self.site.ingest.metric("stored_total")
        await until(lambda: self.site.ingest.metric("stored_total") >= stored + messages)

    async def verdict(self) -> None:
        self._done.set()
        if self._loading is not None:
            await self._loading
        await until(self.site.ingest.ready)
        await assert_nothing_lost(self.site, self.gateways)
        assert self.site.ingest.metric("mqtt_session_lost_total") == 0


@pytest.fixture
async def linked(site: Site, request: pytest.FixtureRequest) -> AsyncIterator[Linked]:
    """Gives a silent link up after 3 s, or after as many seconds as the test asks for."""
    gateways = await site.gateways(2)
    async with proxy(site.broker.port) as hop:
        site.ingest.connect_to(hop.port, silent_limit_s=getattr(request, "param", 3))
        await site.ingest.start()
        yield Linked(site, hop, gateways)
        await site.ingest.stop()


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_a_link_that_is_cut_again_and_again(linked: Linked, reset: bool) -> None:
    await linked.load()
    for calls in (4, 6, 8):
        await linked.hop.cut(reset=reset)
        await until(lambda calls=calls: linked.hop.calls >= calls)  # type: ignore[misc] # bound at once
        await linked.more()
    await linked.verdict()


async def test_a_link_that_ends_in_the_middle_of_packets(linked: Linked) -> None:
    linked.hop.manners.cut_after = 4099
    await linked.hop.cut()
    await linked.load()
    await until(lambda: linked.hop.calls >= 8)
    linked.hop.manners.cut_after = None
    await linked.verdict()


async def test_a_broker_that_accepts_and_never_answers(linked: Linked) -> None:
    await linked.load()
    linked.hop.manners.half_open = True
    await linked.hop.cut()
    await until(lambda: not linked.site.ingest.ready())
    await until(lambda: linked.hop.calls >= 6)  # both lanes have given up a dead call by themselves
    linked.hop.manners.half_open = False
    await linked.verdict()


@pytest.mark.parametrize("mute", [Manners(mute_up=True), Manners(mute_down=True)], ids=["up", "down"])
async def test_a_link_that_carries_one_way_only(linked: Linked, mute: Manners) -> None:
    await linked.load()
    linked.hop.manners = mute
    await until(lambda: not linked.site.ingest.ready())
    await until(lambda: linked.hop.calls >= 4)
    linked.hop.manners = Manners()
    await linked.verdict()


@pytest.mark.parametrize("linked", [30], indirect=True, ids=["patient"])  # a busy machine is slow enough by itself
@pytest.mark.parametrize(
    "slow", [Manners(delay_s=0.5, jitter_s=0.2), Manners(bytes_per_s=10_000)], ids=["500-ms-and-jitter", "10-kB-per-s"]
)
async def test_a_slow_link_only_takes_its_time(linked: Linked, slow: Manners) -> None:
    calls = linked.hop.calls
    linked.hop.manners = slow
    await load(linked.gateways, 50)
    await until(lambda: linked.site.ingest.metric("stored_total") == 100)
    assert linked.hop.calls == calls, "slow is not dead"
    await until(linked.site.ingest.ready)
    linked.hop.manners = Manners()
    await linked.verdict()


async def test_nobody_listens_for_a_while(linked: Linked) -> None:
    await linked.load()
    await linked.hop.refuse()
    await linked.hop.cut()
    await until(lambda: not linked.site.ingest.ready())
    await linked.hop.start()
    await linked.verdict()
