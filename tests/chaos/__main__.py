"""`python -m tests.chaos --kills 40`: kills and freezes of every part under load; then everything is accounted for."""

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from deploy.stack import ports
from tests.chaos.run import Run, Terms
from tests.chaos.site import out


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="decides what is said, what is hit and how receivers answer")
    parser.add_argument("--kills", type=int, default=40, help="how many kills and freezes")
    parser.add_argument("--longest", type=float, default=40.0, help="longest freeze, seconds")
    parser.add_argument("--gap", type=float, nargs=2, default=(5.0, 15.0), help="shortest and longest gap between two")
    parser.add_argument("--limit", type=float, default=1500.0, help="ends the run after so many seconds")
    parser.add_argument(
        "--folder", type=Path, help="where everything is kept; else a folder that goes when all is well"
    )
    parser.add_argument("--ports", type=int, nargs=2, help="first and last port that may be taken")
    options = parser.parse_args()
    if options.ports is not None:
        ports.FIRST, ports.LAST = options.ports
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="firenet-chaos-"))
    out(f"seed {seed}, {options.kills} kills and freezes, in {folder}")
    terms = Terms(
        seed, options.kills, folder, longest_freeze_s=options.longest, gap_s=tuple(options.gap), limit_s=options.limit
    )
    fine = Run(terms).execute()
    if fine and options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(0 if fine else 1)  # whatever thread still waits for a part that is away must not hold the end up


if __name__ == "__main__":
    sys.exit(main())
