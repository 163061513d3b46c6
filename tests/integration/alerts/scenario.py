"""A small district around a real alerts process: topics, registry, records, mailbox, webhook receivers."""

import asyncio
import base64
import copy
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from standardwebhooks import Webhook

from deploy.stack.ports import free_ports
from schemas import codec
from schemas.base import Evidence, PackRef
from schemas.finding import Finding, FindingData
from schemas.gateway import Point
from schemas.pack import Department, Pack
from schemas.registry import (
    ContactRecord,
    ContactVersion,
    DepartmentRecord,
    DepartmentVersion,
    GatewayRecord,
    GatewayVersion,
    PackRecord,
    PackVersion,
    RegistryData,
    RegistryEvent,
    UnitRecord,
    UnitVersion,
)
from schemas.signal import Signal, SignalData
from schemas.topics import ALARMS, FINDINGS, REGISTRY, all_topics
from services.kernel.ids import derive, finding_id
from services.kernel.words import BodyKind, ContactRole, FindingKind, Lane, Phase, Restores, SignalKind, Transport
from services.runtime.clock import SystemClock
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics
from services.runtime.migrate import migrate
from tests import quick_yaml

ROOT = Path(__file__).resolve().parents[3]
SECRET = "whsec_" + base64.b64encode(b"firenet test secret 0123456789ab").decode()
TOKEN = "test-token-0123"
EARLY = date(2020, 1, 1)
RECORDED = datetime(2020, 1, 1, tzinfo=UTC)
CLOCK = SystemClock()


async def until(condition: Callable[[], Awaitable[Any]], what: str, limit_s: float = 90) -> Any:
    """Return the first true value of `condition`; fail after `limit_s` seconds."""
    try:
        async with asyncio.timeout(limit_s):
            while not (value := await condition()):  # noqa: ASYNC110 - what is waited for is in other processes
                await asyncio.sleep(0.02)
            return value
    except TimeoutError:
        raise AssertionError(f"waited {limit_s:g} s in vain: {what}") from None


async def fresh_topics(bootstrap: str) -> None:
    """Leave all of FireNet's topics new and empty: offsets live in the test's own database, which is new as well."""
    names = [topic.name for topic in all_topics().values()]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        existing = [name for name in names if name in await admin.list_topics()]
        if existing:
            await admin.delete_topics(existing)

        async def gone() -> bool:
            return not set(names) & set(await admin.list_topics())

        await until(gone, "topics deleted")
    finally:
        await admin.close()
    specs = [
        TopicSpec(
            topic.name,
            topic.partitions,
            topic.cleanup == "compact",
            None,
            topic.max_message_bytes,
            compression=topic.compression,
        )
        for topic in all_topics().values()
    ]

    async def created() -> bool:
        await ensure_topics(bootstrap, specs)
        return True

    await until(created, "topics created")


@dataclass
class Mailbox:
    """A real SMTP server that keeps what it gets. `hang` makes it answer nothing after DATA until cleared."""

    mails: list[tuple[str, bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.extend((to, content) for to in envelope.rcpt_tos)
        return "250 OK"

    def to(self, address: str) -> list[bytes]:
        return [content for to, content in self.mails if to == address]


@dataclass
class Received:
    at: datetime
    headers: dict[str, str]
    body: str


class Hook:
    """A webhook receiver on loopback that verifies signatures. `statuses` are answered first, then 204."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.bad_signatures = 0
        self.statuses: list[int] = []
        self.hang = threading.Event()
        self.hanging = False
        hook = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                hook.take(self, body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def take(self, request: BaseHTTPRequestHandler, body: str) -> None:
        headers = {key.lower(): value for key, value in request.headers.items()}
        try:
            Webhook(SECRET).verify(body, headers)
        except Exception:
            self.bad_signatures += 1
        self.received.append(Received(CLOCK.now(), headers, body))
        self.arrived()
        if self.hanging:
            self.hang.wait(600)
        request.send_response(self.statuses.pop(0) if self.statuses else 204)
        request.send_header("content-length", "0")
        request.end_headers()

    def arrived(self) -> None:
        """What a test does the moment a request has come, before it is answered."""

    def close(self) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@cache
def _sample() -> dict[str, Any]:
    raw: dict[str, Any] = quick_yaml.read((ROOT / "deploy/packs/sample-2026.yaml").read_text(encoding="utf-8"))
    return raw


def sample_pack(**changes: Any) -> Pack:
    raw = copy.deepcopy(_sample())  # sooner made than read as YAML again
    # every mail alone, as it comes: a test of digests says that it wants them
    raw |= {"district": "gulou", "valid_to": date(2099, 12, 31), "grouping": None}
    raw.update(changes)
    return Pack.model_validate(raw)


def registry_event(record: Any) -> Record:
    key = f"{record.kind}:{record.id}"
    event = RegistryEvent(
        id=derive("registry", key), source="/registry", subject=key, time=RECORDED, data=RegistryData(record=record)
    )
    return Record(REGISTRY, key.encode(), codec.registry.encode(event))


def unit_record(
    unit_id: str,
    *,
    town: str = "T01",
    lead: str = "health",
    copies: Sequence[str] = (),
    district: str = "gulou",
    **more: Any,
) -> Record:
    version = UnitVersion(
        valid_from=EARLY,
        recorded_at=RECORDED,
        unit_id=unit_id,
        name=f"第{unit_id}医院",
        name_en=f"Hospital {unit_id}",
        district=district,
        town=town,
        community="C1",
        category="HOSPITAL",
        key_unit=True,
        auto_fire_facilities=True,
        crowded_place=True,
        flammable_place=False,
        fire_alarm_system=True,
        lead_department=lead,
        copy_departments=tuple(copies),
        routed=True,
        route_clause="003 health",
        **more,
    )
    return registry_event(UnitRecord(id=unit_id, versions=(version,)))


def gateway_record(unit_id: str, carrier: str = "cmcc") -> Record:
    version = GatewayVersion(
        valid_from=EARLY, recorded_at=RECORDED, gateway_id=f"G-{unit_id}", unit_id=unit_id, carrier=carrier
    )
    return registry_event(GatewayRecord(id=f"G-{unit_id}", versions=(version,)))


def street_record(code: str, name_zh: str, name_en: str) -> Record:
    street = Department(code=code, kind=BodyKind.STREET, name_zh=name_zh, name_en=name_en, clause="002")
    version = DepartmentVersion(valid_from=EARLY, recorded_at=RECORDED, department=street)
    return registry_event(DepartmentRecord(id=code, versions=(version,)))


def contact_record(
    contact_id: str,
    body: str,
    role: ContactRole = ContactRole.OFFICE,
    *,
    email: str | None = None,
    url: str | None = None,
    robot: str | None = None,
    mqtt_topic: str | None = None,
    apprise: str | None = None,
    lang: Any = "zh",
    phone: str | None = None,
    sms: Any = None,
    voice: Any = None,
    duty_times: str | None = None,
) -> Record:
    version = ContactVersion(
        valid_from=EARLY,
        recorded_at=RECORDED,
        contact_id=contact_id,
        body_code=body,
        role=role,
        name=contact_id,
        lang=lang,
        email=email,
        webhook_url=url,
        webhook_secret_ref="hook" if url else None,
        robot=robot,
        mqtt_topic=mqtt_topic,
        apprise=apprise,
        phone=phone,
        sms=sms,
        voice=voice,
        duty_times=duty_times,
    )
    return registry_event(ContactRecord(id=contact_id, versions=(version,)))


def district_pack(name: str, **changes: Any) -> Pack:
    """Return the pack of another district: steps, bodies and clauses are called after it."""
    raw = sample_pack(pack_id=f"{name}-2026", district=name, **changes).model_dump(mode="json")
    for ladder in raw["ladders"].values():
        for step in ladder["steps"]:
            step |= {"code": f"{step['code']}-{name}", "clause": f"{name} {step['clause']}"[:100]}
    raw["departments"] = [{**one, "code": f"{one['code']}-{name}"} for one in raw["departments"]]
    for route in raw["routes"]:
        route["lead"] = route["lead"] and f"{route['lead']}-{name}"
        route["copies"] = [f"{code}-{name}" for code in route["copies"]]
    raw["default_route"]["copies"] = [f"{code}-{name}" for code in raw["default_route"]["copies"]]
    return Pack.model_validate(raw)


def pack_record(pack: Pack) -> Record:
    version = PackVersion(valid_from=EARLY, recorded_at=RECORDED, pack=pack)
    return registry_event(PackRecord(id=pack.pack_id, versions=(version,)))


def fire(unit_id: str, signal_id: str, *, point: str | None = None, at: datetime | None = None) -> Record:
    return _alarm(unit_id, signal_id, SignalKind.FIRE, None, point, at)


def restore(unit_id: str, signal_id: str, *, point: str | None = None, at: datetime | None = None) -> Record:
    return _alarm(unit_id, signal_id, SignalKind.RESTORE, Restores.FIRE, point, at)


def _alarm(
    unit_id: str,
    signal_id: str,
    kind: SignalKind,
    restores: Restores | None,
    point: str | None,
    at: datetime | None,
) -> Record:
    data = SignalData(
        gateway_id=f"G-{unit_id}",
        unit_id=unit_id,
        kind=kind,
        carrier=Transport.MQTT_JSON,
        lane=Lane.ALARM,
        instance="ingest-1",
        restores=restores,
        point=Point(address=point, label=f"烟感{point}") if point else None,
    )
    signal = Signal(id=signal_id, source=f"/gateways/G-{unit_id}", subject=unit_id, time=at or CLOCK.now(), data=data)
    return Record(ALARMS, unit_id.encode(), codec.alarms.encode(signal))


def finding(
    unit_id: str,
    cause: str,
    phase: Phase = Phase.BEGAN,
    kind: FindingKind = FindingKind.CONNECTION_LOST,
    *,
    at: datetime | None = None,
    pack: Pack | None = None,
    point: str | None = None,
) -> Record:
    detected = at or CLOCK.now()
    identity = finding_id(unit_id, kind, cause)
    data = FindingData(
        finding_id=identity,
        unit_id=unit_id,
        kind=kind,
        phase=phase,
        effective_at=detected - timedelta(seconds=240),
        detected_at=detected,
        cause="deadline" if phase is Phase.BEGAN else "signal",
        signal_id=cause if kind is FindingKind.FIRE else None,
        point=Point(address=point) if point else None,
        evidence=Evidence(topic="firenet.signals.v1", partition=3, offset=4711),
        clause="000 二(二) last item",
        pack=PackRef(pack_id="sample-2026", version=1),
    )
    event = Finding(id=derive(identity, phase), source="/rules", subject=unit_id, time=detected, data=data)
    return Record(FINDINGS, unit_id.encode(), codec.findings.encode(event))


class Scenario:
    """What a test says and sees."""

    def __init__(self, kafka: str, dsn: str, folder: Path) -> None:
        self.kafka = kafka
        self.dsn = dsn
        self.folder = folder
        self.mailbox = Mailbox()
        self.hooks: list[Hook] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.smtp_port, self.http_port = free_ports(2)
        self.producer = BatchProducer(kafka, f"test-{secrets.token_hex(4)}")
        self.sessions = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=2,
            open=False,
            kwargs={"autocommit": True},
            check=AsyncConnectionPool.check_connection,  # tests break the server
        )
        (folder / "hook").write_text(SECRET)

    def hook(self) -> Hook:
        self.hooks.append(Hook())
        return self.hooks[-1]

    async def publish(self, *records: Record) -> None:
        await self.producer.send_many(records)

    def environment(self, **changes: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "FIRENET_KAFKA_BOOTSTRAP": self.kafka,
            "FIRENET_DATABASE_DSN": self.dsn,
            "ALERTS_API_TOKEN": TOKEN,
            "ALERTS_HTTP_PORT": str(self.http_port),
            "ALERTS_SECRETS_DIR": str(self.folder),
            "ALERTS_ALLOW_LOCAL_WEBHOOKS": "true",
            "ALERTS_SMTP_PORT": str(self.smtp_port),
            "ALERTS_SMTP_SECURITY": "none",
            "ALERTS_CONSOLE_URL": "http://127.0.0.1:8080",
            "ALERTS_DOCUMENT_WAIT_S": "0",  # nobody makes documents here: a test that has somebody says so
            **changes,
        }

    def start(self, *, python: Sequence[str] = ("-m", "services.alerts"), **changes: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"alerts-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, *python], cwd=ROOT, env=self.environment(**changes), stdout=log, stderr=log
        )
        log.close()
        self.processes.append(process)
        return process

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        async with self.sessions.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchall()

    async def one(self, query: str, *parameters: Any) -> Any:
        """Return the first column of the first row, None when there is none."""
        rows = await self.rows(query, *parameters)
        return next(iter(rows[0].values())) if rows else None

    async def until_row(self, query: str, *parameters: Any, limit_s: float = 90) -> Any:
        return await until(lambda: self.one(query, *parameters), query, limit_s)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-6000:] for path in sorted(self.folder.glob("*.log")))


@asynccontextmanager
async def scenario(kafka: str, dsn: str, folder: Path) -> AsyncIterator[Scenario]:
    """Fresh topics, a migrated database, a mailbox; everything started in it is ended with it."""
    await asyncio.to_thread(migrate, dsn)
    await fresh_topics(kafka)
    here = Scenario(kafka, dsn, folder)
    await here.producer.start()
    await here.sessions.open()
    server = Controller(here.mailbox, hostname="127.0.0.1", port=here.smtp_port, ready_timeout=60)
    server.start()
    try:
        yield here
    except BaseException:
        sys.stdout.write(here.logs())
        raise
    finally:
        for hook in here.hooks:
            hook.hang.set()  # a process that is stopped waits for what is on its way
        for process in here.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in here.processes:
            try:
                await asyncio.to_thread(process.wait, 15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for hook in here.hooks:
            hook.close()
        server.stop()
        await here.sessions.close()
        await here.producer.stop()
