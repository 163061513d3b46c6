"""Rates by day over HTTP: the slice of the account holds for the page, the API and both files."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta

import openpyxl
import pytest

from tests.integration.console.harness import Console, console
from tests.integration.console.history import publish, sample
from tests.integration.console.scenario import Scenario, district


@pytest.fixture
async def site(empty_scenario: Scenario) -> AsyncIterator[Console]:
    empty_scenario.put(district(16))
    empty_scenario.stay_fresh()
    empty_scenario.execute("TRUNCATE rules.rate_samples, compliance.figures")
    async with console(empty_scenario.dsn) as running:
        yield running


async def test_a_district_is_read_and_saved_and_a_department_gets_its_own_alone(
    site: Console, empty_scenario: Scenario
) -> None:
    today = empty_scenario.today()
    for subject in (("district", "sample"), ("department", "health"), ("town", "dongjie")):
        sample(empty_scenario, today, subject=subject, units=16, connected=15, hour=0)
    year_ago = today - timedelta(days=365)
    publish(empty_scenario, year_ago, low=199)
    span = {"scope": "S1", "from": str(today), "to": str(today)}
    async with site.signed_in("centre") as browser:
        offered = await browser.json("/api/v1/history/subjects")
        assert {one["dimension"] for one in offered["subjects"]} == {"district", "town", "department"}
        whole = {"of": "district", "value": "sample"} | span
        (day,) = (await browser.json("/api/v1/history", **whole))["days"]
        assert (day["state"], day["low"], day["numerator"], day["denominator"]) == ("open", "93.7", 15, 16)
        saved = await browser.http.get("/api/v1/history/export", params=whole | {"format": "csv", "lang": "en"})
        (_, line) = csv.reader(io.StringIO(saved.content.decode("utf-8-sig")))
        assert "93.7" in line
        assert saved.headers["content-disposition"].startswith('attachment; filename="rate-district-sample-S1-')
        saved = await browser.http.get("/api/v1/history/export", params=whole | {"format": "xlsx"})
        sheet = openpyxl.load_workbook(io.BytesIO(saved.content)).active
        assert sheet is not None
        assert sheet.max_row == 2
        before = {"from": str(year_ago), "to": str(year_ago)}
        (day,) = (await browser.json("/api/v1/history", **whole | before))["days"]
        assert (day["state"], day["low"]) == ("closed", "99.5")
    async with site.signed_in("health") as browser:
        offered = await browser.json("/api/v1/history/subjects")
        assert offered["subjects"] == [{"dimension": "department", "value": "health"}]
        own = await browser.json("/api/v1/history", of="department", value="health", **span)
        assert own["days"][0]["low"] == "93.7"
        for path in ("/api/v1/history", "/api/v1/history/export"):
            wanted = {"of": "district", "value": "sample"} | span | ({"format": "csv"} if "export" in path else {})
            assert (await browser.http.get(path, params=wanted)).status_code == 404
    async with site.signed_in("dongjie") as browser:
        offered = await browser.json("/api/v1/history/subjects")
        assert offered["subjects"] == [{"dimension": "town", "value": "dongjie"}]
    async with site.client() as stranger:
        assert (await stranger.get("/api/v1/history/export", params={**whole, "format": "csv"})).status_code == 401
        sent = await stranger.get("/history?scope=S1")
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fhistory%3Fscope%3DS1")
