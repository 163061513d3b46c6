"""Apply deploy/migrations to a database, under a lock, each file once. `python -m services.runtime.migrate`.

yoyo does it: it keeps the list of what was applied, takes a lock against a second runner, and runs plain SQL files.
"""

import logging
import sys
import warnings
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic_settings import BaseSettings

from services.runtime.settings import ServiceSettings, load

MIGRATIONS = Path(__file__).resolve().parents[2] / "deploy" / "migrations"


def migrate(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Bring the database at `dsn` up to date and return the names of what was applied now.

    Raises the driver's error when the server cannot be reached or a statement fails; a failed file leaves no trace.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # raised inside yoyo on import
        from yoyo import get_backend, read_migrations
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    parts = urlsplit(dsn)
    backend = get_backend(urlunsplit(parts._replace(scheme="postgresql+psycopg")))
    try:
        migrations = read_migrations(str(folder))
        with backend.lock(timeout=60):
            due = backend.to_apply(migrations)
            names = [migration.id for migration in due]
            backend.apply_migrations(due)
        return names
    finally:
        backend.connection.close()


def main() -> None:
    settings: BaseSettings = load(ServiceSettings)
    assert isinstance(settings, ServiceSettings)
    try:
        names = migrate(settings.database_dsn.get_secret_value())
    except Exception as error:  # noqa: BLE001 - one sentence for the person who runs it, whatever the driver raised
        sys.exit(f"migrations failed: {str(error).strip().splitlines()[0]}")
    sys.stdout.write(f"migrations applied: {', '.join(names) if names else 'none, up to date'}\n")


if __name__ == "__main__":
    main()
