"""What reports are made of, as compliance, rules, alerts and documents would have written it for one closed month."""

import json
from datetime import date, datetime, timedelta
from typing import Any

from services.console.domain.report import period_of
from services.kernel.calendar import day_number, micros, midnight, moment
from services.kernel.words import Period
from tests.integration.console.history import publish
from tests.integration.console.scenario import Scenario

TABLES = (
    "compliance.figures, compliance.unit_days, compliance.outages, compliance.log_position, rules.transitions,"
    " rules.rate_samples, alerts.cases, alerts.audit,"
    " documents.documents"
)
HOUR = 3_600_000_000
DAY = 24 * HOUR
TARGET = {"id": "T1", "op": ">=", "value": "1", "due": "12-31", "clause": "001 一(一)"}


def empty(scenario: Scenario) -> None:
    scenario.execute(f"TRUNCATE {TABLES} CASCADE")


def at(day: date, hours: float = 0) -> datetime:
    """Return an instant of a day of Asia/Shanghai."""
    return moment(midnight(day_number(day))) + timedelta(hours=hours)


def unit_days(scenario: Scenario, unit_id: str, first: date, days: int, *, lost_hours: float = 0) -> None:
    """Write the days of a unit, which lost so much of the first of them."""
    for number in range(days):
        lost = int(lost_hours * HOUR) if number == 0 else 0
        time = [DAY - lost, DAY, 0, 0]
        parts = json.dumps([day_number(first) + number, time, [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], "online"])
        row = [unit_id, day_number(first) + number, parts]
        scenario.execute("INSERT INTO compliance.unit_days (unit_id, day, parts) VALUES (%s, %s, %s)", row)


def outage(
    scenario: Scenario,
    unit_id: str,
    began: datetime,
    ended: datetime | None,
    whose: str = "unit",
    *,
    revision: int = 1,
    withdrawn: bool = False,
) -> None:
    """Publish a revision of an outage."""
    scenario.execute(
        "INSERT INTO compliance.outages (unit_id, started_at, revision, known_at, ended_at, connection, cause,"
        " attribution, withdrawn) VALUES (%s, %s, %s, %s, %s, %s, 'x', %s, %s)",
        [unit_id, began, revision, began, ended, "unknown" if whose == "self" else "offline", whose, withdrawn],
    )


def published_to(scenario: Scenario, when: datetime) -> None:
    """Say up to when outages are published."""
    scenario.execute(
        "INSERT INTO compliance.log_position (known_at, computed_at, published_at, outages_to, state)"
        " VALUES (0, 0, 0, %s, '{}') ON CONFLICT (one) DO UPDATE SET outages_to = excluded.outages_to",
        [micros(when)],
    )


def audit(scenario: Scenario, case_id: str, action: str, when: datetime) -> None:
    scenario.execute(
        "INSERT INTO alerts.audit (seq, at, actor, action, case_id, detail, prev_hash, hash)"
        " SELECT coalesce(max(seq), 0) + 1, %s, 'centre', %s, %s, '{}', '', '' FROM alerts.audit",
        [when, action, case_id],
    )


def paper(scenario: Scenario, document_id: str, case_id: str, issued: datetime, **changes: Any) -> None:
    row = {
        "document_id": document_id, "source": "/alerts", "request_id": document_id, "case_id": case_id,
        "instrument": "I4", "unit_id": "U", "issuer": "centre", "template": "I4@2", "state": "issued",
        "requested_at": issued, "issued_at": issued, "request": "{}",
    } | changes  # fmt: skip
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    scenario.execute(f"INSERT INTO documents.documents ({names}) VALUES ({marks})", list(row.values()))


def month(scenario: Scenario) -> date:
    """Write the last month that is over: revised, three units short, outages of all kinds, cases, papers, fires.

    Return its first day.
    """
    first, last = period_of(Period.MONTH, scenario.today().replace(day=1) - timedelta(days=1))
    units, days = sorted(scenario.units), (last - first).days + 1
    for number, unit_id in enumerate(units):
        unit_days(scenario, unit_id, first, days, lost_hours=(0, 5, 9, 2)[number] if number < 4 else 0)
    for subject in (("district", "sample"), ("town", "dongjie")):
        publish(scenario, first, last, kind="month", subject=subject, units=16, low=15, unknown=1)
        publish(scenario, first, last, kind="month", subject=subject, units=16, low=16, revision=2)
        publish(scenario, first, kind="day", subject=subject)
    difference = {"low": ["93.7", "99.8"], "high": ["100.0", "99.8"], "verdict": ["undetermined", "non_compliant"]}
    scenario.execute(
        "UPDATE compliance.figures SET difference = %s, numerator = numerator - %s, verdict = 'non_compliant',"
        " reason = 'high_below_target', figure = %s WHERE revision = 2",
        [json.dumps(difference), 16 * HOUR, json.dumps({"target": TARGET})],
    )
    lost = ((1, "carrier", 5), (2, "unit", 9), (3, "area", 2))
    for number, whose, hours in lost:
        outage(scenario, units[number], at(first, 3), at(first, 3 + hours), whose)
        common = f"X{number}" if whose != "unit" else None
        if common:
            key = "carrier:中国移动" if whose == "carrier" else "town:dongjie"
            scenario.open_case(
                common, None, "common_cause", subject_kind="common_cause", subject_id=key, cause_key=key,
                state="closed", opened_at=at(first, 3), closed_at=at(first, 9),
            )  # fmt: skip
        scenario.open_case(
            f"C{number}", units[number], state="closed", effective_at=at(first, 3), opened_at=at(first, 3.1),
            closed_at=at(first, 3 + hours), restored_at=at(first, 3 + hours), common_case_id=common,
        )  # fmt: skip
    outage(scenario, units[5], at(first, 50), at(first, 51.5), "self")
    published_to(scenario, at(first, 24 * (days + 1)))
    scenario.take_step("C2", "H0", ["health"], at(first, 4))
    scenario.take_step("C2", "H1", ["health"], at(first, 5))
    paper(scenario, "P1", "C2", at(first, 4), instrument="I1", state="received")
    paper(scenario, "P2", "C2", at(first, 5), receipt_due_at=at(first, 6), reply_due_at=at(first, 90))
    for number in (6, 7):
        scenario.open_case(
            f"F{number}", units[number], "fire", opened_at=at(first, 70), acknowledged_at=at(first, 70.1)
        )
    audit(scenario, "F6", "acknowledged", at(first, 70) + timedelta(seconds=42))
    return first
