"""Mails that answer a document: what each is, and that hostile ones cost nothing but a count."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.documents.domain.mails import (
    MAX_BEGUN,
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_LINES,
    MAX_MAIL_BYTES,
    MAX_PARAMETERS,
    MAX_TEXT,
    MailSort,
    NumberRef,
    read,
)

OUR_ID = f"<{'0' * 32}.D0123456789abcdef@mail.firenet-demo.cn>"
JPEG = b"\xff\xd8\xff\x00photo"


def mail(text: str = "已整改。", **headers: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    for name, value in {"From": "张三 <zhang@health.firenet-demo.cn>", "Subject": "回复：告知", **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def test_an_answer_names_its_document_by_its_thread_and_by_the_number_in_its_subject() -> None:
    found = read(
        mail(Subject="回复：消监告〔2026〕12号", In_Reply_To=OUR_ID, References=f"<a@b> {OUR_ID} <c@d>").as_bytes()
    )
    assert found.sort is MailSort.REPLY
    assert found.documents == ("D0123456789abcdef",)
    assert found.numbers == (NumberRef("消监告", 2026, 12),)
    assert (found.sender, found.sender_name) == ("zhang@health.firenet-demo.cn", "张三")
    assert found.text == "已整改。"


@pytest.mark.parametrize("name", ["In-Reply-To", "References"])
def test_a_thread_that_a_mailer_encoded_for_its_length_is_read(name: str) -> None:
    raw = f"From: a@b.cn\r\n{name}: =?utf-8?q?{OUR_ID.replace('<', '=3C').replace('>', '=3E')}?=\r\n\r\nx"
    assert read(raw.encode()).documents == ("D0123456789abcdef",)


def test_its_files_are_taken_by_what_they_are_and_the_rest_is_counted() -> None:
    message = mail()
    message.add_attachment(JPEG, maintype="application", subtype="octet-stream", filename="../../照片.exe")
    message.add_attachment(b"MZ\x90", maintype="image", subtype="jpeg", filename="photo.jpg")
    found = read(message.as_bytes())
    assert [(file.name, file.media_type, file.content) for file in found.files] == [("照片.jpg", "image/jpeg", JPEG)]
    assert found.reason == "files_left_out:1"


@pytest.mark.parametrize(
    ("headers", "sort", "reason"),
    [
        ({"Auto_Submitted": "auto-replied"}, MailSort.AUTOMATIC, "auto_submitted"),
        ({"Auto_Submitted": "no"}, MailSort.REPLY, ""),
        ({"Precedence": "bulk"}, MailSort.AUTOMATIC, "bulk"),
        ({"List_Id": "<news.firenet-demo.cn>"}, MailSort.AUTOMATIC, "bulk"),
        ({"X_Autoreply": "yes"}, MailSort.AUTOMATIC, "auto_reply"),
        ({"X_FireNet_Case": "C1"}, MailSort.AUTOMATIC, "loop"),
        ({"From": "FireNet <firenet@mail.firenet-demo.cn>"}, MailSort.AUTOMATIC, "loop"),
        ({"Return_Path": "<>"}, MailSort.BOUNCE, "from_a_mail_server"),
        ({"From": "MAILER-DAEMON@mail.firenet-demo.cn"}, MailSort.BOUNCE, "from_a_mail_server"),
        ({"From": "nobody"}, MailSort.REFUSED, "no_sender"),
    ],
)
def test_what_a_machine_wrote_is_no_answer(headers: dict[str, str], sort: MailSort, reason: str) -> None:
    found = read(mail(In_Reply_To=OUR_ID, **headers).as_bytes(), frozenset({"firenet@mail.firenet-demo.cn"}))
    assert (found.sort, found.reason) == (sort, reason)


def test_what_a_header_hides_from_a_person_keeps_its_files() -> None:
    message = mail(Auto_Submitted="auto-generated")
    message.add_attachment(JPEG, maintype="image", subtype="jpeg", filename="照片.jpg")
    message.add_attachment(b"MZ\x90", maintype="image", subtype="jpeg", filename="photo.jpg")
    found = read(message.as_bytes())
    assert (found.sort, found.reason) == (MailSort.AUTOMATIC, "auto_submitted files_left_out:1")
    assert [(file.name, file.content) for file in found.files] == [("照片.jpg", JPEG)]


def test_a_delivery_report_is_a_bounce() -> None:
    raw = (
        b"From: zhang@health.firenet-demo.cn\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n"
        b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nno such user\r\n--b--\r\n"
    )
    assert read(raw).sort is MailSort.BOUNCE


def nested(depth: int) -> bytes:
    opening = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return b"From: a@b.cn\r\n" + opening + b"Content-Type: text/plain\r\n\r\nx"


def many(parts: int) -> bytes:
    head = b"From: a@b.cn\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * parts + b"--b--\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"x" * (MAX_MAIL_BYTES + 1),
        nested(40),
        nested(3000),
        many(500),
        b"From: =?utf-8?b?////?=\r\n\r\n",
        b"",
        b"\x00" * 1000,
    ],
)
def test_hostile_mails_are_refused_and_never_more(raw: bytes) -> None:
    found = read(raw)
    assert found.sort is MailSort.REFUSED
    assert found.reason


def of_parts(*parts: bytes) -> bytes:
    head = b"From: a@b.cn\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


LONG = b"; a=b" * (MAX_HEADER_BYTES // 5)
WITHIN = b"From: a@b.cn\r\nSubject: x\r\nX: " + b"x" * (MAX_HEADER_BYTES - 100) + b"\r\n\r\nx"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"From: a@b.cn\r\nX: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\nx", "headers_too_large"),
        (b"From: " + b"a@b.cn, " * MAX_HEADER_BYTES + b"\r\n\r\nx", "headers_too_large"),
        (b"From: a@b.cn\r\n" + b"X:y\r\n" * MAX_HEADER_BYTES + b"\r\nx", "headers_too_large"),
        (of_parts(b"\r\nx", b"Content-Type: text/plain" + LONG + b"\r\n\r\nx"), "headers_too_large"),
        (of_parts(b"Content-Type: message/rfc822\r\n\r\nSubject: " + LONG + b"\r\n\r\nx"), "headers_too_large"),
        (of_parts(b"Content-Type: text/plain; a=" + b";" * MAX_PARAMETERS + b"\r\n\r\nx"), "too_many_parameters"),
        (b"From: a@b.cn\r\n\r\n" + b"\n" * (MAX_LINES + 1), "too_many_lines"),
        (of_parts(b"\r\n--b" + b" " * 20_000 + b"x"), "line_too_long"),
        (of_parts(*[b"\r\nx"] * (MAX_BEGUN + 1)), "too_many_parts"),
        (of_parts(b"Content-Type: message/rfc822\r\n\r\n" * (MAX_BEGUN + 1)), "too_many_parts"),
        (nested(MAX_DEPTH + 1), "nested_too_deep"),
    ],
)
def test_what_would_cost_much_is_refused_before_it_is_read(raw: bytes, reason: str) -> None:
    found = read(raw)
    assert (found.sort, found.reason) == (MailSort.REFUSED, reason)


@pytest.mark.parametrize("raw", [WITHIN, nested(MAX_DEPTH), of_parts(b"\r\n" + b"x\r\n" * 200_000)])
def test_what_is_within_the_bounds_is_read(raw: bytes) -> None:
    assert read(raw).sort is MailSort.REPLY


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "unicode_escape", "raw_unicode_escape", "x" * 5000])
def test_a_codec_that_no_mail_is_written_in_is_not_used(charset: str) -> None:
    head = f"From: a@b.cn\r\nSubject: =?{charset}?q?b=75cher-kva?=\r\nContent-Type: text/plain; charset={charset}"
    found = read(f"{head}\r\n\r\nb\\u00fccher-kva+AGE-".encode())
    assert found.text == "b\\u00fccher-kva+AGE-"
    assert "ü" not in found.subject


@pytest.mark.parametrize(
    "named",
    [
        "filename*=utf-8''%E7%85%A7%E7%89%87.jpg",
        "filename*0*=gb18030''%D5%D5; filename*1*=%C6%AC.jpg",
        'filename="=?gb2312?B?1dXGrA==?=.jpg"',
        'filename="照片.jpg"',
        "x=y; filename=照片.jpg",
    ],
)
def test_the_name_of_a_file_is_read_in_every_way_that_it_is_written_in(named: str) -> None:
    part = f"Content-Disposition: attachment; {named}\r\n\r\n".encode() + JPEG
    assert [file.name for file in read(of_parts(part)).files] == ["照片.jpg"]


def test_a_header_is_read_in_every_way_that_it_is_written_in() -> None:
    for subject in ("=?utf-8?b?5Zue5aSN?=", "=?gbk?q?=BB=D8?=\r\n =?gbk?q?=B8=B4?=", "回复", "=?utf-16?b?/v9W3lkN?="):
        found = read(f'From: "=?gb2312?B?1cXI/Q==?=" <zhang@b.cn>\r\nSubject: {subject}\r\n\r\n'.encode())
        assert (found.subject, found.sender, found.sender_name) == ("回复", "zhang@b.cn", "张三")
    spoofed = read(b"From: =?utf-8?q?brigade=40city.cn_=3Cb=40city.cn=3E?= <a@b.cn>\r\n\r\nx")
    assert spoofed.sender == "a@b.cn"


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        ("text/plain; charset=gb18030", "已整改".encode("gb18030"), "已整改"),
        ("text/plain; charset=unheard-of", "已整改".encode(), "已整改"),
        ("text/plain; charset=utf-8", b"\xff\xfe", "\ufffd\ufffd"),
        ("text/html; charset=utf-8", "<p>已<b>整改</b></p><script>x</script>".encode(), "已 整改   x"),
        ("text/plain; charset=utf-8", b"x" * 100_000, "x" * MAX_TEXT),
    ],
)
def test_text_is_read_within_bounds_in_whatever_it_is_written(header: str, body: bytes, text: str) -> None:
    raw = f"From: a@b.cn\r\nContent-Type: {header}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode() + body
    assert read(raw).text == text


def test_the_same_mail_is_the_same_and_another_is_not() -> None:
    twice = mail(Message_ID="<1@health.firenet-demo.cn>").as_bytes()
    assert read(twice).mail_id == read(b"Received: by mx2\r\n" + twice).mail_id
    assert read(twice).mail_id != read(twice.replace(b"1@health", b"2@health")).mail_id
    assert read(mail().as_bytes()).mail_id == read(mail().as_bytes()).mail_id
    assert read(mail("anders").as_bytes()).mail_id != read(mail().as_bytes()).mail_id


@given(st.binary(max_size=2000))
def test_no_mail_makes_it_fail(raw: bytes) -> None:
    assert read(raw).size == len(raw)
    head = b"From: a@b.cn\r\nSubject: "
    assert "\n" not in read(head + raw).subject


NOTICE = "0123456789abcdef" * 2


def delivery_report(status: str, about: str, kind: str = "text/rfc822-headers") -> bytes:
    return (
        "From: MAILER-DAEMON@x\r\nContent-Type: multipart/report; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n{status}\r\n\r\n"
        f"--b\r\nContent-Type: {kind}\r\n\r\n{about}\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("status", "about", "said"),
    [
        ("Action: delivered", f"Message-ID: <{NOTICE}@firenet>", (NOTICE, "delivered")),
        ("action: FAILED", f"message-id: <{NOTICE}.D-7@firenet>", (NOTICE, "failed")),
        ("Action: delayed", f"Message-ID: <{NOTICE}@firenet>", None),
        ("Action: relayed", f"Message-ID: <{NOTICE}@firenet>", None),
        ("Status: 5.1.1", f"Message-ID: <{NOTICE}@firenet>", None),
        ("Action: failed\r\n\r\nAction: delivered", f"Message-ID: <{NOTICE}@firenet>", None),
        ("Action: failed", f"Subject: <{NOTICE}@firenet>", None),
        ("Action: failed", "Message-ID: <1@another>", None),
    ],
)
def test_a_delivery_report_says_of_which_notice_and_what_or_nothing(
    status: str, about: str, said: tuple[str, str] | None
) -> None:
    for kind in ("text/rfc822-headers", "message/rfc822"):
        mail = read(delivery_report(status, about, kind))
        assert (mail.sort, mail.report) == (MailSort.BOUNCE, said)


def test_a_person_who_writes_a_report_into_his_answer_reports_nothing() -> None:
    forged = delivery_report("Action: failed", f"Message-ID: <{NOTICE}@firenet>")
    plain = forged.replace(b"MAILER-DAEMON@x", b"a@b.example").replace(b"multipart/report", b"multipart/mixed")
    assert (read(plain).sort, read(plain).report) == (MailSort.REPLY, None)
