"""Settings come from the environment, are checked before the first connection, and fail with one sentence each."""

import sys
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs. A subclass adds its own fields under its own `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    kafka_bootstrap: str = Field(
        default="127.0.0.1:9092",
        validation_alias="FIRENET_KAFKA_BOOTSTRAP",
        description="host:port of one or more Kafka brokers, comma separated",
    )
    database_dsn: SecretStr = Field(
        default=SecretStr("postgresql://firenet@127.0.0.1:5432/firenet"),
        validation_alias="FIRENET_DATABASE_DSN",
        description="PostgreSQL connection URI",
    )
    log_level: str = Field(
        default="info",
        validation_alias="FIRENET_LOG_LEVEL",
        pattern="^(debug|info|warning|error)$",
        description="least severe event that is logged",
    )
    http_host: str = Field(
        default="127.0.0.1",
        validation_alias="FIRENET_HTTP_HOST",
        description="address that status pages and APIs listen on",
    )


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S]) -> S:
    """Return the settings, or print one sentence per bad one to standard error and exit with code 2."""
    try:
        return settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in problem["loc"])
            prefix = settings.model_config.get("env_prefix") or ""
            shown = name if name.isupper() or not name else f"{prefix}{name}".upper()
            print(": ".join(filter(None, (shown, problem["msg"]))), file=sys.stderr)  # noqa: T201 - there is no logger before settings
        sys.exit(2)
