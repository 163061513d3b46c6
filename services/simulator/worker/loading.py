"""Drives load at a planned rate, whatever the other side does, and keeps account of every message."""

import asyncio
import math
from datetime import datetime

from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.simulator.domain.load import BLOCK, Block, Latencies, LoadPlan, LoadReport
from services.simulator.ports import Ledger, LoadPipes

TICK_S = 0.002
MAX_AT_ONCE = 2_000
KEPT_BLOCKS = 64
"""Blocks held in memory, 1 MiB each; a longer run writes older ones to the ledger while it goes on."""


class OutcomeBlocks:
    """Outcomes of one plan's messages, in blocks."""

    def __init__(self) -> None:
        self._blocks: dict[int, Block] = {}

    def sent(self, number: int, at_s: float) -> None:
        block = self._blocks.get(number // BLOCK)
        if block is None:
            block = self._blocks[number // BLOCK] = Block()
        block.sent[number % BLOCK] = at_s

    def acked(self, number: int, at_s: float) -> None:
        block = self._blocks.get(number // BLOCK)
        if block is not None:
            block.acked[number % BLOCK] = at_s

    def take_oldest(self, keep: int) -> tuple[int, Block] | None:
        """Return and forget the oldest block when more than `keep` are held."""
        if len(self._blocks) <= keep:
            return None
        index = min(self._blocks)
        return index * BLOCK, self._blocks.pop(index)


class Loader:
    """One plan, its pipes and its page of the ledger."""

    def __init__(
        self, *, plan: LoadPlan, outcomes: OutcomeBlocks, pipes: LoadPipes, ledger: Ledger | None, clock: Clock
    ) -> None:
        self._plan = plan
        self._outcomes = outcomes
        self._pipes = pipes
        self._ledger = ledger
        self._clock = clock
        self._sent = 0
        self._acked = 0
        self._ack_latency = Latencies()
        self._lateness = Latencies()

    async def run(self, stop: Stop, *, settle_s: float = 10.0) -> LoadReport:
        """Send the plan, wait for the last answers, write the ledger. Raises LinkRefused when nobody answers at first.

        Latency counts from the intended instant, so a stalled receiver cannot hide its stall by slowing us down.
        """
        await self._pipes.open()
        started_at, started_s = self._clock.now(), self._clock.monotonic()
        number = 0
        try:
            while number < self._plan.total and not stop.is_set():
                due = self._plan.due_by(self._clock.monotonic() - started_s)
                if due > number:
                    number += self._pipes.send(number, min(due - number, MAX_AT_ONCE), self._clock.now())
                await asyncio.sleep(0 if due - number > MAX_AT_ONCE else TICK_S)
                self._write(KEPT_BLOCKS, started_s, started_at)
            took_s = self._clock.monotonic() - started_s
            await self._settle(settle_s)
        finally:
            await self._pipes.close()
            self._write(0, started_s, started_at)
        return LoadReport(
            planned=self._plan.total, sent=self._sent, acked=self._acked, unknown=self._sent - self._acked,
            took_s=took_s, ack_latency=self._ack_latency, lateness=self._lateness,
        )  # fmt: skip

    async def _settle(self, limit_s: float) -> None:
        until_s = self._clock.monotonic() + limit_s
        # An event set at every PUBACK would cost more than looking.
        while self._pipes.in_flight() and self._clock.monotonic() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(TICK_S)

    def _write(self, keep: int, started_s: float, started_at: datetime) -> None:
        while (oldest := self._outcomes.take_oldest(keep)) is not None:
            first, block = oldest
            self._count(first, block, started_s)
            if self._ledger is not None:
                self._ledger.write(self._plan, first, block, started_s, started_at)

    def _count(self, first: int, block: Block, started_s: float) -> None:
        for place, (sent_s, acked_s) in enumerate(zip(block.sent, block.acked, strict=True)):
            if math.isnan(sent_s):
                continue
            due_s = started_s + self._plan.due_s(first + place)
            self._sent += 1
            self._lateness.add(sent_s - due_s)
            if not math.isnan(acked_s):
                self._acked += 1
                self._ack_latency.add(acked_s - due_s)
