"""Apply deploy/migrations, under a lock, each file once: `python -m services.runtime.migrate`, or with --help.

yoyo does it: it keeps the list of what was applied (by name, so a file is never renamed), takes a lock against a second
runner, and runs plain SQL files. Each is of one of two phases, which stands in its name: `pre` may be applied while the
version before still runs, `post` only when nothing of it runs any more.

A statement that waits for a table's lock holds up everybody who comes after it: it gives up after a few seconds, and
its file is applied again from its beginning. A file with `-- transactional: false` builds an index while others write.
"""

import argparse
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

from services.runtime.settings import ServiceSettings, load

MIGRATIONS = Path(__file__).resolve().parents[2] / "deploy" / "migrations"
LAST_WITHOUT_PHASE = 13
"""Up to here the names say nothing of a phase: they came before the rule, and count as `pre`."""

LOCK_TIMEOUT_MS = 5_000
LOCK_TRIES = 10
REST_S = 3.0
"""Between two tries: whoever waited behind the first one has its turn."""

NAME = re.compile(r"(?P<number>\d{4})_((?P<phase>pre|post)_)?[a-z0-9_]+")


class Phase(StrEnum):
    """When a migration may be applied in an upgrade without a pause."""

    PRE = "pre"
    POST = "post"


HOW = {Phase.PRE: "run without --post", Phase.POST: "run with --post once nothing of the version before runs"}


class OutOfOrder(Exception):
    """What was asked for rests on migrations of the other phase that are not applied yet."""

    def __init__(self, waiting: list[str], first: list[str], how: str) -> None:
        super().__init__(f"{', '.join(first)} must be applied before {', '.join(waiting)}: {how}")


def phase_of(name: str) -> Phase:
    """Return the phase of the migration file of this name (without `.sql`). Raises ValueError for any other name."""
    found = NAME.fullmatch(name)
    if found is None or (found["phase"] is None and int(found["number"]) > LAST_WITHOUT_PHASE):
        raise ValueError(f"{name}: a migration is called NNNN_pre_what or NNNN_post_what")
    return Phase(found["phase"] or Phase.PRE)


def migrate(dsn: str, folder: Path = MIGRATIONS, *, phase: Phase | None = None, until: str | None = None) -> list[str]:
    """Apply what is due at `dsn`, in the order of the numbers, and return the names of what was applied now.

    Without `phase` both are applied: nothing else may use the database. So are they in an empty database, where there
    is no version before. `until` leaves out what comes after that name.
    Raises OutOfOrder, and the driver's error when the server cannot be reached, a statement fails, or a lock is not to
    be had in all tries. A failed file leaves no trace, but for one without a transaction.
    """
    with _opened(dsn, folder) as (backend, migrations), backend.lock(timeout=60):
        is_empty = not backend.get_applied_migration_hashes()
        due = backend.to_apply(migrations).filter(lambda one: until is None or one.id <= until)
        if phase is not None and not is_empty:
            due = _of_phase(due, phase)
        names = [migration.id for migration in due]
        for migration in due:
            _apply(backend, migration)
    return names


def _apply(backend: Any, migration: Any) -> None:
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            backend.apply_one(migration)
            return
        except psycopg.errors.LockNotAvailable:
            if not tries_left:
                raise
        _rest()


def _rest() -> None:
    threading.Event().wait(REST_S)


def left(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Return the names of what is not applied at `dsn`, in the order of the numbers."""
    with _opened(dsn, folder) as (backend, migrations):
        return [migration.id for migration in backend.to_apply(migrations)]


def wait(
    left_now: Callable[[], list[str]],
    say: Callable[[str], object],
    rest: Callable[[], object],
    unanswered: int | None = None,
) -> None:
    """Come back when somebody else has applied every `pre`; until then `say` what is waited for, once.

    `unanswered`: come back as well when the database has not answered so many times running.
    """
    said, silent = "", 0
    while True:
        try:
            missing = [name for name in left_now() if phase_of(name) is Phase.PRE]
            reason, silent = f"waits for migrations: {', '.join(missing)}" if missing else "", 0
        except Exception as error:  # noqa: BLE001 - a server that starts later refuses in many ways, and is waited for
            reason, silent = f"waits for the database: {_first_line(error)}", silent + 1
        if not reason or silent == unanswered:
            return
        if reason != said:
            say(f"{reason}\n")
            said = reason
        rest()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _opened(dsn: str, folder: Path) -> Iterator[tuple[Any, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # raised inside yoyo on import
        from yoyo import get_backend, read_migrations
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    query["options"] = f"{query.get('options', '')} -c lock_timeout={LOCK_TIMEOUT_MS}".strip()
    backend = get_backend(urlunsplit(parts._replace(scheme="postgresql+psycopg", query=urlencode(query))))
    try:
        yield backend, read_migrations(str(folder))
    finally:
        backend.connection.close()


def _of_phase(due: Any, phase: Phase) -> Any:
    chosen = due.filter(lambda one: phase_of(one.id) is phase)
    others = due.filter(lambda one: phase_of(one.id) is not phase)
    if phase is Phase.POST and others and chosen:
        return _made_up_for(chosen, others)
    for one in chosen:
        first = sorted({other.id for other in others} & {other.id for other in one.depends})
        if first:
            raise OutOfOrder([one.id], first, f"{HOW[Phase.POST]}, then again")
    return chosen


def _made_up_for(post: Any, pre: Any) -> Any:
    """Return the `post` of an earlier release that was left out, and on which `pre` of this one rests."""
    needed = {other.id for one in pre for other in one.depends}
    missing = post.filter(lambda one: one.id in needed and one.id < min(other.id for other in pre))
    if not missing:
        raise OutOfOrder([one.id for one in post], [one.id for one in pre], f"{HOW[Phase.PRE]} first")
    return missing


def _say(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> None:
    """Apply `pre`, with --post `post`, with --all both; with --wait nothing, but end only when all `pre` is there."""
    parser = argparse.ArgumentParser(prog="python -m services.runtime.migrate", description=main.__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--post", action="store_true", help="what waits until nothing of the version before runs")
    which.add_argument("--all", action="store_true", help="both phases: nothing else uses the database")
    which.add_argument("--wait", action="store_true", help="apply nothing; wait until somebody else has applied `pre`")
    parser.add_argument(
        "--unanswered",
        type=int,
        metavar="N",
        help="with --wait: go on when no database answered N times running",
    )
    chosen = parser.parse_args(arguments)
    phase = None if chosen.all else Phase.POST if chosen.post else Phase.PRE
    dsn = load(ServiceSettings).database_dsn.get_secret_value()
    if chosen.wait:
        wait(lambda: left(dsn), _say, _rest, chosen.unanswered)
        return
    try:
        names, later = migrate(dsn, phase=phase), left(dsn)
    except Exception as error:  # noqa: BLE001 - one sentence for the person who runs it, whatever the driver raised
        sys.exit(f"migrations failed: {_first_line(error)}")
    sys.stdout.write(f"migrations applied: {', '.join(names) if names else 'none, up to date'}\n")
    for phase, how in HOW.items():
        waiting = [name for name in later if phase_of(name) is phase]
        if waiting:
            sys.stdout.write(f"migrations left: {', '.join(waiting)}: {how}\n")


if __name__ == "__main__":
    main()
