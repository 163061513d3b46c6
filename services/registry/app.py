"""Wiring and the words of the command line."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import date

from services.registry.adapters.files import LocalFiles
from services.registry.adapters.kafka import KafkaBus
from services.registry.adapters.postgres import open_store
from services.registry.adapters.printing import Printer
from services.registry.domain.entities import Kind
from services.registry.domain.errors import RegistryError
from services.registry.settings import RegistrySettings
from services.registry.worker.asking import Answers
from services.registry.worker.importing import Importer
from services.registry.worker.publishing import Publisher
from services.runtime.clock import Clock, SystemClock
from services.runtime.logging import configure
from services.runtime.settings import load

OK, REFUSED, USAGE = 0, 1, 2
KINDS = {
    "units": Kind.UNIT,
    "gateways": Kind.GATEWAY,
    "departments": Kind.DEPARTMENT,
    "contacts": Kind.CONTACT,
}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; exits with 2 on bad usage."""
    parser = argparse.ArgumentParser(prog="python -m services.registry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("topics", help="create the Kafka topics of schemas/topics that are missing")
    importing = commands.add_parser("import", help="import units, gateways, departments, contacts from CSV or XLSX")
    importing.add_argument("files", nargs="+", metavar="FILE")
    importing.add_argument("--kind", choices=sorted(KINDS), help="what the files hold, when their names do not say")
    _writing(importing)
    pack = commands.add_parser("pack", help="import a policy pack (YAML)")
    pack.add_argument("file", metavar="FILE")
    pack.add_argument("--valid-from", type=date.fromisoformat, metavar="YYYY-MM-DD", help="day from which it holds")
    _writing(pack)
    commands.add_parser("publish", help="publish what is not on the topic yet")
    show = commands.add_parser("show", help="print all versions of one entity")
    show.add_argument("kind", choices=[kind.value for kind in Kind])
    show.add_argument("id")
    listing = commands.add_parser("list", help="print the entities of a kind that are in force today")
    listing.add_argument("kind", choices=[kind.value for kind in Kind])
    explain = commands.add_parser("explain", help="print who would be told about a unit, when, on which clause")
    explain.add_argument("unit")
    commands.add_parser("check", help="print what would leave a notice without a reader; exit 1 when anything would")
    return parser.parse_args(argv)


def _writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="check everything, keep nothing")
    parser.add_argument("--no-publish", action="store_true", help="leave it to a later `publish`")


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 refused, 2 usage or settings."""
    wanted = arguments(argv)
    settings = load(RegistrySettings)
    configure("registry", "warning" if settings.log_level == "info" else settings.log_level)
    try:
        return asyncio.run(run(wanted, settings, SystemClock()))
    except RegistryError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED


async def run(wanted: argparse.Namespace, settings: RegistrySettings, clock: Clock) -> int:
    bus = KafkaBus(bootstrap=settings.kafka_bootstrap, replication=settings.replication)
    printer = Printer(sys.stdout)
    try:
        if wanted.command == "topics":
            printer.topics(await bus.create_topics())
            return OK
        async with open_store(settings.database_dsn.get_secret_value(), settings.imported_by) as store:
            publisher = Publisher(store=store, bus=bus, clock=clock, batch=settings.publish_batch)
            if wanted.command in ("import", "pack"):
                files = LocalFiles(
                    max_file_mb=settings.max_file_mb,
                    max_unpacked_mb=settings.max_unpacked_mb,
                    max_rows=settings.max_rows,
                )
                importer = Importer(files=files, store=store, clock=clock, listed_errors=settings.listed_errors)
                return await _import(wanted, importer, publisher, printer)
            if wanted.command == "publish":
                printer.published(await publisher.publish())
                return OK
            return await _answer(wanted, Answers(store=store, clock=clock), printer)
    finally:
        await bus.close()


async def _import(wanted: argparse.Namespace, importer: Importer, publisher: Publisher, printer: Printer) -> int:
    if wanted.command == "pack":
        reports = [await importer.import_pack(wanted.file, valid_from=wanted.valid_from, dry_run=wanted.dry_run)]
    else:
        kind = KINDS.get(wanted.kind)
        reports = await importer.import_files([(file, kind) for file in wanted.files], dry_run=wanted.dry_run)
    for report in reports:
        printer.report(report, dry_run=wanted.dry_run)
    if not wanted.dry_run and not wanted.no_publish:
        printer.published(await publisher.publish())
    return REFUSED if any(report.refused for report in reports) else OK


async def _answer(wanted: argparse.Namespace, answers: Answers, printer: Printer) -> int:
    if wanted.command == "show":
        history = await answers.show(Kind(wanted.kind), wanted.id)
        return OK if printer.history(history, wanted.id) else REFUSED
    if wanted.command == "list":
        printer.entities(await answers.everything(Kind(wanted.kind)))
        return OK
    if wanted.command == "explain":
        return OK if printer.explained(await answers.explain(wanted.unit), wanted.unit) else REFUSED
    report = await answers.check()
    printer.checked(report)
    return OK if report.clean else REFUSED
