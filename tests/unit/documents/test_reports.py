"""A report as PDF: what the console said stands in it, the same bytes each time, and what is no report is refused."""

import asyncio
import io
import re
import threading
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pypdf import PdfReader

from services.documents.adapters.circular_api import CircularApi
from services.documents.adapters.http_api import DocumentsApi, build_api
from services.documents.adapters.mail_api import MailApi
from services.documents.adapters.report_api import MAX_REPORT_BYTES, MAX_ROWS, ReportApi, ReportBody
from services.documents.adapters.typesetter import TypstTypesetter, find_fonts
from services.documents.domain.reasons import FilesMissing
from services.kernel.words import Language
from tests.fakes.documents import PlainTypesetter

TOKEN = "test-token-0123"
needs_fonts = pytest.mark.skipif(not find_fonts().complete, reason="no Chinese font: apt-get install fonts-noto-cjk")


def body(**changes: Any) -> dict[str, Any]:
    table = {"columns": ["单位", "次数"], "rows": [["#東街*醫院*", 3], ["x" * 300, 4]], "numeric": [1]}
    return {
        "language": "zh", "title": "样例区联网监测月报", "state": "closed", "made_at": "2026-11-01T01:00:00+00:00",
        "head": [["对象", "样例区"]], "foot": ["未知不等于断网。"],
        "sections": [{"key": "longest", "heading": "断网最长的单位", "notes": ["另有 2 家"], "table": table},
                     {"key": "none", "heading": "五、监控中心", "notes": [], "table": None}],
    } | changes  # fmt: skip


def client(typesetter: PlainTypesetter | None) -> httpx.AsyncClient:
    documents = DocumentsApi(None, None, None)  # type: ignore[arg-type]  # nobody asks for a document here
    mails = MailApi(None, None)  # type: ignore[arg-type]  # nor for a mail
    app = build_api(SecretStr(TOKEN), documents, ReportApi(typesetter), mails, CircularApi(None))  # type: ignore[arg-type]  # nor for a circular
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://documents", headers=headers)


@pytest.mark.thorough
@needs_fonts
@pytest.mark.parametrize("language", list(Language))
async def test_everything_that_was_said_stands_in_it_as_text(language: Language) -> None:
    typesetter = TypstTypesetter(timeout_s=60, max_bytes=10**7)
    report = ReportBody.model_validate(body(language=language)).report()
    made = await typesetter.report(report)
    found = re.sub(r"\s|\u200b", "", "".join(page.extract_text() for page in PdfReader(io.BytesIO(made)).pages))
    for said in (
        "样例区联网监测月报",
        "对象样例区",
        "断网最长的单位",
        "另有2家",
        "#東街*醫院*",
        "x" * 300,
        "未知不等于断网。",
    ):
        assert said in found
    assert "暂定" not in found
    assert made == await typesetter.report(report)
    provisional = ReportBody.model_validate(body(state="provisional")).report()
    for page in PdfReader(io.BytesIO(await typesetter.report(provisional))).pages:
        assert "暂定：期间尚未结算" in page.extract_text()
    typesetter.close()


@pytest.mark.thorough
@needs_fonts
async def test_letters_do_not_wait_behind_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    typesetter, begun, free = TypstTypesetter(timeout_s=20, max_bytes=10**7), threading.Event(), threading.Event()

    def long_report(self: TypstTypesetter, report: Any) -> bytes:
        begun.set()
        free.wait()
        return b"%PDF"

    monkeypatch.setattr(TypstTypesetter, "_report", long_report)
    monkeypatch.setattr(TypstTypesetter, "_all", lambda self, letters: ())
    report = asyncio.create_task(typesetter.report(ReportBody.model_validate(body()).report()))
    try:
        await asyncio.to_thread(begun.wait)
        assert await typesetter.files([]) == ()
        assert not report.done()
    finally:
        free.set()
    assert await report == b"%PDF"
    typesetter.close()


async def test_what_is_no_report_is_refused_before_it_is_set() -> None:
    typesetter = PlainTypesetter()
    uneven: dict[str, Any] = {"columns": ["a", "b"], "rows": [["1"]], "numeric": []}
    long = {"columns": ["a"], "rows": [["1"]] * (MAX_ROWS + 1), "numeric": []}
    async with client(typesetter) as http:
        empty: dict[str, Any] = {"columns": [], "rows": [], "numeric": []}
        for bad in (uneven, long, empty, {"columns": ["a"], "rows": []}):
            section: dict[str, Any] = {"key": "k", "heading": "h", "notes": [], "table": bad}
            assert (await http.post("/v1/reports/pdf", json=body(sections=[section]))).status_code == 422
        assert (await http.post("/v1/reports/pdf", json=body(more="x"))).status_code == 422
        assert (await http.post("/v1/reports/pdf", content=b"x" * (MAX_REPORT_BYTES + 1))).status_code == 413
        stranger = {"Authorization": "Bearer other"}
        assert (await http.post("/v1/reports/pdf", json=body(), headers=stranger)).status_code == 401
        assert typesetter.made == 0
        assert (await http.post("/v1/reports/pdf", json=body())).content.startswith(b"%PDF")


async def test_without_fonts_or_in_want_of_time_it_says_why() -> None:
    typesetter = PlainTypesetter()
    typesetter.away = FilesMissing.TOO_SLOW
    for made, reason in ((typesetter, "too_slow"), (None, "no_pdf")):
        async with client(made) as http:
            answer = await http.post("/v1/reports/pdf", json=body())
            assert (answer.status_code, answer.json()) == (503, {"reason": reason})
