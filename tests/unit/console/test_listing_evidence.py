"""Evidence by reference to a reply: who may, which replies, that it is what was signed, and what alerts gets of it."""

from hashlib import sha256
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from services.alerts.adapters.http_listings import ListingsApi, listing_routes
from services.alerts.domain.case.who import Who
from services.alerts.domain.listing.listing import Listing, ListingId, Said
from services.console.adapters.listings_client import HttpListings
from services.console.domain.documents import File
from services.console.domain.errors import ListingRefused, NotAllowed, NotFound
from services.console.domain.viewer import Role, Username, Viewer
from services.console.worker.listings import ListingUseCases
from services.kernel.words import ListingAct
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0
from tests.unit.alerts.listings import new
from tests.unit.console.builders import CENTRE, HEALTH

BRIGADE = Viewer(Username("officer-a"), Role.BRIGADE, None, "大队")
PDF = File('整改 "报告".pdf', "application/pdf", b"%PDF-1.7 signed")
PHOTO = File("照片.jpg", "image/jpeg", b"\xff\xd8\xff\x00photo")
ID = "L" + "0" * 16
SOURCE = "鼓消〔2026〕3号 health S1"


def digest_of(file: File) -> str:
    return sha256(file.content).hexdigest()


class Alerts:
    """The listings port of alerts: keeps what it was asked to do."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, int, ListingAct, Who, Said]] = []

    async def act(self, listing_id: ListingId, seen: int, act: ListingAct, who: Who, said: Said) -> Listing:
        self.acts.append((listing_id, seen, act, who, said))
        return new()

    async def one(self, listing_id: str, body_code: str | None, now: object) -> dict[str, Any] | None:
        return {"case_id": "C1"} if body_code in (None, "health") else None


class Letters:
    """Documents: one reply of health, with its files by hash."""

    def __init__(self, *files: File) -> None:
        self.files = {digest_of(one): one for one in files}
        self.asked: list[tuple[str | None, str]] = []

    async def replies(self, party: str | None, case_id: str) -> Any:
        self.asked.append((party, case_id))
        files = [{"sha256": digest, "name": one.name} for digest, one in self.files.items()]
        reply = {"document_id": "D1", "number": "鼓消〔2026〕3号", "submission_id": "S1", "party": "health"}
        return {"rows": [reply | {"files": [*files, *files[:1]]}]}

    async def file(self, party: str | None, document_id: str, digest: str) -> File:
        assert document_id == "D1"
        return self.files[digest]


def desk(alerts: Alerts, letters: Letters) -> ListingUseCases:
    """Return the desk before the very API of alerts."""
    app = FastAPI()
    app.include_router(listing_routes(ListingsApi(cast(Any, alerts), cast(Any, alerts), ManualClock(T0))))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    return ListingUseCases(HttpListings(client, "http://alerts", SecretStr("x"), 5.0), cast(Any, letters))


@pytest.mark.parametrize(("viewer", "party"), [(BRIGADE, None), (HEALTH, "health")])
async def test_the_files_of_a_reply_are_handed_in_each_once_with_its_name_as_their_source(
    viewer: Viewer, party: str | None
) -> None:
    alerts, letters = Alerts(), Letters(PDF, PHOTO)
    at = desk(alerts, letters)
    assert [one["submission_id"] for one in (await at.replies(viewer, ID))["rows"]] == ["S1"]
    await at.take_over(viewer, ID, 4, "S1")
    assert letters.asked == [(party, "C1")] * 2
    ((listing_id, seen, act, who, said),) = alerts.acts
    assert (listing_id, seen, act, said.source) == (ID, 4, ListingAct.HAND_IN, SOURCE)
    assert who == Who(viewer.username, party, "console")
    assert [(one.sha256, one.media_type) for one in said.files] == [
        (digest_of(PDF), PDF.media_type),
        (digest_of(PHOTO), PHOTO.media_type),
    ]


async def test_what_came_is_no_evidence_where_it_is_not_what_was_handed_in() -> None:
    alerts, letters = Alerts(), Letters(PDF)
    letters.files = dict.fromkeys(letters.files, PHOTO)
    with pytest.raises(ListingRefused) as refused:
        await desk(alerts, letters).take_over(BRIGADE, ID, 4, "S1")
    assert refused.value.code == "listing_file_changed"
    assert not alerts.acts


async def test_who_may_not_and_what_is_no_reply_of_its_case_does_nothing() -> None:
    alerts, letters = Alerts(), Letters(PDF)
    at = desk(alerts, letters)
    with pytest.raises(NotAllowed):
        await at.take_over(CENTRE, ID, 4, "S1")
    with pytest.raises(NotAllowed):
        await at.replies(CENTRE, ID)
    with pytest.raises(NotFound):
        await at.take_over(BRIGADE, ID, 4, "S2")
    other = Viewer(Username("teacher"), Role.DEPARTMENT, cast(Any, "education"), "教育局")
    with pytest.raises(NotFound):
        await at.take_over(other, ID, 4, "S1")
    assert letters.asked == [(None, "C1")], "of a listing that is another body's nothing is asked"
    assert not alerts.acts


async def test_too_many_files_are_refused_by_name() -> None:
    alerts = Alerts()
    app = FastAPI()
    app.include_router(listing_routes(ListingsApi(cast(Any, alerts), cast(Any, alerts), ManualClock(T0))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        answer = await client.post(
            "/v1/listings/evidence",
            params={"listing_id": ID, "account": "clerk", "revision": "4"},
            files=[("files", (PDF.name, PDF.content, PDF.media_type))] * 6,
        )
    assert (answer.status_code, answer.json()) == (422, {"reason": "too_many_files"})
    assert not alerts.acts


async def test_a_browser_names_no_source() -> None:
    alerts = Alerts()
    app = FastAPI()
    app.include_router(listing_routes(ListingsApi(cast(Any, alerts), cast(Any, alerts), ManualClock(T0))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        answer = await client.post(
            "/v1/listings/evidence",
            params={"listing_id": ID, "account": "clerk", "revision": "4"},
            data={"text": "已整改", "source": SOURCE},
            files=[("files", (PDF.name, PDF.content, PDF.media_type))],
        )
    assert answer.status_code == 200
    ((*_, said),) = alerts.acts
    assert (said.text, said.source) == ("已整改", "")
