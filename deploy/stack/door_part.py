"""The door as a part: a process of its own, so that it is as little in the way as a process can be."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.stack.door import Config, Way, read_state
from deploy.stack.part import ChildPart
from deploy.stack.ports import require_port
from deploy.stack.process import Launch
from services.runtime.clock import Clock

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024


class Door(ChildPart):
    """Where gateways come in; `is_open` once ingest has subscribed at the broker behind it (see `deploy.stack.door`).

    It counts as ready when it runs: open or shut is for ingest and the broker to say.
    """

    name = "Door"
    stop_limit_s = 5.0

    def __init__(
        self,
        folder: Path,
        *,
        ways: Sequence[Way],
        broker_port: int,
        setting: str = "MQTT_PORT",
        backlog_mb: int = 64,
        tls_ca: Path | None = None,
        account: tuple[str, Path] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`account`: the name, and the file with the password, of one who may read the probes of ingest."""
        super().__init__(folder, clock=clock)
        self.ways = tuple(ways)
        self.broker_port = broker_port
        self.setting = setting
        self.backlog_mb = backlog_mb
        self.tls_ca = tls_ca
        self.account = account

    @property
    def addresses(self) -> Mapping[str, str]:
        return {f"mqtt-{way.port}": f"{way.bind}:{way.port}" for way in self.ways}

    @property
    def state_file(self) -> Path:
        return self.folder / "door.json"

    @property
    def shut_why(self) -> str | None:
        """Return why gateways are refused now (a word of `door.Shut`), None while they are let in."""
        state = read_state(self.state_file)
        return None if state.get("open") and self.alive() else str(state.get("why") or "broker_away")

    @property
    def is_open(self) -> bool:
        return self.shut_why is None

    def ready(self) -> bool:
        return self.alive() and self.state_file.exists()

    def _prepare(self) -> Launch:
        for way in self.ways:
            require_port(way.port, self.setting)
        self.state_file.unlink(missing_ok=True)
        name, file = self.account or (None, None)
        config = Config(
            ways=self.ways,
            broker_port=self.broker_port,
            state=str(self.state_file),
            backlog_bytes=self.backlog_mb * MIB,
            tls_ca=None if self.tls_ca is None else str(self.tls_ca),
            username=name,
            password=None if file is None else file.read_text().strip(),
        )
        path = self.folder / "door-config.json"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as written:
            written.write(config.text())
        return Launch([sys.executable, "-m", "deploy.stack.door", str(path)], cwd=ROOT)
