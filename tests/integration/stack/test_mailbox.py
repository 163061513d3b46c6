"""The mailbox keeps what it accepted, shows it, and lets no mail act on whoever looks."""

import http.client
import json
import smtplib
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from deploy.stack.mail_page import list_html
from deploy.stack.mail_store import Mail, MailStore
from deploy.stack.mailbox import Mailbox
from deploy.stack.part import PartError
from deploy.stack.ports import free_ports, is_free
from services.runtime.clock import SystemClock

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    smtp_port, http_port = free_ports(2)
    part = Mailbox(tmp_path_factory.mktemp("mailbox"), smtp_port=smtp_port, http_port=http_port, keep=3)
    part.start()
    yield part
    part.stop()


@pytest.fixture
def mailbox(running: Mailbox) -> Mailbox:
    """The same for all tests; mails are files, so without them it is empty."""
    for file in running.mails.iterdir():
        file.unlink()
    return running


def get(mailbox: Mailbox, path: str, host: str = "") -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", mailbox.http_port, timeout=60)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def listed(mailbox: Mailbox) -> list[dict[str, Any]]:
    return list(json.loads(get(mailbox, "/mails.json")[2])["mails"])


def send(mailbox: Mailbox, content: bytes, sender: str = "firenet@example.org", to: str = "health@example.org") -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=60) as client:
        client.sendmail(sender, [to], content)


def letter(subject: str, text: str) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "消防联网 <firenet@example.org>", "health@example.org"
    message.set_content(text)
    return message.as_bytes()


def test_chinese_mail_is_in_the_list_with_its_text_and_its_envelope(mailbox: Mailbox) -> None:
    send(mailbox, letter("市人民医院离线", "单位已离线 10 分钟。\n请核查。"))
    (mail,) = listed(mailbox)
    assert mail["subject"] == "市人民医院离线"
    assert mail["sender"] == "消防联网 <firenet@example.org>"
    assert (mail["envelope_from"], mail["envelope_to"]) == ("firenet@example.org", ["health@example.org"])
    assert mail["text"] == "单位已离线 10 分钟。\n请核查。"
    assert "市人民医院离线" in get(mailbox, "/")[2]
    assert "请核查。" in get(mailbox, f"/mails/{mail['key']}")[2]


@pytest.mark.parametrize("page", ["/", "/mails/KEY"])
def test_markup_in_a_mail_is_shown_and_never_acts(mailbox: Mailbox, page: str) -> None:
    send(mailbox, f"Subject: {EVIL}\r\nFrom: {EVIL}\r\nMessage-ID: {EVIL}\r\n\r\n{EVIL}\r\n".encode())
    (mail,) = listed(mailbox)
    assert EVIL in mail["text"]
    status, headers, body = get(mailbox, page.replace("KEY", mail["key"]))
    assert status == 200
    assert "&lt;script&gt;alert(1)" in body
    assert "<script" not in body
    assert "<img" not in body
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_letter_is_found_by_its_recipient_and_its_paper_and_its_link_are_at_hand(mailbox: Mailbox) -> None:
    message = EmailMessage()
    message["Subject"] = "抄告函"
    message.set_content("查看与签收：http://127.0.0.1:8080/d/Zm9v.YmFy-_x\n“<b>完”")
    message.add_attachment(b"%PDF-1.7 \xff", maintype="application", subtype="pdf", filename="消监抄〔2026〕5号.pdf")
    send(mailbox, message.as_bytes(), to="health@example.org")
    send(mailbox, letter("另一封", "给别人"), to="education@example.org")

    page = get(mailbox, "/?to=health%40example.org")[2]
    assert "抄告函" in page
    assert "另一封" not in page
    assert 'href="/?to=education%40example.org"' in get(mailbox, "/recipients")[2]
    (mail,) = [each for each in listed(mailbox) if each["subject"] == "抄告函"]
    page = get(mailbox, f"/mails/{mail['key']}")[2]
    assert 'href="http://127.0.0.1:8080/d/Zm9v.YmFy-_x" target="_blank" rel="noopener noreferrer"' in page
    assert "&lt;b&gt;完" in page
    assert f'href="/mails/{mail["key"]}/1">消监抄〔2026〕5号.pdf</a>' in page
    with urllib.request.urlopen(f"http://127.0.0.1:{mailbox.http_port}/mails/{mail['key']}/1", timeout=60) as answer:
        assert answer.read() == b"%PDF-1.7 \xff"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert get(mailbox, f"/mails/{mail['key']}/2")[0] == 404


def test_a_storm_of_mails_has_pages_in_the_time_of_its_readers() -> None:
    mails = [
        Mail(f"{number:020}-{0:012x}", "2026-11-30T17:00:00+00:00", "a@b", ["c@d"], f"第{number}封", "", "", "", "", 1)
        for number in range(250)
    ]
    first, last, beyond = list_html(mails), list_html(mails, page=3), list_html(mails, page=9)
    assert (first.count("<li>"), last.count("<li>"), beyond.count("<li>")) == (100, 50, 0)
    assert "250 封" in first
    assert '<a href="/?page=2">' in first
    assert "第249封" in last
    assert "2026-12-01 01:00:00" in first


def test_source_of_a_mail_is_plain_text(mailbox: Mailbox) -> None:
    send(mailbox, b"Content-Type: text/html\r\n\r\n<script>alert(1)</script>\r\n")
    (mail,) = listed(mailbox)
    assert mail["text"] == "(no plain text)"
    status, headers, body = get(mailbox, f"/mails/{mail['key']}.eml")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert "<script>" in body


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "../mailbox.log", "x", "x.eml", "", ".eml", "\x01"])
def test_nothing_but_mails_can_be_read(mailbox: Mailbox, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", mailbox.http_port, timeout=60)
    vars(connection)["_validate_path"] = lambda _path: None  # a hostile client checks nothing
    connection.request("GET", f"/mails/{name}")
    assert connection.getresponse().status in (400, 404)
    connection.close()


def test_the_story_is_asked_for_by_a_form_of_this_page_only(mailbox: Mailbox) -> None:
    def post(path: str, origin: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", mailbox.http_port, timeout=60)
        connection.request("POST", path, headers={"Origin": origin} if origin else {})
        status = connection.getresponse().status
        connection.close()
        return status

    own = f"http://127.0.0.1:{mailbox.http_port}"
    for path, origin in (("/again", ""), ("/again", "http://evil.example"), ("/", own), ("/mails.json", own)):
        assert post(path, origin) == 403
    assert not mailbox.takes_again()
    assert post("/again", own) == 303
    assert mailbox.takes_again()
    assert not mailbox.takes_again()


def test_page_answers_only_under_its_own_name(mailbox: Mailbox) -> None:
    assert get(mailbox, "/mails.json", host="evil.example")[0] == 421
    assert get(mailbox, "/mails.json", host=f"localhost:{mailbox.http_port}")[0] == 200


def test_only_the_newest_mails_are_kept_and_a_kill_loses_none(mailbox: Mailbox) -> None:
    for number in range(5):
        send(mailbox, letter(f"mail {number}", "text"))
    mailbox.kill()
    mailbox.start()
    assert [mail["subject"] for mail in listed(mailbox)] == ["mail 4", "mail 3", "mail 2"]
    assert len(list(mailbox.mails.iterdir())) == 6


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"Subject: =?x-no-such?b?!!!?=\r\n\r\nx",
        b"Subject: =?utf-8?b?////?=\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xff",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000)),
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    ],
)
def test_mail_that_no_parser_likes_is_kept_and_listed(tmp_path: Path, body: bytes) -> None:
    store = MailStore(tmp_path, keep=10, clock=SystemClock())
    key = store.add("\x00<evil>", ["a\r\nb"], body)
    assert [mail.key for mail in store.mails()] == [key]
    assert store.body(key) == body


def test_taken_page_port_is_named(tmp_path: Path, mailbox: Mailbox) -> None:
    second = Mailbox(tmp_path / "second", smtp_port=free_ports(1)[0], http_port=mailbox.http_port)
    with pytest.raises(PartError, match="set MAILBOX_HTTP_PORT to another port"):
        second.start()
    assert is_free(second.smtp_port)
