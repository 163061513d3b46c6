"""`python -m services.documents` serves until SIGTERM or SIGINT; `number` enters what an issuer gave its draft, `mails`
shows answers that came by mail, joins one to its document, takes it as a party's reply or sets it aside; `positions`
says up to where Kafka was read."""

import argparse
import asyncio
import sys
from datetime import date, datetime

from services.documents import app
from services.documents.domain.errors import BadForm, NotFound, NotNumbered, NotPossible, StoreUnavailable
from services.documents.settings import DocumentsSettings
from services.kernel.calendar import CHINA
from services.runtime import positions
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import load


def main() -> int:
    if sys.argv[1:2] == ["positions"]:
        return positions.main(sys.argv[2:], "documents", positions.statements_of("documents"))
    arguments = _parser().parse_args()
    settings = load(DocumentsSettings)
    configure("documents", settings.log_level)
    if arguments.command == "number":
        return asyncio.run(_number(settings, arguments))
    return asyncio.run(_mails(settings, arguments) if arguments.command == "mails" else _serve(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.documents", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    number = commands.add_parser("number", help="issue a draft with the number and date that its issuer gave it")
    number.add_argument("document", help="id of the draft")
    number.add_argument("--number", required=True, help="as it is written: 鼓消限〔2026〕7号")
    number.add_argument("--date", required=True, type=date.fromisoformat, help="day that it bears, YYYY-MM-DD")
    number.add_argument("--by", required=True, help="who enters it")
    mails = commands.add_parser("mails", help="answers that came by mail").add_subparsers(dest="act", required=True)
    shown = mails.add_parser("list", help="those that wait for a person, newest first")
    shown.add_argument("--all", action="store_true", help="also what is taken, set aside or no answer")
    taken = mails.add_parser("take", help="hand it in as the reply of a party, to be accepted or returned as any")
    taken.add_argument("mail", help="its id")
    taken.add_argument("--party", required=True, help="body or part in the unit that it is from, as you have made sure")
    taken.add_argument(
        "--document", help="id of the document that it was listed with: refused where it has another now"
    )
    aside = mails.add_parser("aside", help="say that it is no reply; it is kept")
    aside.add_argument("mail", help="its id")
    aside.add_argument("--reason", required=True, help="why it is none")
    joined = mails.add_parser("join", help="say which document it answers; it waits then")
    joined.add_argument("mail", help="its id")
    joined.add_argument("document", help="id or number of the document")
    for one in (taken, aside, joined):
        one.add_argument("--by", required=True, help="who decides it")
    commands.add_parser("positions", add_help=False, help="up to where Kafka was read; --help says more")
    return parser


async def _serve(settings: DocumentsSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await app.run(settings, stop)
    except TaskDied:
        return 1
    return 0


async def _mails(settings: DocumentsSettings, arguments: argparse.Namespace) -> int:
    try:
        async with app.mail_desk(settings) as desk:
            if arguments.act == "list":
                for row in await desk.mails(everything=arguments.all):
                    about = row["document_id"] or row["reason"] or "-"
                    print(row["mail_id"], f"{row['at']:%Y-%m-%d %H:%M}", row["sort"], row["state"], about, sep="  ")
                    print(f"    {row['sender_name']} <{row['sender']}>  {row['subject']}  ({row['files']} files)")
            elif arguments.act == "take":
                await desk.take(arguments.mail, arguments.party, arguments.by, arguments.document)
            elif arguments.act == "join":
                await desk.join(arguments.mail, arguments.document, arguments.by)
            else:
                await desk.set_aside(arguments.mail, arguments.by, arguments.reason)
    except NotFound:
        print("no such mail that waits, or its document did not go to this party", file=sys.stderr)
        return 2
    except NotPossible as error:
        print(f"not possible: {error.reason}", file=sys.stderr)
        return 2
    except StoreUnavailable:
        print("the database of FIRENET_DATABASE_DSN does not answer, or its migrations are missing", file=sys.stderr)
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
