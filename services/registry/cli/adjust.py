"""`adjust`: ask for time to be counted otherwise, decide about it, and see what is in force."""

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from services.kernel.calendar import CHINA
from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, Role
from services.registry.adapters.kafka import KafkaBus
from services.registry.adapters.postgres import open_store
from services.registry.app import OK, REFUSED, entity_id
from services.registry.cli.running import run_command
from services.registry.domain.adjustments import TROUBLES, Adjustment, AdjustmentRequest
from services.registry.domain.approval import Person
from services.registry.domain.entities import Kind
from services.registry.domain.errors import BusUnavailable
from services.registry.settings import RegistrySettings
from services.registry.worker.adjusting import AdjustmentService
from services.registry.worker.publishing import Publisher
from services.runtime.clock import SystemClock

DECISIONS = {
    "approve": "approve what another person asked for; then it is a fact",
    "reject": "reject what another person asked for; --note says why",
    "withdraw": "take back what you asked for, while it waits",
    "end": "end an approved exemption, maintenance or test early",
}


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 refused with a sentence, 2 usage or settings."""
    wanted = _arguments(argv)
    return run_command(lambda settings: _run(wanted, settings))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.registry adjust", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    asking = actions.add_parser("request", help="ask for it; another person has to approve it")
    asking.add_argument("--unit", required=True, type=entity_id, metavar="ID")
    asking.add_argument("--what", required=True, choices=list(AdjustmentKind))
    for name in ("from", "to"):
        asking.add_argument(
            f"--{name}", required=True, dest=f"{name}_", type=_minute, metavar="YYYY-MM-DDTHH:MM",
            help="Asia/Shanghai, or with an offset",
        )  # fmt: skip
    asking.add_argument("--reason", required=True)
    asking.add_argument("--evidence", help="number of a document, a file; needed for a correction")
    asking.add_argument("--counted-as", choices=list(CountedAs), help="of a correction: as what the time is counted")
    asking.add_argument("--system", help="only this system of the unit")
    asking.add_argument("--address", help="only the component with this address")
    asking.add_argument("--trouble", choices=list(TROUBLES), help="only troubles of this kind")
    for action, meaning in DECISIONS.items():
        deciding = actions.add_parser(action, help=meaning)
        deciding.add_argument("id", type=entity_id, metavar="ID")
        deciding.add_argument("--note", default="", required=action == "reject")
        _by(deciding)
    _by(asking)
    listing = actions.add_parser("list", help="print adjustments, the newest first")
    listing.add_argument("--state", choices=list(AdjustmentState))
    listing.add_argument("--unit", type=entity_id, metavar="ID")
    showing = actions.add_parser("show", help="print one adjustment")
    showing.add_argument("id", type=entity_id, metavar="ID")
    actions.add_parser("board", help="print everything that is on test, in maintenance or exempt right now")
    actions.add_parser("audit", help="check that no entry of the audit was changed or taken out")
    return parser.parse_args(argv)


def _by(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", required=True, metavar="ACCOUNT", help="who acts, as at the console; of the brigade")


def _minute(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-03-10T08:30") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=CHINA)


async def _run(wanted: argparse.Namespace, settings: RegistrySettings) -> int:
    clock = SystemClock()
    bus = KafkaBus(bootstrap=settings.kafka_bootstrap, replication=settings.replication)
    try:
        async with open_store(settings.database_dsn.get_secret_value(), settings.imported_by) as store:
            service = AdjustmentService(store=store, clock=clock)
            if wanted.action in ("list", "show", "board", "audit"):
                return await _answer(wanted, service)
            held = await _act(wanted, service)
            _line(_shown(held))
            if held.state in (AdjustmentState.APPROVED, AdjustmentState.ENDED):
                await _publish(Publisher(store=store, bus=bus, clock=clock, batch=settings.publish_batch))
            return OK
    finally:
        await bus.close()


async def _act(wanted: argparse.Namespace, service: AdjustmentService) -> Adjustment:
    by = Person(wanted.by, Role.BRIGADE, f"cli:{getpass.getuser()}")
    match wanted.action:
        case "request":
            return await service.request(_request(wanted), by)
        case "approve":
            return await service.approve(wanted.id, by)
        case "reject":
            return await service.reject(wanted.id, by, wanted.note)
        case "withdraw":
            return await service.withdraw(wanted.id, by, wanted.note)
        case _:
            return await service.end(wanted.id, by, wanted.note)


def _request(wanted: argparse.Namespace) -> AdjustmentRequest:
    return AdjustmentRequest(
        unit_id=wanted.unit,
        what=AdjustmentKind(wanted.what),
        starts_at=wanted.from_,
        ends_at=wanted.to_,
        reason=wanted.reason,
        evidence=wanted.evidence,
        counted_as=None if wanted.counted_as is None else CountedAs(wanted.counted_as),
        system=wanted.system,
        address=wanted.address,
        trouble=wanted.trouble,
    )


async def _answer(wanted: argparse.Namespace, service: AdjustmentService) -> int:
    match wanted.action:
        case "list":
            state = None if wanted.state is None else AdjustmentState(wanted.state)
            for held in await service.listed(state, wanted.unit):
                _line(_shown(held))
        case "show":
            _line(_shown(await service.show(wanted.id)))
        case "board":
            for each in await service.in_force():
                _line(asdict(each))
        case _:
            entries, broken_at = await service.audit_broken_at()
            if broken_at is not None:
                sys.stdout.write(f"audit: broken at entry {broken_at} of {entries}\n")
                return REFUSED
            sys.stdout.write(f"audit: {entries} entries, whole\n")
    return OK


async def _publish(publisher: Publisher) -> None:
    try:
        await publisher.publish(Kind.ADJUSTMENT)
    except BusUnavailable as error:
        raise BusUnavailable(f"{error}; what was approved stays approved, `publish` hands it on later") from error


def _shown(held: Adjustment) -> dict[str, Any]:
    """Return one flat object: the request and what became of it."""
    whole = asdict(held)
    return {"adjustment_id": whole.pop("adjustment_id"), **whole.pop("request"), **whole}


def _line(body: dict[str, Any]) -> None:
    shown = {name: value for name, value in body.items() if value not in (None, "")}
    sys.stdout.write(f"{json.dumps(shown, ensure_ascii=False, default=_text)}\n")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(CHINA).isoformat(timespec="minutes")
    raise TypeError(type(value).__name__)
