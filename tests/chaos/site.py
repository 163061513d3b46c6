"""The embedded stack under its own supervisor, with a district in its register and receivers that misbehave."""

import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from deploy.stack.firenet import FireNet, Options, Ports
from deploy.stack.part import Part
from deploy.stack.stack import Stack
from services.runtime.clock import SystemClock
from tests.chaos.receivers import Centre, OddMailbox

OFFLINE_AFTER_S = 12.0
SUPERVISION_RATE = 240 / OFFLINE_AFTER_S
LADDER_RATE = 60.0
GAP_GRACE_S = 15.0
"""How long a number that was left out may still come; a run does not last long enough for the usual two minutes."""
START_LIMIT_S = 300.0
"""Whoever starts a long run has not always got the machine for himself."""
DISTRICT_SEED = "7"
ON_THEIR_WAY = "SELECT count(*) FROM alerts.notices WHERE state = 'sending'"


def out(text: str) -> None:
    """Print for whoever watches the run."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Aborted(Exception):
    """The supervisor gave up, or the run took longer than it may."""


class Site:
    """Parts, services and ways to ask them. Everything here may be away for a while: waits are bounded."""

    def __init__(self, folder: Path, seed: int, units: int) -> None:
        # after a kill a notice waits for its lease to end, which follows from these deadlines
        os.environ |= {"ALERTS_SMTP_TIMEOUT_S": "4", "ALERTS_WEBHOOK_DEADLINE_S": "5"}
        os.environ |= {"INGEST_GAP_GRACE_S": f"{GAP_GRACE_S:g}"}
        ports = Ports.free()
        options = Options(supervision_rate=SUPERVISION_RATE, ladder_rate=LADDER_RATE, mailbox=True, local_webhooks=True)
        self.firenet = FireNet(folder, ports, options)
        mailbox = OddMailbox(folder / "mailbox", smtp_port=ports.smtp, http_port=ports.mailbox)
        mailbox.seed = seed
        self.firenet.mailbox = self.mailbox = mailbox
        self.centre = Centre(folder / "centre", port=ports.webhook, secret=self.firenet.secret("centre"), seed=seed)
        self.units = units
        self.clock = SystemClock()
        self.lines: list[str] = []
        self.stop = threading.Event()
        self.gave_up: str | None = None
        self.stack = Stack(say=self._heard)
        self._started = self.clock.monotonic()
        self._session: psycopg.Connection[tuple[Any, ...]] | None = None

    def start(self) -> None:
        """To be called inside the stack's `with` block, from the main thread."""
        firenet = self.firenet
        self.stack.start(*firenet.parts, self.centre)
        firenet.set_up()
        district = firenet.folder / "district"
        size = ["--units", str(self.units), "--seed", DISTRICT_SEED]
        firenet.command("services.simulator", "write", str(district), *size, "--centre-webhook", self.centre.url)
        firenet.command("services.registry", "import", *map(str, sorted(district.iterdir())))
        services = firenet.services()
        for service in services:
            service.start_limit_s = START_LIMIT_S
        self.stack.start(*services)

    def part(self, name: str) -> Part:
        return next(part for part in self.stack.parts if part.name == name)

    def deaths(self) -> dict[str, int]:
        """Return how often the supervisor saw each part end."""
        return {
            part.name: sum(bool(re.match(rf"{part.name} ended (by|with)", line)) for line in self.lines)
            for part in self.stack.parts
        }

    def calm(self) -> None:
        """Have the receivers answer well from now on."""
        for path in (self.centre.calm, self.mailbox.calm):
            path.touch()

    def _heard(self, line: str) -> None:
        self.lines.append(line)
        self.say(f"  supervisor: {line[:300]}")

    def say(self, line: str) -> None:
        out(f"{self.clock.monotonic() - self._started:7.1f}  {line}")

    # --- asking

    def wait(self, what: str, condition: Callable[[], bool], limit_s: float) -> bool:
        """Return whether the condition held within the limit; a part that is away just now does not hold it."""
        until = self.clock.monotonic() + limit_s
        while True:
            with suppress(psycopg.Error, OSError):
                if condition():
                    return True
            if self.stop.is_set():
                raise Aborted(self.gave_up or f"stopped while waiting: {what}")
            if self.clock.monotonic() >= until:
                self.say(f"NOT within {limit_s:.0f} s: {what}")
                return False
            self.stop.wait(0.2)

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        if self._session is not None and not self._session.closed:
            try:
                return self._session.execute(query.encode(), arguments).fetchall()
            except psycopg.OperationalError:
                self._session.close()
        self._session = self._connect(60)
        return self._session.execute(query.encode(), arguments).fetchall()

    def value(self, query: str, *arguments: object) -> Any:
        (row,) = self.rows(query, *arguments)
        return row[0]

    def _connect(self, statement_s: int) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            self.firenet.postgres.dsn(),
            autocommit=True,
            connect_timeout=3,
            options=f"-c statement_timeout={statement_s * 1000}",
        )

    def sending(self) -> str:
        """Return how many notices are on their way now, "?" when the database does not say so at once."""
        try:
            with self._connect(2) as connection:
                (row,) = connection.execute(ON_THEIR_WAY.encode()).fetchall()
                return str(row[0])
        except psycopg.Error:
            return "?"
