"""A finding about a body is a case of its own, on real parts, and climbs the organisation ladder close by close."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas import body_finding as wire
from schemas import codec
from schemas.base import PackRef
from schemas.topics import FINDINGS
from services.kernel.words import Period, Phase
from services.runtime.kafka import Record
from tests.integration.alerts.scenario import contact_record, finding, pack_record, sample_pack, scenario, unit_record

DAY = datetime(2026, 3, 9, 16, tzinfo=UTC)


def below(
    body: str, phase: Phase, revision: int = 1, finding_id: str = "f-town", period: Period = Period.DAY
) -> Record:
    """A town that is below the target of its scope at the close of a period; when it ended, not any more."""
    close = wire.Missed(
        figure_id="x", metric="time_weighted_networking_rate", scope="S1", period_kind=period, period_from=DAY,
        period_to=DAY.replace(day=10), revision=revision, value="99.0", low="99.0", high="99.5",
        verdict="compliant" if phase is Phase.ENDED else "non_compliant", target="1", due="12-31",
    )  # fmt: skip
    data = wire.BodyFindingData(
        finding_id=finding_id, subject=wire.BodySubject(id=body), phase=phase, effective_at=close.period_to,
        detected_at=close.period_to, missed=1, close=close, clause="000 2",
        pack=PackRef(pack_id="sample-2026", version=1),
    )  # fmt: skip
    event = wire.BodyFinding(
        id=f"{finding_id}-{phase}-{period}-{revision}",
        source="/compliance",
        subject=body,
        time=close.period_to,
        data=data,
    )
    return Record(FINDINGS, body.encode(), codec.findings.encode(event))


async def test_a_body_below_a_target_is_a_case_without_harm_to_any_other(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre = here.hook()
        await here.publish(
            pack_record(sample_pack()), unit_record("U1"), contact_record("c-centre", "centre", url=centre.url)
        )
        here.start()
        await here.publish(below("T001", Phase.BEGAN), below("T001", Phase.CHANGED, 2), finding("U1", "d1"))
        await here.until_row("SELECT count(*) = 2 FROM alerts.steps")
        [case] = await cases(here)
        assert (case["subject_id"], case["kind"], case["state"]) == ("T001", "below_target", "open")
        assert (case["step"], [step["code"] for step in case["ladder"]][:2]) == ("O0", ["O0", "O1"])
        assert [one["period"] for one in case["closes"]] == ["day"], "a revision takes the place of the first"

        await here.publish(below("T001", Phase.CHANGED, period=Period.MONTH))
        await here.until_row("SELECT count(*) = 1 FROM alerts.steps WHERE step = 'O1'")
        assert [case["step"] for case in await cases(here)] == ["O1"]

        await here.publish(below("T001", Phase.ENDED, 3))
        await here.until_row("SELECT count(*) = 1 FROM alerts.cases WHERE subject_kind = 'body' AND state = 'closed'")
        assert await here.one("SELECT count(*) FROM alerts.cases WHERE subject_kind = 'unit' AND state = 'open'") == 1


async def cases(here: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await here.rows("SELECT * FROM alerts.cases WHERE subject_kind = 'body'")
    return found
