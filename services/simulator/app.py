"""Wiring and the words of the command line."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from services.runtime.clock import Clock, SystemClock
from services.runtime.lifecycle import Stop, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load
from services.simulator.adapters.mqtt import MqttLinks
from services.simulator.adapters.narrator import TextNarrator
from services.simulator.adapters.tables import write_tables
from services.simulator.domain.district import District
from services.simulator.domain.script import Pace
from services.simulator.domain.stories import STORIES
from services.simulator.ports import LinkRefused
from services.simulator.settings import SimulatorSettings
from services.simulator.worker.playing import Player


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; exits with 2 on bad usage."""
    parser = argparse.ArgumentParser(prog="python -m services.simulator", description="A simulated district.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    writing = commands.add_parser("write", help="write the district as CSV files for `registry import`")
    writing.add_argument("folder", type=Path, metavar="DIR")
    writing.add_argument("--centre-webhook", metavar="URL", help="where the monitoring centre takes signed notices")
    _district(writing)
    running = commands.add_parser("run", help="play the district over MQTT, with a story")
    running.add_argument("--timeline", choices=sorted(STORIES), default="demo")
    running.add_argument("--clock-rate", type=_positive, default=1.0, help="times faster than real, supervision")
    running.add_argument("--ladder-rate", type=_positive, help="times faster than real, ladder; default: clock rate")
    running.add_argument("--interval-s", type=_positive, default=60.0, help="heartbeat of the profile, seconds")
    running.add_argument("--offline-s", type=_positive, default=240.0, help="profile's time to offline, seconds")
    running.add_argument("--for-s", type=_positive, help="end after so many seconds; default: until Ctrl-C")
    _district(running)
    return parser.parse_args(argv)


def _district(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--towns", type=int, default=20)
    parser.add_argument("--year", type=int, help="year in which the facts begin; default: this one")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("a number above 0")
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
        )
        if wanted.command == "write":
            for path in write_tables(district, wanted.folder):
                sys.stdout.write(f"{path}\n")
            return 0
        return asyncio.run(_play(wanted, district, settings, clock))
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
        ),
        narrator=TextNarrator(sys.stdout),
        clock=clock,
        seed=wanted.seed,
        gateways_per_connection=settings.gateways_per_connection,
    )
    await player.run(stop, until_s=wanted.for_s)
    sys.stdout.write(f"sent {player.tally.heartbeats} heartbeats and {player.tally.others} other signals\n")
    return 0
