"""FireNet on one machine: which part gets which address, which service which environment, and the set-up in between.

Used by `make demo`, `make run`, the end-to-end and chaos tests and the benchmarks: one wiring for all of them.
"""

import base64
import contextlib
import json
import os
import secrets
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from deploy.stack.causes import Cause
from deploy.stack.door import Way
from deploy.stack.door_part import Door
from deploy.stack.kafka import Kafka
from deploy.stack.mailbox import Mailbox
from deploy.stack.mosquitto import Mosquitto, Secured
from deploy.stack.mqtt import Iotcore
from deploy.stack.part import PartError
from deploy.stack.ports import HOST, free_ports, is_free
from deploy.stack.postgres import Postgres
from deploy.stack.process import Launch, StartFailed, run_tool
from deploy.stack.service import ROOT, Service, http_ok
from deploy.stack.set_up import SetUp, fingerprint
from services.runtime.clock import Clock, SystemClock

SAMPLE_PACK = ROOT / "deploy" / "packs" / "sample-2026.yaml"
SETUP_LIMIT_S = 120.0
BROKER_ACCOUNTS = {"ingest": "INGEST", "registry": "REGISTRY", "alerts": "ALERTS"}
"""Users of a secured broker and the prefix of their settings."""
STANDS_BACK = {"rules": 5, "alerts": 5, "documents": 10, "compliance": 5, "registry": 10, "console": 10}
"""Niceness of what is not on a fire's way: with too little processor for all, ingest and alerts-fire come first."""

SENDERS = ("alerts", "alerts-fire", "console")
SENDING_S = 60.0
"""They send notices and mails: what is on its way to a slow receiver and cut off would be sent twice."""

SEVERAL = ("ingest", "rules", "alerts", "documents")
"""What may run several times, side by side. The archive has one writer, the page one address, the registry one API."""
MAX_OF_EACH = 8

NEEDS = {
    "ingest": ("Kafka",),
    "rules": ("Kafka", "PostgreSQL"),
    "alerts-fire": ("Kafka",),
    "alerts": ("PostgreSQL",),
    "documents": ("Kafka", "PostgreSQL"),
    "compliance": ("Kafka", "PostgreSQL"),
    "registry": ("PostgreSQL",),
}
"""What a service does nothing without. The console needs nobody: it says what is missing."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens on loopback. The first thirteen are for people and their tools, the rest is inside.

    `mqtt` is the door for gateways, and the brokers' own port where there is no door; behind a door the broker listens
    on the ports `..._inner`.
    """

    mqtt: int = 1883
    mqtt_tls: int = 8883
    mqtt_certificates: int = 8884
    console: int = 8080
    mailbox: int = 8025
    ingest: int = 9101
    rules: int = 9102
    alerts: int = 9103
    console_status: int = 9104
    alerts_fire: int = 9105
    documents: int = 9106
    compliance: int = 9107
    registry: int = 9108
    smtp: int = 0
    webhook: int = 0
    devices: int = 0
    kafka: int = 0
    controller: int = 0
    postgres: int = 0
    mqtt_inner: int = 0
    mqtt_tls_inner: int = 0
    mqtt_certificates_inner: int = 0

    @classmethod
    def known(cls, environ: Mapping[str, str], *, secured: bool = False, must_be_free: bool = True) -> "Ports":
        """Return the usual ports, each moved by `FIRENET_PORT_NAME`, and free ones for what is inside.

        The TLS ports are only looked at when they are used (`secured`). Not `must_be_free`: whoever finds its port
        taken says so by itself, and the others need not wait for it.
        Raises:  PartError naming the first one that is taken or no number, and the setting that moves it.
        """
        ports = cls() if secured else cls(mqtt_tls=0, mqtt_certificates=0)
        for each in fields(cls):
            text = environ.get(setting_of(each.name))
            if text is not None:
                if not text.isdecimal() or not 1 <= int(text) <= 65_535:
                    raise PartError("ports", f"{setting_of(each.name)} is {text!r}, which is no port number.")
                ports = replace(ports, **{each.name: int(text)})
        inside = [each.name for each in fields(cls) if getattr(ports, each.name) == 0]
        ports = replace(ports, **dict(zip(inside, free_ports(len(inside)), strict=True)))
        for each in fields(cls):
            number = getattr(ports, each.name)
            if must_be_free and not is_free(number):
                sentence = f"port {number} on {HOST} is taken; stop what uses it or set {setting_of(each.name)}."
                raise PartError("ports", sentence, Cause.PORT_TAKEN)
        return ports

    @classmethod
    def free(cls) -> "Ports":
        """Return ports that nobody uses now, for tests."""
        names = [field.name for field in fields(cls)]
        return cls(**dict(zip(names, free_ports(len(names)), strict=True)))


def several_of(environ: Mapping[str, str]) -> dict[str, int]:
    """Return of which services several are wanted, and how many: `INGEST=2 RULES=4`. Raises PartError."""
    found = {}
    for kind in SEVERAL:
        text = environ.get(kind.upper(), "") or "1"
        if not text.isdecimal() or not 1 <= int(text) <= MAX_OF_EACH:
            raise PartError(kind, f"{kind.upper()} is {text!r}; set it to a number from 1 to {MAX_OF_EACH}.")
        if int(text) > 1:
            found[kind] = int(text)
    return found


def kind_of(name: str) -> str:
    """Return which service a process is: `rules-2` is the second one of `rules`."""
    kind, _, number = name.rpartition("-")
    return kind if number.isdecimal() else name


def further_ports(several: Mapping[str, int]) -> dict[str, int]:
    """Return where the second process of each service and those after it tell how they do: a free port, or what
    `FIRENET_PORT_RULES_2` says.
    """
    names = [f"{kind}-{number}" for kind, count in several.items() for number in range(2, count + 1)]
    chosen = {name: os.environ.get(setting_of(name.replace("-", "_")), "") for name in names}
    return {
        name: int(chosen[name]) if chosen[name].isdecimal() else port
        for name, port in zip(names, free_ports(len(names)), strict=True)
    }


def setting_of(port: str) -> str:
    return f"FIRENET_PORT_{port.upper()}"


@dataclass(frozen=True, slots=True)
class Options:
    """`supervision_rate` divides the heartbeat deadlines, `ladder_rate` the waits between steps; 1 is real life.

    `devices`: ingest opens a TCP port for devices that know no MQTT.
    `secured`: Mosquitto with TLS, passwords and certificates; gateways find it at `mqtt_bind` under `mqtt_names`.
    `patient`: a service that is not ready in time is left to get ready some day.
    `door`: gateways are let in only when ingest has subscribed; always so but with a Mosquitto open to all, which
    tests and benchmarks use.
    `log_archive`: where PostgreSQL copies its log to, for a recovery to any instant.
    `several`: how many processes of a service there are (one of `SEVERAL`), where it is not one.
    """

    supervision_rate: float = 1.0
    ladder_rate: float = 1.0
    mosquitto: bool = False
    devices: bool = False
    secured: bool = False
    mqtt_bind: str = HOST
    mqtt_names: tuple[str, ...] = ()
    mailbox: bool = False
    local_webhooks: bool = False
    share_group: str = ""
    mqtt_protocol: str = "3.1.1"
    log_level: str = "info"
    door: bool = False
    patient: bool = False
    several: Mapping[str, int] = field(default_factory=dict)
    log_archive: Path | None = None

    @property
    def has_door(self) -> bool:
        return self.door or self.secured or not self.mosquitto


class FireNet:
    """The parts, the set-up and the services over one folder. Nothing starts by making one."""

    root: Path = ROOT
    """Where the code of services and commands is; tests of an upgrade set it to that of another version."""

    def __init__(self, folder: Path, ports: Ports, options: Options | None = None, clock: Clock | None = None) -> None:
        self.folder = folder.absolute()
        self.ports = ports
        self.options = options or Options()
        self._clock = clock or SystemClock()
        self.further_ports = further_ports(self.options.several)
        self.kafka = Kafka(
            self.folder / "kafka",
            port=ports.kafka,
            controller_port=ports.controller,
            setting=setting_of("kafka"),
            controller_setting=setting_of("controller"),
        )
        self.postgres = Postgres(
            self.folder / "postgres",
            port=ports.postgres,
            setting=setting_of("postgres"),
            archive_to=self.options.log_archive,
        )
        self.mqtt = self._broker()
        self.door = self._door() if self.options.has_door else None
        self.mailbox = Mailbox(
            self.folder / "mailbox",
            smtp_port=ports.smtp,
            http_port=ports.mailbox,
            smtp_setting=setting_of("smtp"),
            http_setting=setting_of("mailbox"),
        )

    @property
    def parts(self) -> list[Kafka | Postgres | Mosquitto | Iotcore | Mailbox | Door]:
        """What must answer before the set-up; they start side by side. A secured broker starts after it."""
        broker = [] if self.options.secured else self.mqtt_parts
        return [self.kafka, self.postgres, *broker, *([self.mailbox] if self.options.mailbox else [])]

    @property
    def mqtt_parts(self) -> list[Mosquitto | Iotcore | Door]:
        """The broker, and the door before it."""
        return [self.mqtt, *([self.door] if self.door is not None else [])]

    @property
    def mqtt_port(self) -> int:
        """The broker's own port, for services."""
        return self.ports.mqtt_inner if self.options.has_door and not self.options.secured else self.ports.mqtt

    def _broker(self) -> Mosquitto | Iotcore:
        folder, setting = self.folder / "mqtt", setting_of("mqtt")
        if self.options.secured:
            secured = Secured(self.access, self.ports.mqtt_tls_inner, self.ports.mqtt_certificates_inner)
            return Mosquitto(folder, port=self.mqtt_port, setting=setting, secured=secured)
        return (Mosquitto if self.options.mosquitto else Iotcore)(folder, port=self.mqtt_port, setting=setting)

    def _door(self) -> Door:
        ports, bind = self.ports, self.options.mqtt_bind
        if not self.options.secured:
            way = Way(HOST, ports.mqtt, self.mqtt_port)
            return Door(self.folder / "door", ways=[way], broker_port=self.mqtt_port, setting=setting_of("mqtt"))
        ways = [
            Way(bind, ports.mqtt_tls, ports.mqtt_tls_inner),
            Way(bind, ports.mqtt_certificates, ports.mqtt_certificates_inner),
        ]
        return Door(
            self.folder / "door",
            ways=ways,
            broker_port=self.mqtt_port,
            setting=setting_of("mqtt_tls"),
            tls_ca=self.access / "ca.crt",
            account=("ingest", self.secrets / "mqtt-ingest"),
        )

    @property
    def access(self) -> Path:
        """What a secured broker reads: passwords, rights, certificates."""
        return self.folder / "mqtt-access"

    @property
    def console_url(self) -> str:
        return f"http://{HOST}:{self.ports.console}/"

    @property
    def status_file(self) -> Path:
        """Where the supervisor writes down what does not run, and the console reads it."""
        return self.folder / "parts.json"

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets"

    def secret(self, name: str) -> str:
        """Return the secret of that name, drawn at the first call and kept in a file only its owner may read."""
        path = self.secrets / name
        if not path.exists():
            self.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:  # the form of Standard Webhooks; good for any use
                file.write(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")
        return path.read_text().strip()

    def environment(self) -> dict[str, str]:
        """Return what every service and command gets; each reads its own prefix."""
        rates = {
            "RULES_CLOCK_RATE": self.options.supervision_rate,
            "ALERTS_CLOCK_RATE": self.options.ladder_rate,
            "ALERTS_SUPERVISION_RATE": self.options.supervision_rate,
        }
        own = {
            "FIRENET_KAFKA_BOOTSTRAP": self.kafka.bootstrap,
            "FIRENET_DATABASE_DSN": self.postgres.dsn(),
            "FIRENET_LOG_LEVEL": self.options.log_level,
            "FIRENET_HTTP_HOST": HOST,
            "INGEST_MQTT_HOST": HOST,
            "INGEST_MQTT_PORT": str(self.mqtt_port),
            "INGEST_MQTT_PROTOCOL": self.options.mqtt_protocol,
            "INGEST_MQTT_SHARE_GROUP": self.options.share_group,
            "INGEST_HTTP_PORT": str(self.ports.ingest),
            "REGISTRY_CA_DIR": str(self.folder / "ca"),
            "REGISTRY_HTTP_PORT": str(self.ports.registry),
            "REGISTRY_API_TOKEN": self.secret("registry-api"),
            "RULES_HTTP_PORT": str(self.ports.rules),
            "ALERTS_HTTP_PORT": str(self.ports.alerts),
            "ALERTS_API_TOKEN": self.secret("alerts-api"),
            "ALERTS_SECRETS_DIR": str(self.secrets),
            "ALERTS_CONSOLE_URL": self.console_url,
            "ALERTS_ALLOW_LOCAL_WEBHOOKS": "true" if self.options.local_webhooks else "false",
            "ALERTS_LINK_KEY": self.secret("links"),
            "ALERTS_SYNTHETIC_MQTT_HOST": HOST,
            "ALERTS_SYNTHETIC_MQTT_PORT": str(self.mqtt_port),
            # where people run it; tests and benchmarks count what they sent themselves
            "ALERTS_SYNTHETIC_EVERY_H": "24" if self.options.patient else "0",
            "DOCUMENTS_HTTP_PORT": str(self.ports.documents),
            "DOCUMENTS_API_TOKEN": self.secret("documents-api"),
            "DOCUMENTS_LINK_KEYS": self.secret("links"),
            "COMPLIANCE_HTTP_PORT": str(self.ports.compliance),
            "COMPLIANCE_ARCHIVE_ROOT": str(self.folder / "archive"),
            "CONSOLE_HTTP_PORT": str(self.ports.console),
            "CONSOLE_STATUS_PORT": str(self.ports.console_status),
            "CONSOLE_ALERTS_URL": f"http://{HOST}:{self.ports.alerts}",
            "CONSOLE_ALERTS_TOKEN": self.secret("alerts-api"),
            "CONSOLE_DOCUMENTS_URL": f"http://{HOST}:{self.ports.documents}",
            "CONSOLE_DOCUMENTS_TOKEN": self.secret("documents-api"),
            "CONSOLE_REGISTRY_URL": f"http://{HOST}:{self.ports.registry}",
            "CONSOLE_REGISTRY_TOKEN": self.secret("registry-api"),
            "CONSOLE_SECOND_FACTOR_KEYS": self.secret("second-factor"),
            "CONSOLE_PARTS_FILE": str(self.status_file),
            "CONSOLE_HEALTH_SERVICES": ",".join(f"{name}={HOST}:{port}" for name, port in self.status_pages()),
            **{name: f"{rate:g}" for name, rate in rates.items()},
        }
        if self.options.devices:
            own |= {"INGEST_TCP_PORT": str(self.ports.devices), "SIMULATOR_TCP_PORT": str(self.ports.devices)}
        if self.options.secured:
            own |= self._accounts()
        if self.options.mailbox:
            own |= {
                "ALERTS_SMTP_HOST": HOST,
                "ALERTS_SMTP_PORT": str(self.ports.smtp),
                "ALERTS_SMTP_SECURITY": "none",
                "CONSOLE_SMTP_HOST": HOST,
                "CONSOLE_SMTP_PORT": str(self.ports.smtp),
                "CONSOLE_SMTP_SECURITY": "none",
                "CONSOLE_MAIL_CONSOLE_URL": self.console_url,
                "CONSOLE_MAILBOX_URL": f"http://{HOST}:{self.ports.mailbox}/",
            }
        return {**os.environ, **own, "PYTHONUNBUFFERED": "1"}

    def status_pages(self) -> list[tuple[str, int]]:
        """Return each process that tells how it does: its service and the port of its metrics."""
        names = ("ingest", "rules", "alerts", "alerts_fire", "documents", "compliance", "registry")
        pages = [(name.replace("_", "-"), getattr(self.ports, name)) for name in names]
        pages += [(kind_of(name), port) for name, port in self.further_ports.items()]
        return [*pages, ("console", self.ports.console_status)]

    def _accounts(self) -> dict[str, str]:
        """Return how each service comes to a secured broker, and where the registry writes down who may."""
        files = {name: str(self.secrets / f"mqtt-{name}") for name in BROKER_ACCOUNTS}
        own = {"REGISTRY_BROKER_DIR": str(self.access), "REGISTRY_BROKER_SERVICES": json.dumps(files)}
        own["CONSOLE_HEALTH_BROKER"] = f"{HOST}:{self.ports.mqtt_tls_inner}"
        for name, prefix in BROKER_ACCOUNTS.items():
            own |= {
                f"{prefix}_MQTT_HOST": HOST,
                f"{prefix}_MQTT_PORT": str(self.mqtt_port),
                f"{prefix}_MQTT_USERNAME": name,
                f"{prefix}_MQTT_PASSWORD": self.secret(f"mqtt-{name}"),
                f"{prefix}_MQTT_TLS_CA": str(self.access / "ca.crt"),
            }
        return own

    def secure(self, cancel: threading.Event | None = None) -> None:
        """Make the certificate authority and what the broker reads. Needs the database, before the broker starts."""
        names = [argument for name in ("localhost", HOST, *self.options.mqtt_names) for argument in ("--name", name)]
        for words in (["ca"], ["server", *names], ["write"]):
            self.command("services.registry", "credentials", *words, cancel=cancel)

    def command(self, module: str, *arguments: str, text: str = "", cancel: threading.Event | None = None) -> str:
        """Run `python -m module ...` to its end with the services' environment and return what it printed.

        Raises:  PartError with the command's own last words.
        """
        argv = [sys.executable, "-m", module, *arguments]
        try:
            launch = Launch(argv, env=self.environment(), cwd=self.root)
            return run_tool(launch, limit_s=SETUP_LIMIT_S, clock=self._clock, text=text, cancel=cancel)
        except StartFailed as error:
            raise PartError(module, f"{module} {' '.join(arguments)}: {error}", error.cause) from error

    def set_up(self, pack: Path | None = None, cancel: threading.Event | None = None) -> None:
        """Bring tables and topics up to date, and import `pack`: without one the sample, into a register without any.

        What a district has imported is its own. A shipped pack that says something else now is not forced upon it, and
        is no reason not to start.
        """
        self.command("services.runtime.migrate", "--all", cancel=cancel)  # no service runs yet
        self.command("services.registry", "topics", cancel=cancel)
        if pack is None:
            if self.command("services.registry", "list", "pack", cancel=cancel).strip():
                return
            pack = self.root / SAMPLE_PACK.relative_to(ROOT)
        self.command("services.registry", "pack", str(pack), cancel=cancel)

    @property
    def was_set_up(self) -> bool:
        """Whether the data in this folder was set up by this very release: then each part may start for itself."""
        with contextlib.suppress(OSError):
            return (self.folder / "set-up").read_text() == fingerprint() and bool(self.postgres.password)
        return False

    def note_set_up(self) -> None:
        """Write down that the set-up is done."""
        with contextlib.suppress(OSError):
            (self.folder / "set-up").write_text(fingerprint())

    def later_set_up(self) -> SetUp:
        """Return the set-up of data that `was_set_up`, to be done when Kafka and PostgreSQL are there."""

        def work(cancel: threading.Event) -> None:
            self.set_up(cancel=cancel)
            if self.options.secured:
                self.secure(cancel)
                if isinstance(self.mqtt, Mosquitto):
                    self.mqtt.read_anew()

        return SetUp(self.folder / "set-up.log", work)

    def service(
        self,
        name: str,
        port: int,
        *,
        module: str = "",
        words: Sequence[str] = (),
        extra: Mapping[str, str] | None = None,
    ) -> Service:
        """Return one service, ready when its own /readyz says so. `name-2` is the second process of `name`."""
        kind = kind_of(name)
        return Service(
            self.folder / name,
            name=name,
            argv=[sys.executable, "-m", f"services.{module or kind}", *words],
            env={**self.environment(), **(extra or {})},
            ready=http_ok(f"http://{HOST}:{port}/readyz"),
            start_limit_s=90,
            stop_limit_s=SENDING_S if kind in SENDERS else Service.stop_limit_s,
            nice=STANDS_BACK.get(kind, 0),
            needs=NEEDS.get(kind, ()),
            mute_is_dead=not self.options.patient,
            root=self.root,
        )

    def services(self) -> Sequence[Service]:
        """The services, alerts as two processes; they start side by side and wait for each other's traces."""
        return [
            self.service("ingest", self.ports.ingest),
            self.service("rules", self.ports.rules),
            self.one_more("alerts-fire", self.ports.alerts_fire),
            self.service("alerts", self.ports.alerts, extra={"ALERTS_LANE": "ordinary"}),
            self.service("documents", self.ports.documents),
            self.service("compliance", self.ports.compliance),
            self.service("registry", self.ports.registry, words=["serve"]),
            self.service("console", self.ports.console_status),
            *self.further(),
        ]

    def further(self) -> Sequence[Service]:
        """The second process of a service and those after it."""
        return [self.one_more(name, port) for name, port in self.further_ports.items()]

    def one_more(self, name: str, port: int) -> Service:
        """Return a process of a service that may run beside others of it, on a port and under a name of its own.

        ingest is given no name: it takes the first one at the broker that is free.
        """
        kind = kind_of(name)
        module = "alerts" if kind == "alerts-fire" else kind
        extra = {f"{module.upper()}_HTTP_PORT": str(port)}
        if module == "ingest":
            extra["INGEST_TCP_PORT"] = "0"  # one address for devices, and the first process has it
        else:
            extra[f"{module.upper()}_INSTANCE"] = name
        if module == "alerts":
            extra["ALERTS_LANE"] = "fire" if kind == "alerts-fire" else "ordinary"
        return self.service(name, port, module=module, extra=extra)
