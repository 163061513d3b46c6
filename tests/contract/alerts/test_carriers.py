"""Carriers: a fake and the real ones keep the same promises; each answer of the other side has its reason."""

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address, ip_network
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.stack.ports import free_ports
from services.alerts.adapters import guarded_http
from services.alerts.adapters.guarded_http import GuardedClient, outcome_of, receiver_client
from services.alerts.adapters.mail import MailChannel, MailServer
from services.alerts.adapters.secrets import SecretFiles
from services.alerts.adapters.webhook import WebhookChannel, sign
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import DeliveryChannel, Ready
from services.documents.domain.mails import read
from services.kernel.words import Channel, Purpose
from services.runtime.clock import SystemClock
from services.runtime.vetted_http import AddressRefused, Networks, vetted_address
from tests.fakes.alerts import FakeChannel
from tests.fakes.clock import ManualClock
from tests.integration.alerts.scenario import SECRET, Hook
from tests.unit.alerts.build import T0

NOW = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
CLOCK = SystemClock()


def ready(address: str, channel: Channel, *, subject: str = "火警", secret: str | None = "hook") -> Ready:
    return Ready(
        notice_id=NoticeId("0123456789abcdef0123456789abcdef"),
        case_id=CaseId("C0123456789abcdef"),
        to=Address(ContactId("c"), BodyCode("centre"), channel, address, secret, "zh"),
        subject=subject,
        body='{"text":"第一人民医院"}',
        fire=True,
        attempts=1,
        purpose=Purpose.NOTICE,
        lang="zh",
        caused_at=NOW,
    )


@dataclass
class Server:
    """An SMTP server that answers what it is told to."""

    answers: dict[str, str]
    mails: list[bytes]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return self.answers.get("QUIT", "221 Bye")


@dataclass
class Box:
    server: Server
    port: int


@pytest.fixture
def box() -> Iterator[Box]:
    (port,) = free_ports(1)
    server = Server({}, [])
    controller = Controller(server, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    yield Box(server, port)
    controller.stop()


@pytest.fixture
def hook() -> Iterator[Hook]:
    one = Hook()
    yield one
    one.close()


def mailer(port: int, **changes: object) -> MailChannel:
    server = MailServer(
        host="127.0.0.1", port=port, sender="firenet@mail.firenet-demo.cn", security="none", timeout_s=30
    )
    return MailChannel(server=replace(server, **changes), clock=CLOCK, threads=1, name="test")  # type: ignore[arg-type] # names of fields


@asynccontextmanager
async def webhooks(
    folder: Path, *, local: bool = True, inside: Networks = (), ca: Path | None = None, deadline_s: float = 30
) -> AsyncIterator[WebhookChannel]:
    (folder / "hook").write_text(SECRET)
    async with (
        receiver_client(connections=2, deadline_s=deadline_s, ca=ca) as client,
        receiver_client(connections=2, deadline_s=deadline_s, keep=False, ca=ca) as apart,
    ):
        guarded = GuardedClient(client=client, apart=apart, allow_local=local, inside=inside, deadline_s=deadline_s)
        yield WebhookChannel(client=guarded, secrets=SecretFiles(folder), clock=CLOCK)
        guarded.close()


@pytest.mark.parametrize("which", ["fake", "mail", "webhook"])
async def test_accepted_is_no_reason(which: str, box: Box, hook: Hook, tmp_path: Path) -> None:
    async with webhooks(tmp_path) as webhook:
        carriers: dict[str, tuple[DeliveryChannel, Ready]] = {
            "fake": (FakeChannel(ManualClock(T0)), ready("x", Channel.EMAIL)),
            "mail": (mailer(box.port), ready("a@mail.firenet-demo.cn", Channel.EMAIL)),
            "webhook": (webhook, ready(hook.url, Channel.WEBHOOK)),
        }
        carrier, notice = carriers[which]
        assert (await carrier.send(notice)).reason is None


async def test_mail_is_what_was_written_and_carries_the_notices_id(box: Box) -> None:
    notice = ready("a@mail.firenet-demo.cn", Channel.EMAIL, subject="火警\r\nBcc: all@mail.firenet-demo.cn")
    assert (await mailer(box.port).send(notice)).reason is None
    mail = message_from_bytes(box.server.mails[0], policy=policy.default)
    assert mail["Message-ID"] == f"<{notice.notice_id}@mail.firenet-demo.cn>"
    assert mail["Bcc"] is None
    assert mail["Subject"] == "火警 Bcc: all@mail.firenet-demo.cn"
    assert mail["X-FireNet-Case"] == notice.case_id
    body = mail.get_body()
    assert body is not None
    assert body.get_content().strip() == notice.body


async def test_the_message_id_of_a_letter_names_its_document_for_whoever_answers(box: Box) -> None:
    about = Mock(signed_document_id="D0123456789abcdef", created_at=NOW)
    notice = replace(ready("a@mail.firenet-demo.cn", Channel.EMAIL), notice=about)
    assert (await mailer(box.port).send(notice)).reason is None
    mail = message_from_bytes(box.server.mails[0], policy=policy.default)
    assert mail["Message-ID"].strip() == f"<{notice.notice_id}.D0123456789abcdef@mail.firenet-demo.cn>"
    assert read(box.server.mails[0].replace(b"Message-ID:", b"In-Reply-To:")).documents == ("D0123456789abcdef",)


@pytest.mark.parametrize(
    ("when", "answer", "reason"),
    [
        ("RCPT", "550 no such user", Reason.RECIPIENT_REFUSED),
        ("RCPT", "450 greylisted", Reason.THROTTLED),
        ("DATA", "554 spam", Reason.REJECTED),
        ("DATA", "452 too many", Reason.THROTTLED),
        ("DATA", "430 odd", Reason.SERVER_ERROR),
    ],
)
async def test_mail_answers(box: Box, when: str, answer: str, reason: Reason) -> None:
    box.server.answers[when] = answer
    assert (await mailer(box.port).send(ready("a@mail.firenet-demo.cn", Channel.EMAIL))).reason is reason


@pytest.mark.parametrize(("refused", "reason"), [("", None), ("550 no such user", Reason.RECIPIENT_REFUSED)])
async def test_what_a_server_says_to_goodbye_changes_nothing(box: Box, refused: str, reason: Reason | None) -> None:
    box.server.answers = {"QUIT": "421 busy"} | ({"RCPT": refused} if refused else {})
    assert (await mailer(box.port).send(ready("a@mail.firenet-demo.cn", Channel.EMAIL))).reason is reason


@pytest.mark.parametrize("address", ["no-at-sign", "a@b\r\nBcc: c@d", "", "a b@c"])
async def test_address_that_is_none_is_refused(box: Box, address: str) -> None:
    assert (await mailer(box.port).send(ready(address, Channel.EMAIL))).reason is Reason.ADDRESS_REFUSED


async def test_mail_server_without_the_wanted_encryption_gets_nothing(box: Box) -> None:
    notice = ready("a@mail.firenet-demo.cn", Channel.EMAIL)
    assert (await mailer(box.port, security="starttls").send(notice)).reason is Reason.TLS
    assert not box.server.mails


async def test_trusted_authorities_are_read_once_and_not_with_every_mail(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = Mock(side_effect=ssl.create_default_context)
    monkeypatch.setattr(ssl, "create_default_context", reading)
    carrier = mailer(box.port, security="starttls")
    for _ in range(3):
        await carrier.send(ready("a@mail.firenet-demo.cn", Channel.EMAIL))
    assert reading.call_count == 1


async def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    assert (await mailer(port).send(ready("a@mail.firenet-demo.cn", Channel.EMAIL))).reason is Reason.CONNECT


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """A server that takes connections and says nothing."""
    over = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    over.set()
    server.close()


async def test_silent_server_is_a_timeout(tmp_path: Path) -> None:
    async with silence() as port, webhooks(tmp_path, deadline_s=0.3) as webhook:
        mail = mailer(port, timeout_s=0.3)
        assert (await mail.send(ready("a@mail.firenet-demo.cn", Channel.EMAIL))).reason is Reason.TIMEOUT
        url = f"http://127.0.0.1:{port}/"
        assert (await webhook.send(ready(url, Channel.WEBHOOK))).reason is Reason.TIMEOUT


async def test_webhook_is_signed_by_the_specification(hook: Hook, tmp_path: Path) -> None:
    async with webhooks(tmp_path) as webhook:
        notice = ready(hook.url, Channel.WEBHOOK)
        await webhook.send(notice)
    assert hook.bad_signatures == 0  # verified by the standardwebhooks package
    headers = hook.received[0].headers
    assert headers["webhook-id"] == notice.notice_id
    assert headers["host"] == httpx.URL(hook.url).netloc.decode()


async def test_two_keys_while_changing_them(hook: Hook, tmp_path: Path) -> None:
    async with webhooks(tmp_path) as webhook:
        (tmp_path / "hook").write_text(f"a new key that the receiver has not got yet\n{SECRET}\n")
        await webhook.send(ready(hook.url, Channel.WEBHOOK))
    assert len(hook.received[0].headers["webhook-signature"].split(" ")) == 2
    assert hook.bad_signatures == 0


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (204, None),
        (302, Reason.REDIRECT),
        (400, Reason.REJECTED),
        (401, Reason.AUTH),
        (404, Reason.REJECTED),
        (408, Reason.THROTTLED),
        (410, Reason.GONE),
        (429, Reason.THROTTLED),
        (500, Reason.SERVER_ERROR),
        (503, Reason.SERVER_ERROR),
    ],
)
async def test_webhook_answers(hook: Hook, tmp_path: Path, status: int, reason: Reason | None) -> None:
    hook.statuses = [status]
    async with webhooks(tmp_path) as webhook:
        assert (await webhook.send(ready(hook.url, Channel.WEBHOOK))).reason is reason
    assert len(hook.received) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Wed, 04 Mar 2026 08:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 04 Mar 2026 07:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("9" * 400, timedelta(days=1)),
    ],
)
def test_retry_after(header: str, wait: timedelta | None) -> None:
    assert outcome_of(429, header, NOW).retry_after == wait


def test_nonsense_in_retry_after_is_no_wait() -> None:
    assert outcome_of(200, "Mon, 01 Jan 99999999999 00:00:00 GMT", NOW).reason is None


@pytest.mark.parametrize("text", ["whsec_", "whsec_abcd-_-_", "whsec_!", "whsec_a"])
async def test_secret_that_is_no_base64_signs_nothing(hook: Hook, tmp_path: Path, text: str) -> None:
    async with webhooks(tmp_path) as webhook:
        (tmp_path / "hook").write_text(text)
        assert (await webhook.send(ready(hook.url, Channel.WEBHOOK))).reason is Reason.NO_SECRET
    assert not hook.received


async def test_missing_secret_waits_for_somebody_to_put_it_there(hook: Hook, tmp_path: Path) -> None:
    async with webhooks(tmp_path) as webhook:
        for ref in ("nothing", "../hook", "", None):
            answer = await webhook.send(ready(hook.url, Channel.WEBHOOK, secret=ref))
            assert answer.reason is Reason.NO_SECRET
    assert not hook.received


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://10.0.0.8/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://0.0.0.0/x",
        "https://100.64.0.1/x",
        "https://224.0.0.1/x",
        "http://93.184.216.34/x",
        "https://user:pass@93.184.216.34/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://[::7f00:1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:0:127.0.0.1]/x",
        "https://[64:ff9b::a00:1]/x",
        "https://[64:ff9b:1::5db8:d822]/x",
        "https://[2002:7f00:1::]/x",
        "https://[2001:0:5db8:d822::1]/x",
        "https://[2606:4700::5efe:7f00:1]/x",
        "https://[fec0::1]/x",
        "https://[ff0e::1]/x",
        "https://192.88.99.1/x",
        "https://168.63.129.16/x",
    ],
)
async def test_addresses_inside_our_network_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        await vetted_address(httpx.URL(url), allow_local=False, deadline_s=30)


async def test_local_receivers_only_when_allowed(hook: Hook, tmp_path: Path) -> None:
    async with webhooks(tmp_path, local=False) as webhook:
        assert (await webhook.send(ready(hook.url, Channel.WEBHOOK))).reason is Reason.ADDRESS_REFUSED
    assert not hook.received


CENTRE_LINE = (ip_network("10.20.0.0/16"), ip_network("fd00:20::/32"))


@pytest.mark.parametrize("host", ["10.20.3.4", "[::ffff:10.20.3.4]", "[fd00:20::7]"])
async def test_a_network_that_the_operator_named_is_gone_to_by_https(host: str) -> None:
    url = httpx.URL(f"https://{host}/x")
    assert await vetted_address(url, allow_local=False, inside=CENTRE_LINE, deadline_s=30) in (
        "10.20.3.4",
        "fd00:20::7",
    )
    with pytest.raises(AddressRefused):
        await vetted_address(url.copy_with(scheme="http"), allow_local=False, inside=CENTRE_LINE, deadline_s=30)


@pytest.mark.parametrize("addresses", [("10.21.0.1",), ("10.20.0.1", "10.21.0.1"), ("169.254.169.254",)])
async def test_a_name_that_leads_beside_that_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lookup(*addresses))
    with pytest.raises(AddressRefused):
        await vetted_address(
            httpx.URL("https://centre.firenet-demo.cn/"), allow_local=False, inside=CENTRE_LINE, deadline_s=30
        )


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "100.100.100.200", "[64:ff9b::a14:304]", "[2002:a14:304::]", "0.0.0.1"]
)
async def test_what_no_receiver_can_have_is_refused_whatever_the_operator_named(host: str) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    with pytest.raises(AddressRefused):
        await vetted_address(httpx.URL(f"https://{host}/x"), allow_local=True, inside=everything, deadline_s=30)


async def test_a_public_receiver_behind_a_nat64_name_server_is_gone_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lookup("64:ff9b::5db8:d822"))
    url = httpx.URL("https://hooks.firenet-demo.cn/x")
    assert await vetted_address(url, allow_local=False, deadline_s=30) == "64:ff9b::5db8:d822"


async def test_a_receiver_with_a_certificate_of_our_own_ca_is_believed_only_with_that_ca(tmp_path: Path) -> None:
    ca, server_tls = certified(tmp_path, "127.0.0.1")
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
    notice = ready(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", Channel.WEBHOOK)
    async with server:
        async with webhooks(tmp_path, local=False, inside=(ip_network("127.0.0.0/8"),)) as webhook:
            assert (await webhook.send(notice)).reason is Reason.TLS
        async with webhooks(tmp_path, local=False, inside=(ip_network("127.0.0.0/8"),), ca=ca) as webhook:
            assert (await webhook.send(notice)).reason is None
    assert len(heard) == 1


def certified(folder: Path, host: str) -> tuple[Path, ssl.SSLContext]:
    """Return the file of a new CA, and what a server needs that it vouches for."""
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Centre CA")])
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = CLOCK.now()
    made = [
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=True)
        .sign(ca_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
        for subject, public, extension in (
            (issuer, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=None)),
            (x509.Name([]), key.public_key(), x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])),
        )
    ]
    ca, chain = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(made[0])
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(private + made[1])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return ca, context


Lookup = Callable[..., list[tuple[object, ...]]]


def lookup(*addresses: str) -> Lookup:
    """A name server that knows these addresses, whatever it is asked for."""

    def getaddrinfo(host: str, port: int, *arguments: object, **named: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


async def test_public_https_is_gone_to_by_its_vetted_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lookup("93.184.216.34"))
    url = httpx.URL("https://hooks.firenet-demo.cn/x")
    assert await vetted_address(url, allow_local=False, deadline_s=1) == "93.184.216.34"
    monkeypatch.setattr(socket, "getaddrinfo", lookup("93.184.216.34", "10.0.0.1"))
    with pytest.raises(AddressRefused):
        await vetted_address(url, allow_local=False, deadline_s=1)


async def test_a_name_that_changes_its_address_after_the_look_is_not_followed(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was vetted is the one connected to: the name is asked once, whatever it would say next."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: object, **named: object) -> list[tuple[object, ...]]:
        asked.append(host)
        known = {"hooks.firenet-demo.cn": "127.0.0.1" if asked.count(host) == 1 else "127.0.0.2"}
        return list(really(known.get(host, host), *arguments, **named))  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = hook.url.replace("127.0.0.1", "hooks.firenet-demo.cn")
    async with webhooks(tmp_path) as webhook:
        assert (await webhook.send(ready(url, Channel.WEBHOOK))).reason is None
    assert len(hook.received) == 1
    assert asked.count("hooks.firenet-demo.cn") == 1


async def test_second_name_of_an_address_gets_no_connection_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[list[str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hosts.append(connection := [])
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                assert "cookie: " not in head
                connection.append(head.split("host: ")[1].split(".")[0])
                await reader.readexactly(int(head.split("content-length: ")[1].split("\r")[0]))
                writer.write(b"HTTP/1.1 204 No Content\r\nset-cookie: a=b\r\n\r\n")
        writer.close()

    monkeypatch.setattr(socket, "getaddrinfo", lookup("127.0.0.1"))
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, webhooks(tmp_path) as webhook:
        port = server.sockets[0].getsockname()[1]
        for name in ("health", "health", "schools", "schools", "health"):
            answer = await webhook.send(ready(f"http://{name}.firenet-demo.cn:{port}/", Channel.WEBHOOK))
            assert answer.reason is None
    assert hosts == [["health", "health", "health"], ["schools"], ["schools"]]


async def test_dead_name_server_holds_nobody_elses_threads(
    hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = threading.Event(), threading.Event()

    def getaddrinfo(*arguments: object, **named: object) -> list[tuple[object, ...]]:
        asked.set()
        over.wait(30)
        raise socket.gaierror("no answer")

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as shared:
        loop.set_default_executor(shared)
        async with webhooks(tmp_path, deadline_s=0.2) as webhook:
            with monkeypatch.context() as patch:
                patch.setattr(socket, "getaddrinfo", getaddrinfo)
                answer = await webhook.send(ready("https://hooks.firenet-demo.cn/", Channel.WEBHOOK))
            assert answer.reason in (Reason.DNS, Reason.TIMEOUT)
            assert asked.is_set()
            try:
                async with asyncio.timeout(10):
                    assert await loop.run_in_executor(None, over.is_set) is False
            finally:
                over.set()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(serve: Answer) -> AsyncIterator[Ready]:
    """Yield a notice for a receiver whose connections `serve` answers."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", Channel.WEBHOOK)


@pytest.mark.parametrize("rest", [b"content-length: 9\r\n\r\nhalf", b"transfer-encoding: chunked\r\n\r\nnonsense"])
async def test_status_counts_even_if_the_rest_of_the_answer_never_comes(tmp_path: Path, rest: bytes) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + rest)
        await writer.drain()
        writer.close()

    async with answering(half) as notice, webhooks(tmp_path) as webhook:
        assert (await webhook.send(notice)).reason is None


async def test_answer_that_drips_is_left_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "REST_OF_ANSWER_S", 0.05)
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        await gone.wait()
        writer.close()

    async with answering(drip) as notice, webhooks(tmp_path) as webhook:
        assert (await webhook.send(notice)).reason is None
        gone.set()


async def test_long_answer_is_cut_off(tmp_path: Path) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
        except OSError:
            writer.close()

    async with answering(flood) as notice, webhooks(tmp_path) as webhook:
        assert (await webhook.send(notice)).reason is None


async def test_secret_is_in_no_outcome(hook: Hook, tmp_path: Path) -> None:
    hook.statuses = [401]
    async with webhooks(tmp_path) as webhook:
        answer = await webhook.send(ready(hook.url, Channel.WEBHOOK))
    assert SECRET not in repr(answer)
    assert "hunter2" not in repr(MailServer("h", 25, "a@b", password="hunter2"))


def test_signature_of_a_known_vector() -> None:
    key = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")
    body = b'{"event_type":"ping","data":{"success":true}}'
    expected = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="
    assert sign([key], "msg_loFOjxBNrRLzqYUf", 1731705121, body) == expected
