"""Settings of the console, from the environment with the prefix CONSOLE_."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AnyHttpUrl, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from services.runtime.settings import NamedSettings


def _address(value: object) -> object:
    """`host:port`, or nothing."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    host, colon, port = value.strip().rpartition(":")
    if not colon or not host or not port.isdecimal() or not 1 <= int(port) <= 65_535:
        raise ValueError(f"{value!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _services(value: object) -> object:
    if not isinstance(value, str):
        return value
    found: dict[str, object] = {}
    for part in filter(None, (one.strip() for one in value.split(","))):
        name, sign, address = part.partition("=")
        if not sign or not re.fullmatch(r"[a-z][a-z-]{0,30}", name):
            raise ValueError(f"{part!r} is not SERVICE=HOST:PORT")
        found[name] = _address(address)
    return found


class ConsoleSettings(NamedSettings):
    """Each is checked before the first connection is made."""

    model_config = SettingsConfigDict(env_prefix="CONSOLE_")

    http_port: int = Field(default=8080, ge=1, le=65535, description="port of the page and its API")
    status_port: int = Field(default=9104, ge=1, le=65535, description="port of /metrics, /healthz and /readyz")
    https: bool = Field(default=False, description="readers come over HTTPS: cookies are Secure, HSTS is sent")
    behind_proxy: bool = Field(
        default=False, description="take the reader's address from the last X-Forwarded-For (set only by your proxy)"
    )
    mailbox_url: AnyHttpUrl | None = Field(default=None, description="link to the demo's mailbox, shown when set")
    parts_file: Path | None = Field(
        default=None, description="where `make run` writes down what does not run; pages show it"
    )
    alerts_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:9103"), description="base URL of the API of alerts"
    )
    alerts_token: SecretStr = Field(default=SecretStr(""), description="bearer token for the API of alerts")
    alerts_deadline_s: float = Field(default=5, gt=0, le=60, description="wait for the API of alerts, seconds")
    documents_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:9106"), description="base URL of the API of documents"
    )
    documents_token: SecretStr = Field(default=SecretStr(""), description="bearer token for the API of documents")
    registry_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:9108"), description="base URL of the API of the registry"
    )
    registry_token: SecretStr = Field(default=SecretStr(""), description="bearer token for the API of the registry")
    registry_deadline_s: float = Field(default=5, gt=0, le=60, description="wait for the API of the registry, seconds")
    session_hours: float = Field(default=12, gt=0, le=168, description="how long a sign-in lasts, hours")
    streams_total: int = Field(
        default=512, ge=1, le=10000, description="live streams at once, all accounts; a browser has one"
    )
    streams_per_account: int = Field(
        default=16, ge=1, le=1000, description="live streams at once per account; a browser has one"
    )
    refusals_days: float = Field(default=90, gt=0, le=3650, description="how long refusals are kept here, days")
    refusals_rows: int = Field(
        default=200_000, ge=100, description="refusals kept here at most; each takes up to 4 KiB and some"
    )
    refresh_s: float = Field(
        default=5, ge=0.5, le=60, description="read anew at least so often though nothing was announced, seconds"
    )

    health_services: Annotated[dict[str, tuple[str, int]], NoDecode, BeforeValidator(_services)] = Field(
        default={},
        description="status pages that the page of the system's health looks at: `rules=rules:9102`, with commas "
        "between them; a host that leads to several addresses has so many instances. None: shown as unknown",
    )
    health_broker: Annotated[tuple[str, int] | None, BeforeValidator(_address)] = Field(
        default=None, description="TLS port of the broker, `mosquitto:8883`, whose certificate's end is shown"
    )
    health_deadline_s: float = Field(
        default=3, gt=0, le=30, description="wait for each of these, seconds; who is slower does not answer"
    )

    @property
    def refusals_kept(self) -> timedelta:
        return timedelta(days=self.refusals_days)

    @property
    def session(self) -> timedelta:
        return timedelta(hours=self.session_hours)
