"""Calls of other services: what is sent, what becomes of an answer, and what is never written down."""

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.console.adapters.alerts_client import HttpCaseCommands
from services.console.adapters.documents_client import HttpDocuments
from services.console.adapters.listings_client import HttpListings
from services.console.adapters.register_client import FILE_DEADLINE_S, HttpRegisterOrders
from services.console.adapters.registry_client import HttpAdjustmentOrders
from services.console.adapters.service_api import UPLOAD_S
from services.console.domain.adjustments import Decision
from services.console.domain.documents import RawForm
from services.console.domain.errors import (
    AlertsUnavailable,
    BadAdjustment,
    BadLink,
    Conflict,
    ConsoleError,
    DocumentRefused,
    DocumentsUnavailable,
    FaultyFile,
    ListingRefused,
    NotFound,
    RegistryUnavailable,
    SamePerson,
)
from services.kernel.words import AlarmCause, EntityKind, Verification
from tests.unit.console.builders import CENTRE

LINK = "a-link-that-opens-a-document"


Call = Callable[["Service"], Awaitable[None]]


class Service:
    """Answers everything the same, and keeps what it was asked."""

    def __init__(
        self, status: int, body: bytes, instead: Callable[[httpx.Request], httpx.Response] | None = None
    ) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = instead or (lambda _: httpx.Response(status, content=body))

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._take))

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)


def answering(status: int, told: object = None) -> Service:
    return Service(status, b"" if told is None else json.dumps(told).encode())


async def acknowledge(service: Service) -> None:
    await HttpCaseCommands(service.client(), "http://alerts/", SecretStr("t"), 3.0).acknowledge("C 1/2", CENTRE, "ok")


async def propose(service: Service) -> None:
    await HttpListings(service.client(), "http://alerts", SecretStr("t"), 3.0).propose(CENTRE, "C1", "a")


async def sign(service: Service) -> None:
    await HttpDocuments(service.client(), "http://documents", SecretStr("t"), 3.0).sign("health", "li", "D1", "Li")


async def by_link(service: Service) -> None:
    await HttpDocuments(service.client(), "http://documents", SecretStr("t"), 3.0).of_link(LINK)


async def approve(service: Service) -> None:
    orders = HttpAdjustmentOrders(service.client(), "http://registry", SecretStr("t"), 3.0)
    await orders.decide(Decision.APPROVE, "A1", CENTRE, "")


async def form(service: Service) -> None:
    await HttpRegisterOrders(service.client(), "http://registry", SecretStr("t"), 3.0).form(EntityKind.UNIT, "U 1")


UNAVAILABLE: dict[Call, type[ConsoleError]] = {
    acknowledge: AlertsUnavailable,
    propose: AlertsUnavailable,
    sign: DocumentsUnavailable,
    by_link: DocumentsUnavailable,
    approve: RegistryUnavailable,
    form: RegistryUnavailable,
}
CALLS = list(UNAVAILABLE)


@pytest.mark.parametrize(
    ("call", "status", "told", "error"),
    [
        (acknowledge, 404, None, NotFound),
        (acknowledge, 409, {"reason": "closed"}, Conflict),
        (propose, 404, None, NotFound),
        (propose, 422, {"reason": "not_now"}, ListingRefused),
        (sign, 404, None, NotFound),
        (sign, 413, {"reason": "too_large"}, DocumentRefused),
        (sign, 409, ["no reason"], DocumentRefused),
        (by_link, 404, None, BadLink),
        (approve, 403, {"code": "same_person"}, SamePerson),
        (approve, 400, {"code": "bad_request", "detail": "note"}, BadAdjustment),
        (form, 404, {"code": "unknown_entity"}, NotFound),
        (form, 422, {"code": "faulty", "report": {"rows": 1}}, FaultyFile),
    ],
)
async def test_what_a_service_refuses_is_its_own_error(
    call: Call, status: int, told: object, error: type[ConsoleError]
) -> None:
    with capture_logs() as logs, pytest.raises(error):
        await call(answering(status, told))
    assert logs == []  # somebody asked for what cannot be: nothing to look after


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [302, 401, 418, 500, 503])
async def test_any_other_answer_says_that_the_service_is_not_there(call: Call, status: int) -> None:
    with capture_logs() as logs, pytest.raises(UNAVAILABLE[call]):
        await call(answering(status, {"code": "of nobody", "reason": "of nobody"}))
    assert [(each["event"], each["reason"]) for each in logs] == [("service_call_failed", f"http_{status}")]


@pytest.mark.parametrize("call", CALLS)
async def test_silence_says_so_and_writes_down_neither_link_nor_token(call: Call) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(f"{request.url} {request.headers}", request=request)

    with capture_logs() as logs, pytest.raises(UNAVAILABLE[call]):
        await call(Service(200, b"", silent))
    assert [each["reason"] for each in logs] == ["ReadTimeout"]
    assert LINK not in str(logs)
    assert "Bearer" not in str(logs)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"<html>"])
@pytest.mark.parametrize("call", [approve, form])
async def test_a_success_that_is_no_object_is_no_success(call: Call, body: bytes) -> None:
    with pytest.raises(RegistryUnavailable):
        await call(Service(200, body))


async def test_a_call_carries_the_token_and_quotes_what_it_names() -> None:
    service = answering(200, {})
    await acknowledge(service)
    (request,) = service.asked
    assert request.headers["Authorization"] == "Bearer t"
    assert request.url.raw_path == b"/v1/cases/C%201%2F2/acknowledge"
    assert json.loads(request.content) == {
        "account": CENTRE.username,
        "body_code": CENTRE.department,
        "via": "console",
        "note": "ok",
    }


async def test_a_verification_names_a_cause_only_where_one_was_said() -> None:
    """Alerts of the version before takes a fire's finding as ever: it would refuse a member that it does not know."""
    service = answering(200, {})
    commands = HttpCaseCommands(service.client(), "http://alerts", SecretStr("t"), 3.0)
    await commands.verify("C1", CENTRE, Verification.TRUE_ALARM, "", None)
    await commands.verify("C1", CENTRE, Verification.TRUE_ALARM, "", AlarmCause.COOKING)
    without, with_one = (json.loads(request.content) for request in service.asked)
    assert "cause" not in without
    assert with_one == without | {"cause": "cooking"}


async def test_a_click_waits_its_deadline_and_a_form_or_a_file_longer() -> None:
    service = answering(200, {"pack": "p"})
    documents = HttpDocuments(service.client(), "http://documents", SecretStr("t"), 3.0)
    await documents.sign("health", "li", "D1", "Li")
    await documents.submit("health", "li", "D1", RawForm("multipart/form-data; boundary=x", b"--x--"))
    await HttpRegisterOrders(service.client(), "http://registry", SecretStr("t"), 3.0).checked_pack("a: 1", CENTRE)
    assert [each.extensions["timeout"]["read"] for each in service.asked] == [3.0, UPLOAD_S, FILE_DEADLINE_S]
    assert service.asked[1].headers["Content-Type"] == "multipart/form-data; boundary=x"
