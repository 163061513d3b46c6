"""Settings of rules, from the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import KeepingSettings


class RulesSettings(KeepingSettings):
    """Settings that begin with RULES_."""

    model_config = SettingsConfigDict(env_prefix="RULES_", extra="ignore", frozen=True, populate_by_name=True)

    http_port: int = Field(default=9102, ge=1, le=65535, description="port of /metrics, /healthz and /readyz")
    clock_rate: float = Field(
        default=1.0,
        gt=0,
        le=10_000,
        description="profile durations of the pack are divided by it; 1 outside of demonstrations",
    )
    never_grace_s: float = Field(
        default=3600.0,
        ge=0,
        description="how long a unit with a duty to be connected may stay without a first word, seconds; divided by "
        "the clock rate as well",
    )
    group: str = Field(default="firenet-rules", description="Kafka consumer group that shares the partitions")
    registry_deadline_s: float = Field(
        default=60.0, gt=0, description="how long reading the registry's topic may take at start, seconds"
    )
