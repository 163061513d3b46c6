"""Settings of the console, from the environment with the prefix CONSOLE_."""

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.runtime.addresses import networks
from services.runtime.settings import NamedSettings, SecretKeys, keys_of
from services.runtime.smtp import Security


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
    found: dict[str, list[object]] = {}
    for part in filter(None, (one.strip() for one in value.split(","))):
        name, sign, address = part.partition("=")
        if not sign or not re.fullmatch(r"[a-z][a-z-]{0,30}", name):
            raise ValueError(f"{part!r} is not SERVICE=HOST:PORT")
        found.setdefault(name, []).append(_address(address))
    return found


_TILES = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9_./{}?=&-]*")


def _tiles(value: str | None) -> str | None:
    """An address with {z}, {x} and {y}, each once. Its host stands in a security policy: nothing else may."""
    if not value:
        return None
    if not _TILES.fullmatch(value) or any(value.count(part) != 1 for part in ("{z}", "{x}", "{y}")):
        raise ValueError("not https://HOST[:PORT]/ with {z}, {x} and {y} behind it, each once")
    if re.search(r"[{}]", re.sub(r"\{[zxy]\}", "", value)):
        raise ValueError("nothing but {z}, {x} and {y} stands in braces")
    return value


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
    second_factor_keys: SecretKeys = Field(
        default=SecretStr(""),
        description="keys that the secrets of second factors are sealed with, at least 16 characters each, with commas "
        "between them: the first seals, all open; empty: nobody can have a second factor",
    )
    second_factor_required: bool = Field(
        default=False,
        description="administrators of accounts and the brigade, which approves, have to have a second factor: until "
        "then only their own account is open to them",
    )
    oidc_issuer: Annotated[str | None, BeforeValidator(lambda text: text or None)] = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="issuer of an OpenID Connect provider that people may sign in by, as its discovery says it; "
        "none: by password only",
    )
    oidc_client_id: str = Field(default="", max_length=200, description="our client id at that provider")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="our secret there; empty: a public client, with PKCE alone"
    )
    oidc_console_url: Annotated[AnyHttpUrl | None, BeforeValidator(lambda url: url or None)] = Field(
        default=None,
        description="address under which browsers reach the console; with /oidc/callback behind it, it is registered "
        "at the provider",
    )
    oidc_name: str = Field(
        default="统一身份认证", min_length=1, max_length=40, description="what the provider is called at the sign-in"
    )
    oidc_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(networks)] = Field(
        default=(),
        description="networks inside our own where the provider may be, over https: CIDR, with commas between them; "
        "else public addresses only",
    )
    oidc_ca: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="file of CAs that the provider may have its certificate from as well; read "
        "at start, left out when it cannot be",
    )
    oidc_allow_local: bool = Field(
        default=False, description="the provider may also be on this machine, by http: for tests"
    )
    oidc_deadline_s: float = Field(default=10, gt=0, le=60, description="wait for each answer of the provider, seconds")
    smtp_host: Annotated[str | None, BeforeValidator(lambda host: host or None)] = Field(
        default=None, description="mail server that scheduled reports are sent by; none: none is sent"
    )
    smtp_port: int = Field(default=25, ge=1, le=65535, description="port of the mail server")
    smtp_security: Security = Field(default="starttls", description="how it is encrypted")
    smtp_user: Annotated[str | None, BeforeValidator(lambda user: user or None)] = Field(
        default=None, description="account at the mail server, none for no sign-in"
    )
    smtp_password: SecretStr | None = Field(default=None, description="password of that account")
    smtp_timeout_s: float = Field(default=10, gt=0, le=60, description="deadline of each exchange, seconds")
    mail_from: str = Field(
        default="firenet@localhost",
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
        description="sender address of mails with reports",
    )
    mail_console_url: str = Field(
        default="http://127.0.0.1:8080",
        max_length=200,
        description="where links in mails with reports lead; the console's URL",
    )
    report_mails_an_hour: int = Field(
        default=200, ge=0, le=100_000, description="mails with reports in any hour, all consoles together; 0: none"
    )
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

    health_services: Annotated[dict[str, tuple[tuple[str, int], ...]], NoDecode, BeforeValidator(_services)] = Field(
        default={},
        description="status pages that the page of the system's health looks at: `rules=rules:9102`, with commas "
        "between them; a host that leads to several addresses has so many instances, and a service may be named "
        "several times. None: shown as unknown",
    )
    health_broker: Annotated[tuple[str, int] | None, BeforeValidator(_address)] = Field(
        default=None, description="TLS port of the broker, `mosquitto:8883`, whose certificate's end is shown"
    )
    health_deadline_s: float = Field(
        default=3, gt=0, le=30, description="wait for each of these, seconds; who is slower does not answer"
    )

    map_tiles: Annotated[str | None, AfterValidator(_tiles)] = Field(
        default=None,
        description="tiles of your own map server, `https://tiles.example/{z}/{x}/{y}.png`; browsers load "
        "pictures from that host and no other. None: positions on plain ground, and a schematic by street",
    )
    map_tiles_credit: str = Field(default="", max_length=200, description="whose map it is, shown below it")
    map_coordinates: Literal["wgs84", "gcj02"] = Field(
        default="wgs84", description="in which system the register gives longitude and latitude"
    )
    map_tiles_coordinates: Literal["wgs84", "gcj02"] = Field(
        default="wgs84", description="in which system the tiles are drawn; positions are shifted to it"
    )

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        if self.second_factor_required and not self.factor_keys:
            raise ValueError("CONSOLE_SECOND_FACTOR_REQUIRED needs CONSOLE_SECOND_FACTOR_KEYS")
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_console_url):
            raise ValueError("CONSOLE_OIDC_ISSUER needs CONSOLE_OIDC_CLIENT_ID and CONSOLE_OIDC_CONSOLE_URL")
        return self

    @property
    def factor_keys(self) -> tuple[bytes, ...]:
        return keys_of(self.second_factor_keys)

    @property
    def refusals_kept(self) -> timedelta:
        return timedelta(days=self.refusals_days)

    @property
    def session(self) -> timedelta:
        return timedelta(hours=self.session_hours)
