"""`make bench`: every measurement, one after the other, each in a process of its own."""

import subprocess
import sys
import time

from tests.bench.machine import describe, processors

RUNS: tuple[tuple[str, list[str]], ...] = (
    ("GB/T 26875.3 codec, one core (floor 100 000 frames/s decoded)", ["tests.bench.codec"]),
    ("rules engine alone, and with Kafka in and the database out (floors 50 000 and 15 000/s)", ["tests.bench.rules"]),
    ("rules, a million units in one process (goal 1 GiB)", ["tests.bench.rules", "--memory", "--units", "1000000"]),
    ("ingest alone, one process, QoS 1, acks=all (floor 12 000/s)", ["tests.bench.ingest"]),
    ("ingest, two processes in the share group", ["tests.bench.ingest", "--processes", "2", "--rates", "30000"]),
    ("Telegraf under the same load", ["tests.bench.telegraf"]),
    ("alerts, fire latency idle and in a storm", ["tests.bench.alerts"]),
    ("alerts, 10 000 units lost within 5 s: fires and mails", ["tests.bench.alerts", "--outage", "10000"]),
    ("archive of the log, one core (floor 40 000 records/s)", ["tests.bench.archive"]),
    ("closing: a month computed from nothing, a day closed", ["tests.bench.compliance"]),
    ("a year of rates by day, 20 000 units (floor 1 s)", ["tests.bench.history"]),
    ("the page of 20 000 units in Chromium: first view, fire on screen, memory", ["tests.bench.console"]),
    ("the whole of FireNet", ["tests.bench.system"]),
    ("twice the units, 1, 2 and 4 processes (at most 2.1 times the cost)", ["tests.bench.scale"]),
)


def main() -> int:
    print(describe())
    failed = []
    for title, arguments in RUNS:
        print(f"\n== {title}\n   python -m {' '.join(arguments)}", flush=True)
        begun = time.monotonic()
        with processors("   "):
            done = subprocess.run([sys.executable, "-m", *arguments], check=False)
        print(f"   ({time.monotonic() - begun:.0f} s)", flush=True)
        if done.returncode != 0:
            failed.append(arguments[0])
    if failed:
        print(f"\nfell short or failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
