"""`python -m tests.chaos --kills 40`: kills and freezes of every part under load; then everything is accounted for.

With `--minutes 120` it is a soak: moderate load, as many blows as fit, memory and disk sampled, the same accounts.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from deploy.stack import ports
from tests.chaos.run import Run, Terms
from tests.chaos.script import Pace
from tests.chaos.site import out

GAP_S = (5.0, 15.0)
LIMIT_S = 1500.0
SOAK_GAP_S = (45.0, 105.0)
SOAK_CALM_S = 60.0
"""Before the first blow and after the last, so that a soak ends as an ordinary hour does."""
SOAK_PACE = Pace(messages=40, fires=0.15, faults=0.1, isolations=0.04)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="decides what is said, what is hit and how receivers answer")
    parser.add_argument("--kills", type=int, default=40, help="how many kills and freezes")
    parser.add_argument("--minutes", type=float, help="a soak of so long, at a moderate load")
    parser.add_argument("--longest", type=float, default=40.0, help="longest freeze, seconds")
    parser.add_argument("--gap", type=float, nargs=2, help="shortest and longest gap between two, seconds")
    parser.add_argument("--limit", type=float, help="ends the run after so many seconds")
    parser.add_argument(
        "--folder", type=Path, help="where everything is kept; else a folder that goes when all is well"
    )
    parser.add_argument("--ports", type=int, nargs=2, help="first and last port that may be taken")
    options = parser.parse_args()
    if options.ports is not None:
        ports.FIRST, ports.LAST = options.ports
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="firenet-chaos-"))
    terms = _terms(options, seed, folder)
    out(f"seed {seed}, {terms.blows} kills and freezes, in {folder}")
    fine = Run(terms).execute()
    if fine and options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    os._exit(0 if fine else 1)  # whatever thread still waits for a part that is away must not hold the end up


def _terms(options: argparse.Namespace, seed: int, folder: Path) -> Terms:
    chosen = None if options.gap is None else (options.gap[0], options.gap[1])
    if options.minutes is None:
        gap_s, limit_s = chosen or GAP_S, options.limit or LIMIT_S
        return Terms(seed, options.kills, folder, longest_freeze_s=options.longest, gap_s=gap_s, limit_s=limit_s)
    storm_s = options.minutes * 60
    gap_s = chosen or SOAK_GAP_S
    return Terms(
        seed,
        blows=max(1, int((storm_s - SOAK_CALM_S) * 2 / sum(gap_s))),
        folder=folder,
        longest_freeze_s=options.longest,
        gap_s=gap_s,
        limit_s=options.limit or storm_s + LIMIT_S,
        pace=replace(SOAK_PACE, silences_within_s=storm_s / 2),
        storm_s=storm_s,
    )


if __name__ == "__main__":
    sys.exit(main())
