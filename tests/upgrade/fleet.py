"""The services of one FireNet, each of a version of its own, and how one is replaced by another."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from deploy.stack.ports import free_ports
from tests.system import System
from tests.upgrade.versions import Version

READERS_FIRST = ("alerts-fire", "alerts", "documents", "compliance", "rules", "registry", "ingest", "console")
"""The order of the runbook: who reads a topic is replaced before whoever writes it."""
ON_THE_WAY_OF_A_FIRE = ("alerts-fire", "rules", "ingest")
"""What goes back, and forwards again, where there is little time: the engine's state is among it."""
SIDE_BY_SIDE = ("ingest", "rules", "alerts-fire", "alerts", "documents")
"""Of these the new process is ready before the old one is ended, as the chart does it."""


@dataclass
class Fleet:
    system: System
    names: dict[str, str] = field(default_factory=dict)
    """Which process does the work of each service now."""
    count: int = 1

    def __post_init__(self) -> None:
        self.names = {name: name for name in self.system.services}

    def replace(self, kind: str, version: Version, together: Callable[[], None]) -> None:
        """Have `kind` done by a process of `version` from now on; `together` is called while both are at work."""
        firenet, old = self.system.firenet, self.names[kind]
        firenet.root = version.root
        if kind not in SIDE_BY_SIDE:
            self.system.end(old)
            self.system.add(next(one for one in firenet.services() if one.name == kind))
            return
        self.count += 1
        (port,) = free_ports(1)
        new = f"{kind}-{self.count}"
        self.system.add(firenet.one_more(new, port))
        together()
        self.system.end(old)
        self.names[kind] = new
        firenet.ports = replace(firenet.ports, **{kind.replace("-", "_"): port})
