"""Circulars about many bodies: a draft of the brigade, once for the same scores; nothing else comes by that door."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.documents.adapters.circular_api import MAX_CIRCULAR_BYTES, CircularApi
from services.documents.adapters.http_api import DocumentsApi, build_api
from services.documents.adapters.mail_api import MailApi
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.adapters.report_api import ReportApi
from services.documents.adapters.wire import request_of
from services.documents.domain.catalogue import entry_of
from services.documents.domain.errors import BadForm, NotNumbered
from services.documents.domain.request import Request
from services.documents.worker.drafts import DraftService
from services.documents.worker.issuing import IssuingService, checked
from services.kernel.words import DocumentState, Instrument, Language
from tests.unit.documents.build import at, request
from tests.unit.documents.samples import ABOUT_A_BODY, NETWORKING, about_a_body, sample
from tests.unit.documents.test_issuing import Scenario

TOKEN = "test-token-0123"
OPEN = {
    "body": {"zh": "东街站", "en": "Dongjie"}, "provisional": True, "revision": 1, "list": "red",
    "low": "10.0", "high": "95.0", "worst": "not_competent", "best": "excellent",
}  # fmt: skip


def circular(*standings: dict[str, Any]) -> Request:
    said = ABOUT_A_BODY[Instrument.CIRCULAR]
    told = said["circular"] | {"standings": list(standings)}
    facts: dict[str, Any] = {"unit": None, "trouble": None, "due_at": None, "evidence": None, "languages": ["zh", "en"]}
    return request(instrument="I6", **facts, **(said | {"circular": told}))


def texts(wanted: Request) -> dict[Language, str]:
    done = checked(TemplateRenderer().render(wanted, "", entry_of(wanted), at(30), draft=True))
    return {one.rendition.language: one.rendition.text for one in done}


@pytest.fixture
def here() -> Scenario:
    return Scenario()


@pytest.fixture
async def api(here: Scenario) -> AsyncIterator[httpx.AsyncClient]:
    documents = DocumentsApi(None, None, None)  # type: ignore[arg-type]  # nobody asks for a document here
    mails = MailApi(None, None)  # type: ignore[arg-type]  # nor for a mail
    app = build_api(SecretStr(TOKEN), documents, ReportApi(None), mails, CircularApi(here.issuing))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://documents/v1", headers=headers
    ) as client:
        yield client


@pytest.mark.thorough
async def test_what_is_asked_for_twice_is_one_draft_without_a_number_of_ours(
    here: Scenario, api: httpx.AsyncClient
) -> None:
    facts = sample("I6").facts.encode()
    first, again = [(await api.post("/circulars", content=facts)).json() for _ in range(2)]
    (document,) = here.store.tables.documents.values()
    assert first == again == {"document_id": document.document_id}
    assert (document.state, document.number_text, here.store.tables.series) == (DocumentState.DRAFT, "", {})
    assert here.woken == 1
    assert here.counted("firenet_documents_duplicates_total") == 1


@pytest.mark.thorough
async def test_its_issuer_numbers_and_dates_it(here: Scenario) -> None:
    document_id = await here.issuing.issue(sample("I6"))
    drafts = DraftService(store=here.store, renderer=TemplateRenderer(), typesetter=None, clock=here.clock)
    with pytest.raises(NotNumbered):
        await drafts.number(document_id, "鼓消通〔2026〕7号", at(-86400), by="张三")
    await drafts.number(document_id, "鼓消通〔2026〕7号", at(86400), by="张三")
    document = here.store.tables.documents[document_id]
    assert (document.state, document.number_text) == (DocumentState.ISSUED, "鼓消通〔2026〕7号")
    assert "草稿" not in document.renditions[0].text
    assert "2026年11月23日" in document.renditions[0].text


@pytest.mark.thorough
async def test_a_draft_is_numbered_in_the_wording_that_its_issuer_has_read(here: Scenario) -> None:
    """A release changed the wording while the draft lay there."""
    document_id = await here.issuing.issue(sample("I7"))
    drafts = DraftService(store=here.store, renderer=TemplateRenderer(), typesetter=None, clock=here.clock)
    lying = here.store.tables.documents[document_id]
    here.store.tables.documents[document_id] = replace(lying, template="I7@99")
    with pytest.raises(NotNumbered):
        await drafts.number(document_id, "鼓消挂〔2026〕7号", at(86400), by="张三")
    here.store.tables.documents[document_id] = replace(lying, template="I7@1")
    await drafts.number(document_id, "鼓消挂〔2026〕7号", at(86400), by="张三")
    issued = here.store.tables.documents[document_id]
    assert (issued.state, issued.template) == (DocumentState.ISSUED, "I7@1")
    assert "长期未能消除" in issued.renditions[0].text


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (about_a_body("I6").facts.encode(), 422, "facts_missing"),
        (sample("I1").facts.encode(), 422, "facts_missing"),
        (b"{", 422, "undecodable"),
        (b"x" * (MAX_CIRCULAR_BYTES + 1), 413, "too_large"),
    ],
    ids=["one-body", "unit", "broken", "large"],
)
async def test_nothing_else_is_issued_by_that_door(
    here: Scenario, api: httpx.AsyncClient, content: bytes, status: int, reason: str
) -> None:
    answer = await api.post("/circulars", content=content)
    assert (answer.status_code, answer.json()) == (status, {"reason": reason})
    assert here.store.tables.documents == {}
    assert (await api.post("/circulars", content=content, headers={"Authorization": ""})).status_code == 401


@pytest.mark.thorough
async def test_what_no_record_has_room_for_is_refused_and_counted() -> None:
    here = Scenario()
    renderer = TemplateRenderer()
    here.issuing = IssuingService(
        store=here.store, renderer=renderer, metrics=here.issuing._metrics, clock=here.clock, marks={}, wake=here.wake
    )
    many = [{"what": {"zh": "名" * 200}, "gap": "blind"}] * 30
    with pytest.raises(BadForm, match="too_long"):
        await here.issuing.issue(circular(*[OPEN | {"measured": many}] * 60))
    assert here.store.tables.documents == {}
    assert here.counted("firenet_documents_form_breaches_total", rule="too_long") == 1


@pytest.mark.thorough
def test_a_provisional_score_is_on_no_list_whatever_was_asked_for() -> None:
    said = texts(circular(OPEN))
    zh, en = said[Language.ZH], said[Language.EN]
    assert "# " not in zh
    assert "列入红榜的0个，得分暂定的1个" in zh
    assert "三、红榜\n　　无。" in zh
    assert "得分暂定，不列入绿榜和红榜，不作评价：东街站。" in zh
    assert "— | 东街站 | — | 10.0–95.0（第1版） | 未定（不称职至优秀） | 暂定" in zh
    assert "3. Red list\nNobody." in en
    assert "on neither list, and not judged: Dongjie." in en


@pytest.mark.thorough
def test_bounds_points_and_what_is_open_are_said_in_words() -> None:
    measured = [
        {"what": NETWORKING, "rate_low": "93.0", "rate_high": "97.5", "low": "26.0", "high": "35.0", "gap": "blind"},
        {"what": {"zh": "巡查", "en": "Visits"}, "gap": "not_entered"},
        {"what": {"zh": "接入率", "en": "Access"}, "gap": "nothing_counted", "left_out": True},
    ]
    said = texts(circular(OPEN | {"measured": measured, "gaps": ["blind", "not_entered"], "rule_years": 2}))
    assert (
        "重点单位联网率，93.0–97.5 %，26.0–35.0分，含未监测时间；巡查，人工评分未录入；接入率，不计"
        in said[Language.ZH]
    )
    assert "暂定；含未监测时间；人工评分未录入；连续2年不称职" in said[Language.ZH]
    assert "Visits, points not entered; Access, left out" in said[Language.EN]
    assert not any(word in said[Language.ZH] for word in ("blind", "not_entered", "None"))


def test_a_request_says_where_a_score_is_from_by_its_revision() -> None:
    wanted = request_of(json.dumps(json.loads(circular(OPEN).facts)).encode())
    assert wanted.circular is not None
    assert [one.revision for one in wanted.circular.standings] == [1]
    assert wanted.basis.evidence == ""
