"""`python -m tests.naive --histories 10000 --seed 1`: compare the product with the recomputation on random histories.

Exit 0 when there is no difference. Each difference is made small and written, with both answers, to a directory.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.naive.compare import difference, shrunk, write
from tests.naive.histories import history


def main() -> int:
    """Compare; print a line per thousand histories and per difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.naive", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first history; the next ones follow")
    parser.add_argument("--differences", type=Path, default=Path("var/differences"), help="where they are written")
    parser.add_argument("--at-most", type=int, default=5, help="stop after so many differences")
    said = parser.parse_args()
    found = 0
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        for number, seed in enumerate(range(said.seed, said.seed + said.histories), 1):
            if difference(history(seed), work) is not None:
                found += 1
                keep(seed, work, said.differences / f"{seed:06}")
            if number % 1000 == 0 or number == said.histories or found >= said.at_most:
                print(f"{number} histories, {found} differences", flush=True)
            if found >= said.at_most:
                break
    return 1 if found else 0


def keep(seed: int, work: Path, place: Path) -> None:
    """Make a difference small and write it down."""
    small = shrunk(history(seed), work)
    two = difference(small, work)
    assert two is not None
    write(small, place)
    (place / "ORACLE.json").write_text(two.naive, "utf-8")
    (place / "PRODUCT.json").write_text(two.product, "utf-8")
    print(f"seed {seed}: {place}, {len(small.log)} lines of log", flush=True)


if __name__ == "__main__":
    sys.exit(main())
