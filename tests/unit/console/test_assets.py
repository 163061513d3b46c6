"""Files of the pages come from memory, packed for who takes that, and nothing else can be had in their place."""

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from services.console.adapters.web.assets import Assets

LONG = "export const text = 1;\n" * 200


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    folder = tmp_path / "static"
    (folder / "vendor").mkdir(parents=True)
    (folder / "a.js").write_text(LONG, encoding="utf-8")
    (folder / "vendor" / "b.css").write_text("b {}", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    app = Assets(folder, "0123abcd", PlainTextResponse("not one of these", status_code=404))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console")


async def test_a_file_is_kept_for_ever_and_comes_packed_to_who_takes_it(client: httpx.AsyncClient) -> None:
    packed = await client.get("/static/0123abcd/a.js")
    assert (packed.status_code, packed.text, packed.headers["content-encoding"]) == (200, LONG, "gzip")
    assert int(packed.headers["content-length"]) == len(gzip.compress(LONG.encode(), 9, mtime=0)) < len(LONG) // 10
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-type"].startswith("text/javascript")
    plain = await client.get("/static/0123abcd/a.js", headers={"Accept-Encoding": "identity"})
    assert (plain.text, "content-encoding" in plain.headers, plain.headers["vary"]) == (LONG, False, "Accept-Encoding")
    small = await client.get("/static/0123abcd/vendor/b.css")
    assert (small.text, "content-encoding" in small.headers) == ("b {}", False)


async def test_who_has_it_is_told_so_and_who_asks_about_it_gets_no_body(client: httpx.AsyncClient) -> None:
    first = await client.get("/static/0123abcd/a.js")
    again = await client.get("/static/0123abcd/a.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await client.head("/static/0123abcd/a.js")
    assert (head.status_code, head.content, head.headers["content-length"]) == (
        200, b"", first.headers["content-length"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/static/other/a.js", "/static/0123abcd/../secret.txt", "/static/0123abcd/", "/static/0123abcd/vendor", "/"],
)
async def test_nothing_else_is_answered_here(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).text == "not one of these"
    assert (await client.post("/static/0123abcd/a.js")).status_code == 404
