"""`score`: enter points for a criterion of an evaluation, take them back, list what was entered."""

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from services.kernel.words import Role
from services.registry.adapters.http_scores import shown
from services.registry.adapters.postgres import open_store
from services.registry.app import OK, entity_id
from services.registry.cli.running import run_command
from services.registry.domain.approval import Person
from services.registry.domain.manual_scores import NewScore
from services.registry.settings import RegistrySettings
from services.registry.worker.manual_scores import ManualScoreService
from services.runtime.clock import SystemClock

MOST_LISTED = 100_000


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 refused with a sentence, 2 usage or settings."""
    wanted = _arguments(argv)
    return run_command(lambda settings: _run(wanted, settings))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.registry score", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    entering = actions.add_parser("enter", help="enter points; they take the place of what was entered before")
    back = actions.add_parser("withdraw", help="take back what was entered: the criterion is open again")
    for each in (entering, back):
        each.add_argument("--scheme", required=True, type=entity_id, metavar="NAME", help="as the pack names it")
        each.add_argument("--body", required=True, type=entity_id, metavar="CODE")
        each.add_argument("--criterion", required=True, type=entity_id, metavar="NAME")
        each.add_argument("--month", required=True, type=_month, metavar="YYYY-MM")
        each.add_argument("--reason", required=True)
        each.add_argument("--by", required=True, metavar="ACCOUNT", help="who acts, as at the console; of the brigade")
    entering.add_argument("--points", required=True, type=_points)
    actions.add_parser("list", help="print what was entered, the newest first, as `evaluate` of compliance takes it")
    return parser.parse_args(argv)


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-03") from error


def _points(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from error


async def _run(wanted: argparse.Namespace, settings: RegistrySettings) -> int:
    async with open_store(settings.database_dsn.get_secret_value(), settings.imported_by) as store:
        service = ManualScoreService(store=store, clock=SystemClock())
        if wanted.action == "list":
            found = await service.listed(MOST_LISTED)
        else:
            points = wanted.points if wanted.action == "enter" else None
            asked = NewScore(wanted.scheme, wanted.body, wanted.criterion, wanted.month, points, wanted.reason)
            found = [await service.enter(asked, Person(wanted.by, Role.BRIGADE, f"cli:{getpass.getuser()}"))]
    for held in found:
        sys.stdout.write(f"{json.dumps(shown(held), ensure_ascii=False)}\n")
    return OK
