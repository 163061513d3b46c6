"""A story is told once, and once more when it is asked for after its end."""

import asyncio

import pytest

from services.runtime.lifecycle import Stop
from services.simulator.domain.district import District
from services.simulator.domain.script import Act, Event, Pace
from services.simulator.worker.playing import Player
from tests.fakes.clock import ManualClock
from tests.fakes.simulator import MemoryLinks, MemoryNarrator
from tests.unit.alerts.build import T0


@pytest.mark.thorough
async def test_a_story_is_told_again_only_after_its_end() -> None:
    narrator, stop, clock = MemoryNarrator(), Stop(), ManualClock(T0)
    script = [Event(0, Act.TELL, zh="开始", en="begin"), Event(10, Act.TELL, zh="结束", en="end")]
    player = Player(
        district=District.generate(1, units=10, towns=2), script=script, pace=Pace(), links=MemoryLinks(),
        narrator=narrator, clock=clock, seed=1,
    )  # fmt: skip
    running = asyncio.create_task(player.run(stop))
    assert await narrator.next() == "begin"
    assert not player.again(), "it is being told"
    clock.forward(10)
    assert await narrator.next() == "end"
    assert player.again()
    assert not player.again(), "asked twice is told once more, not twice"
    assert await narrator.next() == "begin"
    clock.forward(10)
    assert await narrator.next() == "end"
    stop.set()
    await running
