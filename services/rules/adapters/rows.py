"""Values of the domain as rows for the statements in `sql/`, keyed a, b, c ... in the order of their columns."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from string import ascii_lowercase
from typing import Any

from schemas import codec
from schemas.base import Evidence, PackRef
from schemas.finding import Finding as WireFinding
from schemas.finding import FindingData
from services.rules.adapters.decode import component_of, point_in
from services.rules.domain.effects import ComponentTransition, Finding, HourCount, RateSample, Transition
from services.rules.domain.inputs import Signal
from services.rules.domain.rate import RateKey, RateRow
from services.rules.domain.time.instants import instant
from services.rules.ports import UnitRow

Row = dict[str, Any]


def _row(values: Sequence[Any]) -> Row:
    return dict(zip(ascii_lowercase, values, strict=False))


@lru_cache(maxsize=10_000)
def timestamp(at: int) -> str | None:
    """Return an instant as PostgreSQL reads it; 0 means that there is none. Most come several times."""
    return instant(at).isoformat() if at else None


def transition_rows(partition: int, transitions: Iterable[Transition]) -> Iterator[Row]:
    for one in transitions:
        yield _row(
            (
                one.transition_id,
                one.unit_id,
                one.aspect,
                one.from_state,
                one.to_state,
                timestamp(one.effective),
                timestamp(one.detected),
                one.cause,
                one.evidence.topic,
                partition,
                one.evidence.offset,
            )
        )


def component_rows(partition: int, components: Iterable[ComponentTransition]) -> Iterator[Row]:
    for one in components:
        yield _row(
            (
                one.transition_id,
                one.unit_id,
                one.kind,
                *component_of(one.point),
                one.open,
                timestamp(one.effective),
                timestamp(one.detected),
                one.cause,
                one.evidence.topic,
                partition,
                one.evidence.offset,
            )
        )


def signal_rows(partition: int, signals: Iterable[Signal]) -> Iterator[Row]:
    for one in signals:
        yield _row(
            (
                one.signal_id,
                timestamp(one.received_at),
                one.unit_id,
                one.gateway_id,
                one.kind,
                timestamp(one.occurred_at),
                one.seq,
                one.body,
                partition,
                one.offset,
            )
        )


def hour_rows(hours: Iterable[HourCount]) -> Iterator[Row]:
    return (_row((one.unit_id, timestamp(one.hour), one.beats)) for one in hours)


def sample_rows(partition: int, samples: Iterable[RateSample]) -> Iterator[Row]:
    for one in samples:
        row = one.row
        counts = (row.in_scope, row.connected, row.unknown, row.exempt)
        yield _row((timestamp(one.sampled_at), partition, *row.key, *counts))


def saved_rate(row: Sequence[Any]) -> RateRow:
    return RateRow(RateKey(*row[:3]), *row[3:])


def rate_rows(partition: int, rates: Iterable[RateRow]) -> Iterator[Row]:
    return (_row((partition, *row.key, *row[1:])) for row in rates)


def unit_rows(partition: int, rows: Iterable[UnitRow]) -> Iterator[Row]:
    for one in rows:
        texts, place, route = one.facts.texts(), one.facts.place, one.facts.route
        yield _row(
            (
                one.unit_id,
                partition,
                texts.name,
                texts.name_en,
                place.district,
                place.town,
                place.community,
                place.category,
                texts.address,
                route.lead_department,
                route.copy_departments,
                route.routed,
                one.carriers,
                one.scopes,
                one.connection,
                timestamp(one.connection_since),
                timestamp(one.connection_detected),
                one.health,
                timestamp(one.health_since),
                timestamp(one.last_proof),
                one.partly,
                one.open_fires,
                one.open_faults,
                one.open_isolations,
                one.line_drops,
                timestamp(one.unstable_until),
            )
        )


def outbox_rows(partition: int, findings: Iterable[Finding]) -> Iterator[Row]:
    for position, one in enumerate(findings):
        payload = codec.findings.encode(wire_finding(partition, one)).decode()
        yield _row((position, partition, one.event_id, one.unit_id, payload))


def wire_finding(partition: int, finding: Finding) -> WireFinding:
    """Return the finding as the event that goes onto firenet.findings.v1."""
    moment = finding.moment
    data = FindingData(
        finding_id=finding.finding_id,
        unit_id=finding.unit_id,
        kind=finding.kind,
        phase=finding.phase,
        effective_at=instant(moment.effective),
        detected_at=instant(moment.detected),
        cause=moment.cause.value,
        signal_id=moment.signal_id or None,
        point=point_in(moment.body) if finding.point else None,
        open_points=finding.open_points,
        evidence=Evidence(topic=moment.evidence.topic, partition=partition, offset=moment.evidence.offset),
        clause=finding.clause,
        pack=PackRef(pack_id=finding.pack_id, version=finding.pack_version),
    )
    return WireFinding(
        id=finding.event_id, source="/rules", subject=finding.unit_id, time=instant(moment.detected), data=data
    )
