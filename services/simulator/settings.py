"""Settings of the simulator's command line."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import ServiceSettings


class SimulatorSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="SIMULATOR_", extra="ignore", frozen=True, populate_by_name=True)

    mqtt_host: str = Field(default="127.0.0.1", description="address of the MQTT broker")
    mqtt_port: int = Field(default=1883, ge=1, le=65535, description="port of the MQTT broker (MQTT 3.1.1)")
    mqtt_username: str | None = Field(default=None, description="account that may publish for every gateway")
    mqtt_password: SecretStr | None = Field(default=None, description="password of that account")
    mqtt_tls_ca: str | None = Field(default=None, description="file of CA certificates; TLS is used when it is set")
    tcp_host: str = Field(default="127.0.0.1", description="where ingest takes GB/T 26875.3 devices over TCP")
    tcp_port: int | None = Field(default=None, ge=1, le=65535, description="its port; none: no device calls over TCP")
    gateways_per_connection: int = Field(default=500, ge=1, le=20_000, description="gateways that share a connection")
