"""`python -m services.console` serves; `accounts` and `demo-accounts` manage who may sign in."""

import argparse
import asyncio
import getpass
import json
import sys

from services.console import app
from services.console.domain.accounts import BadAccount
from services.console.domain.errors import DataUnavailable, LastAdministrator
from services.console.settings import ConsoleSettings
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure, get_logger
from services.runtime.settings import load


def main() -> int:
    arguments = _parser().parse_args()
    settings = load(ConsoleSettings)
    try:
        if arguments.command == "accounts":
            return asyncio.run(_accounts(settings, arguments))
        if arguments.command == "report-schedules":
            return _told(*asyncio.run(app.schedules_audit(settings)))
        if arguments.command == "screens":
            return asyncio.run(_screens(settings, arguments))
        if arguments.command == "demo-accounts":
            return asyncio.run(_demo(settings, as_json=arguments.json))
        configure("console", settings.log_level)
        return asyncio.run(_serve(settings))
    except BadAccount as error:
        print(error, file=sys.stderr)
        return 2
    except LastAdministrator:
        print("nobody would be left who administers accounts: make another administrator first", file=sys.stderr)
        return 2
    except DataUnavailable:
        print("the database of FIRENET_DATABASE_DSN does not answer, or its migrations are missing", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.console", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="serve the page (the default)")
    accounts = commands.add_parser("accounts", help="who may sign in").add_subparsers(dest="action", required=True)
    add = accounts.add_parser("add", help="create or replace an account; the password comes from a prompt or stdin")
    add.add_argument("--username", required=True)
    add.add_argument("--role", required=True, choices=["brigade", "centre", "department"])
    add.add_argument("--department", help="body code, for role department")
    add.add_argument("--display-name", required=True)
    add.add_argument("--display-name-en", default="", help="how readers of English see it")
    add.add_argument("--generate", action="store_true", help="make a password and print it")
    add.add_argument("--administrator", action="store_true", help="works on accounts in the browser; role centre only")
    accounts.add_parser("list", help="all accounts")
    accounts.add_parser("audit", help="check the chain of what was done to accounts; exit 1 when it is broken")
    accounts.add_parser("disable", help="end its sessions and let it in no more").add_argument(
        "--username", required=True
    )
    accounts.add_parser(
        "reset-second-factor", help="take a lost second factor away; the password alone opens the account then"
    ).add_argument("--username", required=True)
    link = accounts.add_parser("link", help="link an account to a person at the identity provider, or to none")
    link.add_argument("--username", required=True)
    link.add_argument("--subject", help="who it is there (sub); without it the account is linked to nobody")
    screens = commands.add_parser("screens", help="displays on a wall").add_subparsers(dest="action", required=True)
    screen = screens.add_parser("add", help="make a screen, or give it a new key; prints the address to open on it")
    screen.add_argument("--name", required=True)
    screen.add_argument("--display-name", required=True)
    screen.add_argument("--days", type=int, default=365, help="how long its key opens it (365)")
    screens.add_parser("list", help="all screens, and until when each opens")
    screens.add_parser("revoke", help="its key opens nothing any more").add_argument("--name", required=True)
    reports = commands.add_parser("report-schedules", help="reports that are sent by mail")
    schedules = reports.add_subparsers(dest="action", required=True)
    schedules.add_parser("audit", help="check the chain of what was done to schedules; exit 1 when it is broken")
    demo = commands.add_parser("demo-accounts", help="one account of each role, with new passwords")
    demo.add_argument("--json", action="store_true", help="print a JSON list")
    return parser


async def _serve(settings: ConsoleSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await app.run(settings, stop)
    except TaskDied as error:
        cause = error.__cause__
        if isinstance(cause, OSError):
            print(cause, file=sys.stderr)
        get_logger().error("console_ended", reason=str(cause or error))
        return 1
    return 0


async def _accounts(settings: ConsoleSettings, arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        for account in await app.list_accounts(settings):
            state = "disabled" if account.disabled else "active"
            print(
                account.username, account.role.value, account.department or "-", state, account.display_name, sep="\t"
            )
        return 0
    if arguments.action == "audit":
        return _told(*await app.accounts_audit(settings))
    if arguments.action == "disable":
        found = await app.disable_account(settings, arguments.username)
        print("disabled" if found else "no such account", file=sys.stdout if found else sys.stderr)
        return 0 if found else 1
    if arguments.action == "reset-second-factor":
        found = await app.reset_second_factor(settings, arguments.username)
        print("reset" if found else "no such account, or it has none", file=sys.stdout if found else sys.stderr)
        return 0 if found else 1
    if arguments.action == "link":
        done = await app.link_account(settings, arguments.username, arguments.subject)
        print("done" if done else "no such account, or another is linked to this person",
              file=sys.stdout if done else sys.stderr)  # fmt: skip
        return 0 if done else 1
    password = app.generated_password() if arguments.generate else _read_password()
    viewer = await app.add_account(
        settings,
        username=arguments.username,
        role=arguments.role,
        department=arguments.department,
        display_name=arguments.display_name,
        display_name_en=arguments.display_name_en,
        password=password,
        administers=arguments.administrator,
    )
    print(f"{viewer.username}\t{password}" if arguments.generate else viewer.username)
    return 0


def _told(entries: int, broken_at: int | None) -> int:
    """Print what became of the check of a chain."""
    print(f"audit: {entries} entries, whole" if broken_at is None else f"audit: broken at {broken_at} of {entries}")
    return 0 if broken_at is None else 1


async def _screens(settings: ConsoleSettings, arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        for screen in await app.list_screens(settings):
            ends = "revoked" if screen.disabled else f"{screen.expires_at:%Y-%m-%d}" if screen.expires_at else "ended"
            print(screen.username, ends, screen.display_name, sep="\t")
        return 0
    if arguments.action == "revoke":
        known = {screen.username for screen in await app.list_screens(settings)}
        if arguments.name not in known:
            print("no such screen", file=sys.stderr)
            return 1
        await app.disable_account(settings, arguments.name)
        print("revoked")
        return 0
    key, until = await app.add_screen(
        settings, name=arguments.name, display_name=arguments.display_name, days=arguments.days
    )
    print(f"/wall?key={key}")
    print(f"open this address of the console once on the screen; until {until:%Y-%m-%d}", file=sys.stderr)
    return 0


async def _demo(settings: ConsoleSettings, *, as_json: bool) -> int:
    made = await app.demo_accounts(settings)
    rows = [
        {"username": viewer.username, "password": password, "role": viewer.role.value, "department": viewer.department,
         "display_name": viewer.display_name}
        for viewer, password in made
    ]  # fmt: skip
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        for row in rows:
            print(row["username"], row["password"], row["role"], row["department"] or "-", sep="\t")
    return 0


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise BadAccount("password: the two entries differ")
    return first


if __name__ == "__main__":
    sys.exit(main())
