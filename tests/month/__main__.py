"""`python -m tests.month --units 200 --kills 6`: a month of a district on real parts, with kills, all accounted for."""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from services.runtime.clock import SystemClock
from tests.month.run import Terms, play
from tests.month.script import LARGE


def main() -> int:
    """Play the month; exit 0 when nothing is wrong with any account."""
    parser = argparse.ArgumentParser(prog="python -m tests.month", description=__doc__)
    parser.add_argument("--seed", type=int, help="decides the district, what happens in it, and what is killed when")
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--step-s", type=int, default=6 * 3600, help="COMPLIANCE_STEP_S")
    parser.add_argument(
        "--folder", type=Path, help="where everything is kept; else a folder that goes when all is well"
    )
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="firenet-month-"))
    clock = SystemClock()
    begun = clock.monotonic()

    def tell(what: str) -> None:
        print(f"{clock.monotonic() - begun:7.1f} s  {what}", flush=True)

    tell(f"seed {seed}, in {folder}")
    accounts = play(Terms(seed, options.units, LARGE, options.kills, options.step_s, folder), tell)
    fine = not any(account.is_broken for account in accounts)
    if fine and options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
