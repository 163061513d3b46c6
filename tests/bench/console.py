"""`python -m tests.bench.console`: the page of a large district in a real Chromium, while its state changes.

20 000 units and 5 000 open cases in a real PostgreSQL, the console in a process of its own. Rows are written as rules
and alerts write them: 200 units a second change their connection, in checkpoints of 50. Prints how long the first view
takes, how long a fire takes from its commit to the frame that shows it, and memory of page and console over some
minutes. There is no Kafka here: only refusals come by it.
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

    def report(self) -> bool:
        """Print how each stood over the time; return whether none of them grew."""
        kept = True
        for name, values in self.samples.items():
            third = len(values) // 3
            before, last = fmean(values[third : 2 * third]), fmean(values[-third:])
            kept &= last <= GROWTH * before
            figures = f"first {values[0]:.1f}, second third {before:.1f}, last third {last:.1f}, most {max(values):.1f}"
            print(f"    {name:22} {figures} {against(last / before, GROWTH, 'times')}", flush=True)
        return kept


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


async def viewed(context: BrowserContext, url: str) -> tuple[Page, float]:
    """Open the live page; return it and the seconds until figures, cases and units stood on it."""
    page = await context.new_page()
    await page.add_init_script(WATCH)
    await page.goto(f"{url}/", wait_until="commit")
    await page.wait_for_function("window.firstView", timeout=60_000)
    return page, float(await page.evaluate("window.firstView")) / 1000


async def first_views(browser: Browser, url: str) -> float:
    """Print how long first views take; return the median of those that find a browser without any file of ours."""
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(VIEWS):
        context = await signed_in(browser, url)
        devtools = await context.new_cdp_session(await context.new_page())
        await devtools.send("Network.clearBrowserCache")
        for times in (cold, warm):
            page, seconds = await viewed(context, url)
            times.append(seconds)
            await page.close()
        await context.close()
    for name, times in (("an empty cache", cold), ("files in cache", warm)):
        print(f"    {name}: median {median(times):.2f} s, slowest {max(times):.2f} s", flush=True)
    return median(cold)


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
    with opened(dsn) as scenario:
        scenario.create()
        fill(scenario)
        await add_accounts(dsn)
        load = Load(dsn, sorted(scenario.units)[CASES : CASES + MOVED])
        with serving(dsn, log) as (url, process):
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                print("first view, nothing changes:")
                await first_views(browser, url)
                load.start()
                print(f"first view, {CHANGES_PER_S} changes a second:")
                view_s = await first_views(browser, url)
                print(f"    {against(view_s, FIRST_VIEW_S, 's at the median, empty cache')}", flush=True)
                page, _ = await viewed(await signed_in(browser, url), url)
                times = await fires(page, scenario, count)
                print(f"a fire, from its commit to the frame that shows it, {CHANGES_PER_S} changes a second:")
                middle, slow = median(times), sorted(times)[int(0.95 * len(times))]
                print(f"    {count} fires: median {middle:.0f} ms, p95 {slow:.0f} ms, slowest {max(times):.0f} ms "
                      f"{against(middle, FIRE_MS, 'ms at the median')}", flush=True)  # fmt: skip
                print(f"memory over {minutes:g} min, {CHANGES_PER_S} changes a second:")
                steady = await remembered(page, process, minutes)
                used = process.cpu_times()
                print(f"    the console used {used.user + used.system:.0f} s of a core since its start; {load.changes} "
                      f"changes, at most {load.behind_s:.2f} s behind their schedule")  # fmt: skip
                load.stop()
                await browser.close()
    return view_s <= FIRST_VIEW_S and middle <= FIRE_MS and steady


async def remembered(page: Page, process: psutil.Process, minutes: float) -> bool:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable")
    await devtools.send("HeapProfiler.enable")
    memory, end = PageMemory(), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        await memory.sample(devtools, process)
        await asyncio.sleep(SAMPLE_S)
    return memory.report()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=3, help="how long memory is watched; 30 for the goal")
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
