"""`python -m tests.bench.console`: the page of a large district in a real Chromium, while its state changes.

20 000 units and 5 000 open cases in a real PostgreSQL, the console in a process of its own. Rows are written as rules
and alerts write them: 200 units a second change their connection, in checkpoints of 50. Prints one table: how long the
first view takes and what it costs, how long a fire takes from its commit to the frame that shows it, and memory of page
and console over some minutes. There is no Kafka here: only refusals come by it.

What a busy machine leaves as it is: processor seconds of the console and of the page's main thread, bytes, requests.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import fmean, median
from typing import Any

import httpx
import psutil
import psycopg
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright

from deploy.stack.ports import HOST, free_ports
from deploy.stack.postgres import Postgres
from services.runtime.migrate import migrate
from tests.bench.machine import against, describe, processors
from tests.e2e.console.chromium import CHROMIUM, FLAGS
from tests.integration.console.harness import PASSWORD, add_accounts
from tests.integration.console.scenario import Scenario, district, opened
from tests.system import wait_for

UNITS, CASES, LOST, MOVED = 20_000, 5_000, 500, 10_000
CHANGES_PER_S, CHECKPOINT_S = 200, 0.25
FIRST_VIEW_S, FIRE_MS = 1.0, 250.0
GROWTH = 1.1
"""Of memory, the last third of the time against the one before it."""
VIEWS, SAMPLE_S = 8, 5.0

WATCH = """
window.seen = {};
window.firstView = null;
new MutationObserver(() => {
  if (window.firstView === null && document.querySelector(".rate-percent") && document.querySelector(".case")
      && document.querySelector(".unit-name")) {
    window.firstView = 0;
    requestAnimationFrame(() => { window.firstView = performance.now(); });
  }
  for (const fire of document.querySelectorAll("#fires .fire:not(.ended)")) {
    const name = fire.querySelector(".fire-name").textContent;
    if (!(name in window.seen)) {
      window.seen[name] = 0;
      requestAnimationFrame(() => { window.seen[name] = Date.now(); });
    }
  }
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
"""Writes down the frame in which figures, cases and units first stood on the page, and that of each fire."""
MOVE = """
WITH moved AS (
    UPDATE rules.units SET connection = %(to)s, connection_since = now(), connection_detected_at = now(),
        updated_at = now()
    WHERE unit_id = ANY(%(units)s) RETURNING *
), counts AS (
    SELECT partition, scope, dimension, value, count(*) AS moved
    FROM moved CROSS JOIN LATERAL unnest(scopes) AS scope CROSS JOIN LATERAL (VALUES ('district', district),
        ('town', town), ('department', lead_department), ('category', category)) AS d (dimension, value)
    GROUP BY 1, 2, 3, 4
)
UPDATE rules.rate_counts r
SET connected = connected + %(sign)s * moved, offline = offline - %(sign)s * moved
FROM counts c WHERE (r.partition, r.scope, r.dimension, r.value) = (c.partition, c.scope, c.dimension, c.value)
"""


class Load(threading.Thread):
    """Lets units lose and find their connection on a fixed schedule, like checkpoints of rules."""

    def __init__(self, dsn: str, units: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        size = int(CHANGES_PER_S * CHECKPOINT_S)
        self._groups = [list(units[at : at + size]) for at in range(0, len(units), size)]
        self._end = threading.Event()
        self.changes = 0
        self.behind_s = 0.0

    def run(self) -> None:
        moves = ((group, *move) for move in cycle((("offline", -1), ("online", 1))) for group in self._groups)
        begun = time.monotonic()
        with psycopg.connect(self._dsn) as connection:
            for number, (group, to, sign) in enumerate(moves):
                due = begun + number * CHECKPOINT_S
                if self._end.wait(max(0.0, due - time.monotonic())):
                    return
                self.behind_s = max(self.behind_s, time.monotonic() - due)
                connection.execute(MOVE, {"to": to, "sign": sign, "units": group})
                connection.execute("NOTIFY firenet_live")
                connection.commit()
                self.changes += len(group)

    def stop(self) -> None:
        self._end.set()
        if self.is_alive():
            self.join()


@dataclass
class PageMemory:
    """MiB of the page's heap after a collection and of the console's process, and nodes of the page, in samples."""

    samples: dict[str, list[float]] = field(default_factory=dict)

    async def sample(self, devtools: CDPSession, process: psutil.Process) -> None:
        await devtools.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in (await devtools.send("Performance.getMetrics"))["metrics"]}
        for name, value in (
            ("page's heap, MiB", metrics["JSHeapUsedSize"] / 2**20),
            ("page's nodes", metrics["Nodes"]),
            ("console, MiB resident", process.memory_info().rss / 2**20),
        ):
            self.samples.setdefault(name, []).append(value)

    def report(self, table: "Table") -> None:
        """Add how each stood over the time, and whether it grew."""
        for name, values in self.samples.items():
            third = max(1, len(values) // 3)
            before, last = fmean(values[third : 2 * third] or values), fmean(values[-third:])
            figures = f"first {values[0]:.1f}, second third {before:.1f}, last third {last:.1f}, most {max(values):.1f}"
            table.add(name, figures, last / before, GROWTH, "times")


@dataclass
class Table:
    """What was measured, in rows that are printed as they come and once more at the end, all together."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    kept: bool = True

    def add(
        self, what: str, figures: str, value: float | None = None, floor: float | None = None, unit: str = ""
    ) -> None:
        """Add a row; with a floor, whether `value` keeps it."""
        judged = ""
        if value is not None and floor is not None:
            judged = against(value, floor, unit)
            self.kept &= value <= floor
        self.rows.append((what, figures, judged))
        print(f"  {what}: {figures} {judged}", flush=True)

    def show(self) -> None:
        widths = [max(len(row[column]) for row in self.rows) for column in range(2)]
        print("\nresult:")
        for what, figures, judged in self.rows:
            print(f"  {what:{widths[0]}}  {figures:{widths[1]}}  {judged}".rstrip())


@dataclass(frozen=True, slots=True)
class View:
    """A first view: seconds until it stood; seconds of processor of the page's main thread, and in scripts of it.

    `bytes`, `requests`: of files and answers as they came over the line, without the stream, which a worker holds.
    """

    seconds: float
    task_s: float
    script_s: float
    bytes: int
    requests: int


def fill(scenario: Scenario) -> None:
    """Put the district with its cases."""
    units = district(UNITS)
    for unit in units[:LOST]:
        unit.connection = "offline"
    scenario.put(units)
    with scenario.connection.transaction():
        for number in range(CASES):
            scenario.open_case(f"C{number:05d}", units[number].unit_id, "connection_lost" if number < LOST else "fault")
    scenario.stay_fresh()
    scenario.execute("UPDATE rules.partitions SET blind_after_s = 86400", notify=False)
    scenario.connection.execute("VACUUM ANALYZE")


@contextmanager
def serving(dsn: str, log: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Run the console as a process of its own; yield its address and its process."""
    port, status_port, nowhere = free_ports(3)
    env = os.environ | {
        "FIRENET_DATABASE_DSN": dsn,
        "FIRENET_KAFKA_BOOTSTRAP": f"{HOST}:{nowhere}",
        "CONSOLE_HTTP_PORT": str(port),
        "CONSOLE_STATUS_PORT": str(status_port),
    }

    def ready() -> bool:
        try:
            return httpx.get(f"http://{HOST}:{status_port}/readyz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "services.console"], env=env, stdout=file, stderr=file)
    try:
        wait_for("the console", ready)
        yield f"http://{HOST}:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def signed_in(browser: Browser, url: str) -> BrowserContext:
    """Return a browser of its own in which the centre is signed in; it has seen nothing but the door.

    The page's policy is set aside: waiting for a condition is a script that Playwright puts in.
    """
    context = await browser.new_context(viewport={"width": 1366, "height": 768}, bypass_csp=True)
    page = await context.new_page()
    await page.goto(f"{url}/login")
    await page.fill("#username", "centre")
    await page.fill("#password", PASSWORD)
    async with page.expect_navigation(wait_until="commit"):
        await page.press("#password", "Enter")
    await page.close()
    return context


SENT = """
["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind)).map((one) => one.transferSize)
"""


async def viewed(context: BrowserContext, url: str) -> tuple[Page, View]:
    """Open the live page; return it and what it took until figures, cases and units stood on it."""
    page = await context.new_page()
    await page.add_init_script(WATCH)
    devtools = await context.new_cdp_session(page)
    # ticks of the thread: what others do on the same machine is not in them
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.goto(f"{url}/", wait_until="commit")
    await page.wait_for_function("window.firstView", timeout=60_000)
    found = {one["name"]: one["value"] for one in (await devtools.send("Performance.getMetrics"))["metrics"]}
    sent: list[Any] = await page.evaluate(SENT)
    view = View(
        float(await page.evaluate("window.firstView")) / 1000, found["TaskDuration"], found["ScriptDuration"],
        int(sum(sent)), len(sent),
    )  # fmt: skip
    await devtools.detach()
    return page, view


async def first_views(browser: Browser, url: str, process: psutil.Process, table: Table, when: str) -> None:
    """Add how long first views take, by browsers without any file of ours and with them, and what they cost."""
    cold: list[View] = []
    warm: list[View] = []
    used: dict[str, float] = {"cold": 0.0, "warm": 0.0}
    for _ in range(VIEWS):
        context = await signed_in(browser, url)
        devtools = await context.new_cdp_session(await context.new_page())
        await devtools.send("Network.clearBrowserCache")
        for name, views in (("cold", cold), ("warm", warm)):
            before = sum(process.cpu_times()[:2])
            page, view = await viewed(context, url)
            used[name] += sum(process.cpu_times()[:2]) - before
            views.append(view)
            await page.close()
        await context.close()
    for name, key, views in (("empty cache", "cold", cold), ("files in cache", "warm", warm)):
        middle = median(view.seconds for view in views)
        figures = f"median {middle:.2f} s, slowest {max(view.seconds for view in views):.2f} s"
        floor = FIRST_VIEW_S if key == "cold" and when else None
        table.add(f"first view, {name}{when}", figures, middle, floor, "s at the median")
        if not when:
            task, script = median(view.task_s for view in views), median(view.script_s for view in views)
            size, requests = median(view.bytes for view in views), median(view.requests for view in views)
            table.add(
                f"  its cost, {name}",
                f"console {used[key] / VIEWS:.3f} s, page {task:.3f} s (scripts {script:.3f} s) of processor, "
                f"{size / 1024:.0f} KiB in {requests:.0f} requests",
            )


async def fires(page: Page, scenario: Scenario, count: int) -> list[float]:
    """Report fires one after the other; return of each the milliseconds from its commit to the frame that shows it."""
    found = []
    for number in range(count):
        unit = scenario.units[f"U{UNITS - 1 - number:05d}"]
        await asyncio.to_thread(scenario.open_case, f"F{number}", unit.unit_id, "fire", acknowledged_by="centre")
        committed = time.time() * 1000
        await page.wait_for_function(f"window.seen['{unit.name}']", timeout=30_000, polling=20)
        found.append(float(await page.evaluate(f"window.seen['{unit.name}']")) - committed)
        await asyncio.to_thread(scenario.end, f"F{number}")
        await asyncio.sleep(0.5 + 0.037 * (number % 11))  # at no fixed phase of the checkpoints
    return found


async def measure(dsn: str, log: Path, minutes: float, count: int) -> bool:
    table = Table()
    with opened(dsn) as scenario:
        scenario.create()
        fill(scenario)
        await add_accounts(dsn)
        load = Load(dsn, sorted(scenario.units)[CASES : CASES + MOVED])
        try:
            with serving(dsn, log) as (url, process):
                async with async_playwright() as playwright:
                    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                    await first_views(browser, url, process, table, "")
                    load.start()
                    await first_views(browser, url, process, table, f", {CHANGES_PER_S} changes a second")
                    page, _ = await viewed(await signed_in(browser, url), url)
                    times = await fires(page, scenario, count)
                    middle, slow = median(times), sorted(times)[int(0.95 * len(times))]
                    table.add(
                        f"{count} fires, commit to frame", f"median {middle:.0f} ms, p95 {slow:.0f} ms, slowest "
                        f"{max(times):.0f} ms", middle, FIRE_MS, "ms at the median",
                    )  # fmt: skip
                    (await remembered(page, process, minutes)).report(table)
                    used = process.cpu_times()
                    table.add("console since its start", f"{used.user + used.system:.0f} s of processor")
                    table.add(
                        "the load itself",
                        f"{load.changes} changes, at most {load.behind_s:.2f} s behind their schedule",
                    )
                    await browser.close()
        finally:
            load.stop()
    table.show()
    return table.kept


async def remembered(page: Page, process: psutil.Process, minutes: float) -> PageMemory:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable")
    await devtools.send("HeapProfiler.enable")
    memory, end = PageMemory(), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        await memory.sample(devtools, process)
        await asyncio.sleep(SAMPLE_S)
    return memory


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=1, help="how long memory is watched; 30 for the goal")
    parser.add_argument("--fires", type=int, default=60, help="how many fires are reported")
    options = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        (port,) = free_ports(1)
        server = Postgres(Path(folder), port=port, max_connections=40)
        server.start()
        try:
            with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
                if admin.execute("SELECT 1 FROM pg_database WHERE datname = 'firenet'").fetchone() is None:
                    admin.execute("CREATE DATABASE firenet")
            migrate(server.dsn("firenet"))
            with processors():
                kept = asyncio.run(
                    measure(server.dsn("firenet"), Path(folder) / "console.log", options.minutes, options.fires)
                )
        finally:
            server.stop()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
