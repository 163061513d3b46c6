"""`python -m services.documents`: run one process until SIGTERM or SIGINT."""

import asyncio
import sys

from services.documents.app import run
from services.documents.settings import DocumentsSettings
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


async def _main(settings: DocumentsSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("usage: python -m services.documents")
    loaded = load(DocumentsSettings)
    configure("documents", loaded.log_level)
    sys.exit(asyncio.run(_main(loaded)))
