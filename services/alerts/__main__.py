"""`python -m services.alerts`: run one process until SIGTERM or SIGINT.

`verify-audit` checks the audit chain in the database; `bundle CASE FILE.zip` packs all that happened to a case, to be
checked without us; `check-bundle FILE.zip` checks one, as the `verify.py` in it does; `explain CASE` says who was told
of a case, who was not and why, and what comes next; `synthetic-alarm` sends a test
alarm all the way to our own receiver and prints when it passed what; it ends with 1 when it did not arrive in time;
`positions` says up to where Kafka was read, and moves what Kafka lost.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from schemas.topics import ALARMS
from services.alerts.adapters import bundle_check
from services.alerts.app import explain, make_bundle, run, send_synthetic_alarm, verify_audit
from services.alerts.domain.audit.bundle import NoBundle
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.ids import CaseId
from services.alerts.domain.synthetic import RunOutcome, Stage
from services.alerts.settings import AlertsSettings
from services.runtime import positions
from services.runtime.lifecycle import Stop, TaskDied, install_signal_handlers
from services.runtime.logging import configure
from services.runtime.settings import ServiceSettings, load


async def _main(settings: AlertsSettings) -> int:
    stop = Stop()
    install_signal_handlers(stop)
    try:
        await run(settings, stop)
    except TaskDied:
        return 1
    return 0


def _dsn() -> str:
    return load(ServiceSettings).database_dsn.get_secret_value()


def _verify() -> int:
    found = asyncio.run(verify_audit(_dsn()))
    if found.broken_at is None:
        print(f"audit chain holds: {found.entries} entries, last hash {found.last_hash}")
        return 0
    print(f"audit chain is broken at entry {found.broken_at}: {found.why}; {found.entries} entries before it hold")
    return 1


def _bundle(case_id: str, path: Path) -> int:
    try:
        files = asyncio.run(make_bundle(_dsn(), CaseId(case_id), path))
    except NoBundle as error:
        print(f"no bundle: {error}", file=sys.stderr)
        return 1
    except FileExistsError:
        print(f"no bundle: {path} is there already", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"no bundle: {path}: {error.strerror}", file=sys.stderr)
        return 1
    except StoreUnavailable:
        print("no bundle: the database of FIRENET_DATABASE_DSN does not answer", file=sys.stderr)
        return 1
    print(f"{path}: {files} files; check it with: python3 verify.py {path.name}")
    return 0


def _explain(case_id: str) -> int:
    try:
        lines = asyncio.run(explain(_dsn(), CaseId(case_id)))
    except StoreUnavailable:
        print("the database of FIRENET_DATABASE_DSN does not answer", file=sys.stderr)
        return 1
    if lines is None:
        print(f"there is no case {case_id}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def _synthetic(settings: AlertsSettings) -> int:
    try:
        result = asyncio.run(send_synthetic_alarm(settings))
    except StoreUnavailable:
        print("not sent: the database of FIRENET_DATABASE_DSN does not answer", file=sys.stderr)
        return 1
    if result is None:
        print("not sent: ALERTS_SYNTHETIC_MQTT_HOST names no broker", file=sys.stderr)
        return 1
    for stage in Stage:
        at = result.stages.get(stage)
        took = "-" if at is None else f"{(at - result.run.started_at).total_seconds():8.3f} s"
        print(f"{stage:<9} {took:>11}")
    print(f"{result.run.run_id}: {result.outcome}{f' ({result.detail})' if result.detail else ''}")
    return 0 if result.outcome is RunOutcome.ARRIVED else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.alerts", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="run until SIGTERM or SIGINT (the default)")
    commands.add_parser("verify-audit", help="check the audit chain in the database")
    bundle = commands.add_parser("bundle", help="pack all that happened to a case into one archive")
    bundle.add_argument("case")
    bundle.add_argument("file", type=Path)
    commands.add_parser("explain", help="say who was told of a case, who was not, what comes next").add_argument("case")
    commands.add_parser("check-bundle", help="check such an archive").add_argument("file")
    commands.add_parser("synthetic-alarm", help="send a test alarm to our own receiver and see whether it arrives")
    commands.add_parser("positions", add_help=False, help="up to where Kafka was read; --help says more")
    return parser


def main() -> int:
    if sys.argv[1:2] == ["positions"]:
        return positions.main(sys.argv[2:], "alerts", positions.statements_of("alerts"), left_alone=[ALARMS])
    arguments = _parser().parse_args()
    match arguments.command:
        case "verify-audit":
            return _verify()
        case "bundle":
            return _bundle(arguments.case, arguments.file)
        case "explain":
            return _explain(arguments.case)
        case "check-bundle":
            return int(bundle_check.main([arguments.file]))
    loaded = load(AlertsSettings)
    configure("alerts", loaded.log_level)
    if arguments.command == "synthetic-alarm":
        return _synthetic(loaded)
    return asyncio.run(_main(loaded))


if __name__ == "__main__":
    sys.exit(main())
