"""Wiring and the words of the command line."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from services.kernel.words import Lane
from services.runtime.clock import Clock, SystemClock
from services.runtime.lifecycle import Stop, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load
from services.simulator.adapters.ledger import FileLedger
from services.simulator.adapters.load_pipes import MqttLoadPipes
from services.simulator.adapters.mqtt import MqttLinks
from services.simulator.adapters.narrator import TextNarrator
from services.simulator.adapters.tables import write_tables
from services.simulator.domain.district import Devices, District
from services.simulator.domain.load import LoadPlan, LoadReport
from services.simulator.domain.script import Pace
from services.simulator.domain.stories import STORIES
from services.simulator.ports import LinkRefused
from services.simulator.settings import SimulatorSettings
from services.simulator.worker.loading import Loader, OutcomeBlocks
from services.simulator.worker.playing import Player


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; exits with 2 on bad usage."""
    parser = argparse.ArgumentParser(prog="python -m services.simulator", description="A simulated district.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    writing = commands.add_parser("write", help="write the district as CSV files for `registry import`")
    writing.add_argument("folder", type=Path, metavar="DIR")
    writing.add_argument("--centre-webhook", metavar="URL", help="where the monitoring centre takes signed notices")
    _district(writing)
    running = commands.add_parser("run", help="play the district over MQTT, with a story; SIGUSR1 tells it again")
    running.add_argument("--timeline", choices=sorted(STORIES), default="demo")
    running.add_argument("--clock-rate", type=_positive, default=1.0, help="times faster than real, supervision")
    running.add_argument("--ladder-rate", type=_positive, help="times faster than real, ladder; default: clock rate")
    running.add_argument("--interval-s", type=_positive, default=60.0, help="heartbeat of the profile, seconds")
    running.add_argument("--offline-s", type=_positive, default=240.0, help="profile's time to offline, seconds")
    running.add_argument("--for-s", type=_positive, help="end after so many seconds; default: until Ctrl-C")
    _district(running)
    loading = commands.add_parser("load", help="open-loop load with a ledger of every message")
    loading.add_argument("--rate", type=_positive, required=True, help="messages per second")
    loading.add_argument("--seconds", type=_positive, required=True)
    loading.add_argument("--event-share", type=_share, default=0.01, help="share of faults and restores")
    loading.add_argument("--fire-rate", type=float, default=0.0, help="fires per second, on the alarm lane")
    loading.add_argument("--ledger", type=Path, metavar="FILE", help="where to note what became of each message")
    loading.add_argument("--connections", type=int, choices=range(1, 65), default=4, metavar="1..64")
    loading.add_argument("--window", type=_window, default=4_000, help="unanswered messages per connection, at most")
    _district(loading)
    return parser.parse_args(argv)


def _district(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--towns", type=int, default=20)
    parser.add_argument("--gb26875-mqtt", type=_count, default=0, help="gateways that speak GB/T 26875.3 over MQTT")
    parser.add_argument("--gb26875-tcp", type=_count, default=0, help="... and that call ingest over TCP")
    parser.add_argument("--year", type=int, help="year in which the facts begin; default: this one")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("0 or more")
    return value


def _window(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 60_000:
        raise argparse.ArgumentTypeError("1 to 60000: MQTT has 65535 packet ids")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("a share from 0 to 1")
    return value


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 no broker, 2 usage or settings."""
    wanted = arguments(argv)
    settings = load(SimulatorSettings)
    configure("simulator", "warning" if settings.log_level == "info" else settings.log_level)
    clock = SystemClock()
    try:
        district = District.generate(
            wanted.seed,
            wanted.units,
            wanted.towns,
            year=wanted.year or clock.now().year,
            centre_webhook=getattr(wanted, "centre_webhook", None),
            devices=Devices(wanted.gb26875_mqtt, wanted.gb26875_tcp),
        )
        if wanted.command == "write":
            for path in write_tables(district, wanted.folder):
                sys.stdout.write(f"{path}\n")
            return 0
        work = _play if wanted.command == "run" else _load
        return asyncio.run(work(wanted, district, settings, clock))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (LinkRefused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _play(wanted: argparse.Namespace, district: District, settings: SimulatorSettings, clock: Clock) -> int:
    pace = Pace(
        interval_s=wanted.interval_s,
        offline_s=wanted.offline_s,
        clock_rate=wanted.clock_rate,
        ladder_rate=wanted.ladder_rate or wanted.clock_rate,
    )
    stop = Stop()
    install_signal_handlers(stop)
    password = settings.mqtt_password
    player = Player(
        district=district,
        script=STORIES[wanted.timeline](district, pace),
        pace=pace,
        links=MqttLinks(
            host=settings.mqtt_host,
            port=settings.mqtt_port,
            username=settings.mqtt_username,
            password=None if password is None else password.get_secret_value(),
            clock=clock,
            tls_ca=settings.mqtt_tls_ca or None,
            devices_at=None if settings.tcp_port is None else (settings.tcp_host, settings.tcp_port),
        ),
        narrator=TextNarrator(sys.stdout),
        clock=clock,
        seed=wanted.seed,
        gateways_per_connection=settings.gateways_per_connection,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, player.again)
    await player.run(stop, until_s=wanted.for_s)
    sys.stdout.write(f"sent {player.tally.heartbeats} heartbeats and {player.tally.others} other signals\n")
    return 0


async def _load(wanted: argparse.Namespace, district: District, settings: SimulatorSettings, clock: Clock) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    ledger = None if wanted.ledger is None else FileLedger(wanted.ledger)
    try:
        loaders = {plan.lane.value: _loader(plan, wanted, settings, ledger, clock) for plan in plans(district, wanted)}
        reports = await asyncio.gather(*(loader.run(stop) for loader in loaders.values()))
    finally:
        if ledger is not None:
            ledger.close()
    for lane, report in zip(loaders, reports, strict=True):
        sys.stdout.write(f"{lane}: {described(report)}\n")
    return 0


def plans(district: District, wanted: argparse.Namespace) -> list[LoadPlan]:
    """Return the plan of the load, and one of fires when they are wanted, with gateways of their own."""
    gateways = [(gateway.gateway_id, gateway.unit_id) for gateway in district.speaking()]
    if wanted.fire_rate <= 0:
        return [LoadPlan(wanted.rate, wanted.seconds, gateways, wanted.event_share)]
    fires = max(1, min(len(gateways) // 2, int(wanted.fire_rate * wanted.seconds)))
    return [
        LoadPlan(wanted.rate, wanted.seconds, gateways[:-fires], wanted.event_share),
        LoadPlan(wanted.fire_rate, wanted.seconds, gateways[-fires:], lane=Lane.ALARM),
    ]


def _loader(
    plan: LoadPlan, wanted: argparse.Namespace, settings: SimulatorSettings, ledger: FileLedger | None, clock: Clock
) -> Loader:
    password = settings.mqtt_password
    outcomes = OutcomeBlocks()
    pipes = MqttLoadPipes(
        plan=plan,
        outcomes=outcomes,
        clock=clock,
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        account=(settings.mqtt_username, None if password is None else password.get_secret_value()),
        connections=wanted.connections if plan.lane is Lane.UP else 1,
        window=wanted.window,
        prefix=f"load-{plan.lane.value}",
        tls_ca=settings.mqtt_tls_ca or None,
    )
    return Loader(plan=plan, outcomes=outcomes, pipes=pipes, ledger=ledger, clock=clock)


def described(report: LoadReport) -> str:
    """Return a run's figures in one line."""
    acks, late = report.ack_latency, report.lateness
    quantiles = ", ".join(
        f"{name} {acks.quantile_s(share) * 1000:.1f}" for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    )
    return (
        f"planned {report.planned}, sent {report.sent} in {report.took_s:.1f} s ({report.rate:.0f}/s), acknowledged "
        f"{report.acked}, unknown {report.unknown}; ms from intended instant to PUBACK: {quantiles}, "
        f"worst {acks.worst_s * 1000:.1f}; sent late p99 {late.quantile_s(0.99) * 1000:.1f} ms"
    )
