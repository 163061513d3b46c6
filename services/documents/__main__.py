"""`python -m services.documents` serves until SIGTERM or SIGINT; `number` enters what an issuer gave its draft."""

import argparse
import asyncio
import sys
from datetime import date, datetime

from services.documents import app
from services.documents.domain.errors import BadForm, NotNumbered, StoreUnavailable
from services.documents.settings import DocumentsSettings
from services.kernel.calendar import CHINA
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


def main() -> int:
    arguments = _parser().parse_args()
    settings = load(DocumentsSettings)
    configure("documents", settings.log_level)
    return asyncio.run(_number(settings, arguments) if arguments.command == "number" else _serve(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.documents", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    number = commands.add_parser("number", help="issue a draft with the number and date that its issuer gave it")
    number.add_argument("document", help="id of the draft")
    number.add_argument("--number", required=True, help="as it is written: 鼓消限〔2026〕7号")
    number.add_argument("--date", required=True, type=date.fromisoformat, help="day that it bears, YYYY-MM-DD")
    number.add_argument("--by", required=True, help="who enters it")
    return parser


async def _serve(settings: DocumentsSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await app.run(settings, stop)
    except TaskDied:
        return 1
    return 0


async def _number(settings: DocumentsSettings, arguments: argparse.Namespace) -> int:
    dated: date = arguments.date
    # the end of the day: a paper may tell of what happened on the day that it bears
    issued_at = datetime(dated.year, dated.month, dated.day, 23, 59, tzinfo=CHINA)
    try:
        await app.number(settings, arguments.document, arguments.number, issued_at, arguments.by)
    except (NotNumbered, BadForm) as error:
        print(error, file=sys.stderr)
        return 2
    except StoreUnavailable:
        print("the database of FIRENET_DATABASE_DSN does not answer, or its migrations are missing", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
