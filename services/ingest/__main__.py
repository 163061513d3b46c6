"""`python -m services.ingest`: run one ingest process until SIGTERM or SIGINT."""

import asyncio
import sys

from services.ingest.app import run
from services.ingest.settings import IngestSettings
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


async def _main(settings: IngestSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1
    return 0


if __name__ == "__main__":
    loaded = load(IngestSettings)
    configure("ingest", loaded.log_level)
    sys.exit(asyncio.run(_main(loaded)))
