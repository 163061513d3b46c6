"""Settings of compliance, from the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.runtime.settings import KeepingSettings


class ComplianceSettings(KeepingSettings):
    """Settings that begin with COMPLIANCE_."""

    model_config = SettingsConfigDict(env_prefix="COMPLIANCE_", extra="ignore", frozen=True, populate_by_name=True)

    http_port: int = Field(default=9107, ge=1, le=65535, description="port of /metrics, /healthz and /readyz")
    step_s: int = Field(
        default=3600,
        ge=1,
        le=86400,
        description="the log is read for figures in steps of so many seconds of its own time; figures are published at "
        "their ends, and ids of signals are remembered for two of them. Never to be changed in a running installation "
        "without need: revisions are numbered by it",
    )
    poll_s: float = Field(default=10.0, gt=0, le=600, description="how often it is looked whether more is archived")
    archive_root: Path = Field(
        default=Path("var/archive"), description="folder of the archive of the log; made when it is first used"
    )
    archive_group: str = Field(
        default="firenet-archive",
        min_length=1,
        description="Kafka group that remembers up to where the archive is whole; a new name begins a new archive",
    )
    archive_roll_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
        description="all files of the archive are finished when one holds so many bytes before compression",
    )
    archive_roll_s: float = Field(
        default=3600.0, gt=0, description="all files of the archive are finished when one is so old, seconds"
    )
    archive_keep_days: int = Field(
        default=400,
        ge=1,
        description="how long the archive keeps signals and exchanges at least, days; they go by whole years, so up "
        "to a year later, and never before the figures of their days are final (FIRENET_KEEP_DAYS), whichever is "
        "longer. The registry is kept for ever",
    )
    archive_min_free_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        description="with less free on its disk nothing is archived: room for whoever else lives there",
    )
