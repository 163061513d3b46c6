"""Answers by mail from a real IMAP server: what is read, kept, joined, and taken by a person as a reply."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deploy.stack.ports import free_ports
from services.documents.adapters import imap_box
from services.documents.adapters.imap_box import ImapMailbox, MailboxAddress
from services.documents.adapters.postgres_correspondence import PostgresCorrespondences
from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.postgres_mails import PostgresMails
from services.documents.domain.errors import MailboxUnavailable, NotFound, NotPossible
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import Arrived, Position
from services.documents.worker.mail_intake import MailIntake, MailUseCases
from services.kernel.words import DocumentState, SubmissionState
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.contract.documents.imap_server import PASSWORD, USER
from tests.contract.documents.test_correspondence import put

JPEG = b"\xff\xd8\xff\x00photo"
ROOT = Path(__file__).resolve().parents[3]


class Server:
    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        (folder / "validity").write_text("7")

    def put(self, number: int, message: EmailMessage | bytes) -> None:
        raw = message if isinstance(message, bytes) else message.as_bytes()
        (self.folder / f"{number:04}.eml").write_bytes(raw)

    def box(self, **changes: Any) -> ImapMailbox:
        account = {"user": USER.decode(), "password": PASSWORD.decode(), "security": "none", "timeout_s": 60.0}
        return ImapMailbox(MailboxAddress(host="127.0.0.1", port=self.port, **{**account, **changes}))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """One server for all tests of the file: each empties its folder."""
    folder, (port,) = tmp_path_factory.mktemp("imap"), free_ports(1)
    command = [sys.executable, "-m", "tests.contract.documents.imap_server", str(port), str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            yield folder, port
        finally:
            child.terminate()


@pytest.fixture
def server(process: tuple[Path, int]) -> Server:
    folder, port = process
    for old in folder.glob("*.eml"):
        old.unlink()
    return Server(folder, port)


async def arrived_in(box: ImapMailbox, position: Position | None, limit: int = 20) -> list[Arrived]:
    async with aclosing(box.after(position, limit)) as mails:
        return [one async for one in mails]


def answer(document_id: str = "", *, subject: str = "回复") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = "张三 <zhang@health.firenet-demo.cn>"
    message["Subject"] = subject
    if document_id:
        message["In-Reply-To"] = f"<{'0' * 32}.{document_id}@mail.firenet-demo.cn>"
    message.set_content("已整改，见照片。")
    return message


async def test_mails_are_read_in_order_once_and_from_where_it_was_left(server: Server) -> None:
    box = server.box()
    for number in range(1, 4):
        server.put(number, answer(subject=f"第{number}封"))
    first = await arrived_in(box, None, 2)
    assert [one.position for one in first] == [Position(7, 1), Position(7, 2)]
    assert first[0].raw == (server.folder / "0001.eml").read_bytes()
    rest = await arrived_in(box, first[-1].position, 2)
    assert [one.position for one in rest] == [Position(7, 3)]
    assert await arrived_in(box, rest[-1].position, 2) == []
    box.close()


async def test_a_mail_is_fetched_when_it_is_asked_for(server: Server) -> None:
    box = server.box()
    server.put(1, answer(subject="1"))
    server.put(2, answer(subject="2"))
    async with aclosing(box.after(None, 20)) as mails:
        await anext(mails)
        server.put(2, answer(subject="later"))
        raw = (await anext(mails)).raw
    assert raw == (server.folder / "0002.eml").read_bytes()
    assert b"later" in raw
    box.close()


async def test_a_mailbox_that_was_made_anew_is_read_from_its_beginning(server: Server) -> None:
    box = server.box()
    server.put(1, answer())
    (server.folder / "validity").write_text("8")
    assert [one.position for one in await arrived_in(box, Position(7, 500))] == [Position(8, 1)]
    box.close()


async def test_a_mail_that_is_too_large_is_told_of_and_not_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imap_box, "MAX_MAIL_BYTES", 1000)
    box = server.box()
    server.put(1, b"From: a@b.cn\r\n\r\n" + b"x" * 2000)
    [one] = await arrived_in(box, None)
    assert (one.raw, one.size, len(one.mail_id)) == (None, 2016, 64)
    box.close()


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"folder": "Nowhere"}, {"security": "starttls"}])
async def test_a_mailbox_that_does_not_open_says_so_and_no_secret(server: Server, changes: dict[str, str]) -> None:
    box = server.box(**changes)
    with pytest.raises(MailboxUnavailable) as refused:
        await arrived_in(box, None)
    assert "wrong" not in str(refused.value)
    box.close()
    assert "hidden-word" not in repr(MailboxAddress("h", 1, "u", "hidden-word"))


async def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    box = ImapMailbox(MailboxAddress("127.0.0.1", port, "u", "p", security="none"))
    with pytest.raises(MailboxUnavailable):
        await arrived_in(box, None)
    box.close()


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Any]:
    async with open_pool(migrated_database, "contract", 2, 4) as opened:
        yield opened


async def test_answers_are_kept_joined_and_handed_in_by_a_person_alone(server: Server, pool: Any) -> None:
    documents, correspondences, mails = PostgresDocuments(pool), PostgresCorrespondences(pool), PostgresMails(pool)
    first, second = await put(documents, "R1", 1), await put(documents, "R2", 2)
    with_photo = answer(first)
    with_photo["Message-ID"] = "<1@health.firenet-demo.cn>"
    with_photo.add_attachment(JPEG, maintype="image", subtype="jpeg", filename="照片.jpg")
    server.put(1, with_photo)
    server.put(2, b"Received: by another way\r\n" + with_photo.as_bytes())
    server.put(3, answer(subject="回复：消监告〔2026〕2号"))
    server.put(4, answer("D-of-nobody", subject="消监告〔2026〕99号"))
    absent = answer(first)
    absent["Auto-Submitted"] = "auto-replied"
    absent.add_attachment(JPEG, maintype="image", subtype="jpeg", filename="整改.jpg")
    server.put(5, absent)
    server.put(6, b"\x00\xff" * 500)
    registry, box = CollectorRegistry(), server.box()
    intake = MailIntake(
        mailbox=box, store=mails, metrics=DocumentsMetrics(registry), clock=SystemClock(), ours=frozenset()
    )
    assert await intake.turn() == 6
    assert await intake.turn() == 0

    def counted(sort: str) -> float | None:
        return registry.get_sample_value("firenet_documents_mails_total", {"sort": sort})

    assert [counted(sort) for sort in ("reply", "unknown", "automatic", "refused")] == [2, 1, 1, 1]
    stands = await standing(correspondences, first)
    assert (stands.state, stands.submissions) == (DocumentState.ISSUED, ()), "a mail does nothing by itself"

    desk = MailUseCases(store=mails, clock=SystemClock())
    waiting = {row["document_id"]: row["mail_id"] for row in await desk.mails(everything=False)}
    assert set(waiting) == {first, second}
    assert len(await desk.mails(everything=True)) == 5
    with pytest.raises(NotFound):
        await desk.take(waiting[first], "education", "brigade-1")
    with pytest.raises(NotPossible):
        await desk.take(waiting[first], "dongjie", "brigade-1")  # has a copy and is asked nothing
    await desk.join(waiting[first], second, "centre-1")
    with pytest.raises(NotPossible, match="changed"):
        await desk.take(waiting[first], "health", "brigade-1", first)  # as the page showed it a moment ago
    assert (await standing(correspondences, second)).submissions == ()
    await desk.join(waiting[first], first, "centre-1")
    await desk.take(waiting[first], "health", "brigade-1", first)
    with pytest.raises(NotPossible, match="mail_decided"):
        await desk.take(waiting[first], "health", "brigade-1")
    stands = await standing(correspondences, first)
    [reply], [receipt] = stands.submissions, stands.receipts
    assert stands.state is DocumentState.REPLIED
    assert (reply.via, reply.by, reply.name, reply.state) == ("mail", "brigade-1", "张三", SubmissionState.SUBMITTED)
    assert [(one.name, one.size) for one in reply.attachments] == [("照片.jpg", len(JPEG))]
    assert (receipt.party, receipt.via) == ("health", "mail")
    outcomes = await asyncio.gather(
        desk.set_aside(waiting[second], "brigade-1", "不是答复", 0),
        desk.join(waiting[second], first, "centre-1", 0),
        return_exceptions=True,
    )
    refused = [str(one) for one in outcomes if isinstance(one, NotPossible)]
    assert refused == ["mail_changed"], "one of two at once wins, and the other hears of it"
    if outcomes[0] is not None:
        await desk.set_aside(waiting[second], "brigade-1", "不是答复", 1)
    assert (await standing(correspondences, second)).submissions == ()
    assert await desk.mails(everything=False) == []
    assert len(await desk.mails(everything=True)) == 5, "nothing is deleted"
    taken = await mails.mail(waiting[first])
    assert taken is not None
    assert [(one["act"], one["by"], one["party"]) for one in taken["acts"]] == [
        ("joined", "centre-1", ""), ("joined", "centre-1", ""), ("taken", "brigade-1", "health"),
    ]  # fmt: skip
    assert [(one["name"], one["media_type"]) for one in taken["files"]] == [("照片.jpg", "image/jpeg")]
    file = await mails.file(waiting[first], 0)
    assert file is not None
    assert file.content == JPEG
    with pytest.raises(NotPossible):
        await desk.join(waiting[first], second, "brigade-1")  # taken already
    sorts = {row["sort"]: row["mail_id"] for row in await desk.mails(everything=True)}
    hidden = await mails.file(sorts["automatic"], 0)
    assert hidden is not None
    assert (hidden.name, hidden.content) == ("整改.jpg", JPEG)
    with pytest.raises(NotPossible):
        await desk.join(sorts["refused"], second, "brigade-1")
    for nothing in ("消监告〔2026〕99号", "D-of-nobody", "%"):
        with pytest.raises(NotPossible):
            await desk.join(sorts["unknown"], nothing, "brigade-1")
    await desk.join(sorts["unknown"], "复 消监告〔2026〕2号", "brigade-1")
    assert await mails.waiting() == 1
    await desk.take(sorts["unknown"], "health", "centre-1")
    assert (await standing(correspondences, second)).state is DocumentState.REPLIED
    acted = await mails.mail(sorts["unknown"])
    assert acted is not None
    assert [one["act"] for one in acted["acts"]] == ["joined", "taken"]
    assert (acted["number"], acted["parties"]) == ("消监告〔2026〕2号", ["health"])
    box.close()


async def test_a_beginning_is_counted_until_the_mail_is_behind_us(pool: Any) -> None:
    mails, place = PostgresMails(pool), Position(7, 1)
    assert [await mails.begin("a@b/INBOX", place) for _ in range(2)] == [1, 2]
    assert await mails.begin("a@b/Other", place) == 1
    assert await mails.begin("a@b/INBOX", Position(8, 1)) == 1
    assert await mails.position("a@b/INBOX") is None
    await mails.advance("a@b/INBOX", place)
    assert await mails.position("a@b/INBOX") == place
    assert await mails.begin("a@b/INBOX", place) == 1
    assert await mails.begin("a@b/INBOX", Position(8, 1)) == 2


async def standing(store: PostgresCorrespondences, document_id: str) -> Any:
    async with store.transaction() as transaction:
        return await transaction.load(document_id)
