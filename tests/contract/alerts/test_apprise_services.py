"""Apprise against a real HTTP server: what counts as handed over, and where it does not go."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.alerts.adapters.apprise_services import HERE, OURS, AppriseChannel
from services.alerts.adapters.secrets import SecretFiles
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Ready
from services.kernel.words import Channel, Purpose
from tests.contract.alerts.provider_server import provider_server

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise loads it
NOW = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
NOTICE = Ready(
    notice_id=NoticeId("0123456789abcdef0123456789abcdef"),
    case_id=CaseId("C0123456789abcdef"),
    to=Address(ContactId("c"), BodyCode("centre"), Channel.APPRISE, "apprise:duty", None, "zh"),
    subject="火警",
    body="第一人民医院",
    fire=True,
    attempts=1,
    purpose=Purpose.NOTICE,
    lang="zh",
    caused_at=NOW,
)


@contextmanager
def apprise(folder: Path, url: str, deadline_s: float = 60) -> Iterator[AppriseChannel]:
    (folder / "duty").write_text(url)
    one = AppriseChannel(secrets=SecretFiles(folder), threads=1, name="test", deadline_s=deadline_s)
    yield one
    one.close()


async def test_a_service_that_takes_it_has_it_handed_over(tmp_path: Path) -> None:
    async with provider_server() as server:
        with apprise(tmp_path, server.url.replace("http", "json")) as one:
            outcome = await one.send(NOTICE)
    assert (outcome.reason, outcome.detail) == (None, "handed over, no more is known")
    [(_, _, body)] = server.received
    assert (body["title"], body["message"]) == ("火警", "第一人民医院")


@pytest.mark.parametrize("status", [401, 500])
async def test_a_service_that_refuses_it_is_tried_again(tmp_path: Path, status: int) -> None:
    async with provider_server() as server:
        server.status = status
        with apprise(tmp_path, server.url.replace("http", "json")) as one:
            assert (await one.send(NOTICE)).reason is Reason.SERVER_ERROR


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    followed: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        followed.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: /inside\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    url = f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?redirect=yes"
    async with server:
        with apprise(tmp_path, url) as one:
            assert (await one.send(NOTICE)).reason is Reason.SERVER_ERROR
    assert followed == [b"/x"]


async def test_a_service_that_hangs_is_a_timeout_and_holds_no_loop(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        with apprise(tmp_path, f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/?rto=900", 0.5) as one:
            assert (await one.send(NOTICE)).reason in {Reason.TIMEOUT, Reason.SERVER_ERROR}
        over.set()


@pytest.mark.parametrize("scheme", sorted(OURS | HERE))
async def test_what_has_a_channel_of_ours_or_ends_here_is_refused(tmp_path: Path, scheme: str) -> None:
    with apprise(tmp_path, f"{scheme.upper()}://abcdefgh12345678") as one:
        assert (await one.send(NOTICE)).reason is Reason.ADDRESS_REFUSED


@pytest.mark.parametrize("line", ["", "nonsense", "unheardof://hidden", "json://"])
async def test_without_a_url_nothing_is_sent(tmp_path: Path, line: str) -> None:
    with apprise(tmp_path, line) as one:
        outcome = await one.send(NOTICE)
    assert outcome.reason is Reason.NO_SECRET
    assert "hidden" not in repr(outcome)
