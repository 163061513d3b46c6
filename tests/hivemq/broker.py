"""HiveMQ CE, embedded in a Java program of ours (`HiveMqBroker.java`), as one more broker to ask."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.mqtt_probe import answers
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, require_tool
from deploy.stack.service import ROOT
from services.runtime.clock import Clock

BUILT = ROOT / "build" / "hivemq"
JAR = BUILT / "firenet-hivemq.jar"


def why_not() -> str | None:
    """Return why it cannot run here, None if it can."""
    if not JAR.is_file():
        return "HiveMQ is not built: `make test-brokers` does it, with Maven and Java 11 or newer"
    return None if shutil.which("java") else "no java on PATH, which HiveMQ needs"


class HiveMq(ChildPart):
    """One HiveMQ CE on loopback, MQTT 3.1.1 and 5 on the same port, open to everyone there. Its state is kept."""

    name = "HiveMQ"

    def __init__(self, folder: Path, *, port: int, setting: str = "MQTT_PORT", clock: Clock | None = None) -> None:
        super().__init__(folder, clock=clock)
        self.port = port
        self.setting = setting

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"mqtt": f"{HOST}:{self.port}"}

    def ready(self) -> bool:
        return answers(HOST, self.port)

    def _prepare(self) -> Launch:
        java = require_tool("java", "install a Java of 11 or newer")
        require_port(self.port, self.setting)
        path = os.pathsep.join((str(JAR), str(BUILT / "lib" / "*")))
        options = ["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        return Launch([java, *options, "-cp", path, "HiveMqBroker", str(self.port), str(self.folder)], cwd=self.folder)
