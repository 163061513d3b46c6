"""A program that owns children, to be killed: `python -m tests.integration.stack.child_owner FOLDER TIE PART`.

It prints the process ids of what it started, then waits for ever.
"""

import sys
import threading
from pathlib import Path

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.part import ChildPart
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from deploy.stack.process import Child, Launch

SLEEPER = [sys.executable, "-c", "import threading; threading.Event().wait()"]


def main(folder: Path, tie: str, part: str) -> None:
    pids: list[int] = []
    if part == "child":
        # from a thread that ends at once: the child must outlive it, and not us
        starter = threading.Thread(
            target=lambda: pids.append(Child(Launch(SLEEPER, tie=tie), log=folder / "child.log").pid)
        )
        starter.start()
        starter.join()
    else:
        (port,) = free_ports(1)
        kinds: dict[str, type[Postgres] | type[Mosquitto]] = {"postgres": Postgres, "mosquitto": Mosquitto}
        started: ChildPart = kinds[part](folder, port=port)
        started.start()
        pids = started.pids
    print(*pids, flush=True)  # noqa: T201 - the test reads it
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
