"""`score`: enter points for a criterion of an evaluation, take them back, decide about those of others, list them."""

import argparse
import getpass
import json
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from services.kernel.words import AdjustmentState, Role
from services.registry.adapters.http_scores import counting, shown
from services.registry.adapters.postgres import open_store
from services.registry.app import OK, entity_id
from services.registry.cli.running import run_command
from services.registry.domain.approval import Person
from services.registry.domain.manual_scores import NewScore
from services.registry.settings import RegistrySettings
from services.registry.worker.manual_scores import ManualScoreService
from services.runtime.clock import SystemClock

MAX_LISTED = 100_000
DECISIONS = {
    "approve": AdjustmentState.APPROVED,
    "reject": AdjustmentState.REJECTED,
    "cancel": AdjustmentState.WITHDRAWN,
}


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
    for action, said in (
        ("approve", "agree, as a second person, to what somebody entered: it counts from then on"),
        ("reject", "refuse it, as a second person; --note says why"),
        ("cancel", "withdraw, before it is decided, what one entered oneself"),
    ):
        deciding = actions.add_parser(action, help=said)
        deciding.add_argument("entry_id", type=entity_id, metavar="ENTRY")
        deciding.add_argument("--by", required=True, metavar="ACCOUNT", help="who acts, as at the console")
        deciding.add_argument("--note", default="")
    actions.add_parser("list", help="print what counts, the newest first, as `evaluate` of compliance takes it")
    actions.add_parser("waiting", help="print what waits for a second person, the newest first")
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
        if wanted.action in ("list", "waiting"):
            of = AdjustmentState.APPROVED if wanted.action == "list" else AdjustmentState.REQUESTED
            found = [each for each in await service.listed(MAX_LISTED) if each.state is of]
        elif wanted.action in DECISIONS:
            by = Person(wanted.by, Role.BRIGADE, f"cli:{getpass.getuser()}")
            found = [await service.decide(wanted.entry_id, DECISIONS[wanted.action], by, wanted.note)]
        else:
            points = wanted.points if wanted.action == "enter" else None
            asked = NewScore(wanted.scheme, wanted.body, wanted.criterion, wanted.month, points, wanted.reason)
            found = [await service.enter(asked, Person(wanted.by, Role.BRIGADE, f"cli:{getpass.getuser()}"))]
    form = counting if wanted.action == "list" else shown
    for held in found:
        sys.stdout.write(f"{json.dumps(form(held), ensure_ascii=False)}\n")
    return OK
