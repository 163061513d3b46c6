"""Work on cases over HTTP: whose it is, who may, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.console.harness import Console, console
from tests.integration.console.scenario import Scenario, district

ACTS: list[tuple[str, dict[str, Any]]] = [
    ("own", {}),
    ("release", {}),
    ("comments", {"text": "已联系"}),
    ("verify", {"finding": "false_alarm", "note": ""}),
    ("verify", {"finding": "false_alarm", "note": "", "cause": "insect"}),
    ("shelve", {"minutes": 60, "note": "等运营商"}),
    ("unshelve", {}),
    ("escalate", {"step": "H1", "note": "节日"}),
    ("merge", {"into": "CC1"}),
]


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(8))
    empty_scenario.stay_fresh()
    empty_scenario.open_case("C1", "U00000", "fire")
    empty_scenario.open_case("C2", "U00001", "fault")
    return empty_scenario


@pytest.fixture
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        yield running


@pytest.mark.parametrize(("act", "body"), ACTS)
async def test_an_act_goes_to_alerts_with_who_does_it_and_only_from_our_own_page(
    site: Console, act: str, body: dict[str, Any]
) -> None:
    path = f"/api/v1/cases/C1/{act}"
    async with site.client() as stranger:
        assert (await stranger.post(path, json=body)).status_code == 401
    async with site.signed_in("centre") as browser:
        for headers in ({"X-CSRF-Token": "x"}, {"origin": "https://other.example"}, {"sec-fetch-site": "cross-site"}):
            assert (await browser.order(path, body, **headers)).status_code == 403
        assert site.alerts.acts == []
        assert (await browser.order(path, body, origin=site.url)).status_code == 200
        assert site.alerts.acts == [(act, "C1", {"account": "centre", "body_code": None, "via": "console"} | body)]
        assert (await browser.order("/api/v1/cases/none/" + act, body)).status_code == 404
        for status, expected in ((404, 404), (409, 409), (500, 503)):
            site.alerts.status = status
            assert (await browser.order(path, body)).status_code == expected


async def test_a_department_writes_beside_its_own_cases_and_does_nothing_else(site: Console) -> None:
    async with site.signed_in("health") as browser:
        found = {
            (act, case): (await browser.order(f"/api/v1/cases/{case}/{act}", body)).status_code
            for act, body in ACTS
            for case in ("C1", "C2")
        }
    of_its_own = {(act, "C1"): 200 if act == "comments" else 403 for act, _ in ACTS}
    assert found == of_its_own | {(act, "C2"): 404 for act, _ in ACTS}
    assert [(act, case_id, asked["body_code"]) for act, case_id, asked in site.alerts.acts] == [
        ("comments", "C1", "health")
    ]


async def test_many_are_acknowledged_at_once_under_the_bounds_of_the_form(site: Console) -> None:
    path = "/api/v1/cases/acknowledge"
    async with site.signed_in("health") as browser:
        answer = await browser.order(path, {"case_ids": ["C1", "C2"], "note": "已派人\n\u202e"})
        assert (answer.status_code, answer.json()) == (200, {"replies": {"C1": "done", "C2": "done"}})
        for bad in ([], ["C1"] * 101, ["../x"], ["C1", 7]):
            assert (await browser.order(path, {"case_ids": bad, "note": ""})).status_code == 422
        assert (await browser.order(path, {"case_ids": ["C1"], "note": "x" * 501})).status_code == 422
        assert (await browser.order(path, {"case_ids": ["C1"], "note": ""}, **{"X-CSRF-Token": "x"})).status_code == 403
    ((_, _, asked),) = site.alerts.asked
    assert asked == {
        "account": "health", "body_code": "health", "via": "console", "case_ids": ["C1", "C2"], "note": "已派人"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("comments", {"text": ""}),
        ("comments", {"text": " \n\u0000 "}),
        ("comments", {"text": "x" * 501}),
        ("comments", {"text": "x", "body_code": "brigade"}),
        ("verify", {"finding": "perhaps"}),
        ("verify", {"finding": "true_alarm", "cause": "insect"}),
        ("verify", {}),
        ("own", {"account": "brigade"}),
    ],
)
async def test_what_says_nothing_or_too_much_is_refused(site: Console, act: str, body: dict[str, Any]) -> None:
    async with site.signed_in("centre") as browser:
        answer = await browser.order(f"/api/v1/cases/C1/{act}", body)
        assert answer.status_code in ((200,) if act == "own" else (422,))
    assert all(asked["account"] == "centre" for _, _, asked in site.alerts.acts), "the account is the session's"


async def test_signing_off_gives_back_what_the_account_works_on_though_alerts_may_be_away(site: Console) -> None:
    for status in (200, 500):
        site.alerts.status = status
        async with site.signed_in("centre") as browser:
            answer = await browser.http.post("/logout", data={"csrf": browser.csrf})
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    async with site.signed_in("health") as browser:
        await browser.http.post("/logout", data={"csrf": browser.csrf})
    assert [(act, asked["account"]) for act, _, asked in site.alerts.acts] == [("sign_off", "centre")] * 2


async def test_a_list_that_nobody_can_have_asked_for_is_refused(site: Console) -> None:
    queries = (
        {"state": "all"}, {"sort": "name"}, {"after": "1"}, {"after": "x" * 400}, {"offset": "60"}, {"limit": "201"},
        {"kind": "'; DROP"}, {"q": "x" * 65}, {"step": "x" * 65},
    )  # fmt: skip
    async with site.signed_in("centre") as browser:
        for query in queries:
            answer = await browser.http.get("/api/v1/cases", params=query)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_request"), query
        for text in ("\0", "%", "\\", "' OR 1=1 --", "\u202e"):
            for name in ("q", "town", "department", "step"):
                assert (await browser.json("/api/v1/cases", **{name: text}))["rows"] == [], (name, text)
