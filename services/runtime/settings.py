"""Settings come from the environment, are checked before the first connection, and fail with one sentence each."""

import sys
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.kernel.retention import MIN_DAYS


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


MIN_KEY = 16
"""Characters of a key; what is made for the purpose has forty and more."""


def keys_of(keys: SecretStr) -> tuple[bytes, ...]:
    """Return the keys of a setting that has several, with commas between them. Raises ValueError for one too short."""
    found = tuple(one.strip().encode() for one in keys.get_secret_value().split(",") if one.strip())
    if any(len(one) < MIN_KEY for one in found):
        raise ValueError(f"a key has at least {MIN_KEY} characters")
    return found


def _no_guesses(keys: SecretStr) -> SecretStr:
    keys_of(keys)
    return keys


SecretKeys = Annotated[SecretStr, AfterValidator(_no_guesses)]
"""A setting for `keys_of`."""


MAX_NAME = 64
"""Characters of the name of a process."""


class NamedSettings(ServiceSettings):
    """Of a service whose processes are told apart by name: towards Kafka, in the log and in tables. See `names`."""

    instance: str = Field(
        default="",
        pattern=rf"^([A-Za-z0-9][A-Za-z0-9_.-]{{0,{MAX_NAME - 1}}})?$",
        description="name of this process among all of its service. Empty: the service and the host, with `-2`, `-3` "
        ".. behind it while another process holds that. A name in use is waited for",
    )


class KeepingSettings(NamedSettings):
    """Of a service whose tables grow: how long it keeps what has aged."""

    keep_days: int = Field(
        default=400,
        le=36_500,
        validation_alias="FIRENET_KEEP_DAYS",
        description="how long alarms, states and closed cases are kept, days; what figures came from goes by whole "
        f"years, so up to a year later. At least {MIN_DAYS}",
    )

    @field_validator("keep_days")
    @classmethod
    def a_year(cls, value: int) -> int:
        if value < MIN_DAYS:
            raise ValueError(f"alarms and states are kept for a year: give {MIN_DAYS} days or more, not {value}")
        return value


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
