"""The embedded MQTT broker: rumqttd out of `iotcore`, in a process of its own, for machines without Mosquitto."""

import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.mqtt_probe import answers
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, require_space
from services.runtime.clock import Clock

ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024


class Iotcore(ChildPart):
    """One broker on loopback: MQTT 3.1.1 on `port`, MQTT 5 on `port_v5` if one is given. It keeps nothing on disk.

    **No share groups**: when a member goes away abruptly its router panics. The process then ends itself at once
    (exit code 70), so that whoever watches it can start it again instead of talking to a dead broker.
    """

    name = "Iotcore"

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        port_v5: int | None = None,
        setting: str = "MQTT_PORT",
        setting_v5: str = "MQTT_V5_PORT",
        max_connections: int = 20_480,
        max_payload_bytes: int = 2_621_440,
        max_inflight: int = 100,
        backlog_mb: int = 128,
        space_floor_mb: int = 16,
        clock: Clock | None = None,
    ) -> None:
        """`backlog_mb` is kept for each subscribed filter; a session further behind loses the oldest messages."""
        super().__init__(folder, clock=clock)
        self.port = port
        self.port_v5 = port_v5
        self.setting = setting
        self.setting_v5 = setting_v5
        self.max_connections = max_connections
        self.max_payload_bytes = max_payload_bytes
        self.max_inflight = max_inflight
        self.backlog_mb = backlog_mb
        self.space_floor_mb = space_floor_mb

    @property
    def addresses(self) -> Mapping[str, str]:
        five = {} if self.port_v5 is None else {"mqtt5": f"{HOST}:{self.port_v5}"}
        return {"mqtt": f"{HOST}:{self.port}", **five}

    def ready(self) -> bool:
        return answers(HOST, self.port) and (self.port_v5 is None or answers(HOST, self.port_v5, version=5))

    def _prepare(self) -> Launch:
        require_port(self.port, self.setting)
        if self.port_v5 is not None:
            require_port(self.port_v5, self.setting_v5)
        require_space(self.folder, self.space_floor_mb)
        config = self.folder / "rumqttd.toml"
        config.write_text(self._config())
        return Launch([sys.executable, "-m", "deploy.stack.mqtt_broker", str(config)], cwd=ROOT)

    def _config(self) -> str:
        segments = 8
        router = [
            "id = 0",
            "[router]",
            "id = 0",
            f"max_connections = {self.max_connections}",
            "max_outgoing_packet_count = 200",
            f"max_segment_size = {self.backlog_mb * MIB // segments}",
            f"max_segment_count = {segments}",
        ]
        listeners = self._listener("v4", self.port)
        if self.port_v5 is not None:
            listeners += self._listener("v5", self.port_v5)
        return "\n".join(router + listeners) + "\n"

    def _listener(self, version: str, port: int) -> list[str]:
        return [
            f"[{version}.1]",
            f'name = "{version}-1"',
            f'listen = "{HOST}:{port}"',
            "next_connection_delay_ms = 0",
            f"[{version}.1.connections]",
            "connection_timeout_ms = 60000",
            f"max_payload_size = {self.max_payload_bytes}",
            f"max_inflight_count = {self.max_inflight}",
            "dynamic_filters = true",
        ]
