"""Do once what would make the first start slow: `python -m deploy.stack.warm_up`, after an install say.

It fetches Kafka's jars, then records a start of Kafka (Java's ahead-of-time cache, 63 MB in the user's cache
folder). A start takes a quarter of the CPU time afterwards. Nothing depends on it: without it parts start slower.
"""

import os
import sys
import tempfile
from pathlib import Path

from deploy.stack.kafka import Kafka, start_record
from deploy.stack.part import PartError
from deploy.stack.ports import free_ports
from deploy.stack.process import StartFailed


def warm_up() -> Path:
    """Return where the record is; makes it only when there is none for this Java and these jars.

    Raises:  PartError or StartFailed when Kafka cannot be fetched or started.
    """
    with tempfile.TemporaryDirectory(prefix="firenet-warm-up-") as folder:
        port, controller_port = free_ports(2)
        draft = Path(folder) / "start.aot"
        kafka = Kafka(Path(folder) / "kafka", port=port, controller_port=controller_port, record_to=draft)
        kafka.stop_limit_s = 120.0  # Java writes the record while it ends
        jars = kafka.resolve()
        record = start_record(os.pathsep.join(str(jar) for jar in jars))
        if record.exists():
            return record
        try:
            kafka.start()
        finally:
            kafka.stop()
        if draft.exists():
            record.parent.mkdir(parents=True, exist_ok=True)
            beside = record.with_suffix(f".{os.getpid()}")
            beside.write_bytes(draft.read_bytes())
            beside.replace(record)
        return record


def main() -> int:
    try:
        print(f"Kafka is ready to start fast: {warm_up()}")
    except (PartError, StartFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
