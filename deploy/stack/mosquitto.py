"""Mosquitto where it is installed: the broker that production, tests and benchmarks use."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.mqtt_probe import answers
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, require_space, require_tool
from services.runtime.clock import Clock

MIB = 1024 * 1024


class Mosquitto(ChildPart):
    """One Mosquitto on loopback, MQTT 3.1.1 and 5 on the same port.

    Sessions and retained messages outlive a clean stop.
    A `kill -9` loses what was queued since the last autosave: the durable boundary is Kafka.
    """

    name = "Mosquitto"
    start_limit_s = 20.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        setting: str = "MQTT_PORT",
        password_file: Path | None = None,
        acl_file: Path | None = None,
        allow_anonymous: bool | None = None,
        max_inflight_messages: int = 8192,
        max_inflight_mb: int = 64,
        max_queued_mb: int = 1024,
        max_payload_bytes: int = 2_621_440,
        autosave_s: int = 300,
        space_floor_mb: int = 128,
        clock: Clock | None = None,
    ) -> None:
        """Everyone may connect unless there is a password file; `allow_anonymous` overrides that."""
        super().__init__(folder, clock=clock)
        self.port = port
        self.setting = setting
        self.password_file = password_file
        self.acl_file = acl_file
        self.allow_anonymous = password_file is None if allow_anonymous is None else allow_anonymous
        self.max_inflight_messages = max_inflight_messages
        self.max_inflight_mb = max_inflight_mb
        self.max_queued_mb = max_queued_mb
        self.max_payload_bytes = max_payload_bytes
        self.autosave_s = autosave_s
        self.space_floor_mb = space_floor_mb

    @property
    def addresses(self) -> Mapping[str, str]:
        return {"mqtt": f"{HOST}:{self.port}"}

    def ready(self) -> bool:
        return answers(HOST, self.port)

    def _prepare(self) -> Launch:
        program = require_tool("mosquitto", "install Mosquitto, or use the embedded broker of deploy.stack.mqtt")
        require_port(self.port, self.setting)
        require_space(self.folder, self.space_floor_mb)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text(self._config(data))
        return Launch([program, "-c", str(config)], cwd=self.folder)

    def _config(self, data: Path) -> str:
        lines = [
            f"listener {self.port} {HOST}",
            f"allow_anonymous {str(self.allow_anonymous).lower()}",
            "log_dest stderr",
            "log_timestamp_format %Y-%m-%dT%H:%M:%S",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "connection_messages false",  # a line per gateway and reconnect would bury the rest
            "set_tcp_nodelay true",
            # On disk: sessions, their queues and retained messages. Each save writes all of it, so not often.
            "persistence true",
            f"persistence_location {data}/",
            f"autosave_interval {self.autosave_s}",
            "persistent_client_expiration 7d",  # a member that is never coming back must not hoard its share
            # A count limit (1000 by default) drops silently during the first short outage of ours; bytes bound memory.
            "max_queued_messages 0",
            f"max_queued_bytes {self.max_queued_mb * MIB}",
            # The window is ingest's back-pressure and must exceed its batch (20 by default: it would hang); the
            # second limit keeps a window full of large bodies within memory.
            f"max_inflight_messages {self.max_inflight_messages}",
            f"max_inflight_bytes {self.max_inflight_mb * MIB}",
            # Large enough for a 2 MB body to arrive and be refused with a reason; as base64 in a refusal it
            # still fits into one Kafka record. Beyond it the message is acknowledged and dropped; `max_packet_size`
            # would cut the connection instead, and the gateway would send the same message for ever.
            f"message_size_limit {self.max_payload_bytes}",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # otherwise it turns into a user who cannot write to our folder
        if self.password_file is not None:
            lines.append(f"password_file {self.password_file.absolute()}")
        if self.acl_file is not None:
            lines.append(f"acl_file {self.acl_file.absolute()}")
        return "\n".join(lines) + "\n"
