"""The register in the browser's API: who sees and changes what, hostile files, and that two people agree."""

import io
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import psycopg
import pytest

from schemas import strict_yaml
from schemas.pack import Pack
from services.registry.adapters.postgres import open_store
from services.registry.domain.entities import Kind, Version
from tests.integration.console.harness import Browser
from tests.integration.console.scenario import opened
from tests.integration.console.test_adjustments import KNOWN, Site, running
from tests.unit.registry.builders import PACK_FILE, contact, gateway, street


async def fill(dsn: str) -> None:
    """Put a street, and gateways and contacts of a hospital and a school, in the register."""
    first = date(2025, 1, 1)
    async with open_store(dsn, "tests") as store, store.transaction() as register:
        await register.add(Kind.DEPARTMENT, [Version(street(), first, KNOWN)], None)
        gateways = [gateway(unit_id="U1"), gateway(gateway_id="G000002", unit_id="U2")]
        await register.add(Kind.GATEWAY, [Version(each, first, KNOWN) for each in gateways], None)
        contacts = [contact(), contact(contact_id="C-2", body_code="education", name="教育局值班室")]
        await register.add(Kind.CONTACT, [Version(each, first, KNOWN) for each in contacts], None)
        await register.published(await register.unpublished(100))


@pytest.fixture
async def site(migrated_database: str) -> AsyncIterator[Site]:
    async with running(migrated_database) as here:
        await fill(migrated_database)
        yield here


async def post(browser: Browser, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    answer = await browser.order(f"/api/v1/registry{path}", body, **headers)
    return answer.status_code, answer.json()


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


def file(kind: str, name: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "file_name": name, "content": b64encode(content).decode(), "reason": "登记更正", **more}


async def form(browser: Browser, kind: str, entity_id: str, **cells: str) -> dict[str, Any]:
    row = (await browser.json(f"/api/v1/registry/forms/{kind}", id=entity_id))["row"]
    return {"kind": kind, "row": row | cells, "reason": "登记更正"}


async def ids(browser: Browser, kind: str, **query: Any) -> list[str]:
    return [row["id"] for row in (await browser.json(f"/api/v1/registry/entities/{kind}", **query))["rows"]]


async def test_a_telephone_changes_at_once_and_what_moves_a_figure_when_a_second_person_agrees(site: Site) -> None:
    async with site.console.signed_in("centre") as centre:
        phone = await form(centre, "unit", "U1", control_room_phone="0591-87654321")
        assert (await post(centre, "/proposals", phone))[1]["state"] == "approved"
        (version, *_) = (await centre.json("/api/v1/registry/entities/unit/U1"))["versions"]
        assert (version["by"], version["file"]) == ("centre", "R2026-000001 unit.csv")
        assert version["facts"]["control_room_phone"] == "0591-87654321"
        asked = await form(centre, "unit", "U1", crowded_place="no")
        _, seen = await post(centre, "/preview", asked)
        assert seen["differences"][0]["fields"] == [{"name": "crowded_place", "before": "是", "after": "否"}]
        assert (seen["approvals_needed"], seen["report"]["total_errors"]) == (1, 0)
        assert any("对区县 sample 的影响" in zh for zh, _ in seen["effect"])
        status, told = await post(centre, "/proposals", asked)
        assert (status, told["proposal_id"], told["state"]) == (200, "R2026-000002", "requested")
        assert code(await post(centre, "/proposals/R2026-000002/approve", {})) == (403, "not_allowed")
        assert code(await post(centre, "/proposals", await form(centre, "unit", "U1"))) == (409, "no_change")
    async with site.console.signed_in("wang") as wang:
        page = await wang.json("/api/v1/registry/proposals", state="requested")
        assert [(row["proposal_id"], row["may"]) for row in page["rows"]] == [("R2026-000002", ["approve", "reject"])]
        assert (await wang.json("/api/v1/registry/entities/unit/U1"))["waiting"] == ["R2026-000002"]
        assert (await post(wang, "/proposals/R2026-000002/preview", {}))[1]["differences"][0]["id"] == "U1"
        assert await post(wang, "/proposals/R2026-000002/approve", {}) == (200, {"state": "approved"})
        assert code(await post(wang, "/proposals/R2026-000002/reject", {"note": "no"})) == (409, "not_waiting")
        (version, *_) = (await wang.json("/api/v1/registry/entities/unit/U1"))["versions"]
        assert (version["by"], version["facts"]["crowded_place"]) == ("wang", False)
    with opened(site.dsn) as scenario:
        audit = scenario.rows("SELECT account, action, adjustment_id FROM registry.adjustment_audit ORDER BY seq")
        waiting = scenario.rows("SELECT kind, id FROM registry.unpublished ORDER BY id")
    assert audit == [
        ("centre", "request", "R2026-000001"), ("centre", "take", "R2026-000001"),
        ("centre", "request", "R2026-000002"), ("wang", "approve", "R2026-000002"),
    ]  # fmt: skip
    assert waiting == [("unit", "U1")]


async def test_a_department_does_not_read_whose_its_gateway_was_before(site: Site, migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        connection.execute(
            "INSERT INTO registry.versions (body, id, import_id, kind, recorded_at, valid_from)"
            " SELECT jsonb_set(body, '{unit_id}', '\"U2\"'), id, import_id, kind, recorded_at, valid_from - 365"
            " FROM registry.versions WHERE kind = 'gateway' AND id = 'G000001'"
        )
    async with site.console.signed_in("brigade") as brigade:
        whole = (await brigade.json("/api/v1/registry/entities/gateway/G000001"))["versions"]
    async with site.console.signed_in("health") as health:
        own = (await health.json("/api/v1/registry/entities/gateway/G000001"))["versions"]
    assert [version["facts"]["unit_id"] for version in whole] == ["U1", "U2"]
    assert [(version["facts"]["unit_id"], version["by"], version["file"]) for version in own] == [("U1", None, None)]


async def test_a_department_reads_its_own_units_and_what_belongs_to_them_and_changes_nothing(site: Site) -> None:
    async with site.console.signed_in("brigade") as brigade:
        assert await ids(brigade, "unit") == ["U1", "U2"]
        assert await ids(brigade, "unit", q="u2") == ["U2"]
        assert await ids(brigade, "contact", q="教育局") == ["C-2"]
        entity = await brigade.json("/api/v1/registry/entities/unit/U1")
        assert entity["related"] == [["gateway", "G000001"]]
        asked = await form(brigade, "unit", "U1", name="第一医院东院")
        assert (await post(brigade, "/proposals", asked))[0] == 200
    async with site.console.signed_in("health") as health:
        for kind, own, other in (
            ("unit", "U1", "U2"), ("gateway", "G000001", "G000002"), ("contact", "C-1", "C-2"),
        ):  # fmt: skip
            assert await ids(health, kind) == [own]
            assert (await health.http.get(f"/api/v1/registry/entities/{kind}/{own}")).status_code == 200
            assert (await health.http.get(f"/api/v1/registry/entities/{kind}/{other}")).status_code == 404
        assert await ids(health, "department") == []
        for path in ("/forms/unit?id=U1", "/proposals", "/proposals/R2026-000001/file", "/export/unit.csv", "/packs",
                     "/packs/sample-2026/1", "/packs/sample-2026/1/since/1"):  # fmt: skip
            assert (await health.http.get(f"/api/v1/registry{path}")).status_code == 403, path
        for path in ("/preview", "/proposals", "/proposals/R2026-000001/approve", "/proposals/R2026-000001/preview"):
            assert code(await post(health, path, asked if path in ("/preview", "/proposals") else {})) == (
                403, "not_allowed",
            ), path  # fmt: skip
        assert (await health.http.get("/registry")).status_code == 200
    async with site.console.client() as stranger:
        assert (await stranger.get("/registry")).headers["location"] == "/login?next=%2Fregistry"
        assert (await stranger.get("/api/v1/registry/entities/unit")).status_code == 401
        assert (await stranger.post("/api/v1/registry/proposals", json=asked)).status_code == 401


def bomb() -> bytes:
    """Return a workbook that unpacks to 80 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/workbook.xml", "<workbook/>")
        book.writestr("xl/worksheets/sheet1.xml", b"<worksheet>" + b" " * 80_000_000)
    return out.getvalue()


async def test_hostile_files_and_orders_are_refused_and_leave_nothing(site: Site) -> None:
    async with site.console.signed_in("brigade") as brigade:
        asked = await form(brigade, "unit", "U1", name="甲医院")
        for headers in ({"X-CSRF-Token": "guessed"}, {"origin": "https://evil.example"}):
            for path in ("/preview", "/proposals", "/proposals/R2026-000001/approve"):
                body = {} if path.endswith("approve") else asked
                assert code(await post(brigade, path, body, **headers)) == (403, "forged")
        for name, cell in (("name", "=HYPERLINK(1)"), ("name", "@SUM(1)"), ("town", "T999"), ("key_unit", "?")):
            status, told = await post(brigade, "/preview", asked | {"row": asked["row"] | {name: cell}})
            assert (status, [error["column"] for error in told["report"]["errors"]]) == (200, [name])
            refused = await post(brigade, "/proposals", asked | {"row": asked["row"] | {name: cell}})
            assert code(refused) == (422, "faulty_file")
        for kind, name, content in (
            ("unit", "单位.xlsx", bomb()), ("unit", "../../etc/passwd", b"\x00\x01"), ("unit", "u.csv", b"a,b\n1,2\n"),
            ("unit", "u.xls", b"\xd0\xcf\x11\xe0" + b"x" * 99), ("pack", "p.yaml", b"a: &a [*a]\n"),
            ("pack", "p.yaml", b"!!python/object/apply:os.system ['id']"),
        ):  # fmt: skip
            status, told = await post(brigade, "/preview", file(kind, name, content))
            assert (status, told["report"]["total_errors"] > 0, "effect" in told) == (200, True, False), name
        for body, wanted in (
            (file("unit", "u.csv", b"x" * (4 * 1024 * 1024 + 1)), (422, "bad_adjustment")),
            (file("unit", "u.csv", b"x" * (9 * 1024 * 1024)), (413, "too_large")),
            (file("unit", "u.csv", b""), (422, "bad_adjustment")),
            (file("unit", "u\u202evsc", b"x"), (422, "bad_adjustment")),
            (file("unit", "u.csv", b"x") | {"content": "%%%"}, (422, "bad_adjustment")),
            (file("adjustment", "u.csv", b"x"), (422, "bad_request")),
            (asked | {"row": {"route": "x"}}, (422, "bad_adjustment")),
            (asked | {"account": "wang"}, (422, "bad_request")),
            (asked | {"reason": " "}, (422, "bad_adjustment")),
            (asked | {"valid_from": "2026-01-01"}, (422, "bad_adjustment")),
        ):
            assert code(await post(brigade, "/proposals", body)) == wanted
        for path in ("/entities/pack", "/entities/unit/U1'--", "/entities/unit?q=x&role=king", "/export/unit.exe"):
            assert (await brigade.http.get(f"/api/v1/registry{path}")).status_code in (404, 422), path
        assert (await brigade.json("/api/v1/registry/proposals"))["total"] == 0


async def test_a_file_a_pack_and_an_export_go_in_and_out(site: Site) -> None:
    async with site.console.signed_in("brigade") as brigade:
        for form_ in ("csv", "xlsx"):
            out = await brigade.http.get(f"/api/v1/registry/export/gateway.{form_}")
            assert "attachment" in out.headers["content-disposition"]
            again = file("gateway", f"gateways.{form_}", out.content)
            assert code(await post(brigade, "/proposals", again)) == (409, "no_change")
        out = await brigade.http.get("/api/v1/registry/export/gateway.csv", params={"lang": "en"})
        changed = out.content.replace(b"carrier-a", b"carrier-b")
        assert changed != out.content
        _, told = await post(brigade, "/proposals", file("gateway", "装置 <b>.csv", changed))
        kept = await brigade.http.get(f"/api/v1/registry/proposals/{told['proposal_id']}/file")
        assert (kept.content, kept.headers["content-security-policy"]) == (changed, "default-src 'none'; sandbox")
        text = PACK_FILE.read_text(encoding="utf-8").replace("version: 1\n", "version: 2\n", 1)
        _, told = await post(brigade, "/proposals", file("pack", "pack.yaml", text.encode()))
    async with site.console.signed_in("wang") as wang:
        assert (await post(wang, f"/proposals/{told['proposal_id']}/approve", {}))[0] == 200
        packs = (await wang.json("/api/v1/registry/packs"))["rows"]
        assert sorted((row["pack_id"], row["version"]) for row in packs) == [("sample-2026", 1), ("sample-2026", 2)]
        fields = (await wang.json("/api/v1/registry/packs/sample-2026/2/since/1"))["fields"]
        assert fields == [{"name": "version", "before": "1", "after": "2"}]
        assert b"pack_id: sample-2026" in (await wang.http.get("/api/v1/registry/packs/sample-2026/2")).content
        assert (await wang.http.get("/api/v1/registry/packs/sample-2026/9")).status_code == 404


async def test_the_brigade_asks_what_a_draft_a_proposal_or_a_version_of_a_pack_would_have_said(site: Site) -> None:
    period = {"kind": "day", "day": "2025-06-01"}
    text = PACK_FILE.read_text(encoding="utf-8").replace("version: 1\n", "version: 2\n", 1)
    wrong = text.replace("blind_after_s: ", "blind_after_s: soon ", 1)
    async with site.console.signed_in("brigade") as brigade:
        _, told = await post(brigade, "/proposals", file("pack", "pack.yaml", text.encode()))
        content = {"file_name": "draft.yaml", "content": b64encode(wrong.encode()).decode()}
        status, answer = await post(brigade, "/what-ifs", period | content)
        (error,) = answer["report"]["errors"]
        line = next(number for number, each in enumerate(wrong.splitlines(), 1) if "soon" in each)
        assert (status, error["row"], error["column"]) == (200, line, "blind_after_s")
        assert error["char"] > 0
        unknown = period | {"pack_id": "sample-2026", "version": 9}
        assert code(await post(brigade, "/what-ifs", unknown)) == (404, "not_found")
        assert await post(brigade, "/what-ifs", period | {"proposal_id": told["proposal_id"]}) == (
            200,
            {"what_if_id": 1},
        )
        version = period | {"pack_id": "sample-2026", "version": 1}
        assert code(await post(brigade, "/what-ifs", version)) == (409, "what_if_running")
    async with site.console.signed_in("wang") as wang:
        assert (await post(wang, "/what-ifs", version))[0] == 200
        rows = (await wang.json("/api/v1/registry/what-ifs"))["rows"]
        assert [(row["source"], row["asked_by"]) for row in rows] == [
            ("sample-2026 1", "wang"), (told["proposal_id"], "brigade"),
        ]  # fmt: skip
    for name in ("centre", "health"):
        async with site.console.signed_in(name) as other:
            assert code(await post(other, "/what-ifs", version)) == (403, "not_allowed")
            assert (await other.http.get("/api/v1/registry/what-ifs/1")).status_code == 403
    with psycopg.connect(site.dsn) as connection:
        kept = [row[0] for row in connection.execute("SELECT pack FROM console.what_ifs ORDER BY 1").fetchall()]
    assert [Pack.model_validate(strict_yaml.read(each)).version for each in kept] == [1, 2]
