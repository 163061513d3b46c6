"""Every route of the console against strangers, other sites, screens, other departments, and bodies that are too large.

The desks are the real ones; below them stands a recorder. A route that has no row here fails the first test: whoever
adds one says how another department is kept out of it, and everything else is tried on it as on all others.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry

from services.console.adapters.web.guard import MAX_BODY_BYTES, Guard, bounds_of, mark_of
from services.console.adapters.web.oidc import ProviderParts
from services.console.adapters.web.site import LinkParts, SiteOptions, build_site
from services.console.domain.accounts import Session
from services.console.domain.errors import NotFound, NotSignedIn, TooBusy
from services.console.domain.viewer import BodyCode, Role, Slice, Username, Viewer
from services.console.metrics import Metrics
from services.console.worker.accounts import AccountUseCases
from services.console.worker.adjustments import AdjustmentUseCases
from services.console.worker.district_map import MapService
from services.console.worker.documents import DocumentUseCases, MailUseCases
from services.console.worker.evaluation import EvaluationUseCases
from services.console.worker.history import HistoryService
from services.console.worker.listings import ListingUseCases
from services.console.worker.refusals import RefusalService
from services.console.worker.register import RegisterUseCases
from services.console.worker.report_schedules import ScheduleUseCases
from services.console.worker.reports import ReportService
from services.console.worker.system_health import SystemHealthService
from services.console.worker.what_ifs import WhatIfUseCases
from tests.fakes.clock import ManualClock
from tests.fakes.console import FakeCodes, FakePasswords, FakeSecrets

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
TESTS = Path(__file__).resolve().parents[2]
VIEWERS = {
    "brigade": Viewer(Username("brigade"), Role.BRIGADE, None, "大队"),
    "admin": Viewer(Username("admin"), Role.CENTRE, None, "监控中心", administers=True),
    "health": Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫生健康局"),
    "screen": Viewer(Username("screen"), Role.SCREEN, None, "大屏"),
}
OWN = VIEWERS["health"]
HOSTILE = ("<script>alert(1)</script>", "../../etc/passwd", "..%2f..%2fetc", "\0", "' OR 1=1 --", "x" * 5000, "编号")


class How(Enum):
    """How a department is kept from what is of another."""

    PAGE = auto()  # a page without facts in it
    SLICE = auto()  # whatever is asked below carries the department
    WORKING = auto()  # looked for in its slice, and then refused: not a department's work
    REFUSED = auto()  # refused before anything is asked
    FILTERED = auto()  # read whole, and filtered: `shown_by` names the test
    DOOR = auto()  # for who is not signed in, and nobody's facts
    LINK = auto()  # opened by a key that is no session: `shown_by` names the test of stale and foreign ones


@dataclass(frozen=True)
class Row:
    """`by`: who gets through; `body`: what he sends, bytes as they are; `query`: names another department, if any."""

    how: How
    by: str = "brigade"
    body: Any = None
    query: str = ""
    shown_by: str = ""


PAGE, SLICE, REFUSED, DOOR = (Row(how) for how in (How.PAGE, How.SLICE, How.REFUSED, How.DOOR))
LINK = Row(
    How.LINK,
    shown_by="integration/console/test_documents.py::test_a_link_that_opens_nothing_has_one_answer_whatever_the_reason",
)
STOP = Row(How.LINK, shown_by="contract/console/test_report_schedules.py::test_a_key_stops_its_own_mails_and_no_others")
FORM = b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nx\r\n--b--\r\n'
ANOTHERS = "?of=department&value=education"
DAY = f"{ANOTHERS}&period=day&from=2026-11-29"
MONTH = {"scheme_id": "S", "period": "month", "from": "2026-10-01"}


def working(body: Any = None) -> Row:
    return Row(How.WORKING, body=body)


def refused(body: Any = None, by: str = "brigade", query: str = "") -> Row:
    return Row(How.REFUSED, by, body, query)


def own(body: Any, query: str = "") -> Row:
    return Row(How.SLICE, "health", body, query)


ROWS: dict[str, Row] = {
    **dict.fromkeys(
        (f"GET {path}" for path in (
            "/account", "/adjustments", "/documents", "/evaluation", "/history", "/listings", "/map", "/registry",
            "/reports", "/reports/one", "/reports/schedules",
        )), PAGE,
    ),
    "GET /": SLICE,
    "GET /wall": SLICE,
    "GET /health": REFUSED,
    "GET /mails": REFUSED,
    "GET /refusals": REFUSED,
    "GET /login": DOOR,
    "POST /login": DOOR,
    "POST /logout": DOOR,
    "GET /oidc/start": DOOR,
    "GET /oidc/callback": DOOR,
    "GET /oidc/sign-out": DOOR,
    "GET /api/v1/parts": DOOR,
    "GET /d/{link}": LINK,
    "GET /d/{link}/paper": LINK,
    "GET /d/{link}/files/{digest}": LINK,
    "POST /d/{link}/sign": LINK,
    "POST /d/{link}/submissions": LINK,
    "GET /reports/stop/{key}": STOP,
    "POST /reports/stop/{key}": STOP,
    "GET /api/v1/me": PAGE,
    "GET /api/v1/stream": SLICE,
    "GET /api/v1/summary/{name}": SLICE,
    "GET /api/v1/map": SLICE,
    "GET /api/v1/health": REFUSED,
    "GET /api/v1/health/day": REFUSED,
    "GET /api/v1/units": SLICE,
    "GET /api/v1/units/{unit_id}": SLICE,
    "GET /api/v1/cases": SLICE,
    "GET /api/v1/cases/{case_id}": SLICE,
    "GET /api/v1/cases/{case_id}/documents/{document_id}/{language}.{kind}": SLICE,
    "POST /api/v1/cases/{case_id}/acknowledge": own({"note": ""}),
    "POST /api/v1/cases/acknowledge": own({"case_ids": ["C1"]}),
    "POST /api/v1/cases/{case_id}/own": working(),
    "POST /api/v1/cases/{case_id}/release": working(),
    "POST /api/v1/cases/{case_id}/comments": own({"text": "gone there"}),
    "POST /api/v1/cases/{case_id}/verify": working({"finding": "true_alarm"}),
    "POST /api/v1/cases/{case_id}/shelve": working({"minutes": 10}),
    "POST /api/v1/cases/{case_id}/unshelve": working(),
    "POST /api/v1/cases/{case_id}/escalate": working({"step": "H1"}),
    "POST /api/v1/cases/{case_id}/merge": working({"into": "C2"}),
    "GET /api/v1/refusals": REFUSED,
    "GET /api/v1/refusals/{refusal_id}": REFUSED,
    "POST /api/v1/refusals/replay": refused({"refusals": ["0" * 32]}),
    "GET /api/v1/documents": SLICE,
    "GET /api/v1/documents/{document_id}": SLICE,
    "GET /api/v1/documents/{document_id}/paper": SLICE,
    "GET /api/v1/documents/{document_id}/files/{digest}": SLICE,
    "POST /api/v1/documents/{document_id}/sign": own({"name": "李"}),
    "POST /api/v1/documents/{document_id}/submissions": own(FORM),
    "POST /api/v1/documents/{document_id}/submissions/{submission_id}/decision": refused({"verdict": "accepted"}),
    "POST /api/v1/documents/{document_id}/links/{contact_id}/revoke": refused({}),
    "GET /api/v1/mails": REFUSED,
    "GET /api/v1/mails/{mail_id}": REFUSED,
    "GET /api/v1/mails/{mail_id}/files/{place}": REFUSED,
    "POST /api/v1/mails/{mail_id}/join": refused({"document": "D1", "seen": 0}),
    "POST /api/v1/mails/{mail_id}/take": refused({"party": "health", "document_id": "D1"}),
    "POST /api/v1/mails/{mail_id}/refuse": refused({"reason": "spam", "seen": 0}),
    "GET /api/v1/listings": SLICE,
    "GET /api/v1/listings/{listing_id}": SLICE,
    "GET /api/v1/listings/{listing_id}/files/{digest}": SLICE,
    "GET /api/v1/listings/{listing_id}/replies": SLICE,
    "POST /api/v1/listings": refused({"case_id": "C1", "reason": "again"}),
    "POST /api/v1/listings/{listing_id}/acts": refused({"act": "list", "revision": 1}),
    "POST /api/v1/listings/{listing_id}/evidence": own(FORM, query="?revision=1"),
    "POST /api/v1/listings/{listing_id}/evidence/reply": own({"revision": 1, "submission_id": "S1"}),
    "GET /api/v1/history": refused(query=f"{ANOTHERS}&scope=S1&from=2026-11-01&to=2026-11-02"),
    "GET /api/v1/history/subjects": SLICE,
    "GET /api/v1/history/export": refused(query=f"{ANOTHERS}&scope=S1&from=2026-11-01&to=2026-11-02&format=csv"),
    "GET /api/v1/reports": refused(query=ANOTHERS),
    "GET /api/v1/reports/one": refused(query=DAY),
    "GET /api/v1/reports/export": refused(query=f"{DAY}&format=pdf"),
    "GET /api/v1/report-schedules": Row(
        How.FILTERED,
        shown_by="unit/console/test_report_schedules.py::test_a_department_sees_its_own_and_changes_nothing",
    ),
    "POST /api/v1/report-schedules": refused(
        {"of": "department", "value": "health", "period": "month", "contacts": ["K1"]}
    ),
    "GET /api/v1/report-schedules/contacts": refused(query=ANOTHERS),
    "POST /api/v1/report-schedules/{schedule_id}/recipients": refused({"contacts": ["K1"]}),
    "POST /api/v1/report-schedules/{schedule_id}/{act}": REFUSED,
    "GET /api/v1/adjustments": SLICE,
    "POST /api/v1/adjustments": own(
        {"unit_id": "U1", "what": "test", "starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T01:00:00Z",
         "reason": "drill"}
    ),
    "GET /api/v1/adjustments/in-force": SLICE,
    "POST /api/v1/adjustments/{adjustment_id}/{decision}": own({"note": ""}),
    "GET /api/v1/evaluation": SLICE,
    "POST /api/v1/evaluation/points": refused(
        {"scheme_id": "S", "body_id": "health", "criterion_id": "C", "month": "2026-10-01", "points": "1",
         "reason": "r"}
    ),
    "POST /api/v1/evaluation/grave-results": refused({"body_id": "health", "text": "fire"}),
    "POST /api/v1/evaluation/points/{entry_id}/{decision}": refused({"note": "no"}),
    "POST /api/v1/evaluation/circulars": refused(MONTH),
    "GET /api/v1/evaluation/circulars/{document_id}/{language}.{kind}": REFUSED,
    "GET /api/v1/registry/entities/{kind}": SLICE,
    "GET /api/v1/registry/entities/{kind}/{entity_id}": SLICE,
    "GET /api/v1/registry/forms/{kind}": refused(query="?id=U1"),
    "POST /api/v1/registry/preview": refused({"kind": "unit", "row": {"unit_id": "U1"}}),
    "GET /api/v1/registry/proposals": REFUSED,
    "POST /api/v1/registry/proposals": refused({"kind": "unit", "row": {"unit_id": "U1"}}),
    "GET /api/v1/registry/proposals/{proposal_id}/file": REFUSED,
    "POST /api/v1/registry/proposals/{proposal_id}/preview": REFUSED,
    "POST /api/v1/registry/proposals/{proposal_id}/{decision}": refused({"note": ""}),
    "GET /api/v1/registry/export/{kind}.{form}": REFUSED,
    "GET /api/v1/registry/packs": REFUSED,
    "GET /api/v1/registry/packs/{pack_id}/{version}": REFUSED,
    "GET /api/v1/registry/packs/{pack_id}/{version}/since/{former}": REFUSED,
    "POST /api/v1/registry/what-ifs": refused({"kind": "day", "day": "2026-11-20", "content": "eA=="}),
    "GET /api/v1/registry/what-ifs": REFUSED,
    "GET /api/v1/registry/what-ifs/{what_if_id}": REFUSED,
    "POST /api/v1/account/password": own({"current": "a", "new": "b"}),
    "POST /api/v1/account/second-factor": own({"current": "a"}),
    "POST /api/v1/account/second-factor/confirm": own({"pending": "p", "code": "1"}),
    "POST /api/v1/account/second-factor/remove": own({"current": "a", "code": "1"}),
    "POST /api/v1/account/sign-out": own({}),
    "GET /api/v1/accounts": refused(by="admin"),
    "POST /api/v1/accounts": refused({"role": "centre", "display_name": "a", "username": "new"}, by="admin"),
    "POST /api/v1/accounts/screens": refused({"name": "wall", "display_name": "墙", "days": 1}, by="admin"),
    "POST /api/v1/accounts/{username}/edit": refused({"role": "centre", "display_name": "a"}, by="admin"),
    "POST /api/v1/accounts/{username}/reset": refused({}, by="admin"),
    "POST /api/v1/accounts/{username}/second-factor-reset": refused({}, by="admin"),
    "POST /api/v1/accounts/{username}/link": refused({"subject": None}, by="admin"),
    "POST /api/v1/accounts/{username}/disable": refused({}, by="admin"),
    "POST /api/v1/accounts/{username}/sign-out": refused({}, by="admin"),
}  # fmt: skip
FILLED = {
    "case_id": "C1", "unit_id": "U1", "document_id": "D1", "language": "zh", "kind": "pdf", "name": "fires",
    "refusal_id": "0" * 32, "digest": "0" * 64, "submission_id": "S1", "contact_id": "K1", "mail_id": "M1",
    "place": "0", "listing_id": "L" + "0" * 16, "schedule_id": "1", "act": "pause", "adjustment_id": "A2026-000001",
    "decision": "approve", "entry_id": "E1", "entity_id": "U1", "proposal_id": "R2026-000001", "form": "csv",
    "pack_id": "P", "version": "2", "former": "1", "what_if_id": "1", "username": "other", "link": "a" * 40,
    "key": "k" * 40,
}  # fmt: skip
WITH_FILES = (
    "POST /d/{link}/submissions", "POST /api/v1/documents/{document_id}/submissions",
    "POST /api/v1/listings/{listing_id}/evidence", "POST /api/v1/registry/preview",
    "POST /api/v1/registry/proposals", "POST /api/v1/registry/what-ifs",
)  # fmt: skip
"""Which take more than 16 KiB."""
NOBODYS = frozenset({"names", "positions"})
"""Asked below for everybody alike: names of bodies and streets; where units lie, shown of those of the slice alone."""
IN_A_SESSION = [name for name, row in ROWS.items() if row.how not in (How.DOOR, How.LINK)]
ORDERS = [name for name in ROWS if name.startswith("POST ")]


@dataclass
class Below:
    """Stands for all that is below the desks: writes down what it is asked. It knows nothing, or whatever one asks."""

    asked: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    knows: bool = False

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any, **more: Any) -> Any:
            self.asked.append((name, (*args, *more.values())))
            if not self.knows:
                raise NotFound
            return b"" if name.endswith("file") else MagicMock()

        return ask

    def expect(self, slice_: Slice) -> None:
        self.asked.append(("expect", (slice_,)))

    def follow(self, *args: Any) -> Any:
        self.asked.append(("follow", args))
        raise TooBusy("a stream has no end, and a test does")


class NoThrottle:
    def count(self, client: str) -> None:
        """Count nothing."""


class Sessions:
    """The token of a session is the name of the account."""

    async def sign_in(self, username: str, password: str, client: str, code: str = "") -> tuple[str, Session]:
        raise NotSignedIn

    async def session(self, token: str | None, *, takes_due: bool = False) -> Session:
        if token not in VIEWERS:
            raise NotSignedIn
        return Session(VIEWERS[token], f"csrf-{token}", NOW + timedelta(hours=1))

    async def sign_out(self, token: str) -> None:
        """End nothing."""


@dataclass
class Site:
    guard: Guard
    below: Below

    @asynccontextmanager
    async def client(self, username: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a client with a session, as its own pages ask: with the token and the mark of the sign-in."""
        headers, cookies = {}, {}
        if username is not None:
            session = await Sessions().session(username)
            headers = {"X-CSRF-Token": session.csrf, "X-Session": mark_of(session)}
            cookies = {"firenet_session": username}
        transport = httpx.ASGITransport(self.guard, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://console", headers=headers, cookies=cookies
        ) as client:
            yield client

    async def send(self, client: httpx.AsyncClient, name: str, **changes: Any) -> httpx.Response:
        """Send the request of a row; what was asked below stands in `below.asked` afterwards."""
        self.below.asked.clear()
        method, path = name.split(" ")
        row = ROWS[name]
        how: dict[str, Any] = {} if row.body is None else {"json": row.body}
        if isinstance(row.body, bytes):
            how = {"content": row.body, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}
        how["headers"] = how.get("headers", {}) | changes.pop("headers", {})
        filled = changes.pop("filled", {})
        return await client.request(method, address(path, **filled) + row.query, **(how | changes))


@pytest.fixture(scope="module")
def site() -> Site:
    below, clock, secrets, codes = Below(), ManualClock(NOW), FakeSecrets(), FakeCodes()
    made = build_site(
        authenticator=Sessions(),
        live=below,
        read=below,
        commands=below,
        refusals=RefusalService(below, below, clock),
        documents=DocumentUseCases(below),
        mails=MailUseCases(below),
        listings=ListingUseCases(below, below),
        links=LinkParts(below, NoThrottle()),
        histories=HistoryService(below),
        reports=ReportService(below, below, clock),
        schedules=ScheduleUseCases(below, below, secrets, clock, sends=True),
        adjustments=AdjustmentUseCases(below, below, below, clock),
        evaluation=EvaluationUseCases(below, below, below, clock),
        register=RegisterUseCases(below, below),
        what_ifs=WhatIfUseCases(below, below, clock),
        accounts=AccountUseCases(below, FakePasswords(), secrets, clock, codes),
        healths=SystemHealthService(below, below, below, clock),
        maps=MapService(below, clock),
        provider=ProviderParts(below, NoThrottle(), "provider"),
        clock=clock,
        metrics=Metrics(CollectorRegistry()),
        options=SiteOptions(),
    )
    assert isinstance(made, Guard)
    return Site(made, below)


def address(path: str, **filled: str) -> str:
    """Return the path with every place filled; `filled` stands in the place of what is ordinary."""
    values = FILLED | ({"kind": "unit"} if path.startswith("/api/v1/registry") else {})
    for name, value in (values | filled).items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def application(guard: Guard) -> FastAPI:
    inner: Any = guard
    while not isinstance(inner, FastAPI):
        inner = inner.app
    return inner


def test_every_route_has_a_row_here(site: Site) -> None:
    found = [
        f"{method} {route.path}"
        for route in iter_route_contexts(application(site.guard).routes)
        for method in route.methods or {"ANY"}
    ]
    assert sorted(found) == sorted(ROWS)


def test_the_tests_that_rows_name_are_there() -> None:
    for named in {row.shown_by for row in ROWS.values()} - {""}:
        file, _, function = named.partition("::")
        assert f"def {function}(" in (TESTS / file).read_text(encoding="utf-8"), named


@pytest.mark.parametrize("name", IN_A_SESSION)
async def test_a_stranger_is_sent_to_the_door_and_asks_nothing(site: Site, name: str) -> None:
    async with site.client() as client:
        answer = await site.send(client, name)
    _, path = name.split(" ")
    if path.startswith("/api/"):
        assert (answer.status_code, answer.json()) == (401, {"error": {"code": "not_signed_in"}})
    else:
        back = "/login" if path == "/" else f"/login?next={quote(path, safe='')}"
        assert (answer.status_code, answer.headers["location"]) == (303, back)  # and from there to where he wanted
    assert site.below.asked == []


@pytest.mark.parametrize("name", [name for name in IN_A_SESSION if "/api/" in name and " /api/v1/account/" not in name])
async def test_a_page_of_another_sign_in_is_told_so(site: Site, name: str) -> None:
    async with site.client(ROWS[name].by) as client:
        if name == "GET /api/v1/stream":  # an event source sends no headers of ours
            answer = await site.send(client, name, params={"session": "0" * 16})
        else:
            answer = await site.send(client, name, headers={"X-Session": "0" * 16})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "other_session")
    assert site.below.asked == []


@pytest.mark.parametrize("name", ORDERS)
async def test_what_another_site_caused_is_refused(site: Site, name: str) -> None:
    forged = [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
    if name in IN_A_SESSION:
        forged += [{"X-CSRF-Token": ""}, {"X-CSRF-Token": "csrf-brigades"}]
    async with site.client(ROWS[name].by) as client:
        for headers in forged:
            answer = await site.send(client, name, headers=headers)
            assert answer.status_code == 403, headers
            assert site.below.asked == [], headers
        if name in IN_A_SESSION:  # and with its own token it is no forgery: it gets to who decides
            answer = await site.send(client, name)
            assert answer.status_code not in (401, 403, 413, 422), answer.text


@pytest.mark.parametrize("name", IN_A_SESSION)
async def test_a_screen_sees_the_live_picture_and_gives_no_order(site: Site, name: str) -> None:
    allowed = ("GET /wall", "GET /api/v1/me", "GET /api/v1/stream", "GET /api/v1/summary/{name}")
    async with site.client("screen") as client:
        answer = await site.send(client, name)
    if name == "GET /":
        assert (answer.status_code, answer.headers["location"]) == (303, "/wall")
    elif name not in allowed:
        assert answer.status_code == 403
        assert site.below.asked == []


@pytest.mark.parametrize("name", IN_A_SESSION)
async def test_a_department_is_kept_from_what_is_of_another(site: Site, name: str) -> None:
    how = ROWS[name].how
    asked, codes = [], []
    async with site.client("health") as client:
        for site.below.knows in (False, True):
            codes.append((await site.send(client, name)).status_code)
            asked += site.below.asked
    site.below.knows = False
    match how:
        case How.PAGE:
            assert (codes, asked) == ([200, 200], [])
        case How.REFUSED:
            assert codes[0] == codes[1]
            assert codes[0] in (403, 404)
            assert asked == []
        case How.SLICE:
            whole = {method for method, arguments in asked if not _carries(arguments)}
            assert whole <= NOBODYS, asked
            assert {method for method, _ in asked} > whole, asked
        case How.WORKING:
            assert codes == [404, 403]
            assert {method for method, _ in asked} == {"case"}
            assert all(_carries(arguments) for _, arguments in asked)
        case _:
            assert how is How.FILTERED
    for method, arguments in asked:
        assert not any(isinstance(one, Slice) and one.whole for one in arguments), method
        assert not any(isinstance(one, Viewer) and one != OWN for one in arguments), method


def _carries(arguments: tuple[Any, ...]) -> bool:
    """Return whether something asked below says of which department, or of which account of it."""
    return any(one in (OWN, OWN.slice, OWN.username, OWN.department) for one in arguments)


@pytest.mark.parametrize("name", [name for name in ROWS if "{" in name])
async def test_a_place_in_the_path_is_no_way_in(site: Site, name: str) -> None:
    _, path = name.split(" ")
    async with site.client(ROWS[name].by) as client:
        for place in (part.split("}")[0] for part in path.split("{")[1:]):
            for hostile in HOSTILE:
                answer = await site.send(client, name, filled={place: hostile})
                assert 400 <= answer.status_code < 500, (place, hostile, answer.status_code)
                assert "<script>alert" not in answer.text


@pytest.mark.parametrize("name", ORDERS)
async def test_a_body_is_bounded(site: Site, name: str) -> None:
    """In both ways that a body can come: with its length, and in pieces without one."""
    most, _ = bounds_of(address(name.split(" ")[1]))
    assert (most > MAX_BODY_BYTES) == (name in WITH_FILES)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(most // 65536 + 2):
            yield b" " * 65536

    async with site.client(ROWS[name].by) as client:
        answer = await site.send(client, name, content=b" " * (most + 1), json=None)
        assert (answer.status_code, site.below.asked) == (413, [])
        if name not in WITH_FILES:
            answer = await site.send(client, name, content=pieces(), json=None)
            assert answer.status_code >= 400
