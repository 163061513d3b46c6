"""Inbox and signed links over HTTP, on documents and PostgreSQL: who may what, forgery, hostile files and texts."""

import re
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.documents.domain.uploads import MAX_FILE_BYTES
from tests.integration.console.harness import Browser, Console, console, until
from tests.integration.console.letters import KEY, Letters, letters
from tests.integration.console.scenario import Scenario, Unit, opened

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PDF = b"%PDF-1.7\n%nothing\n"
PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(console_database: str) -> AsyncIterator[tuple[Console, Letters]]:
    with opened(console_database) as scenario:
        scenario.clear()
        scenario.stay_fresh()
    async with letters(console_database) as book, console(console_database, **book.settings) as site:
        yield site, book


@pytest_asyncio.fixture(loop_scope="module")
async def site(stand: tuple[Console, Letters]) -> Console:
    for table in ("mail_acts", "mail_files", "delivery_reports", "mails", "attachments", "openings"):
        await stand[1].rows(f"DELETE FROM documents.{table} RETURNING 1")
    for table in ("changes", "submissions", "receipts", "recipients", "renditions", "documents"):
        await stand[1].rows(f"DELETE FROM documents.{table} RETURNING 1")
    return stand[0]


@pytest.fixture
def book(stand: tuple[Console, Letters], site: Console) -> Letters:
    return stand[1]


async def post(browser: Browser, path: str, **body: Any) -> httpx.Response:
    return await browser.http.post(f"/api/v1/documents/{path}", json=body, headers={"X-CSRF-Token": browser.csrf})


async def submit(browser: Browser, document_id: str, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    data = {"kind": "reply", "seen": "0", "text": "已修复。", "name": "张三", **fields}
    return await browser.http.post(
        f"/api/v1/documents/{document_id}/submissions",
        data=data,
        files=[("files", one) for one in files] or {"files": ("", b"")},
        headers={"X-CSRF-Token": browser.csrf},
    )


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_document_is_signed_answered_returned_answered_again_and_accepted(site: Console, book: Letters) -> None:
    document_id = await book.send()
    async with site.signed_in("health") as health, site.signed_in("brigade") as brigade:
        inbox = await health.json("/api/v1/documents", only="todo")
        assert [row["document_id"] for row in inbox["rows"]] == [document_id]
        assert code_of(await submit(health, document_id)) == (409, "document_not_signed")
        assert (await post(health, f"{document_id}/sign", name="张三")).json()["state"] == "received"
        answer = await submit(health, document_id, ("照片.exe", PDF), measures="更换设备", done_by="2026-12-05")
        reply = answer.json()["submissions"][0]
        assert (answer.json()["state"], reply["attachments"][0]["name"]) == ("replied", "照片.pdf")
        where = f"{document_id}/submissions/{reply['submission_id']}/decision"
        assert code_of(await post(brigade, where, verdict="returned")) == (409, "document_no_reasons")
        returned = (await post(brigade, where, verdict="returned", reasons="没有写明时间")).json()
        assert (returned["state"], returned["submissions"][0]["reasons"]) == ("received", "没有写明时间")
        assert code_of(await post(brigade, where, verdict="accepted")) == (409, "document_decided")
        assert code_of(await submit(health, document_id)) == (409, "document_changed"), "the form of before"
        again = (await submit(health, document_id, seen="1")).json()["submissions"][1]
        accepted = await post(
            brigade, f"{document_id}/submissions/{again['submission_id']}/decision", verdict="accepted"
        )
        assert accepted.json()["state"] == "closed"
        page = (await brigade.http.get(f"/api/v1/documents/{document_id}/paper")).text
        assert "消监告〔2026〕1号" in page


async def test_an_appeal_is_decided_by_the_brigade_alone(site: Console, book: Letters) -> None:
    document_id = await book.send()
    async with site.signed_in("health") as health, site.signed_in("brigade") as brigade, site.signed_in("centre") as at:
        await post(health, f"{document_id}/sign", name="张三")
        appeal = (await submit(health, document_id, kind="appeal")).json()["submissions"][0]
        assert (appeal["kind"], appeal["state"]) == ("appeal", "submitted")
        where = f"{document_id}/submissions/{appeal['submission_id']}/decision"
        for other in (health, at):
            assert code_of(await post(other, where, verdict="upheld", reasons="x")) == (403, "not_allowed")
        assert code_of(await post(brigade, where, verdict="accepted")) == (409, "document_no_such_submission")
        upheld = (await post(brigade, where, verdict="upheld", reasons="记录有误")).json()
        assert (upheld["state"], upheld["submissions"][0]["state"]) == ("closed", "upheld")


async def test_another_bodys_document_is_no_document(site: Console, book: Letters) -> None:
    theirs = await book.send(recipients=[{"contact_id": "c-x", "party": "education", "is_addressee": True}])
    own = await book.send("R2", 2)
    async with site.signed_in("health") as health, site.signed_in("dongjie") as street:
        assert [row["document_id"] for row in (await health.json("/api/v1/documents"))["rows"]] == [own]
        for path in (theirs, f"{theirs}/paper", f"{theirs}/files/{'0' * 64}"):
            assert code_of(await health.http.get(f"/api/v1/documents/{path}")) == (404, "not_found")
        assert code_of(await post(health, f"{theirs}/sign", name="张三")) == (404, "not_found")
        assert code_of(await submit(health, theirs)) == (404, "not_found")
        # whoever has a copy sees the document and its own receipt, and not what the others answered
        await post(health, f"{own}/sign", name="张三")
        file = (await submit(health, own, ("a.pdf", PDF))).json()["submissions"][0]["attachments"][0]["sha256"]
        seen = await street.json(f"/api/v1/documents/{own}")
        assert (seen["submissions"], seen["receipts"], seen["recipients"]) == ([], [], [])
        assert code_of(await street.http.get(f"/api/v1/documents/{own}/files/{file}")) == (404, "not_found")
        assert (await post(street, f"{own}/sign", name="李四")).json()["may"]["reply"] is False
        assert code_of(await submit(street, own)) == (409, "document_not_an_addressee")


async def test_brigade_and_centre_neither_sign_nor_answer_for_others(site: Console, book: Letters) -> None:
    document_id = await book.send()
    for username in ("brigade", "centre"):
        async with site.signed_in(username) as browser:
            assert code_of(await post(browser, f"{document_id}/sign", name="x")) == (403, "not_allowed")
            assert code_of(await submit(browser, document_id)) == (403, "not_allowed")


async def test_what_acts_needs_a_session_its_token_and_its_own_site(site: Console, book: Letters) -> None:
    document_id = await book.send()
    paths = [f"{document_id}/{end}" for end in ("sign", "submissions", "submissions/x/decision", "links/c-room/revoke")]
    async with site.client() as nobody:
        for path in paths:
            assert (await nobody.post(f"/api/v1/documents/{path}", json={})).status_code in (401, 422)
        assert (await nobody.get("/api/v1/documents")).status_code == 401
        assert (await nobody.get("/documents")).headers["location"] == "/login?next=%2Fdocuments"
    async with site.signed_in("health") as health:
        sign = f"/api/v1/documents/{document_id}/sign"
        token = {"X-CSRF-Token": health.csrf}
        assert code_of(await health.http.post(sign, json={"name": "x"})) == (403, "forged")
        evil = token | {"Origin": "https://evil.firenet-demo.cn"}
        assert code_of(await health.http.post(sign, json={"name": "x"}, headers=evil)) == (403, "forged")
        assert (await health.json(f"/api/v1/documents/{document_id}"))["state"] == "issued"


async def test_a_link_shows_by_get_and_acts_by_post_alone(site: Console, book: Letters) -> None:
    document_id = await book.send()
    link = f"/d/{book.link(document_id)}"
    async with site.client() as reader:
        for page in [await reader.get(link), await reader.get(link)]:
            assert page.status_code == 200
        page = await reader.get(link)
        assert "消监告〔2026〕1号" in page.text
        assert await book.rows("SELECT * FROM documents.receipts") == []
        assert "set-cookie" not in page.headers
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
        for path in ("sign", "submissions"):
            assert (await reader.get(f"{link}/{path}")).status_code == 405
        signed = await reader.post(f"{link}/sign?lang=en", data={"name": "王工"})
        assert (signed.status_code, signed.headers["location"]) == (303, f"{link}?lang=en")
        form = {"kind": "reply", "seen": "0", "text": "已修复。", "name": "王工"}
        sent = await reader.post(f"{link}/submissions", data=form, files={"files": ("证明.pdf", PDF)})
        assert sent.status_code == 303
        replayed = await reader.post(f"{link}/submissions", data=form, files={"files": ("证明.pdf", PDF)})
        assert replayed.status_code == 409
        assert "前一份尚在审核" in replayed.text
        assert await book.rows("SELECT party, name, via FROM documents.receipts") == [
            ("unit_control_room", "王工", "link")
        ]
        assert await book.rows("SELECT count(*) FROM documents.submissions") == [(1,)]
        (file,) = re.findall(rf'href="({re.escape(link)}/files/[0-9a-f]+)"', (await reader.get(link)).text)
        saved = await reader.get(file)
        assert saved.content == PDF
        assert saved.headers["content-disposition"].startswith("attachment; ")
        assert saved.headers["x-content-type-options"] == "nosniff"


async def test_a_link_that_opens_nothing_has_one_answer_whatever_the_reason(site: Console, book: Letters) -> None:
    document_id = await book.send()
    right = book.link(document_id)
    async with site.signed_in("brigade") as brigade:
        revoked = book.link(document_id, "c-street")
        assert (await post(brigade, f"{document_id}/links/c-street/revoke")).status_code == 200
    wrong = [
        book.link(document_id, days=-1),
        book.link(document_id, "c-other"),
        book.link("another-document"),
        book.link(document_id, key=KEY + b"!"),
        right[:-1] + ("A" if right[-1] != "A" else "B"),
        revoked,
        "x",
        "é",
    ]
    async with site.client() as reader:
        answers = [await reader.get(f"/d/{one}") for one in wrong]
        assert {one.status_code for one in answers} == {404}
        assert len({one.text for one in answers}) == 1
        assert "此链接无效或已失效" in answers[0].text
        for path in ("/paper", f"/files/{'0' * 64}"):
            assert (await reader.get(f"/d/{wrong[0]}{path}")).status_code == 404
        for path in ("/sign", "/submissions"):
            assert (await reader.post(f"/d/{wrong[0]}{path}", data={"name": "x"})).status_code == 404
        assert (await reader.get(f"/d/{right}")).status_code == 200


async def test_a_link_acts_for_no_form_of_another_site(site: Console, book: Letters) -> None:
    document_id = await book.send()
    async with site.client() as reader:
        link = f"/d/{book.link(document_id)}"
        for headers in ({"Origin": "https://evil.firenet-demo.cn"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await reader.post(f"{link}/sign", data={"name": "x"}, headers=headers)).status_code == 403
    assert await book.rows("SELECT * FROM documents.receipts") == []


async def test_files_that_are_hostile_or_too_large_are_refused_by_name(site: Console, book: Letters) -> None:
    document_id = await book.send()
    async with site.signed_in("health") as health:
        await post(health, f"{document_id}/sign", name="张三")
        page, big = b"<!doctype html><script>alert(1)</script>", PDF.ljust(MAX_FILE_BYTES + 1, b" ")
        assert code_of(await submit(health, document_id, ("a.pdf", page))) == (409, "document_file_type")
        assert code_of(await submit(health, document_id, ("a.pdf", big))) == (409, "document_file_too_large")
        many = [("a.pdf", PDF)] * 6
        assert code_of(await submit(health, document_id, *many)) == (409, "document_too_many_files")
        assert code_of(await submit(health, document_id, text="x" * 4001)) == (409, "document_text_too_long")
        assert code_of(await submit(health, document_id, kind="evil")) == (409, "document_bad_field")
        assert code_of(await submit(health, document_id, done_by="gestern")) == (409, "document_bad_field")
        whole = [("a.pdf", PDF.ljust(MAX_FILE_BYTES, b" "))] * 3
        assert code_of(await submit(health, document_id, *whole)) == (413, "too_large")
        headers = {"X-CSRF-Token": health.csrf, "Content-Type": "multipart/form-data; boundary=x"}
        broken = await health.http.post(
            f"/api/v1/documents/{document_id}/submissions", content=b"--y\r\nnothing", headers=headers
        )
        assert code_of(broken) == (409, "document_bad_field")
    assert await book.rows("SELECT count(*) FROM documents.submissions") == [(0,)]


async def test_markup_in_names_texts_and_file_names_stays_text(site: Console, book: Letters) -> None:
    evil = {"zh": SCRIPT, "en": SCRIPT}
    unit = {"unit_id": "U000001", "name": evil, "address": SCRIPT}
    document_id = await book.send(addressee=evil, unit=unit)
    link = f"/d/{book.link(document_id)}"
    async with site.client() as reader:
        await reader.post(f"{link}/sign", data={"name": SCRIPT})
        form = {"kind": "reply", "seen": "0", "text": SCRIPT, "measures": SCRIPT, "name": SCRIPT}
        await reader.post(f"{link}/submissions", data=form, files={"files": (f"{SCRIPT}.pdf", PDF)})
        page = (await reader.get(link)).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert page.count("&lt;script&gt;alert(1)") >= 5
        (digest,) = re.findall(r"/files/([0-9a-f]{64})", page)
        disposition = (await reader.get(f"{link}/files/{digest}")).headers["content-disposition"]
        assert "<" not in disposition
        paper = await reader.get(f"{link}/paper")
        assert "<script>alert" not in paper.text
        assert "sandbox" in paper.headers["content-security-policy"]
        assert "script" not in paper.headers["content-security-policy"]


async def test_no_link_stands_in_the_logs_or_in_an_error(
    site: Console, book: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    link = book.link("another-document")
    async with site.client() as reader:
        answer = await reader.get(f"/d/{link}")
    said = capsys.readouterr()
    assert answer.status_code == 404
    assert link not in said.out + said.err + answer.text


async def test_links_are_bounded_by_address(site: Console, book: Letters) -> None:
    """From another address than the other tests, which follow links of the same console in the same minute."""
    elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.9")
    async with httpx.AsyncClient(base_url=site.url, transport=elsewhere, timeout=60) as reader:
        answers = [(await reader.get("/d/x")).status_code for _ in range(70)]
    assert set(answers[-9:]) == {429}
    async with site.client() as reader:
        assert (await reader.get("/d/x")).status_code == 404


async def test_without_documents_the_page_says_so(console_database: str, empty_scenario: Scenario) -> None:
    empty_scenario.stay_fresh()
    async with console(console_database, documents_url="http://127.0.0.1:9") as alone, alone.signed_in("health") as at:
        answer = await at.http.get("/api/v1/documents")
        assert code_of(answer) == (503, "documents_unavailable")


def mail(number: str, text: str = "已整改<script>alert(1)</script>") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "张三 <zhang@health.firenet-demo.cn>"
    message["Subject"] = f"回复：{number}"
    message.set_content(text)
    message.add_attachment(PNG, maintype="image", subtype="png", filename="../照片.html")
    return message.as_bytes()


async def test_a_mail_is_read_joined_taken_and_refused_by_brigade_and_centre_alone(
    site: Console, book: Letters
) -> None:
    document_id = await book.send()
    waits, unknown = await book.receive(mail("消监告〔2026〕1号")), await book.receive(mail("无", "另一封"))
    as_health = {"party": "health", "document_id": document_id}
    async with site.client() as stranger:
        assert (await stranger.get("/api/v1/mails")).status_code == 401
    async with site.signed_in("health") as browser:
        for path in ("/api/v1/mails", f"/api/v1/mails/{waits}", f"/api/v1/mails/{waits}/files/0", "/mails"):
            assert (await browser.http.get(path)).status_code == 403, path
        for act, body in (
            ("take", as_health),
            ("join", {"document": "D", "seen": 0}),
            ("refuse", {"reason": "x", "seen": 0}),
        ):
            assert (await browser.order(f"/api/v1/mails/{waits}/{act}", body)).status_code == 403
        assert "/mails" not in (await browser.http.get("/")).text
    async with site.signed_in("centre") as browser:
        assert 'href="/mails"' in (await browser.http.get("/")).text
        assert (await browser.http.get("/mails")).status_code == 200
        page = (await browser.http.get("/api/v1/mails")).json()
        assert (page["waiting"], [row["mail_id"] for row in page["rows"]]) == (1, [waits])
        assert len((await browser.http.get("/api/v1/mails?everything=true")).json()["rows"]) == 2
        one = (await browser.http.get(f"/api/v1/mails/{waits}")).json()
        assert (one["parties"], one["document_id"]) == (["health", "unit_control_room"], document_id)
        file = await browser.http.get(f"/api/v1/mails/{waits}/files/0")
        assert (file.content, file.headers["content-type"]) == (PNG, "image/png")
        assert file.headers["content-disposition"].startswith("attachment;")
        assert "sandbox" in file.headers["content-security-policy"]
        assert (await browser.http.get(f"/api/v1/mails/{waits}/files/9")).status_code == 404
        assert (
            await browser.order(f"/api/v1/mails/{waits}/take", as_health, **{"X-CSRF-Token": "x"})
        ).status_code == 403
        nobody = {**as_health, "party": "education"}
        assert (await browser.order(f"/api/v1/mails/{waits}/take", nobody)).status_code == 404
        earlier = await browser.order(f"/api/v1/mails/{waits}/take", {**as_health, "document_id": "D-other"})
        assert (earlier.status_code, earlier.json()["error"]["code"]) == (409, "document_changed")
        assert (await browser.order(f"/api/v1/mails/{waits}/refuse", {"reason": " ", "seen": 0})).status_code == 409
        taken = await browser.order(f"/api/v1/mails/{waits}/take", as_health)
        assert (taken.status_code, taken.json()["state"]) == (200, "taken")
        nothing = await browser.order(f"/api/v1/mails/{unknown}/join", {"document": "消监告〔2026〕9号", "seen": 0})
        assert (nothing.status_code, nothing.json()["error"]["code"]) == (409, "document_no_such_document")
        joined = await browser.order(f"/api/v1/mails/{unknown}/join", {"document": document_id, "seen": 0})
        assert joined.json()["state"] == "waiting"
        late = await browser.order(f"/api/v1/mails/{unknown}/refuse", {"reason": "不是答复", "seen": 0})
        assert (late.status_code, late.json()["error"]["code"]) == (409, "document_mail_changed")
        refused = (await browser.order(f"/api/v1/mails/{unknown}/refuse", {"reason": "不是答复", "seen": 1})).json()
        assert [(one["act"], one["by"], one["reason"]) for one in refused["acts"]] == [
            ("joined", "centre", ""), ("refused", "centre", "不是答复"),
        ]  # fmt: skip
        seen = (await browser.http.get(f"/api/v1/documents/{document_id}")).json()
        assert (seen["state"], seen["submissions"][0]["via"]) == ("replied", "mail")


def report_of(notice_id: str, action: str, *, whole: bool) -> bytes:
    """Return a delivery report (RFC 3464) about the mail of a notice."""
    about = f"Message-ID: <{notice_id}.D1@mail.firenet-demo.cn>\r\nSubject: x\r\n\r\n"
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    return (
        "From: MAILER-DAEMON@mail.firenet-demo.cn\r\nSubject: report\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nit\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b\r\nAction: {action}\r\nStatus: 2.0.0\r\n\r\n"
        f"--b\r\nContent-Type: {kind}\r\n\r\n{about}--b--\r\n"
    ).encode()


async def test_what_is_proven_of_each_notice_is_shown_with_time_and_source(
    site: Console, book: Letters, console_database: str
) -> None:
    document_id = await book.send()
    ids = {name: f"{number:032x}" for number, name in enumerate(("health", "room", "street", "centre", "apprise"))}
    with opened(console_database) as scenario:
        scenario.execute("TRUNCATE alerts.cases, alerts.audit_pending CASCADE")
        scenario.put([Unit("U1", "东街第一医院", "dongjie", "HOSPITAL", "health")])
        scenario.open_case("C1", "U1", "fault")
        of_document = {"document_id": document_id}
        scenario.notice(ids["health"], "C1", "H4", "health", contact_id="c-health", **of_document)
        scenario.notice(ids["room"], "C1", "H4", "U1", contact_id="c-room", **of_document)
        scenario.notice(ids["street"], "C1", "H4", "dongjie", contact_id="c-street", **of_document)
        scenario.notice(ids["centre"], "C1", "H4", "centre")
        scenario.notice(ids["apprise"], "C1", "H4", "health", channel="apprise", contact_id="c-other")

    async def proven() -> dict[str, tuple[str | None, str | None]]:
        async with site.signed_in("centre") as browser:
            sent = (await browser.http.get("/api/v1/cases/C1")).json()["deliveries"]
        found = {one["notice_id"]: (one["proof"], one["proven_by"]) for one in sent}
        assert all((one["proven_at"] is None) is (one["proof"] is None) for one in sent)
        return {name: found[notice_id] for name, notice_id in ids.items()}

    async def comes_to(**wanted: tuple[str | None, str | None]) -> None:
        """Equal questions have one answer for a quarter of a second."""

        async def found() -> bool:
            return wanted.items() <= (await proven()).items()

        await until(found)

    accepted = ("accepted", "email")
    await comes_to(**dict.fromkeys(ids, accepted) | {"apprise": (None, None)})
    await book.receive(report_of(ids["room"], "delayed", whole=False))
    await book.receive(report_of(ids["street"], "failed", whole=True))
    await book.receive(report_of(ids["health"], "delivered", whole=False))
    # what is late is neither delivered nor failed
    await comes_to(
        street=("failed", "delivery_report"), health=("delivered", "delivery_report"), room=accepted, centre=accepted
    )
    async with site.client() as reader:
        assert (await reader.get("/d/" + book.link(document_id, days=-1))).status_code == 404
        assert (await reader.get("/d/" + book.link(document_id))).status_code == 200
    async with site.signed_in("health") as browser:
        assert (await browser.http.get(f"/api/v1/documents/{document_id}")).status_code == 200
        await comes_to(room=("read", "link"), health=("read", "console"))
        await post(browser, f"{document_id}/sign", name="张三")
        await comes_to(health=("acknowledged", "console"))
        await submit(browser, document_id)
    with opened(console_database) as scenario:
        scenario.execute(
            "INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)"
            " VALUES (now() + interval '1 second', 'centre', 'acknowledged', 'C1', '{\"bodies_centre\": [\"centre\"]}')"
        )
    # what the centre takes, no street has signed for
    await comes_to(
        health=("acted", "console"), centre=("acknowledged", "taken"), street=("failed", "delivery_report"),
        room=("read", "link"),
    )  # fmt: skip
