"""`python -m tests.integration.rules.process SIGNALS REGISTRY FINDINGS PARTITIONS`: rules with topics of a test."""

import asyncio
import sys

from services.rules.app import Topics, run
from services.rules.settings import RulesSettings
from services.runtime.lifecycle import Stop, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


async def _main() -> None:
    stop = Stop()
    install_signal_handlers(stop)
    signals, registry, findings, partitions = sys.argv[1:]
    await run(load(RulesSettings), stop, Topics(signals, registry, findings, int(partitions)))


if __name__ == "__main__":
    configure("rules", "info")
    asyncio.run(_main())
