"""Mosquitto where it is installed: the broker that production, tests and benchmarks use."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.mqtt_probe import answers
from deploy.stack.part import ChildPart
from deploy.stack.ports import HOST, require_port
from deploy.stack.process import Launch, require_space, require_tool
from deploy.stack.service import ROOT
from services.runtime.clock import Clock

MIB = 1024 * 1024
SECURED_LISTENERS = ROOT / "deploy" / "mosquitto" / "listeners" / "secured.conf"
DEPLOYED_ACCESS = "/run/access"


@dataclass(frozen=True, slots=True)
class Secured:
    """TLS everywhere, nobody without a name. `access` holds what `registry credentials server` and `write` wrote.

    Gateways come with a password on one port and with a client certificate on another, at `bind`; services have the
    broker's own port, on loopback.
    """

    access: Path
    gateway_port: int
    certificate_port: int
    bind: str = HOST


class Mosquitto(ChildPart):
    """One Mosquitto on loopback, MQTT 3.1.1 and 5 on the same port; open to everyone there unless it is secured.

    Sessions and retained messages outlive a clean stop.
    A `kill -9` loses what was queued since the last autosave: the durable boundary is Kafka.
    """

    name = "Mosquitto"

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        setting: str = "MQTT_PORT",
        secured: Secured | None = None,
        max_inflight_messages: int = 8192,
        max_inflight_mb: int = 64,
        max_queued_mb: int = 1024,
        max_payload_bytes: int = 2_621_440,
        autosave_s: int = 300,
        space_floor_mb: int = 128,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(folder, clock=clock)
        self.port = port
        self.setting = setting
        self.secured = secured
        self.max_inflight_messages = max_inflight_messages
        self.max_inflight_mb = max_inflight_mb
        self.max_queued_mb = max_queued_mb
        self.max_payload_bytes = max_payload_bytes
        self.autosave_s = autosave_s
        self.space_floor_mb = space_floor_mb

    @property
    def addresses(self) -> Mapping[str, str]:
        secured = self.secured
        if secured is None:
            return {"mqtt": f"{HOST}:{self.port}"}
        return {
            "mqtts": f"{secured.bind}:{secured.gateway_port}",
            "mqtts_certificates": f"{secured.bind}:{secured.certificate_port}",
            "mqtts_services": f"{HOST}:{self.port}",
        }

    def ready(self) -> bool:
        return answers(HOST, self.port, tls_ca=None if self.secured is None else self.secured.access / "ca.crt")

    def read_anew(self) -> None:
        """Let it read passwords, rights and certificates again; sessions on passwords that fell away end."""
        for pid in self.pids:
            os.kill(pid, signal.SIGHUP)

    def _prepare(self) -> Launch:
        program = require_tool("mosquitto", "install Mosquitto, or use the embedded broker of deploy.stack.mqtt")
        require_port(self.port, self.setting)
        if self.secured is not None:
            require_port(self.secured.gateway_port, f"{self.setting}_TLS")
            require_port(self.secured.certificate_port, f"{self.setting}_CERTIFICATES")
        require_space(self.folder, self.space_floor_mb)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        config = self.folder / "mosquitto.conf"
        config.write_text(self._config(data))
        return Launch([program, "-c", str(config)], cwd=self.folder)

    def _config(self, data: Path) -> str:
        lines = [
            *(self._open_listener() if self.secured is None else self._secured_listeners(self.secured)),
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
        return "\n".join(lines) + "\n"

    def _open_listener(self) -> list[str]:
        return [f"listener {self.port} {HOST}", "allow_anonymous true"]

    def _secured_listeners(self, secured: Secured) -> list[str]:
        """Return the deployed listeners, on this machine's ports and with this folder's files."""
        text = SECURED_LISTENERS.read_text().replace(f"{DEPLOYED_ACCESS}/", f"{secured.access.absolute()}/")
        for deployed, here in (
            ("8883 0.0.0.0", f"{secured.gateway_port} {secured.bind}"),
            ("8884 0.0.0.0", f"{secured.certificate_port} {secured.bind}"),
            ("8885 0.0.0.0", f"{self.port} {HOST}"),
        ):
            text = text.replace(f"listener {deployed}\n", f"listener {here}\n")
        return text.splitlines()
