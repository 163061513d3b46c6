"""Listings over HTTP, on alerts and PostgreSQL: who may what, forgery, hostile files, and the way to the closure."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.secrets import Argon2Passwords
from services.console.domain.accounts import Account
from services.console.domain.viewer import BodyCode, Role, Username
from services.kernel.calendar import CHINA
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.integration.console.harness import LIMIT_S, PASSWORD, Browser, Console, console
from tests.integration.console.letters import Letters, letters
from tests.integration.console.listings import listings
from tests.integration.console.scenario import opened

PEOPLE = (
    ("officer-a", "brigade", None),
    ("officer-b", "brigade", None),
    ("officer-c", "brigade", None),
    ("watch", "centre", None),
    ("clerk", "department", "health"),
    ("teacher", "department", "education"),
)
Stand = tuple[Console, str, Letters]
PDF = ("整改.pdf", b"%PDF-1.7 evidence", "application/pdf")


@pytest.fixture
async def stand(console_database: str) -> AsyncIterator[Stand]:
    with opened(console_database) as scenario:
        scenario.execute("TRUNCATE alerts.listing_files, alerts.listing_acts, alerts.listings")
        scenario.clear()
    async with AsyncExitStack() as stack:
        settings, case_id = await stack.enter_async_context(listings(console_database))
        book = await stack.enter_async_context(letters(console_database))
        site = await stack.enter_async_context(console(console_database, **settings, **book.settings))
        hashed = await Argon2Passwords(memory_kib=1024, passes=1).hash(PASSWORD)
        async with open_pool(console_database, "test-people", max_size=1) as pool:
            for name, role, body in PEOPLE:
                of = BodyCode(body) if body else None
                account = Account(Username(name), Role(role), of, name, hashed)
                await PostgresAccounts(pool, LIMIT_S).save(account, SystemClock().now())
        yield site, case_id, book
    with opened(console_database) as scenario:
        scenario.execute("TRUNCATE alerts.listing_files, alerts.listing_acts, alerts.listings")
        scenario.clear()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("code", "")


async def proposed(browser: Browser, case_id: str) -> str:
    answer = await browser.order("/api/v1/listings", {"case_id": case_id, "reason": "长期离线"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["listing_id"])


async def act(browser: Browser, listing_id: str, name: str, **more: Any) -> httpx.Response:
    now = SystemClock().now().astimezone(CHINA).date()
    stands = await browser.http.get(f"/api/v1/listings/{listing_id}")
    revision = stands.json().get("revision", 1)
    said = {
        "text": "理由", "level": "district", "number": "鼓政办〔2026〕88号", "on": now.isoformat(),
        "until": (now + timedelta(days=30)).isoformat(), "inspector": "李建国",
    }  # fmt: skip
    return await browser.order(f"/api/v1/listings/{listing_id}/acts", {"act": name, "revision": revision} | said | more)


async def hand_in(browser: Browser, listing_id: str, *files: tuple[str, bytes, str], csrf: str = "") -> httpx.Response:
    revision = (await browser.http.get(f"/api/v1/listings/{listing_id}")).json().get("revision", 1)
    return await browser.http.post(
        f"/api/v1/listings/{listing_id}/evidence",
        params={"revision": revision},
        data={"text": "已整改"},
        files=[("files", one) for one in files],
        headers={"X-CSRF-Token": csrf or browser.csrf},
    )


async def test_three_people_and_the_department_walk_the_way_to_the_closure(stand: Stand) -> None:
    site, case_id, _ = stand
    async with (
        site.signed_in("officer-a") as a,
        site.signed_in("officer-b") as b,
        site.signed_in("officer-c") as c,
        site.signed_in("clerk") as clerk,
        site.signed_in("teacher") as teacher,
        site.signed_in("watch") as watch,
    ):
        listing_id = await proposed(watch, case_id)
        assert code_of(await act(watch, listing_id, "list")) == (403, "not_allowed")
        assert code_of(await act(clerk, listing_id, "list")) == (403, "not_allowed")
        assert (await act(a, listing_id, "list")).status_code == 200
        assert code_of(await act(teacher, listing_id, "ask_extension")) == (404, "not_found")
        assert code_of(await hand_in(teacher, listing_id, PDF)) == (404, "not_found")
        assert (await teacher.json("/api/v1/listings"))["rows"] == []
        assert [row["listing_id"] for row in (await clerk.json("/api/v1/listings"))["rows"]] == [listing_id]
        forged = await hand_in(clerk, listing_id, PDF, csrf="forged")
        assert code_of(forged) == (403, "forged")
        assert (await hand_in(clerk, listing_id, PDF)).status_code == 200
        assert (await act(b, listing_id, "pass_recheck")).status_code == 200
        assert code_of(await act(b, listing_id, "approve_closure")) == (409, "listing_same_person")
        assert (await act(c, listing_id, "approve_closure")).status_code == 200
        (row,) = (await a.json("/api/v1/listings", state="closed", town="T1", department="health"))["rows"]
        assert row["listing_id"] == listing_id
        one = await a.json(f"/api/v1/listings/{listing_id}")
        assert [each["act"] for each in one["acts"]] == [
            "propose", "list", "hand_in", "pass_recheck", "approve_closure",
        ]  # fmt: skip
        (file,) = one["evidence_files"]
        path = f"/api/v1/listings/{listing_id}/files/{file['sha256']}"
        answer = await clerk.http.get(path)
        assert answer.content == PDF[1]
        assert answer.headers["content-disposition"].startswith("attachment")
        assert (await teacher.http.get(path)).status_code == 404


async def test_the_files_of_a_reply_are_taken_over_by_its_own_body_and_the_brigade_alone(stand: Stand) -> None:
    site, case_id, book = stand
    document_id = await book.send("R1", case_id=case_id)
    other = await book.send("R2", 2, case_id="C0")
    async with (
        site.signed_in("officer-a") as a,
        site.signed_in("clerk") as clerk,
        site.signed_in("teacher") as teacher,
        site.signed_in("watch") as watch,
    ):
        sent = []
        for each in (document_id, other):
            await clerk.order(f"/api/v1/documents/{each}/sign", {"name": "张三"})
            answered = await clerk.http.post(
                f"/api/v1/documents/{each}/submissions",
                data={"kind": "reply", "seen": "0", "text": "已修复", "measures": "更换主机", "name": "张三"},
                files=[("files", PDF)],
                headers={"X-CSRF-Token": clerk.csrf},
            )
            assert answered.status_code == 200, answered.text
            sent.append(answered.json()["submissions"][0]["submission_id"])
        foreign = sent[1]
        listing_id = await proposed(a, case_id)
        await act(a, listing_id, "list")
        where = f"/api/v1/listings/{listing_id}"
        (reply,) = (await clerk.json(f"{where}/replies"))["rows"]
        assert (await a.json(f"{where}/replies"))["rows"] == [reply]
        assert (await teacher.http.get(f"{where}/replies")).status_code == 404
        assert code_of(await watch.http.get(f"{where}/replies")) == (403, "not_allowed")

        async def take_over(browser: Browser, submission_id: str, **headers: str) -> httpx.Response:
            body = {"revision": 2, "submission_id": submission_id}
            return await browser.order(f"{where}/evidence/reply", body, **headers)

        taken = sent[0]
        assert reply["submission_id"] == taken
        assert code_of(await take_over(watch, taken)) == (403, "not_allowed")
        assert code_of(await take_over(teacher, taken)) == (404, "not_found")
        assert code_of(await take_over(clerk, foreign)) == (404, "not_found")
        assert code_of(await take_over(clerk, taken, **{"X-CSRF-Token": "forged"})) == (403, "forged")
        assert (await take_over(clerk, taken)).status_code == 200
        one = await a.json(where)
        (file,) = one["evidence_files"]
        assert (one["state"], file["sha256"]) == ("recheck", reply["files"][0]["sha256"])
        assert file["source"] == f"{reply['number']} health {taken}"
        assert (await a.http.get(f"{where}/files/{file['sha256']}")).content == PDF[1]
        assert code_of(await take_over(a, taken)) == (409, "listing_changed")


async def test_hostile_files_and_bodies_are_refused_by_name(stand: Stand) -> None:
    site, case_id, _ = stand
    async with site.signed_in("officer-a") as a, site.signed_in("clerk") as clerk:
        listing_id = await proposed(a, case_id)
        await act(a, listing_id, "list")
        page = ("a.pdf", b"<script>alert(1)</script>", "application/pdf")
        assert code_of(await hand_in(clerk, listing_id, page)) == (409, "document_file_type")
        macros = ("a.docx", b"PK\x03\x04 word/document.xml vbaProject.bin", "application/pdf")
        assert code_of(await hand_in(clerk, listing_id, macros)) == (409, "document_file_type")
        large = ("a.pdf", b"%PDF-" + b"0" * (5 * 1024 * 1024), "application/pdf")
        assert code_of(await hand_in(clerk, listing_id, large)) == (409, "document_file_too_large")
        assert code_of(await hand_in(clerk, listing_id, *[PDF] * 6)) == (409, "document_too_many_files")
        assert code_of(await hand_in(clerk, listing_id)) == (409, "listing_evidence_missing")
        assert (await a.json(f"/api/v1/listings/{listing_id}"))["state"] == "listed"
        wrong = await act(a, listing_id, "approve_closure")
        assert code_of(wrong) == (409, "listing_not_now")
        assert (await act(a, listing_id, "nonsense")).status_code == 422
        assert (await a.http.get("/api/v1/listings/L0000000000000000")).status_code == 404
        named = ("../../etc/p<a>sswd.pdf", *PDF[1:])
        assert (await hand_in(clerk, listing_id, named)).status_code == 200
        (file,) = (await a.json(f"/api/v1/listings/{listing_id}"))["evidence_files"]
        assert file["name"] == "p_a_sswd.pdf"


async def test_who_is_not_signed_in_and_what_is_forged_does_nothing(stand: Stand) -> None:
    site, case_id, _ = stand
    async with site.client() as nobody:
        assert (await nobody.get("/api/v1/listings")).status_code == 401
        assert (await nobody.post("/api/v1/listings", json={"case_id": case_id, "reason": "x"})).status_code == 401
    async with site.signed_in("officer-a") as a:
        body = {"case_id": case_id, "reason": "长期离线"}
        assert code_of(await a.order("/api/v1/listings", body, **{"X-CSRF-Token": "forged"})) == (403, "forged")
        assert (await a.json("/api/v1/listings", case=case_id))["rows"] == []
        assert (await a.http.get("/listings")).status_code == 200
