"""`make demo` and `make run`: FireNet on one machine from pip packages alone."""

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from deploy.stack.answering import Answering
from deploy.stack.backup import BackupError, backup, restore
from deploy.stack.centre_lines import CentreLines
from deploy.stack.firenet import FireNet, Options, Ports, several_of
from deploy.stack.lock import only_one
from deploy.stack.lookout import Lookout
from deploy.stack.mailbox import Mailbox
from deploy.stack.part import PartError
from deploy.stack.point_in_time import base_copy, recover
from deploy.stack.ports import HOST
from deploy.stack.process import StartFailed
from deploy.stack.scraping import write_configuration
from deploy.stack.service import ROOT, Service
from deploy.stack.stack import Stack, Stopped
from deploy.stack.webhook import Received, WebhookReceiver
from services.kernel.calendar import CHINA
from services.runtime.clock import SystemClock

DEMO_UNITS = 200
MIN_UNITS, MAX_UNITS = 50, 20_000
"""The story needs units that a carrier can lose; one machine that also simulates them needs room."""
DEMO_SEED = 2026
DEMO_DEVICES = ["--gb26875-mqtt", "30", "--gb26875-tcp", "10"]
"""So many of its gateways speak GB/T 26875.3, of all makes."""
SUPERVISION_RATE = 40.0  # the default profile's 240 s deadline passes after 6 s
LADDER_RATE = 1440.0  # H4 falls due 24 h after H0: here 60 s
USAGE = """usage: python -m deploy.stack demo|run|backup TO|restore FROM|base-copy TO|recover FROM

demo  a living district on loopback, its data begun anew in var/demo (UNITS=200 units)
run   for real use, data kept in FIRENET_DATA or var/run; FIRENET_MQTT_TLS=1 secures the broker
backup   copy all that `run` keeps, while it does not run, to a new file in the folder TO
restore  put the copy FROM back, or the newest one in the folder FROM; what was there is kept beside it
base-copy TO  copy the database while `run` runs, to a new folder in TO; FIRENET_LOG_ARCHIVE keeps its log from then on
recover FROM  put the database alone back: a base copy, with the log in FIRENET_LOG_ARCHIVE up to the time UNTIL

Several of each: INGEST=2 RULES=4 ALERTS=2 DOCUMENTS=2 in front of either; more than one ingest needs Mosquitto."""

OURS = "ingest, rules, alerts, documents, compliance, registry, console"


def say(text: str) -> None:
    show(f"{SystemClock().now().astimezone(CHINA):%H:%M:%S}  {text}")


def show(text: str) -> None:
    """Print; that nobody hears it, or the disk that it goes to is full, is no reason to end."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text + "\n")  # at once: `print` writes the end of the line apart, and threads get between
        sys.stdout.flush()


def follow_story(simulator: Service, mailbox: Mailbox, stop: threading.Event) -> None:
    """Print what the simulator tells, line by line, as it tells it; its JSON log lines stay in the file.

    Whoever asks for it on the mailbox's page has it told again, once it is over.
    """
    position = 0
    while not stop.wait(0.2):
        if not simulator.log.exists():
            continue
        if position and mailbox.takes_again():  # who has said nothing yet does not listen yet
            for pid in simulator.pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGUSR1)
        with simulator.log.open(encoding="utf-8", errors="replace") as file:
            file.seek(position)
            for line in file:
                if line.endswith("\n") and line.startswith("["):
                    show(line.rstrip())
            position = file.tell()


def told(lines: CentreLines, received: Received) -> None:
    """Print what reached the centre's webhook."""
    data: dict[str, Any] = received.body.get("data", {})
    lines.received(str(received.body.get("type", "")), str(data.get("subject", received.id)))


def demo_units(environ: Mapping[str, str]) -> int:
    """Return how many units the demo's district has: UNITS, or 200. Raises ValueError."""
    text = environ.get("UNITS") or str(DEMO_UNITS)
    if not text.isascii() or not text.isdigit() or not MIN_UNITS <= int(text) <= MAX_UNITS:
        raise ValueError(f"UNITS must be a number from {MIN_UNITS} to {MAX_UNITS}, not {text!r}")
    return int(text)


def say_what_is_fetched(firenet: FireNet) -> None:
    if firenet.kafka.must_fetch:
        say("fetching Apache Kafka's jars, once; this takes about a minute ...")


def start_brokers(stack: Stack, firenet: FireNet) -> None:
    say_what_is_fetched(firenet)
    say("starting Apache Kafka, PostgreSQL and an MQTT broker ...")
    stack.start(*(part for part in firenet.parts if part is not firenet.mailbox))
    say("tables, topics, policy pack ...")
    firenet.set_up()


def lookout(firenet: FireNet) -> Lookout:
    return Lookout(firenet.status_file, firenet.door, say, SystemClock(), firenet.postgres.log_trouble)


def demo() -> None:
    units = demo_units(os.environ)
    folder = ROOT / "var" / "demo"
    several = several_of(os.environ)
    with only_one(folder):
        shutil.rmtree(folder, ignore_errors=True)
        _demo(folder, units, several)
    say("ended; nothing is left running.")


def _demo(folder: Path, units: int, several: Mapping[str, int]) -> None:
    ports = Ports.known(os.environ)
    options = replace(
        with_several(several, folder),
        supervision_rate=SUPERVISION_RATE,
        ladder_rate=LADDER_RATE,
        devices=True,
        mailbox=True,
        local_webhooks=True,
        patient=True,
    )
    firenet = FireNet(folder, ports, options)
    story_over = threading.Event()
    receiver = WebhookReceiver(ports.webhook, firenet.secret("centre"), partial(told, CentreLines(say)))
    try:
        with receiver, Stack(say=say, look=lookout(firenet).look) as stack:
            start_brokers(stack, firenet)
            district = folder / "district"
            size = ["--units", str(units), "--seed", str(DEMO_SEED), *DEMO_DEVICES]
            firenet.command("services.simulator", "write", str(district), *size, "--centre-webhook", receiver.url)
            firenet.command("services.registry", "import", *map(str, sorted(district.iterdir())))
            accounts = firenet.command("services.console", "demo-accounts", "--json")
            say(f"{OURS} ...")
            stack.take_up(firenet.mailbox, *firenet.services())
            simulator = simulator_service(firenet, size)
            stack.take_up(simulator)
            announce(firenet, ["账号 accounts     each opens another view of the page", "", *account_lines(accounts)])
            threading.Thread(target=follow_story, args=(simulator, firenet.mailbox, story_over), daemon=True).start()
            answering = Answering(firenet, accounts, show, SystemClock())
            threading.Thread(target=answering.run, args=(story_over,), daemon=True).start()
            stack.watch()
    finally:
        story_over.set()


def account_lines(accounts: str) -> list[str]:
    """Return a line for each account: name, password, role, department."""
    return [
        "\t".join((one["username"], one["password"], one["role"], one["department"] or "-"))
        for one in json.loads(accounts)
    ]


def simulator_service(firenet: FireNet, size: list[str]) -> Service:
    argv = [sys.executable, "-m", "services.simulator", "run", *size, "--timeline", "demo"]
    argv += ["--clock-rate", f"{SUPERVISION_RATE:g}", "--ladder-rate", f"{LADDER_RATE:g}"]
    env = {
        **firenet.environment(),
        "SIMULATOR_MQTT_HOST": HOST,
        "SIMULATOR_MQTT_PORT": str(firenet.ports.mqtt),
    }
    return Service(firenet.folder / "simulator", name="simulator", argv=argv, env=env, needs=("ingest", "Door"))


def announce(firenet: FireNet, below: Sequence[str]) -> None:
    ports = firenet.ports
    lines = [
        "",
        f"  页面  page      {firenet.console_url}",
        f"  邮箱  mailbox   http://{HOST}:{ports.mailbox}/  (and the story once more)"
        if firenet.options.mailbox
        else "",
        *(f"  {line}" for line in mqtt_lines(firenet)),
        f"  metrics         http://{HOST}:{ports.ingest}/metrics  (rules {ports.rules}, alerts {ports.alerts}, "
        f"alerts-fire {ports.alerts_fire}, documents {ports.documents}, compliance {ports.compliance}, "
        f"registry {ports.registry}, console {ports.console_status})",
        *(f"                  {name} http://{HOST}:{port}/metrics" for name, port in firenet.further_ports.items()),
        "",
        *(f"  {line}".rstrip() for line in below),
        "",
        f"  Ctrl-C ends everything. Data and logs: {firenet.folder}",
        "",
    ]
    show("\n".join(lines))


def mqtt_lines(firenet: FireNet) -> list[str]:
    ports, options = firenet.ports, firenet.options
    if not options.secured:
        return [f"MQTT            {HOST}:{ports.mqtt}  (no passwords, no encryption: only this machine reaches it)"]
    return [
        f"MQTT over TLS   {options.mqtt_bind}:{ports.mqtt_tls}, with certificates :{ports.mqtt_certificates}",
        f"                checked with {firenet.access / 'ca.crt'}; issue: python -m services.registry credentials",
        f"                after `credentials write`: kill -HUP {' '.join(map(str, firenet.mqtt.pids))}",
    ]


def with_several(several: Mapping[str, int], folder: Path) -> Options:
    """Return the options of a stack with an open broker: Mosquitto where several of ingest share the messages.

    And where several once did: what waits at Mosquitto for those that are no more must still be read.
    Raises:  PartError where Mosquitto is needed and not installed.
    """
    if several.get("ingest", 1) == 1 and not (folder / "mqtt" / "data" / "mosquitto.db").exists():
        return Options(several=several)
    if shutil.which("mosquitto") is None:
        sentence = "more than one ingest needs Mosquitto, which is not installed: the embedded broker knows no sharing."
        raise PartError("ingest", sentence)
    return Options(several=several, mosquitto=True, door=True, share_group="ingest", mqtt_protocol="5")


def run_options(environ: Mapping[str, str], folder: Path) -> Options:
    """Return the options of `make run`: FIRENET_MQTT_TLS=1 secures the broker, and takes Mosquitto for it."""
    several = several_of(environ)
    if environ.get("FIRENET_MQTT_TLS", "0") not in ("1", "true"):
        return replace(with_several(several, folder), patient=True)
    return Options(
        patient=True,
        several=several,
        mosquitto=True,
        secured=True,
        share_group="ingest",
        mqtt_protocol="5",
        mqtt_bind=environ.get("FIRENET_MQTT_BIND", HOST),
        mqtt_names=tuple(environ.get("FIRENET_MQTT_NAMES", "").split()),
    )


def run() -> None:
    folder = run_folder(os.environ)
    with only_one(folder):
        _run(folder)
    say("ended; the data stays in place.")


def _run(folder: Path) -> None:
    options = replace(run_options(os.environ, folder), log_archive=log_archive(os.environ))
    worked = FireNet(folder, Ports(), options).was_set_up
    ports = Ports.known(os.environ, secured=options.secured, must_be_free=not worked)
    firenet = FireNet(folder, ports, options)
    with Stack(say=say, look=lookout(firenet).look) as stack:
        if worked:  # a centre lives on it: whatever can start does, and the rest is tried until it can
            say_what_is_fetched(firenet)
            say(f"starting Apache Kafka, PostgreSQL, an MQTT broker, {OURS} ...")
            broker = firenet.mqtt_parts if options.secured else []
            stack.take_up(*firenet.parts, *broker, firenet.later_set_up(), *firenet.services())
        else:
            start_brokers(stack, firenet)
            if options.secured:
                firenet.secure()
                stack.start(*firenet.mqtt_parts)
            firenet.note_set_up()
            say(f"{OURS} ...")
            stack.take_up(*firenet.services())
        announce(
            firenet, ["Accounts: python -m services.console accounts add; units: python -m services.registry import"]
        )
        environment = folder / "environment"
        try:
            write_environment(firenet, environment)
            say(f"the commands above need this environment: set -a; . {environment}; set +a")
        except OSError as error:
            say(f"the environment for the commands above is not written: {environment}: {error.strerror}.")
        say_how_prometheus_starts(firenet)
        stack.watch()


def say_how_prometheus_starts(firenet: FireNet) -> None:
    try:
        say(f"Prometheus, where it is installed, finds all of it: {write_configuration(firenet)}")
    except OSError as error:
        say(f"a configuration for Prometheus is not written to {firenet.folder}: {error.strerror}.")


def write_environment(firenet: FireNet, path: Path) -> None:
    """Write a file to source in a shell, readable by its owner only, so that the command lines find the parts."""
    lines = [f"{name}='{value}'" for name, value in firenet.environment().items() if name not in os.environ]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")


def run_folder(environment: Mapping[str, str]) -> Path:
    """Return where `make run` keeps its data."""
    return Path(environment.get("FIRENET_DATA", ROOT / "var" / "run")).absolute()


def copy(to: Path) -> None:
    begun = SystemClock().monotonic()
    made = backup(run_folder(os.environ), to, SystemClock().now())
    took_s = SystemClock().monotonic() - begun
    say(f"copied to {made}: {made.stat().st_size / 1e6:,.0f} MB in {took_s:.1f} s. It holds secrets: keep it closed.")


def put_back(source: Path) -> None:
    begun = SystemClock().monotonic()
    folder = run_folder(os.environ)
    taken, before = restore(source, folder, SystemClock().now())
    say(f"{folder} is as in {taken}; it took {SystemClock().monotonic() - begun:.1f} s.")
    if before is not None:
        say(f"what was there before is in {before}; remove it when all is well.")


def copy_base(to: Path) -> None:
    begun = SystemClock().monotonic()
    made = base_copy(run_folder(os.environ) / "postgres", to, SystemClock().now(), SystemClock())
    say(f"copied to {made} in {SystemClock().monotonic() - begun:.1f} s. It holds secrets: keep it closed.")


def put_database_back(base: Path) -> None:
    folder, archive = run_folder(os.environ), log_archive(os.environ)
    if archive is None:
        raise BackupError("FIRENET_LOG_ARCHIVE does not say where PostgreSQL's log is kept")
    text = os.environ.get("UNTIL", "")
    try:
        until = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise BackupError(f"UNTIL is {text!r}, which is no time such as 2026-03-09T12:00:00+08:00") from error
    if until is not None and until.tzinfo is None:
        raise BackupError(f"UNTIL is {text!r}: say the offset as well, as in 2026-03-09T12:00:00+08:00")
    with only_one(folder):
        before = recover(folder / "postgres", base, archive, until, SystemClock().now())
    say(f"the next start brings the database to {text or 'the end of its log'}.")
    if before is not None:
        say(f"what was there before is in {before}; remove it when all is well.")


def log_archive(environment: Mapping[str, str]) -> Path | None:
    """Return where PostgreSQL's log is to be kept for a recovery to any instant, None where nobody asked for it."""
    text = environment.get("FIRENET_LOG_ARCHIVE", "")
    return Path(text).absolute() if text else None


MODES: dict[str, Callable[[], None]] = {"demo": demo, "run": run}
COPYING: dict[str, Callable[[Path], None]] = {
    "backup": copy,
    "restore": put_back,
    "base-copy": copy_base,
    "recover": put_database_back,
}


def main(arguments: list[str]) -> int:
    if arguments in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    if len(arguments) == 2 and arguments[0] in COPYING and arguments[1]:
        try:
            COPYING[arguments[0]](Path(arguments[1]).absolute())
        except (BackupError, PartError, StartFailed, OSError) as error:
            print(f"{arguments[0]}: {error}", file=sys.stderr)
            return 1
        return 0
    if len(arguments) != 1 or arguments[0] not in MODES:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        MODES[arguments[0]]()
    except Stopped:
        say("ended while starting; nothing is left running.")
    except (PartError, StartFailed, OSError, ValueError) as error:
        print(f"FireNet did not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
