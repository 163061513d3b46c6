"""Order something of GB/T 26875.3 devices. FireNet only monitors: these two orders are all there is.

    clock    set the device's clock to ours
    duty     查岗: is somebody there? a person has --minutes to press the key

Without --wait the order stands on the log when the command returns; firenet.exchanges.v1 tells what comes of it.
Exit codes: 0 ordered, or with --wait confirmed (clock) or answered (duty) by all; 1 not by all, or no such gateway;
2 wrong usage; 3 no answer from Kafka, or no end seen in time or before Ctrl-C.
"""

import argparse
import asyncio
import getpass
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TextIO

from services.ingest.adapters.order_client import OrderClient, open_order_client
from services.ingest.domain.controls import ExchangeEvent, Order, Terms
from services.ingest.domain.errors import LogUnavailable
from services.ingest.settings import IngestSettings
from services.kernel.calendar import CHINA
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep
from services.runtime.clock import Clock, SystemClock
from services.runtime.logging import configure
from services.runtime.settings import load

DONE, NOT_ALL, NO_END = 0, 1, 3
MAX_GATEWAYS = 200
SPARE = timedelta(seconds=30)

WORDS = {
    ExchangeStep.BEGAN: "an ingest process took it on",
    ExchangeStep.SENT: "sent",
    ExchangeStep.DENIED: "the device denied it",
    ExchangeStep.BLIND: "one ingest process could not see what the device says",
    ExchangeStep.CONFIRMED: "the device confirmed",
    ExchangeStep.ANSWERED: "a person answered",
    ExchangeStep.NOT_ANSWERED: "nobody answered",
    ExchangeStep.FAILED: "failed",
    ExchangeStep.UNKNOWN: "unknown",
}
REASONS = {
    ExchangeReason.UNKNOWN_GATEWAY: "the registry knows no such gateway in service",
    ExchangeReason.BUSY: "an order of the same kind is under way",
    ExchangeReason.TOO_MANY: "too many orders are under way",
    ExchangeReason.EXPIRED: "no ingest process took it on in time",
    ExchangeReason.UNREACHABLE: "no way leads to the device now",
    ExchangeReason.DENIED: "the device denied it to the last",
    ExchangeReason.NO_CONFIRM: "the device did not confirm",
    ExchangeReason.BLIND: "FireNet was blind meanwhile",
    ExchangeReason.RESTARTED: "ingest was started anew meanwhile",
    ExchangeReason.ABANDONED: "the ingest process that sent it is gone",
    ExchangeReason.TIME_UNPROVEN: "whether after the check cannot be proven by the device's clock or numbers",
    ExchangeReason.OLD_ANSWER: "an answer came that was older than the check",
}


def main(argv: Sequence[str], out: TextIO = sys.stdout, clock: Clock | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(argv)
    configure("ingest-command", "error", sys.stderr)
    try:
        return asyncio.run(_run(options, load(IngestSettings), clock or SystemClock(), out))
    except LogUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return NO_END
    except KeyboardInterrupt:
        sys.stderr.write("stopped looking; what was ordered goes on\n")
        return NO_END


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.ingest.command",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("clock", "set the clocks of devices"), ("duty", "ask whether somebody is on duty")):
        command = commands.add_parser(name, help=text, description=text)
        whom = command.add_mutually_exclusive_group(required=True)
        whom.add_argument("--gateway", action="append", metavar="ID", help="one gateway; may be repeated")
        whom.add_argument("--unit", metavar="ID", help="all gateways that speak for a unit today")
        command.add_argument("--wait", action="store_true", help="print what happens until it has ended")
        command.add_argument("--json", action="store_true", help="one JSON object per line")
        command.add_argument("--by", default=None, metavar="NAME", help="who gives the order (default: the login name)")
        if name == "duty":
            command.add_argument(
                "--minutes", type=_minutes, default=5, metavar="M", help="1 to 255, how long a person has (default: 5)"
            )
    return parser


def _minutes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 255:
        raise argparse.ArgumentTypeError(f"must be 1 to 255, got {text!r}")
    return int(text)


async def _run(options: argparse.Namespace, settings: IngestSettings, clock: Clock, out: TextIO) -> int:
    async with open_order_client(settings.kafka_bootstrap, settings.registry_deadline_s, clock) as client:
        gateways = _gateways(options, client, clock.now())
        if not gateways:
            return NOT_ALL
        minutes = options.minutes if options.command == "duty" else None
        what = ControlKind.SET_CLOCK if minutes is None else ControlKind.DUTY_CHECK
        by = (options.by or getpass.getuser())[:64]
        orders = [Order(secrets.token_hex(16), gateway_id, what, minutes, by, clock.now()) for gateway_id in gateways]
        await client.submit(orders, source="/cli")
        for order in orders:
            _print_order(order, options.json, out)
        return await _follow(orders, client, options.json, out) if options.wait else DONE


def _gateways(options: argparse.Namespace, client: OrderClient, now: datetime) -> Sequence[str]:
    """Return whom the order is for; nothing, with a sentence, when one of them is not in service."""
    if options.unit is not None:
        found = client.directory.gateways_of(options.unit, now)
        if not found:
            sys.stderr.write(f"no gateway speaks for unit {options.unit} today\n")
        return found
    asked: list[str] = list(dict.fromkeys(options.gateway))
    if len(asked) > MAX_GATEWAYS:
        sys.stderr.write(f"at most {MAX_GATEWAYS} gateways at once, got {len(asked)}\n")
        return ()
    missing = [gateway_id for gateway_id in asked if not client.in_service(gateway_id, now)]
    for gateway_id in missing:
        sys.stderr.write(f"{gateway_id}: {REASONS[ExchangeReason.UNKNOWN_GATEWAY]}\n")
    return () if missing else asked


async def _follow(orders: Sequence[Order], client: OrderClient, as_json: bool, out: TextIO) -> int:
    """Print the steps until every order has ended. Returns the exit code."""
    terms = Terms()
    longest = terms.begin_within + terms.send_within + terms.abandon_after + SPARE
    longest += timedelta(minutes=max(order.minutes or 0 for order in orders))
    waiting = {order.command_id for order in orders}
    reached = 0
    try:
        async with asyncio.timeout(longest.total_seconds()):
            async for event in client.steps(waiting):
                print_step(event, as_json=as_json, out=out)
                if event.ends:
                    reached += event.step in {ExchangeStep.CONFIRMED, ExchangeStep.ANSWERED}
                    waiting.discard(event.order.command_id)
    except TimeoutError:
        sys.stderr.write(f"{len(waiting)} of {len(orders)} orders did not end in time; does ingest run?\n")
        return NO_END
    return DONE if reached == len(orders) else NOT_ALL


def _print_order(order: Order, as_json: bool, out: TextIO) -> None:
    if as_json:
        document = {"step": "ordered", "command_id": order.command_id, "gateway_id": order.gateway_id}
        _print(out, json.dumps(document | {"what": order.what, "minutes": order.minutes, "by": order.by}))
    else:
        _print(out, f"{_clock_time(order.ordered_at)}  {order.gateway_id}  ordered by {order.by}, {order.command_id}")


def print_step(event: ExchangeEvent, *, as_json: bool, out: TextIO) -> None:
    if as_json:
        document = {
            "step": event.step,
            "command_id": event.order.command_id,
            "gateway_id": event.order.gateway_id,
            "at": event.at.isoformat(),
            "instance": event.instance,
            "attempt": event.attempt,
            "carrier": event.carrier,
            "seconds": event.seconds,
            "reason": event.why,
        }
        _print(out, json.dumps({name: value for name, value in document.items() if value is not None}))
        return
    parts = [WORDS[event.step]]
    if event.attempt is not None and event.step is ExchangeStep.SENT:
        parts.append(f"attempt {event.attempt} over {event.carrier}")
    if event.seconds is not None:
        parts.append(f"{event.seconds:.1f} s after the first sending")
    if event.why is not None:
        parts.append(REASONS[event.why])
    _print(out, f"{_clock_time(event.at)}  {event.order.gateway_id}  {', '.join(parts)}")


def _clock_time(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%H:%M:%S}"


def _print(out: TextIO, line: str) -> None:
    out.write(line + "\n")
    out.flush()
