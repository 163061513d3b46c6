"""Wiring and the words of the command line."""

import argparse
import asyncio
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from services.registry.adapters.authority import LocalAuthority
from services.registry.adapters.files import LocalFiles
from services.registry.adapters.handout import CsvHandout, PrintedHandout
from services.registry.adapters.kafka import KafkaBus
from services.registry.adapters.mosquitto import MosquittoAccess, MosquittoPasswords, service_passwords
from services.registry.adapters.postgres import open_store
from services.registry.adapters.printing import Printer
from services.registry.adapters.secret_files import replace_all
from services.registry.adapters.sessions import MqttSessions
from services.registry.adapters.sheets import FORMS, FolderSheets
from services.registry.domain.encodings import ENCODINGS
from services.registry.domain.entities import Kind
from services.registry.domain.errors import BusUnavailable, RegistryError
from services.registry.domain.reports import ImportReport
from services.registry.ports import Store
from services.registry.settings import RegistrySettings
from services.registry.worker.asking import Answers
from services.registry.worker.checking import PackCheck
from services.registry.worker.credentials import CredentialsOffice
from services.registry.worker.exporting import Exporter
from services.registry.worker.importing import Importer
from services.registry.worker.publishing import Publisher
from services.registry.worker.trying import Trial
from services.runtime.clock import Clock, SystemClock
from services.runtime.logging import configure
from services.runtime.settings import load

OK, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130
MAX_ID = 128
KINDS = {
    "units": Kind.UNIT,
    "gateways": Kind.GATEWAY,
    "departments": Kind.DEPARTMENT,
    "contacts": Kind.CONTACT,
}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; exits with 2 on bad usage."""
    parser = argparse.ArgumentParser(
        prog="python -m services.registry", description="The register of units and policy packs."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("topics", help="create the Kafka topics of schemas/topics that are missing")
    importing = commands.add_parser("import", help="import units, gateways, departments, contacts from CSV or XLSX")
    importing.add_argument("files", nargs="+", metavar="FILE")
    importing.add_argument("--kind", choices=sorted(KINDS), help="what the files hold, when their names do not say")
    importing.add_argument("--yes", action="store_true", help="ids that look like others are meant so: do not ask")
    _writing(importing)
    pack = commands.add_parser("pack", help="import a policy pack (YAML)")
    pack.add_argument("file", metavar="FILE")
    pack.add_argument("--valid-from", type=date.fromisoformat, metavar="YYYY-MM-DD", help="day from which it holds")
    _writing(pack)
    exporting = commands.add_parser("export", help="write units, gateways, departments, contacts and packs to files")
    exporting.add_argument("--out", type=Path, required=True, metavar="DIR")
    exporting.add_argument("--form", choices=sorted(FORMS), default="csv", help="default csv")
    exporting.add_argument("--english", action="store_true", help="English headings and words, not the Chinese ones")
    publishing = commands.add_parser("publish", help="publish what is not on the topic yet")
    publishing.add_argument(
        "--all", action="store_true", help="everything, onto a topic that was made anew or restored"
    )
    show = commands.add_parser("show", help="print all versions of one entity")
    show.add_argument("kind", choices=[kind.value for kind in Kind])
    show.add_argument("id", type=entity_id)
    listing = commands.add_parser("list", help="print the entities of a kind that are in force today")
    listing.add_argument("kind", choices=[kind.value for kind in Kind])
    explain = commands.add_parser(
        "explain", help="print in which scopes a unit is, why, and who would be told about it; or what a pack says"
    )
    explain.add_argument("id", type=entity_id, metavar="ID")
    explain.add_argument("--pack", action="store_true", help="ID is that of a policy pack")
    check = commands.add_parser(
        "check", help="print what would leave a notice without a reader, or what is wrong with packs; exit 1 when so"
    )
    check.add_argument("packs", nargs="*", metavar="PACK", help="files of policy packs; nothing else is looked at then")
    # these three have modules of their own: see __main__
    commands.add_parser("serve", help="run the service that takes the console's orders about adjustments")
    commands.add_parser("adjust", add_help=False, help="have time counted otherwise: ask, approve, see what is")
    commands.add_parser(
        "score", add_help=False, help="enter points for a criterion of an evaluation, or take them back"
    )
    _credentials(commands.add_parser("credentials", help="passwords and certificates of gateways at the MQTT broker"))
    wanted = parser.parse_args(argv)
    if wanted.command == "credentials" and getattr(wanted, "all", False) and wanted.out is None:
        parser.error("--all needs --out: so many passwords do not belong on a screen")
    return wanted


def _credentials(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, meaning in (
        ("issue", "draw passwords for gateways that have none"),
        ("rotate", "replace passwords"),
    ):
        drawing = actions.add_parser(name, help=meaning)
        whose = drawing.add_mutually_exclusive_group(required=True)
        whose.add_argument("--gateway", nargs="+", type=entity_id, metavar="ID")
        whose.add_argument("--all", action="store_true", help="every gateway in force; needs --out")
        drawing.add_argument("--out", type=Path, metavar="FILE", help="new CSV for the passwords, its owner's alone")
    revoking = actions.add_parser("revoke", help="end the passwords and certificates of gateways")
    revoking.add_argument("--gateway", nargs="+", type=entity_id, metavar="ID", required=True)
    actions.add_parser("list", help="print what each gateway holds; no secrets")
    writing = actions.add_parser("write", help="write Mosquitto's password, access and revocation files")
    actions.add_parser("ca", help="make the certificate authority, where there is none")
    serving = actions.add_parser("server", help="issue the broker's certificate")
    serving.add_argument(
        "--name", action="append", required=True, metavar="HOST", help="name or address it is reached by"
    )
    certifying = actions.add_parser("certificate", help="issue a client certificate")
    certifying.add_argument("--gateway", type=entity_id, required=True, metavar="ID")
    certifying.add_argument("--out", type=Path, metavar="DIR", required=True)
    for issuing in (serving, certifying):
        issuing.add_argument("--days", type=_days, default=730, help="how long it holds; default 730")
    for broking in (writing, serving):
        broking.add_argument("--out", type=Path, metavar="DIR", help="default: REGISTRY_BROKER_DIR")
    ending = actions.add_parser("disconnect", help="end sessions at the broker; default: those of revoked certificates")
    ending.add_argument("--gateway", nargs="+", type=entity_id, metavar="ID")


def entity_id(text: str) -> str:
    if len(text) > MAX_ID or any("\ud800" <= char <= "\udfff" for char in text):
        raise argparse.ArgumentTypeError(f"an id: at most {MAX_ID} characters of UTF-8")
    return text


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 3650:
        raise argparse.ArgumentTypeError("1 to 3650 days")
    return days


def _writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would change, keep nothing")
    parser.add_argument("--no-publish", action="store_true", help="leave it to a later `publish`")
    parser.add_argument("--encoding", choices=ENCODINGS, help="what the text is in, when it is not what it looks like")


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 refused, 2 usage or settings, 130 interrupted."""
    wanted = arguments(argv)
    settings = load(RegistrySettings)
    configure("registry", "warning" if settings.log_level == "info" else settings.log_level)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that a GBK terminal cannot show is no failure
    try:
        code = asyncio.run(run(wanted, settings, SystemClock()))
        sys.stdout.flush()
    except RegistryError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    except OSError as error:
        return _unsaid(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; files that were not reported yet were not taken\n")
        return INTERRUPTED
    return code


def _unsaid(error: OSError) -> int:
    """Nobody takes the answer: its reader has left (`| head`), or the disk is full."""
    if not isinstance(error, BrokenPipeError):
        sys.stderr.write(f"stopped: {error.strerror or type(error).__name__}\n")
    with suppress(io.UnsupportedOperation):  # what is still held back must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return REFUSED


async def run(wanted: argparse.Namespace, settings: RegistrySettings, clock: Clock) -> int:
    bus = KafkaBus(
        bootstrap=settings.kafka_bootstrap, replication=settings.replication, signals_days=settings.signals_days
    )
    printer = Printer(sys.stdout)
    try:
        if wanted.command == "check" and wanted.packs:
            return printer.packs_checked(
                PackCheck(files=_files(settings), listed=settings.listed_errors).check(wanted.packs)
            )
        if wanted.command == "topics":
            printer.topics(await bus.create_topics())
            return OK
        if wanted.command == "credentials" and wanted.action in ("ca", "server"):
            return _authority_command(wanted, settings, clock, printer)
        async with open_store(settings.database_dsn.get_secret_value(), settings.imported_by) as store:
            publisher = Publisher(store=store, bus=bus, clock=clock, batch=settings.publish_batch)
            if wanted.command in ("import", "pack") and wanted.dry_run:
                importer = _importers(wanted, settings, store, clock)(getattr(wanted, "yes", False))
                return await _try(wanted, Trial(importer=importer, store=store, clock=clock), printer)
            if wanted.command in ("import", "pack"):
                return await _import(wanted, _importers(wanted, settings, store, clock), publisher, printer)
            if wanted.command == "export":
                sheets = FolderSheets(wanted.out, wanted.form)
                exporter = Exporter(store=store, clock=clock, sheets=sheets)
                printer.exported(await exporter.export(chinese=not wanted.english))
                return OK
            if wanted.command == "publish":
                printer.published(await (publisher.publish_all() if wanted.all else publisher.publish()))
                return OK
            if wanted.command == "credentials":
                return await _credentials_command(wanted, settings, store, clock, printer)
            return await _answer(wanted, Answers(store=store, clock=clock), printer)
    finally:
        await bus.close()


def _authority_command(wanted: argparse.Namespace, settings: RegistrySettings, clock: Clock, printer: Printer) -> int:
    """Run what needs no register."""
    authority = LocalAuthority(settings.ca_dir)
    if wanted.action == "ca":
        printer.line(
            "certificate authority made" if authority.found(clock.now()) else "certificate authority: is there"
        )
        return OK
    folder = wanted.out or settings.broker_dir
    made = authority.certify_server(wanted.name, clock.now(), timedelta(days=wanted.days))
    replace_all(folder, {"server.key": made.key_pem, "server.crt": made.certificate_pem})
    printer.line(f"{folder}/server.crt: holds until {made.certificate.expires_at:%Y-%m-%d}")
    return OK


async def _credentials_command(
    wanted: argparse.Namespace, settings: RegistrySettings, store: Store, clock: Clock, printer: Printer
) -> int:
    office = CredentialsOffice(store=store, passwords=MosquittoPasswords(), clock=clock)
    authority = LocalAuthority(settings.ca_dir)
    match wanted.action:
        case "issue" | "rotate":
            handout = PrintedHandout(sys.stdout) if wanted.out is None else CsvHandout(wanted.out)
            draw = office.issue if wanted.action == "issue" else office.rotate
            printer.shown(await draw(wanted.gateway, handout), wanted.out)
        case "revoke":
            printer.revoked(*await office.revoke(wanted.gateway))
        case "list":
            printer.held(await office.held(), clock.now())
        case "write":
            folder = wanted.out or settings.broker_dir
            broker = MosquittoAccess(folder, service_passwords(settings.broker_services))
            printer.written(await office.write(broker, authority), folder)
        case "certificate":
            made = await office.certify(wanted.gateway, authority, timedelta(days=wanted.days))
            replace_all(
                wanted.out,
                {f"{wanted.gateway}.key": made.key_pem, f"{wanted.gateway}.crt": made.certificate_pem},
            )
            printer.line(f"{wanted.out}/{wanted.gateway}.crt: holds until {made.certificate.expires_at:%Y-%m-%d}")
        case _:
            gateways = wanted.gateway or await office.shut_out()
            await _sessions(settings).end(gateways)
            printer.line(f"sessions ended: {', '.join(gateways) or 'none'}")
    return OK


def _sessions(settings: RegistrySettings) -> MqttSessions:
    password = settings.mqtt_password
    return MqttSessions(
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        username=settings.mqtt_username or None,
        password=None if password is None else password.get_secret_value(),
        ca_file=settings.mqtt_tls_ca or None,
    )


def _files(settings: RegistrySettings, encoding: str | None = None) -> LocalFiles:
    return LocalFiles(
        max_file_mb=settings.max_file_mb,
        max_unpacked_mb=settings.max_unpacked_mb,
        max_rows=settings.max_rows,
        encoding=encoding,
    )


Importers = Callable[[bool], Importer]
"""Makes an importer; told whether ids that look alike are meant to be different."""


def _importers(wanted: argparse.Namespace, settings: RegistrySettings, store: Store, clock: Clock) -> Importers:
    files = _files(settings, wanted.encoding)

    def importer(twins_meant: bool) -> Importer:
        return Importer(
            files=files, store=store, clock=clock, listed_errors=settings.listed_errors, twins_meant=twins_meant
        )

    return importer


async def _import(wanted: argparse.Namespace, importer: Importers, publisher: Publisher, printer: Printer) -> int:
    if wanted.command == "pack":
        reports = [await importer(False).import_pack(wanted.file, valid_from=wanted.valid_from)]
        printer.report(reports[0], dry_run=False)
    else:
        reports = await _import_files(wanted, importer, printer)
    if not wanted.no_publish:
        try:
            printer.published(await publisher.publish())
        except BusUnavailable as error:
            raise BusUnavailable(f"{error}; what was taken stays taken, `publish` hands it on later") from error
    return REFUSED if any(report.refused for report in reports) else OK


async def _try(wanted: argparse.Namespace, trial: Trial, printer: Printer) -> int:
    """Say what an import would change. Nothing is kept."""
    if wanted.command == "pack":
        report, effects = await trial.pack(wanted.file, wanted.valid_from)
        reports = [report]
    else:
        reports, effects = await trial.files(_named_files(wanted))
    for report in reports:
        printer.report(report, dry_run=True)
    printer.effects(effects, reports)
    return REFUSED if any(report.refused for report in reports) else OK


def _named_files(wanted: argparse.Namespace) -> list[tuple[str, Kind | None]]:
    return [(file, KINDS.get(wanted.kind)) for file in wanted.files]


async def _import_files(wanted: argparse.Namespace, importer: Importers, printer: Printer) -> list[ImportReport]:
    """Import, and again what was only asked about when somebody at the terminal says that it is meant so."""
    files = _named_files(wanted)
    reports = await importer(wanted.yes).import_files(files)
    for report in reports:
        printer.report(report, dry_run=False)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if terminal and any(report.asks for report in reports) and printer.confirmed():
        reports = await importer(True).import_files(files)
        for report in reports:
            printer.report(report, dry_run=False)
    return reports


async def _answer(wanted: argparse.Namespace, answers: Answers, printer: Printer) -> int:
    if wanted.command == "show":
        history = await answers.show(Kind(wanted.kind), wanted.id)
        return OK if printer.history(history, wanted.id) else REFUSED
    if wanted.command == "list":
        printer.entities(await answers.everything(Kind(wanted.kind)))
        return OK
    if wanted.command == "explain" and wanted.pack:
        return OK if printer.pack_explained(await answers.explain_pack(wanted.id), wanted.id) else REFUSED
    if wanted.command == "explain":
        return OK if printer.explained(await answers.explain(wanted.id), wanted.id) else REFUSED
    report = await answers.check()
    printer.checked(report)
    return OK if report.clean else REFUSED
