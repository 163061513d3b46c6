"""`python -m services.compliance [figures | explain | log | replay ..]`: the service, or one answer."""

import asyncio
import sys

from services.compliance.settings import ComplianceSettings
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


async def _main(settings: ComplianceSettings) -> int:
    from services.compliance.app import run

    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1  # the reason is in the log already
    return 0


def main() -> None:
    # Each imports its own: Kafka and HTTP are half a second of processor that `figures` has no use for.
    if sys.argv[1:2] == ["log"]:
        from services.compliance.cli import log

        sys.exit(log.run(sys.argv[2:], sys.stdout.buffer, sys.stderr))
    if sys.argv[1:2] == ["replay"]:
        from services.compliance.cli import replay

        sys.exit(replay.run(sys.argv[2:], sys.stdout.buffer, sys.stderr))
    if sys.argv[1:2] == ["explain"]:
        from services.compliance.cli import explain

        sys.exit(explain.run(sys.argv[2:], sys.stdout, sys.stderr))
    if sys.argv[1:]:
        from services.compliance.cli import figures

        sys.exit(figures.run(sys.argv[1:], sys.stdin.buffer, sys.stdout.buffer))
    settings = load(ComplianceSettings)
    configure("compliance", settings.log_level)
    sys.exit(asyncio.run(_main(settings)))


if __name__ == "__main__":
    main()
