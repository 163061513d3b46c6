"""Memory of each part and room on the disk over a long run: samples, and how fast each part grows."""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.stack.part import Part
from services.runtime.clock import SystemClock
from tests.chaos.blows import tree

EVERY_S = 15.0
WARM_UP_S = 120.0
"""So long after its start a process still fills caches: what it gains then is no growth."""
SHORTEST_LIFE_S = 300.0
"""Lives shorter than this say nothing about growth."""
FILE = "samples.jsonl"
"""In the folder of the run: a slope alone does not tell steady growth from a step after a blow."""
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What a part held at `at_s` of the run. `life` is the id of its first process: another one after a kill."""

    at_s: float
    life: int
    megabytes: float


def slope_per_hour(samples: Sequence[Sample]) -> float | None:
    """Return the growth in MB an hour: least squares within the lives of a part, all lives together.

    None where no life lasted long enough to tell.
    """
    lives: dict[int, list[Sample]] = {}
    for one in samples:
        lives.setdefault(one.life, []).append(one)
    above = below = 0.0
    for life in lives.values():
        warm = [one for one in life if one.at_s >= life[0].at_s + WARM_UP_S]
        if not warm or warm[-1].at_s - warm[0].at_s < SHORTEST_LIFE_S:
            continue
        middle = sum(one.at_s for one in warm) / len(warm)
        level = sum(one.megabytes for one in warm) / len(warm)
        above += sum((one.at_s - middle) * (one.megabytes - level) for one in warm)
        below += sum((one.at_s - middle) ** 2 for one in warm)
    return above / below * 3600 if below else None


def memory_of(part: Part) -> Sample | None:
    """Return what a part and all that it started hold now, `at_s` left at 0; None when it does not run.

    Pages that several processes share count once for each, so a sum over PostgreSQL's is too high; its slope is not.
    """
    pids = part.pids
    held = 0
    for pid in tree(pids):
        with suppress(psutil.Error):
            held += psutil.Process(pid).memory_info().rss
    return Sample(0.0, pids[0], held / MB) if pids and held else None


def folder_megabytes(folder: Path) -> float:
    """Return how much room a folder takes on its disk; files come and go meanwhile."""
    held = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            held += path.lstat().st_blocks * 512
    return held / MB


class Sampler:
    """Samples all parts from a thread of its own, and has a line said each minute."""

    def __init__(
        self, parts: Sequence[Part], folder: Path, stop: threading.Event, line: Callable[[float, float], None]
    ) -> None:
        """`line` gets the memory of all parts and the room on the disk, both in MB."""
        self.samples: dict[str, list[Sample]] = {part.name: [] for part in parts}
        self.disk: list[tuple[float, float]] = []
        self._parts = parts
        self._folder = folder
        self._run_ends = stop
        self._over = threading.Event()
        self._line = line
        self._clock = SystemClock()
        self._thread = threading.Thread(target=self._work, name="sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(60)

    def _work(self) -> None:
        began = self._clock.monotonic()
        turn = 0
        while not (self._over.wait(EVERY_S) or self._run_ends.is_set()):
            at_s = self._clock.monotonic() - began
            whole = 0.0
            for part in self._parts:
                found = memory_of(part)
                if found is not None:
                    self.samples[part.name].append(Sample(at_s, found.life, found.megabytes))
                    whole += found.megabytes
            self._keep()
            turn += 1
            if turn % 4 == 0:
                self.disk.append((at_s, folder_megabytes(self._folder)))
                self._line(whole, self.disk[-1][1])

    def _keep(self) -> None:
        """Write the newest sample of each part, a line for all: a run that is killed has them too."""
        newest = {name: samples[-1] for name, samples in self.samples.items() if samples}
        line = {name: [round(one.at_s, 1), one.life, round(one.megabytes, 1)] for name, one in newest.items()}
        with suppress(OSError), (self._folder / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def table(self) -> list[str]:
        """Return one line for each part and one for the disk."""
        lines = ["part          lives   first MB    last MB    most MB   growth, MB/h"]
        for name, samples in sorted(self.samples.items()):
            if samples:
                held = [one.megabytes for one in samples]
                slope = slope_per_hour(samples)
                grown = "too short" if slope is None else f"{slope:+.1f}"
                lives = len({one.life for one in samples})
                lines.append(f"{name:12} {lives:6} {held[0]:10.0f} {held[-1]:10.0f} {max(held):10.0f}   {grown:>12}")
        if len(self.disk) > 1:
            (first_s, first), (last_s, last) = self.disk[0], self.disk[-1]
            an_hour = (last - first) / (last_s - first_s) * 3600
            lines.append(f"{'disk':12} {'':6} {first:10.0f} {last:10.0f} {'':10}   {an_hour:+12.1f}")
        return lines
