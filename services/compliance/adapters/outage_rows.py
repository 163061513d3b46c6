"""Published outages as rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.compliance.domain.interruptions import Interruption, PublishedOutage, StandingOutage
from services.kernel.calendar import micros, moment
from services.kernel.words import Connection


def outage_row(new: StandingOutage, known_at: int) -> tuple[Any, ...]:
    outage, of = new.outage, new.outage.interruption
    return (
        of.unit_id, moment(of.start), new.revision, moment(known_at), _moment(of.end), of.connection.value, of.cause,
        outage.attribution, of.gateway_id, _moment(of.lost_at), outage.group, _moment(outage.begun), outage.units,
        outage.withdrawn,
    )  # fmt: skip


def standing_outage(row: Sequence[Any]) -> StandingOutage:
    (
        unit_id, started, revision, ended, connection, cause, attribution, gateway_id, lost_at, group, begun, units,
        withdrawn,
    ) = row  # fmt: skip
    of = Interruption(
        unit_id, micros(started), _micros(ended), Connection(connection), cause, gateway_id, _micros(lost_at)
    )
    return StandingOutage(revision, PublishedOutage(of, attribution, group, _micros(begun), units, withdrawn))


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
