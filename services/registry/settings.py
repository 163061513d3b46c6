"""Settings of the registry: of its command line, and of the service that takes the console's orders."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServiceSettings


class RegistrySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="REGISTRY_", extra="ignore", frozen=True, populate_by_name=True)

    imported_by: str = Field(default="command line", max_length=100, description="who is noted beside an import")
    max_file_mb: int = Field(default=32, ge=1, le=512, description="largest file that is read, MiB")
    max_unpacked_mb: int = Field(default=256, ge=1, le=4096, description="largest XLSX after unpacking, MiB")
    max_rows: int = Field(default=200_000, ge=1, le=1_000_000, description="most rows of one file")
    listed_errors: int = Field(default=200, ge=1, le=10_000, description="most errors printed for one file")
    replication: int = Field(default=1, ge=1, le=9, description="replicas of topics that are created")
    signals_days: int | None = Field(
        default=None,
        ge=7,
        le=36_500,
        description="days that Kafka keeps signals, in a topic that is created; the topic file says 400. No fewer than "
        "the oldest backup of the database that you would restore",
    )
    ca_dir: Path = Field(
        default=Path("var/ca"), description="folder of the certificate authority's key and certificate"
    )
    broker_dir: Path = Field(default=Path("var/mqtt"), description="folder of the files that Mosquitto reads")
    broker_services: dict[str, Path] = Field(
        default_factory=dict,
        description='files with the passwords of services at the broker, {"ingest": "/run/secrets/mqtt_ingest"}',
    )
    mqtt_host: str = Field(default="127.0.0.1", min_length=1, description="host of the MQTT broker, to end sessions")
    mqtt_port: int = Field(default=8885, ge=1, le=65535, description="port of the broker's listener for services")
    mqtt_username: str | None = Field(default=None, description="user name at the broker")
    mqtt_password: SecretStr | None = Field(default=None, description="password at the broker")
    mqtt_tls_ca: str | None = Field(default=None, description="file of CA certificates; TLS is used when it is set")
    http_port: int = Field(default=9108, ge=1, le=65535, description="port of the API, /metrics, /healthz and /readyz")
    api_token: SecretStr = Field(default=SecretStr(""), description="bearer token that the API asks for")
    publish_every_s: float = Field(
        default=5, gt=0, le=3600, description="approved adjustments that Kafka did not take are tried again, seconds"
    )
    publish_batch: int = Field(default=2_000, ge=1, le=10_000, description="entities published in one transaction")
