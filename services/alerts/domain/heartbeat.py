"""Whether the whole way is well: then, and only then, an outside watcher hears of us. Our silence is its alarm."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.alerts.domain.synthetic import RunOutcome, RunResult

PROOF_OLD = timedelta(seconds=60)
"""Of the slowest partition: ticks of ingest come through Kafka to rules and into the database every second."""
NOTICE_OLD = timedelta(minutes=10)
"""So long the oldest notice may be due: a receiver that is away for a moment is no stop of ours."""
SYNTHETIC_LATE = timedelta(minutes=15)


class Withheld(StrEnum):
    """Why the outside watcher does not hear of us."""

    DATABASE = "database"
    TASKS = "tasks"
    TICKS = "ticks"
    NOTICES = "notices"
    SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class ChainSeen:
    """What the database tells of the way. `proven_until`: of the slowest partition; None where one has no proof.

    `oldest_due`: since when the oldest notice is due. `last`, `last_arrived`: synthetic alarms that have ended.
    """

    proven_until: datetime | None
    oldest_due: datetime | None
    last: RunResult | None
    last_arrived: RunResult | None


def why_withheld(seen: ChainSeen, tasks: Mapping[str, str], every: timedelta, now: datetime) -> tuple[Withheld, ...]:
    """Return everything that is not well, nothing when all is.

    `tasks`: those of this process, "ok" when they turn. `every`: how often a synthetic alarm is sent, zero for never.
    """
    wrong = []
    if any(word != "ok" for word in tasks.values()):
        wrong.append(Withheld.TASKS)
    if seen.proven_until is None or abs(now - seen.proven_until) > PROOF_OLD:
        wrong.append(Withheld.TICKS)
    if seen.oldest_due is not None and now - seen.oldest_due > NOTICE_OLD:
        wrong.append(Withheld.NOTICES)
    if not _synthetic_well(seen, every, now):
        wrong.append(Withheld.SYNTHETIC)
    return tuple(wrong)


def _synthetic_well(seen: ChainSeen, every: timedelta, now: datetime) -> bool:
    """Where they are sent one must have arrived lately; where they are not, the last on command must have, if any."""
    if seen.last is not None and seen.last.outcome is not RunOutcome.ARRIVED:
        return False
    if not every:
        return True
    return seen.last_arrived is not None and now - seen.last_arrived.run.started_at <= every + SYNTHETIC_LATE
