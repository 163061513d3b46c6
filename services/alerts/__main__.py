"""`python -m services.alerts`: run one process until SIGTERM or SIGINT; `verify-audit` checks the audit chain."""

import asyncio
import sys

from services.alerts.app import run, verify_audit
from services.alerts.settings import AlertsSettings
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import ServiceSettings, load


async def _main(settings: AlertsSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1
    return 0


def _verify() -> int:
    settings = load(ServiceSettings)
    found = asyncio.run(verify_audit(settings.database_dsn.get_secret_value()))
    if found.broken_at is None:
        print(f"audit chain holds: {found.entries} entries, last hash {found.last_hash}")
        return 0
    print(f"audit chain is broken at entry {found.broken_at}: {found.why}; {found.entries} entries before it hold")
    return 1


if __name__ == "__main__":
    if sys.argv[1:] == ["verify-audit"]:
        sys.exit(_verify())
    if sys.argv[1:]:
        sys.exit("usage: python -m services.alerts [verify-audit]")
    loaded = load(AlertsSettings)
    configure("alerts", loaded.log_level)
    sys.exit(asyncio.run(_main(loaded)))
