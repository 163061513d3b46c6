"""Settings of alerts, all under `ALERTS_`."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from services.kernel.words import Instrument, Recipient
from services.runtime.addresses import networks
from services.runtime.settings import KeepingSettings

ISSUERS = frozenset({Recipient.CENTRE, Recipient.BRIGADE, Recipient.STREET, Recipient.COMMITTEE})
Lane = Literal["fire", "ordinary", "all"]


def _pairs(value: object) -> object:
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in value.split(","))):
        document, sign, body = (text.strip() for text in part.partition("="))
        if not sign:
            raise ValueError(f"{part!r} is not DOCUMENT=BODY")
        found[document] = body
    return found


def _can_issue(issuers: dict[Instrument, Recipient]) -> dict[Instrument, Recipient]:
    if wrong := sorted(set(issuers.values()) - ISSUERS):
        raise ValueError(f"{', '.join(wrong)} issues no documents: one of {', '.join(sorted(ISSUERS))}")
    return issuers


class AlertsSettings(KeepingSettings):
    model_config = SettingsConfigDict(env_prefix="ALERTS_", extra="ignore", frozen=True, populate_by_name=True)

    lane: Lane = Field(
        default="all",
        description="what this process works on: `fire`; `ordinary`, everything else and fire notices that nobody "
        "else brings out; or `all`. In two processes no storm can take processor time from a fire",
    )
    group: str = Field(default="alerts", max_length=80, description="Kafka consumer group, shared by all processes")
    http_port: int = Field(default=9103, ge=1, le=65535, description="port of status page and API")
    api_token: SecretStr = Field(
        validation_alias=AliasChoices("ALERTS_API_TOKEN", "ALERTS_TOKEN"),
        min_length=8,
        description="bearer token that callers of the API must show; ALERTS_TOKEN is read as well",
    )
    clock_rate: float = Field(
        default=1.0, ge=1, le=1_000_000, description="the pack's waits are divided by this; 1 in service"
    )
    supervision_rate: float | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="how fast deadlines of supervision pass (`RULES_CLOCK_RATE`): what waits for further losses or for "
        "company is divided by this. Unset: as `ALERTS_CLOCK_RATE`",
    )
    console_url: str = Field(
        default="http://127.0.0.1:8080", max_length=200, description="where links in notices lead; the console's URL"
    )
    registry_deadline_s: float = Field(
        default=60, gt=0, le=3600, description="how long to wait for the registry at start, seconds"
    )
    findings_at_once: int = Field(default=100, ge=1, le=5000, description="findings per transaction")
    document_wait_s: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="how long a notice waits for its document before it leaves with our own short text, seconds; "
        "0: no documents are asked for",
    )
    document_issuers: Annotated[
        dict[Instrument, Recipient], NoDecode, BeforeValidator(_pairs), AfterValidator(_can_issue)
    ] = Field(
        default={
            Instrument.CORRECTION_ORDER: Recipient.BRIGADE,
            Instrument.LISTED_SUPERVISION: Recipient.BRIGADE,
            Instrument.LISTING_CLOSURE: Recipient.BRIGADE,
            Instrument.INTERVIEW: Recipient.COMMITTEE,
            Instrument.ACCOUNTABILITY: Recipient.COMMITTEE,
        },
        description="which body issues a kind of document: `I4=brigade` with commas between them, `centre`, "
        "`brigade`, `street` or `committee`; the centre issues all others. Letters leave in a body's name only where "
        "it wants that",
    )
    poll_ms: int = Field(
        default=250, ge=10, le=10_000, description="how often due work is looked for without a wake-up, milliseconds"
    )

    secrets_dir: Path = Field(
        default=Path("var/secrets"), description="folder of the webhooks' signing secrets and the robots' addresses"
    )
    allow_local_webhooks: bool = Field(
        default=False, description="let webhooks go to this machine itself, over http too; for demo and tests"
    )
    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(networks)] = Field(
        default=(),
        description="networks inside our own where webhooks may go, over https: CIDR, with commas between them; "
        "a monitoring centre on a private line, for instance",
    )
    webhook_ca: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="file of CAs that receivers of webhooks may have their certificate from as well; read at start, "
        "left out when it cannot be",
    )
    webhook_deadline_s: float = Field(default=10, gt=0, le=60, description="deadline of one webhook call, seconds")

    smtp_host: str = Field(default="127.0.0.1", min_length=1, description="mail server")
    smtp_port: int = Field(default=25, ge=1, le=65535, description="port of the mail server")
    smtp_security: Literal["none", "starttls", "tls"] = Field(default="starttls", description="how it is encrypted")
    smtp_user: str | None = Field(default=None, description="account at the mail server, none for no sign-in")
    smtp_password: SecretStr | None = Field(default=None, description="password of that account")
    smtp_password_file: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="file of that password, read by the container's entrypoint; where this is still set it could "
        "not, and `FireNetChannelBroken` rings",
    )
    smtp_timeout_s: float = Field(default=10, gt=0, le=60, description="deadline of each exchange, seconds")
    mail_from: str = Field(
        default="firenet@localhost", pattern=r"^[^@\s<>]+@[^@\s<>]+$", description="sender address of e-mail"
    )
    mail_reply_to: Annotated[str | None, BeforeValidator(lambda address: address or None)] = Field(
        default=None,
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
        description="address that answers to our e-mail go to (Reply-To); none: to its sender",
    )
    mail_bounces_to: Annotated[str | None, BeforeValidator(lambda address: address or None)] = Field(
        default=None,
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
        description="address that mail servers report to (sender of the envelope), one that documents reads by IMAP: "
        "then reports of success are asked for too; none: to the sender of e-mail",
    )
    sms_gateway: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="JSON file of the account at a provider of text messages: key, approved templates, quotas "
        "(RUNBOOK, Secrets); read at start. None, or one that cannot be used: text messages wait for one and are given "
        "up in the end",
    )
    voice_gateway: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None, description="the same for voice calls"
    )
    delivery_report_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="port that providers of text messages and calls push their delivery reports to, for those whose "
        "gateway file has a key for it; nothing else answers there. 0: none",
    )
    mqtt_host: Annotated[str | None, BeforeValidator(lambda host: host or None)] = Field(
        default=None,
        description="broker that notices to MQTT topics go to, a monitoring centre's; MQTT 5. None: notices to topics "
        "wait for one and are given up in the end",
    )
    mqtt_port: int = Field(default=8883, ge=1, le=65535, description="port of that broker")
    mqtt_security: Literal["none", "tls"] = Field(default="tls", description="how it is encrypted")
    mqtt_ca: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="file of the CAs that may have made its certificate; none: the public ones; one that cannot be "
        "read: as without a broker",
    )
    mqtt_user: Annotated[str | None, BeforeValidator(lambda user: user or None)] = Field(
        default=None, description="account at that broker, none for no sign-in"
    )
    mqtt_password: SecretStr | None = Field(default=None, description="password of that account")
    mqtt_password_file: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="file of that password, read by the container's entrypoint; where this is still set it could "
        "not, and `FireNetChannelBroken` rings",
    )
    mqtt_deadline_s: float = Field(
        default=10, gt=0, le=60, description="deadline from connecting to the broker's acknowledgement, seconds"
    )
    link_key: SecretStr = Field(
        default=SecretStr(""),
        description="key that signed links in e-mail are made with, the first of DOCUMENTS_LINK_KEYS; at least 16 "
        "characters; empty, or one that is none: letters lead to the case, for readers with an account",
    )
    link_key_file: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None,
        description="file of that key, read by the container's entrypoint; where this is still set it could "
        "not, and `FireNetChannelBroken` rings",
    )
    link_days: float = Field(default=30, gt=0, le=400, description="how long a signed link opens its document, days")
    mail_connections: int = Field(default=4, ge=1, le=64, description="mails on their way at the same time, per lane")

    synthetic_mqtt_host: Annotated[str | None, BeforeValidator(lambda host: host or None)] = Field(
        default=None, description="MQTT broker that synthetic alarms are sent to; none: none are sent"
    )
    synthetic_mqtt_port: int = Field(default=1883, ge=1, le=65535, description="port of that broker")
    synthetic_mqtt_username: str | None = Field(default=None, description="account at that broker, none for no sign-in")
    synthetic_mqtt_password: SecretStr | None = Field(default=None, description="password of that account")
    synthetic_mqtt_tls_ca: Path | None = Field(
        default=None, description="file of the CA of the broker's certificate; none: no TLS"
    )
    synthetic_every_h: float = Field(
        default=24, ge=0, le=744, description="how often a synthetic alarm is sent, hours; 0: on command only"
    )
    synthetic_deadline_s: float = Field(
        default=60, ge=1, le=3600, description="so long a synthetic alarm may take to its receipt, seconds"
    )

    heartbeat_url: Annotated[SecretStr | None, BeforeValidator(lambda url: url or None)] = Field(
        default=None,
        description="https address outside, of a heartbeat monitor, that is called while the whole way is well: it "
        "must ring when it hears nothing. A secret: whoever has it can pretend that we live. None: nobody watches",
    )
    heartbeat_every_s: float = Field(
        default=60, ge=10, le=3600, description="how often that address is called at most, seconds"
    )
