"""The promises of alerts under kills, dead endpoints and people, on real parts."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from services.alerts.adapters import bundle_check
from services.kernel.words import FindingKind, Phase
from tests.integration.alerts.scenario import (
    ROOT,
    TOKEN,
    Hook,
    Scenario,
    contact_record,
    finding,
    fire,
    gateway_record,
    pack_record,
    sample_pack,
    scenario,
    unit_record,
    until,
)


async def received(hook: Hook, most: int, limit_s: float = 90) -> None:
    async def enough() -> bool:
        return len(hook.received) >= most

    await until(enough, f"{most} webhooks received", limit_s)


async def test_hanging_department_delays_neither_fire_nor_others(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre, health, education = here.hook(), here.hook(), here.hook()
        health.hanging = True
        units = [f"H{number}" for number in range(30)]
        await here.publish(
            pack_record(sample_pack(group_wait_s=0, common_cause=_never_common())),
            contact_record("c-centre", "centre", url=centre.url),
            contact_record("c-health", "health", url=health.url),
            contact_record("c-education", "education", url=education.url),
            *[unit_record(unit, lead="health") for unit in units],
            unit_record("S1", lead="education"),
        )
        # Whatever waited for the department would wait longer than this test does for anything.
        here.start(ALERTS_CLOCK_RATE="1000000", ALERTS_WEBHOOK_DEADLINE_S="60")
        await here.publish(*[finding(unit, f"d-{unit}") for unit in units])
        await received(health, 1)
        await here.publish(finding("S1", "d-s"))
        await received(education, 1, limit_s=45)
        await here.publish(fire("H1", "s1"))
        await until(lambda: _fire_told(centre), "the fire is told while the department hangs", 45)
        await here.until_row("SELECT count(*) = 1 FROM alerts.notices WHERE fire AND state = 'accepted'", limit_s=45)
        await received(centre, len(units) + 2)  # everybody's H0 as well
        assert await here.one("SELECT count(*) = 0 FROM alerts.notices WHERE body_code = 'health' AND ended_at < now()")


async def test_kill_between_send_and_record_repeats_the_notice_once(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre = Killer(here)
        here.hooks.append(centre)
        await here.publish(
            pack_record(sample_pack()), unit_record("U1"), contact_record("c-centre", "centre", url=centre.url)
        )
        here.start(ALERTS_WEBHOOK_DEADLINE_S="1")  # as long is its lease, which the next one waits for
        await here.publish(fire("U1", "s1"))
        await received(centre, 1)
        assert await asyncio.to_thread(here.processes[0].wait, 60) == -signal.SIGKILL
        here.start()
        await here.until_row("SELECT state = 'accepted' FROM alerts.notices WHERE fire")
        ids = [one.headers["webhook-id"] for one in centre.received]
        assert len(ids) == 2
        assert len(set(ids)) == 1
        assert await here.one("SELECT count(*) FROM alerts.cases") == 1


async def test_acknowledging_is_scoped_idempotent_and_does_not_stop_the_clock(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre = here.hook()
        await here.publish(
            pack_record(sample_pack(group_wait_s=1)),
            unit_record("U1", lead="health"),
            contact_record("c-centre", "centre", url=centre.url),
            contact_record("c-health", "health", email="health@mail.firenet-demo.cn"),
        )
        here.start(ALERTS_CLOCK_RATE="24000")
        await here.until_row("SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'")
        await here.publish(finding("U1", "d1"))
        case_id = await here.until_row("SELECT case_id FROM alerts.cases WHERE step IS NOT NULL")
        await received(centre, 1)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{here.http_port}", trust_env=False, timeout=60
        ) as client:
            await _acknowledge(client, case_id)
        await here.until_row("SELECT step = 'H4' FROM alerts.cases")
        # what still waits when the case ends is not sent any more
        await here.until_row("SELECT bool_and(state IN ('accepted', 'cancelled')) FROM alerts.notices")
        assert await here.one("SELECT acknowledged_by FROM alerts.cases") == "officer"
        assert await here.one("SELECT array_agg(DISTINCT body_code) FROM alerts.receipts") == ["health"]
        await here.publish(finding("U1", "d1", Phase.ENDED))
        await here.until_row("SELECT state = 'closed' FROM alerts.cases")
        await until(lambda: _cleared(centre), "the all-clear although it was acknowledged")
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{here.http_port}", trust_env=False, timeout=60
        ) as client:
            closed = await _post(client, case_id, {"account": "officer", "note": "", "via": "console"})
            assert closed.status_code == 409
            shown = (await client.get(f"/v1/cases/{case_id}", headers=_bearer())).json()
        assert [step["step"] for step in shown["steps"]] == ["H0", "H1", "H2", "H3", "H4"]
        assert all("address" not in notice and "secret_ref" not in notice for notice in shown["notices"])
        await here.until_row("SELECT count(*) = 0 FROM alerts.audit_pending")
        await _audit_holds_until_touched(here)


async def _acknowledge(client: httpx.AsyncClient, case_id: str) -> None:
    request = {"account": "officer", "body_code": "health", "note": "on it", "via": "console"}
    assert (await client.post(f"/v1/cases/{case_id}/acknowledge", json=request)).status_code == 401
    assert (await _post(client, case_id, {**request, "body_code": "education"})).status_code == 404
    assert (await _post(client, "C0000000000000000", request)).status_code == 404
    assert (await _post(client, case_id, {**request, "note": "x" * 501})).status_code == 422
    for _ in range(2):
        signed = await _post(client, case_id, {**request, "account": "clerk"})
        assert signed.status_code == 200
        assert signed.json()["acknowledged_by"] is None, "a department takes a case from nobody"
        # one for each step: the clock runs so fast here that the next may have been taken in between
        assert {(one["body_code"], one["by"]) for one in signed.json()["receipts"]} == {("health", "clerk")}
    del request["body_code"]
    for _ in range(2):
        taken = await _post(client, case_id, request)
        assert taken.status_code == 200
        assert taken.json()["acknowledged_by"] == "officer"


async def _audit_holds_until_touched(here: Scenario) -> None:
    assert (await asyncio.to_thread(_alerts, here, "verify-audit")).returncode == 0
    case_id, path = await here.one("SELECT case_id FROM alerts.cases"), here.folder / "bundle.zip"
    packed = await asyncio.to_thread(_alerts, here, "bundle", case_id, str(path))
    assert packed.returncode == 0, packed.stderr
    assert bundle_check.check(path) == []
    with zipfile.ZipFile(path) as bundle:
        told = json.loads(bundle.read("notices.json"))
        assert len(told) == await here.one("SELECT count(*) FROM alerts.notices")
        # on a slow day health has signed before its own notice left
        assert {(notice["state"], notice["reason"]) for notice in told} - {("cancelled", "acknowledged")} == {
            ("accepted", None)
        }
        assert [name for name in bundle.namelist() if name.startswith("notices/")]
    again = await asyncio.to_thread(_alerts, here, "bundle", case_id, str(path))
    assert (again.returncode, again.stderr) == (1, f"no bundle: {path} is there already\n")
    said = await asyncio.to_thread(_alerts, here, "explain", case_id)
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("    notice to ") == await here.one(
        "SELECT count(*) FROM alerts.notices WHERE purpose = 'notice'"
    )
    assert "signed for: health" in said.stdout
    unknown = await asyncio.to_thread(_alerts, here, "explain", "C0")
    assert (unknown.returncode, unknown.stderr) == (1, "there is no case C0\n")
    none = await asyncio.to_thread(_alerts, here, "bundle", "C0", str(here.folder / "none.zip"))
    assert (none.returncode, none.stderr) == (1, "no bundle: there is no case C0\n")
    await here.rows("UPDATE alerts.audit SET actor = 'nobody' WHERE seq = 2 RETURNING seq")
    broken = await asyncio.to_thread(_alerts, here, "verify-audit")
    assert broken.returncode == 1
    assert "broken at entry 2" in broken.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_storm_becomes_one_common_case_and_a_fire_in_it_comes_first(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    count = 20_000
    units = [f"U{number:05}" for number in range(count)]
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre, street = here.hook(), here.hook()
        await here.publish(
            pack_record(sample_pack(group_wait_s=5)),
            contact_record("c-centre", "centre", url=centre.url),
            *[contact_record(f"c-T{town:02}", f"T{town:02}", url=street.url) for town in range(20)],
        )
        await here.publish(*[unit_record(unit, town=f"T{number % 20:02}") for number, unit in enumerate(units)])
        await here.publish(*[gateway_record(unit) for unit in units])
        here.start()
        await here.until_row("SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'")
        await here.publish(*[finding(unit, f"d-{unit}") for unit in units])
        await here.until_row("SELECT count(*) > 2000 FROM alerts.cases")
        before = await here.one("SELECT sum(next_offset) FROM alerts.partitions WHERE topic = 'firenet.findings.v1'")
        await here.publish(fire("U00007", "s1"))
        await until(lambda: _fire_told(centre), "the fire is told during the storm", 30)
        assert before < count, "the storm was over before the fire came"
        await here.until_row("SELECT count(*) = %s FROM alerts.cases WHERE unit_id IS NOT NULL", count + 1, limit_s=240)
        await here.until_row("SELECT count(*) = %s FROM alerts.cases WHERE common_case_id IS NOT NULL", count)
        assert await here.one("SELECT count(*) FROM alerts.cases WHERE kind = 'common_cause'") == 1
        await here.until_row("SELECT count(*) = 1 FROM alerts.notices WHERE step = 'C0' AND state = 'accepted'")
        assert await here.one("SELECT count(*) FROM alerts.notices") == 2  # the fire and the common cause
        assert await here.one("SELECT held_until IS NULL FROM alerts.cases WHERE kind = 'fire'")
        assert not street.received


class Killer(Hook):
    """Kills the first alerts process at the moment it has sent its first notice."""

    def __init__(self, here: Scenario) -> None:
        super().__init__()
        self._here = here

    def arrived(self) -> None:
        if len(self.received) == 1:
            os.kill(self._here.processes[0].pid, signal.SIGKILL)


def _never_common() -> dict[str, object]:
    return {"by": ["carrier"], "units": 100000, "window_s": 1, "hold_s": 1, "tells": ["centre"], "clause": "test"}


async def _fire_told(hook: Hook) -> bool:
    return any(json.loads(one.body)["data"]["kind"] == FindingKind.FIRE for one in hook.received)


async def _cleared(hook: Hook) -> bool:
    return any(json.loads(one.body)["data"]["purpose"] == "all_clear" for one in hook.received)


def _bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


async def _post(client: httpx.AsyncClient, case_id: str, request: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/cases/{case_id}/acknowledge", json=request, headers=_bearer())


def _alerts(here: Scenario, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.alerts", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=here.environment(), capture_output=True, text=True, timeout=120, check=False
    )
