"""`python -m tests.naive --histories 10000 --seed 1`: compare the product with the recomputation on random histories.

Exit 0 when there is no difference. Each difference is made small and written, with both answers, to a directory.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.naive.compare import difference, shrunk, write
from tests.naive.histories import history

CHUNK = 250


def main() -> int:
    """Compare; print a line per thousand histories and per difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.naive", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first history; the next ones follow")
    parser.add_argument("--differences", type=Path, default=Path("var/differences"), help="where they are written")
    parser.add_argument("--at-most", type=int, default=5, help="stop after about so many differences")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    said = parser.parse_args()
    end = said.seed + said.histories
    chunks = [range(start, min(start + CHUNK, end)) for start in range(said.seed, end, CHUNK)]
    done = found = 0
    with ProcessPoolExecutor(said.jobs) as pool:
        for chunk, differing in zip(chunks, pool.map(differing_seeds, chunks), strict=True):
            done += len(chunk)
            for seed in differing:
                keep(seed, said.differences / f"{seed:06}")
            found += len(differing)
            if done % 1000 == 0 or done == said.histories:
                print(f"{done} histories, {found} differences", flush=True)
            if found >= said.at_most:
                pool.shutdown(cancel_futures=True)
                break
    return 1 if found else 0


def differing_seeds(seeds: range) -> list[int]:
    """Return those of the seeds whose history is answered differently."""
    with tempfile.TemporaryDirectory() as directory:
        return [seed for seed in seeds if difference(history(seed), Path(directory)) is not None]


def keep(seed: int, place: Path) -> None:
    """Make a difference small and write it down."""
    with tempfile.TemporaryDirectory() as directory:
        small = shrunk(history(seed), Path(directory))
        two = difference(small, Path(directory))
    assert two is not None
    write(small, place)
    (place / "ORACLE.json").write_text(two.naive, "utf-8")
    (place / "PRODUCT.json").write_text(two.product, "utf-8")
    print(f"seed {seed}: {place}, {len(small.log)} lines of log", flush=True)


if __name__ == "__main__":
    sys.exit(main())
