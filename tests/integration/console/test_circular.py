"""From scores to a circular and its number: console, documents and PostgreSQL, by HTTP and by the command's service."""

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.worker.drafts import DraftService
from tests.integration.console.harness import Browser, Console, console
from tests.integration.console.letters import Letters, letters
from tests.integration.console.scenario import opened

MARCH = {"scheme_id": "towns", "period": "month", "from": "2026-03-01"}


def put_score(dsn: str, body: str, revision: int, low: str, grade: str | None = "excellent") -> None:
    score = {
        "scheme": "towns", "called": {"zh": "街镇考核", "en": "Evaluation of towns", "clause": "001 一(七)"},
        "body": body, "body_called": {"zh": f"{body}站", "en": body}, "low": low,
        "high": low if grade else "95.0", "grade": grade,
        "worst": grade or "competent", "best": grade or "excellent", "provisional": grade is None,
        "list": "green" if grade else None, "gaps": [] if grade else ["not_entered"], "criteria": [], "parts": [],
        "years_not_competent": 0, "rule_holds": False, "pack": {"pack_id": "sample-2026", "version": 1},
    }  # fmt: skip
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO compliance.scores (scheme_id, body_id, period_kind, period_from, period_to, revision, low, "
            "high, grade, provisional, list, pack_id, pack_version, withdrawn, score) VALUES ('towns', %s, 'month', "
            "'2026-02-28T16:00Z', '2026-03-31T16:00Z', %s, %s, %s, %s, %s, %s, 'sample-2026', 1, false, %s)",
            (body, revision, low, score["high"], grade, grade is None, score["list"], json.dumps(score)),
        )


@pytest.fixture
async def stand(console_database: str) -> AsyncIterator[tuple[Console, Letters, str]]:
    with opened(console_database) as scenario:
        scenario.clear()
        scenario.execute("DELETE FROM compliance.scores")
    put_score(console_database, "dongjie", 1, "91.0")
    put_score(console_database, "nanjie", 1, "40.0", None)
    async with letters(console_database) as book, console(console_database, **book.settings) as site:
        yield site, book, console_database
    with opened(console_database) as scenario:
        scenario.execute("DELETE FROM compliance.scores")


async def circulars(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await browser.json("/api/v1/evaluation"))["board"]["circulars"]
    return found


async def asked(browser: Browser, **changes: str) -> tuple[int, Any]:
    answer = await browser.order("/api/v1/evaluation/circulars", MARCH | changes)
    return answer.status_code, answer.json()


async def test_the_brigade_drafts_a_circular_and_its_issuer_numbers_it(stand: tuple[Console, Letters, str]) -> None:
    site, book, dsn = stand
    async with site.signed_in("brigade") as brigade:
        status, first = await asked(brigade)
        assert (status, await asked(brigade)) == (200, (200, first))
        (row,) = await circulars(brigade)
        document_id = row["document_id"]
        assert first == {"document_id": document_id}
        assert (row["scheme_id"], row["number"]) == ("towns", "")
        paper = f"/api/v1/documents/{document_id}/paper"
        page = (await brigade.http.get(paper)).text
        assert "关于2026年3月街镇考核情况的通报" in page
        assert "dongjie站（91.0分，优秀）" in page
        assert "不作评价：nanjie站" in page
        assert "草稿" in page
        assert "Green list" in (await brigade.http.get(paper, params={"lang": "en"})).text
        for name in row["files"]:  # none where the machine has no Chinese font
            assert (await brigade.http.get(f"/api/v1/evaluation/circulars/{document_id}/{name}")).status_code == 200
        assert (await brigade.http.get("/api/v1/evaluation/circulars/nothing/zh.pdf")).status_code == 404

        drafts = DraftService(
            store=PostgresDocuments(book.pool), renderer=TemplateRenderer(), typesetter=None, clock=book.clock
        )
        year = book.clock.now().year
        await drafts.number(document_id, f"鼓消通〔{year}〕3号", book.clock.now(), by="张三")
        assert [one["number"] for one in await circulars(brigade)] == [f"鼓消通〔{year}〕3号"]

        put_score(dsn, "nanjie", 2, "88.0")
        assert (await asked(brigade))[1]["document_id"] != document_id
        assert [one["number"] for one in await circulars(brigade)] == ["", f"鼓消通〔{year}〕3号"]

        assert (await asked(brigade, scheme_id="nobody"))[0] == 404
        assert (await asked(brigade, period="week"))[0] in (404, 422)
        forged = await brigade.order("/api/v1/evaluation/circulars", MARCH, **{"X-CSRF-Token": "forged"})
        assert forged.status_code == 403
    for account in ("centre", "health"):
        async with site.signed_in(account) as other:
            assert (await asked(other))[0] == 403
            assert await circulars(other) == []
            answer = await other.http.get(f"/api/v1/evaluation/circulars/{document_id}/zh.pdf")
            assert answer.status_code == 403
