"""One secured broker with ingest behind it for all tests here; every test takes gateways of its own."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.stack.firenet import BROKER_ACCOUNTS
from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto, Secured
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.runtime.migrate import migrate
from tests.integration.access.client import Client
from tests.integration.ingest.process import IngestProcess
from tests.parts import run_part
from tests.unit.registry.builders import DEPARTMENTS_CSV, PACK_FILE, ROOT, unit_row, units_csv

GATEWAYS = 30


class Site:
    """The registry's commands over a database of its own, the broker they write for, and ingest."""

    def __init__(self, folder: Path, database: str, kafka: str) -> None:
        self.folder = folder
        self.bootstrap = kafka
        self.access = folder / "access"
        self.services = {name: secrets.token_urlsafe(24) for name in (*BROKER_ACCOUNTS, "monitor")}
        self.said: list[str] = []
        self.ports = dict(zip(("passwords", "certificates", "services"), free_ports(3), strict=True))
        secured = Secured(self.access, self.ports["passwords"], self.ports["certificates"])
        self.broker = Mosquitto(folder / "mosquitto", port=self.ports["services"], secured=secured)
        self._names = secrets.token_hex(3)
        self._free = iter(range(GATEWAYS))
        self._environment = {
            **os.environ,
            "FIRENET_DATABASE_DSN": database,
            "FIRENET_KAFKA_BOOTSTRAP": kafka,
            "REGISTRY_CA_DIR": str(folder / "ca"),
            "REGISTRY_BROKER_DIR": str(self.access),
            "REGISTRY_BROKER_SERVICES": self._service_files(),
            **self._account("registry", "REGISTRY"),
        }
        self.instance = f"i{self._names}"

    def _service_files(self) -> str:
        for name, password in self.services.items():
            (self.folder / f"password-{name}").write_text(password)
        return "{" + ",".join(f'"{name}":"{self.folder}/password-{name}"' for name in self.services) + "}"

    def _account(self, name: str, prefix: str) -> dict[str, str]:
        return {
            f"{prefix}_MQTT_PORT": str(self.ports["services"]),
            f"{prefix}_MQTT_USERNAME": name,
            f"{prefix}_MQTT_PASSWORD": self.services[name],
            f"{prefix}_MQTT_TLS_CA": str(self.access / "ca.crt"),
        }

    def registry(self, *arguments: str) -> str:
        """Run one command that must succeed and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "services.registry", *arguments],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        self.said.append(done.stdout + done.stderr)
        return done.stdout

    def set_up(self) -> None:
        rows = [f"{self.gateway(n)},{self.unit(n)},any,{100_000 + n},," for n in range(GATEWAYS)]
        heading = "gateway_id,unit_id,carrier,device_address,networks,retired_on"
        units = (unit_row(self.unit(number)) for number in range(GATEWAYS))
        (self.folder / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
        (self.folder / "units.csv").write_text(units_csv(*units), encoding="utf-8")
        (self.folder / "gateways.csv").write_text("\n".join([heading, *rows]), encoding="utf-8")
        self.registry("topics")
        self.registry("pack", "--no-publish", str(PACK_FILE))
        self.registry("import", *(str(self.folder / f"{kind}.csv") for kind in ("departments", "units", "gateways")))
        self.registry("credentials", "ca")
        self.registry("credentials", "server", "--name", "localhost", "--name", "127.0.0.1")
        self.registry("credentials", "issue", "--all", "--out", str(self.folder / "passwords.csv"))
        self.registry("credentials", "write")
        lines = (self.folder / "passwords.csv").read_text().splitlines()[1:]
        self.passwords = dict(line.split(",") for line in lines)
        self.broker.start()
        port, account = self.ports["services"], self._account("ingest", "INGEST")
        self.ingest = IngestProcess(self.folder, self.bootstrap, port, self.instance, **account)
        asyncio.run(self.ingest.start())

    def close(self) -> None:
        if hasattr(self, "ingest"):
            asyncio.run(self.ingest.stop())
        self.broker.stop()

    def gateway(self, number: int) -> str:
        return f"G{self._names}-{number}"

    def unit(self, number: int) -> str:
        return f"U{self._names}-{number}"

    def take(self) -> int:
        """Return the number of a gateway that no other test uses."""
        return next(self._free)

    def by_password(self, number: int, client_id: str | None = None) -> Client:
        name = self.gateway(number)
        return Client(self.ports["passwords"], self.ca, password=(name, self.passwords[name]), client_id=client_id)

    def by_certificate(self, number: int) -> Client:
        certificate = self.access / f"{self.gateway(number)}.crt"
        if not certificate.exists():
            self.registry("credentials", "certificate", "--gateway", self.gateway(number), "--out", str(self.access))
        return Client(self.ports["certificates"], self.ca, certificate=(certificate, certificate.with_suffix(".key")))

    @property
    def ca(self) -> Path:
        return self.access / "ca.crt"

    def write_and_reload(self) -> str:
        said = self.registry("credentials", "write")
        self.broker.read_anew()
        return said


@pytest.fixture(scope="package")
def site_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A Kafka of their own: these tests read whole topics, and on a shared one others write junk into them."""
    port, controller_port = free_ports(2)
    yield from run_part(Kafka(tmp_path_factory.mktemp("access-kafka"), port=port, controller_port=controller_port))


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres, site_kafka: Kafka) -> Iterator[Site]:
    if shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto on PATH")
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(postgres_server.dsn(name))
    made = Site(tmp_path_factory.mktemp("access"), postgres_server.dsn(name), site_kafka.bootstrap)
    try:
        made.set_up()
        yield made
    finally:
        made.close()
