"""python -m services.rules [facts .. | positions ..]: the service, what a log establishes, how far Kafka was read."""

import asyncio
import sys

from services.rules.adapters.positions import STATEMENTS
from services.rules.app import run
from services.rules.command import facts
from services.rules.settings import RulesSettings
from services.runtime import positions
from services.runtime.kafka import KafkaUnavailable
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


async def _main(settings: RulesSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1  # the reason is in the log already
    except KafkaUnavailable as error:
        print(f"rules cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def main() -> None:
    if sys.argv[1:2] == ["facts"]:
        sys.exit(facts.run(sys.argv[2:], sys.stdout.buffer))
    if sys.argv[1:2] == ["positions"]:
        sys.exit(positions.main(sys.argv[2:], "rules", STATEMENTS))
    settings = load(RulesSettings)
    configure("rules", settings.log_level)
    sys.exit(asyncio.run(_main(settings)))


if __name__ == "__main__":
    main()
