"""Settings of ingest, all under `INGEST_`."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="INGEST_", extra="ignore", frozen=True, populate_by_name=True)

    instance: str = Field(
        default="ingest-1",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$",
        description="name of this process among all ingest processes; must outlive restarts: it names the session",
    )
    http_port: int = Field(default=9101, ge=1, le=65535, description="port of /metrics, /healthz and /readyz")

    mqtt_host: str = Field(default="127.0.0.1", min_length=1, description="host of the MQTT broker")
    mqtt_port: int = Field(default=1883, ge=1, le=65535, description="port of the MQTT broker")
    mqtt_protocol: Literal["5", "3.1.1"] = Field(default="5", description="MQTT version")
    mqtt_username: str | None = Field(default=None, description="user name at the broker; none when empty")
    mqtt_password: SecretStr | None = Field(default=None, description="password at the broker")
    mqtt_tls_ca: str | None = Field(default=None, description="file of CA certificates; TLS is used when it is set")
    mqtt_share_group: str = Field(
        default="ingest",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="share group of all ingest processes; empty for plain filters (one process, embedded broker)",
    )
    mqtt_session_expiry_s: int = Field(
        default=7 * 86400, ge=60, le=0xFFFFFFFE, description="how long the broker keeps our session, seconds (MQTT 5)"
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
        description="count gaps in gateways' numbers; off when several processes share the group: each sees a part",
    )
    registry_deadline_s: float = Field(
        default=120, gt=0, le=3600, description="how long reading the registry may take at the start, seconds"
    )
