"""Look at what was refused, take it away, and have it decided anew.

    list     the newest refusals that match, and how many there are
    inspect  one refusal with its bytes, and what the decoders make of it today
    export   all that match, as JSON lines with the bytes in base64
    replay   decide anew with today's registry and decoders, as of when it was received
    adopt    replay all that a gateway said before it was entered in the register, in its order

Instants are ISO 8601 (China time without an offset) or an age such as 90m, 12h, 7d. Exit codes: 0 done, 1 not
everything (no such refusal, or some stay unusable), 2 wrong usage, 3 no answer from Kafka.
"""

import argparse
import getpass
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.ingest.domain.replays import Query
from services.ingest.refusals import show
from services.kernel.calendar import CHINA
from services.kernel.words import RefusalReason

REASONS = tuple(reason.value for reason in RefusalReason)
_ID = re.compile(r"[0-9a-f]{32}")
_AGE = re.compile(r"(\d{1,5})([mhd])")
_AGES = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def read_options(argv: Sequence[str], now: datetime) -> argparse.Namespace:
    """Return the command and its options; ages count back from `now`. Ends the process on wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m services.ingest.refusals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the newest refusals that match")
    _filters(listing, now)
    listing.add_argument("--limit", type=_count, default=50, metavar="N", help="show so many at most (50)")
    listing.add_argument("--state", choices=(show.OPEN, show.REPLAYED, "all"), default="all")

    inspecting = commands.add_parser("inspect", help="everything about one refusal")
    inspecting.add_argument("id", type=_refusal_id, metavar="ID")
    inspecting.add_argument("--since", type=lambda text: _instant(text, now), metavar="WHEN", help="look from here on")
    inspecting.add_argument(
        "--max-bytes", type=_count, default=65536, metavar="N", help="bytes in the hex dump (65536)"
    )

    exporting = commands.add_parser("export", help="all that match, as JSON lines in a new file")
    exporting.add_argument("file", metavar="FILE")
    _filters(exporting, now)

    replaying = commands.add_parser("replay", help="have refusals decided anew; name them, or give a filter")
    replaying.add_argument("ids", nargs="*", type=_refusal_id, metavar="ID")
    _filters(replaying, now)

    adopting = commands.add_parser("adopt", help="all that a gateway said before it was entered in the register")
    adopting.add_argument("gateway", metavar="GATEWAY", help="its id in the register")
    _period(adopting, now)

    for command in (replaying, adopting):
        command.add_argument("--dry-run", action="store_true", help="say what would become of each, store nothing")
        command.add_argument("--again", action="store_true", help="also those that became signals already: same ids")
        command.add_argument("--limit", type=_count, default=1000, metavar="N", help="replay so many at most (1000)")
        command.add_argument("--by", type=_person, default=None, metavar="NAME", help="who orders it (the user)")

    for command in (listing, inspecting, replaying, adopting):
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(argv)
    if options.command in ("replay", "adopt"):
        options.by = options.by or _person(getpass.getuser())
    if options.command == "replay":
        named = (options.ids, options.reason, options.gateway, options.since, options.until)
        if not any(named):
            replaying.error("name refusals, or say which with --reason, --gateway, --since or --until")
    return options


def _filters(parser: argparse.ArgumentParser, now: datetime) -> None:
    parser.add_argument("--reason", choices=REASONS, metavar="REASON", help=", ".join(REASONS))
    parser.add_argument("--gateway", metavar="ID", help="the gateway that the topic or the device claims")
    _period(parser, now)


def _period(parser: argparse.ArgumentParser, now: datetime) -> None:
    parser.add_argument("--since", type=lambda text: _instant(text, now), metavar="WHEN", help="received then or later")
    parser.add_argument("--until", type=lambda text: _instant(text, now), metavar="WHEN", help="received before then")


def _instant(text: str, now: datetime) -> datetime:
    age = _AGE.fullmatch(text)
    if age is not None:
        return now - int(age[1]) * _AGES[age[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an instant nor an age such as 12h") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=CHINA)


def _refusal_id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no id of a refusal: 32 hex digits")
    return text


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def _person(text: str) -> str:
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise argparse.ArgumentTypeError("a name has 1 to 64 printable characters")
    return text


def query_of(options: argparse.Namespace, ids: Sequence[str] = ()) -> Query:
    """Return which refusals are meant; none of `ids` means any."""
    return Query(options.reason, options.gateway, options.since, options.until, frozenset(ids))
