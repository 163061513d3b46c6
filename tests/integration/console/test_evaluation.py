"""Scores at the page: everybody's own slice, and points that go through the registry with account and reason."""

import json
from typing import Any

import psycopg

from tests.integration.console.harness import Browser
from tests.integration.console.test_adjustments import code, running

PATROL = {
    "scheme_id": "towns", "body_id": "health", "criterion_id": "patrol", "month": "2026-03-01", "points": "15.5",
    "reason": "逐户走访",
}  # fmt: skip


def put_scores(dsn: str) -> None:
    rows = [
        ("health", 1, "50.0", False), ("health", 2, "60.0", False), ("sample/health", 1, "65.0", False),
        ("education", 1, "70.0", False), ("finance", 1, "10.0", False), ("finance", 2, None, True),
    ]  # fmt: skip
    with psycopg.connect(dsn) as connection:
        for body, revision, low, withdrawn in rows:
            connection.execute(
                "INSERT INTO compliance.scores (scheme_id, body_id, period_kind, period_from, period_to, revision, "
                "low, high, grade, provisional, list, pack_id, pack_version, withdrawn, score) VALUES ('towns', %s, "
                "'month', '2026-02-28T16:00Z', '2026-03-31T16:00Z', %s, %s, %s, NULL, true, NULL, 'sample-2026', 1, "
                "%s, %s)",
                (body, revision, low, low, withdrawn, json.dumps({"body": body, "low": low})),
            )


def seen(answer: Any) -> list[tuple[str, int, str]]:
    return [(row["score"]["body"], row["revision"], row["score"]["low"]) for row in answer["board"]["rows"]]


async def enter(browser: Browser, body: Any, **headers: str) -> tuple[int, Any]:
    answer = await browser.order("/api/v1/evaluation/points", body, **headers)
    return answer.status_code, answer.json()


async def decide(browser: Browser, decision: str, entry: str = "S2026-000001") -> tuple[int, Any]:
    answer = await browser.order(f"/api/v1/evaluation/points/{entry}/{decision}", {"note": ""})
    return answer.status_code, answer.json()


async def test_scores_are_shown_by_slice_and_points_are_entered_by_the_brigade_alone(migrated_database: str) -> None:
    async with running(migrated_database) as here:
        put_scores(here.dsn)
        async with here.console.signed_in("brigade") as brigade:
            board = await brigade.json("/api/v1/evaluation")
            assert seen(board) == [
                ("education", 1, "70.0"), ("health", 2, "60.0"), ("sample/health", 1, "65.0")
            ]  # fmt: skip
            assert (board["board"]["shown"], board["board"]["may_enter"]) == (
                {"kind": "month", "first": "2026-03-01"}, True
            )  # fmt: skip
            assert board["names"]["health"][0] == "卫生健康局"
            assert board["rules"]["sample-2026/towns"]["bands"] == {"excellent": 90, "good": 80, "competent": 60}
            assert (await brigade.json("/api/v1/evaluation", period="year", **{"from": "2026-01-01"}))["board"][
                "rows"
            ] == []

            answer = await enter(brigade, PATROL)
            assert answer == (200, {"entry_id": "S2026-000001"})
            assert code(await enter(brigade, PATROL | {"points": "20.5"})) == (422, "bad_adjustment")
            assert code(await enter(brigade, PATROL | {"body_id": "nobody"})) == (404, "not_found")
            assert (await enter(brigade, PATROL | {"points": "a lot"}))[0] == 422
            assert code(await enter(brigade, PATROL, **{"X-CSRF-Token": "forged"})) == (403, "forged")
            board = (await brigade.json("/api/v1/evaluation"))["board"]
            assert [(one["entry_id"], one["points"], one["may"]) for one in board["waiting"]] == [
                ("S2026-000001", "15.5", ["withdraw"])
            ]  # fmt: skip
            assert code(await decide(brigade, "approve")) == (409, "same_person")
            assert code(await decide(brigade, "approve", entry="S2026-000009")) == (404, "not_found")
        async with here.console.signed_in("wang") as second:
            board = (await second.json("/api/v1/evaluation"))["board"]
            assert [one["may"] for one in board["waiting"]] == [["approve", "reject"]]
            assert await decide(second, "approve") == (200, {"state": "approved"})
            assert (await second.json("/api/v1/evaluation"))["board"]["waiting"] == []
            assert code(await decide(second, "approve")) == (409, "not_waiting")
        async with here.console.signed_in("health") as health:
            board = await health.json("/api/v1/evaluation")
            assert (seen(board), board["board"]["may_enter"]) == (
                [("health", 2, "60.0"), ("sample/health", 1, "65.0")], False
            )  # fmt: skip
            assert board["board"]["waiting"] == []
            assert code(await enter(health, PATROL)) == (403, "not_allowed")
            assert code(await decide(health, "approve")) == (403, "not_allowed")

        with psycopg.connect(here.dsn) as connection:
            entered = connection.execute("SELECT account, points::text, reason FROM registry.manual_scores").fetchall()
            audited = connection.execute("SELECT account, via, action FROM registry.adjustment_audit").fetchall()
        assert entered == [("brigade", "15.5", "逐户走访")]
        assert audited == [("brigade", "console", "score"), ("wang", "console", "score_approved")]
