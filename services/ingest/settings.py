"""Settings of ingest, all under `INGEST_`."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="INGEST_", extra="ignore", frozen=True, populate_by_name=True)

    instance: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,39})?$",
        description="name of this process among all ingest processes; its sessions at the broker have it. Empty: the"
        " first of `ingest-1`, `ingest-2` .. that no other process holds. A name in use is waited for",
    )
    http_port: int = Field(default=9101, ge=1, le=65535, description="port of /metrics, /healthz and /readyz")

    drain_s: float = Field(
        default=10, gt=0, le=600, description="how long a stop may take to store what was received, seconds"
    )

    mqtt_host: str = Field(default="127.0.0.1", min_length=1, description="host of the MQTT broker")
    mqtt_port: int = Field(default=1883, ge=1, le=65535, description="port of the MQTT broker")
    mqtt_protocol: Literal["5", "3.1.1"] = Field(default="5", description="MQTT version")
    mqtt_username: str | None = Field(default=None, description="user name at the broker; none when empty")
    mqtt_password: SecretStr | None = Field(default=None, description="password at the broker")
    mqtt_tls_ca: str | None = Field(default=None, description="file of CA certificates; TLS is used when it is set")
    mqtt_share_group: str = Field(
        default="ingest",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="share group of all ingest processes, at a broker that keeps a queue for each member (Mosquitto)."
        " Empty for plain filters: one process works, the next stands by (embedded broker, HiveMQ)",
    )
    mqtt_session_expiry_s: int = Field(
        default=7 * 86400, ge=60, le=0xFFFFFFFE, description="how long the broker keeps our session, seconds (MQTT 5)"
    )
    mqtt_silent_limit_s: float = Field(
        default=10,
        ge=1,
        le=120,
        description="a broker that leaves a probe without any answer for so long is given up and called anew, seconds",
    )
    mqtt_window: int = Field(
        default=8192,
        ge=20,
        le=65535,
        description="messages in flight per connection (receive maximum of MQTT 5); as many are held in memory at most",
    )
    mqtt_hold_bytes: int = Field(
        default=64 * 1024 * 1024, ge=8 * 1024 * 1024, description="bytes held in memory per connection, about"
    )

    batch_messages: int = Field(
        default=4000,
        ge=1,
        le=20000,
        description="messages that go to Kafka together, at most; with a slow Kafka the rate is this per round trip",
    )
    batch_every_ms: float = Field(
        default=10, ge=0, le=1000, description="how long the main lane gathers a batch, milliseconds; fire never waits"
    )
    count_gaps: bool = Field(
        default=True,
        description="count gaps in gateways' numbers; of several processes that share the group each sees a part and"
        " counts nothing, whatever this says",
    )
    gap_grace_s: float = Field(
        default=120,
        ge=1,
        le=3600,
        description="how long a number that a gateway skipped may still come before it is reported as lost, seconds;"
        " for as long after its first message to this process a gateway is not missed anything",
    )
    registry_deadline_s: float = Field(
        default=120, gt=0, le=3600, description="how long reading the registry may take at the start, seconds"
    )

    device_host: str = Field(
        default="127.0.0.1", min_length=1, description="address that the ports for devices without MQTT listen on"
    )
    tcp_port: int = Field(default=0, ge=0, le=65535, description="TCP port for GB/T 26875.3 devices; 0: none is opened")
    udp_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="UDP port for GB/T 26875.3 devices; 0: none is opened. Only gateways with registered networks are"
        " believed here: a sender's address can be forged, so let it in from closed networks only",
    )
    tcp_open: bool = Field(
        default=False,
        description="believe a device by the address in its frames alone where the registry names no network for it"
        " and it shows no certificate. Whoever reaches the port and knows the six bytes can then keep a dead line"
        " looking alive, or report a fire that is none: for closed networks only",
    )
    tcp_tls_cert: str | None = Field(default=None, description="file of our certificate chain; TLS is used when set")
    tcp_tls_key: str | None = Field(default=None, description="file of the key of that certificate")
    tcp_tls_client_ca: str | None = Field(
        default=None,
        description="file of the CA of devices; when set, each must show a certificate with its gateway id as CN",
    )
    tcp_tls_crl: str | None = Field(default=None, description="file of that CA's list of revoked certificates")
    device_connections: int = Field(
        default=10_000, ge=1, le=100_000, description="TCP connections of devices open at a time, in all"
    )
    device_connections_per_peer: int = Field(
        default=64,
        ge=1,
        le=100_000,
        description="the same from one IP address, of callers that have not shown a frame of a registered gateway; the"
        " one that has waited longest gives its place to the next",
    )
    device_first_frame_s: float = Field(
        default=30, gt=0, le=86400, description="from a connection to its first whole frame, seconds"
    )
    device_frame_s: float = Field(
        default=10,
        gt=0,
        le=3600,
        description="from a frame's first byte to its last, seconds; what comes after a frame whose length was damaged "
        "is heard only then",
    )
    device_idle_s: float = Field(
        default=3 * 3600, gt=0, le=7 * 86400, description="between frames of a connection, seconds; patrols take 2 h"
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tcp_tls_cert is None) != (self.tcp_tls_key is None):
            raise ValueError("INGEST_TCP_TLS_CERT and INGEST_TCP_TLS_KEY go together")
        if self.tcp_tls_client_ca is not None and self.tcp_tls_cert is None:
            raise ValueError("INGEST_TCP_TLS_CLIENT_CA needs INGEST_TCP_TLS_CERT")
        if self.tcp_tls_crl is not None and self.tcp_tls_client_ca is None:
            raise ValueError("INGEST_TCP_TLS_CRL needs INGEST_TCP_TLS_CLIENT_CA")
        return self

    exchange_timeout_s: float = Field(
        default=10, ge=1, le=60, description="how long a device has to confirm a control, seconds (6.5.4: at most 10)"
    )
    exchange_resends: int = Field(
        default=3, ge=0, le=10, description="how often a control is sent again (6.5.5: 3); none later than a minute on"
    )
    exchange_minute_s: float = Field(
        default=60,
        ge=1,
        le=60,
        description="how long a minute of a duty check lasts, seconds; less in trials only, in all processes alike",
    )
