"""The copy of the refusals in memory; it obeys the contract suite with the tables of PostgreSQL."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schemas.refusal import Refusal, RefusalData, Replayed, ReplayedData, ReplayOutcome
from services.console.domain.errors import NotFound, OrdersUnavailable
from services.console.domain.refusals import (
    KEPT_BYTES,
    Place,
    RefusalCount,
    RefusalDetail,
    RefusalPage,
    RefusalQuery,
    RefusalRow,
    ReplayOrder,
    State,
)
from services.console.domain.viewer import Viewer
from services.kernel.words import RefusalReason
from tests.fakes.console import T0


def refusal(
    number: int, reason: str = "not_json", gateway_id: str | None = "G000001", raw: bytes = b"hello"
) -> Refusal:
    """Return the refusal of a message that came `number` seconds after T0."""
    at = T0 + timedelta(seconds=number)
    data = RefusalData(
        reason=RefusalReason(reason),
        detail="expected value",
        topic=f"firenet/v1/{gateway_id or '?'}/up/json",
        gateway_id=gateway_id,
        instance="ingest-1",
        received_at=at,
        raw_bytes=len(raw),
        raw=raw,
    )
    return Refusal(id=f"{number:032x}", source="/ingest/ingest-1", subject=gateway_id, time=at, data=data)


def decision(number: int, *, reason: str | None = None, signals: int = 1) -> Replayed:
    """Return what became of refusal `number`: signals, or the reason why none."""
    data = ReplayedData(
        refusal_id=f"{number:032x}",
        command_id="c1",
        by="centre",
        outcome=ReplayOutcome.REFUSED if reason else ReplayOutcome.ACCEPTED,
        signals=0 if reason else signals,
        reason=RefusalReason(reason) if reason else None,
        detail="why" if reason else "",
    )
    return Replayed(id=f"r{number}", source="/ingest/ingest-1", time=T0 + timedelta(minutes=5), data=data)


@dataclass
class Kept:
    detail: RefusalDetail
    ordered_at: datetime | None = None
    order_id: str | None = None


@dataclass
class MemoryRefusalBook:
    kept: dict[str, Kept] = field(default_factory=dict)
    counted: list[tuple[datetime, str, str]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def page(self, query: RefusalQuery, counted_since: datetime, lapsed: datetime) -> RefusalPage:
        rows = [_row(kept, lapsed) for kept in self.kept.values()]
        found = [
            row
            for row in sorted(rows, key=lambda row: (-row.received_at.timestamp(), row.refusal_id))
            if query.reason in (None, row.reason)
            and query.gateway_id in (None, row.gateway_id)
            and query.state in (None, row.state)
        ]
        counted = [one for one in self.counted if one[0] >= counted_since]
        return RefusalPage(
            len(found),
            tuple(found[query.offset : query.offset + query.limit]),
            counted_since,
            _largest(Counter(reason for _, _, reason in counted)),
            _largest(Counter(name for _, name, _ in counted)),
        )

    async def one(self, refusal_id: str, lapsed: datetime) -> RefusalDetail:
        kept = self.kept.get(refusal_id)
        if kept is None:
            raise NotFound
        return replace(kept.detail, row=_row(kept, lapsed))

    async def claim(
        self, order_id: str, refusal_ids: Sequence[str], viewer: Viewer, now: datetime, lapsed: datetime
    ) -> tuple[Place, ...]:
        places = []
        for refusal_id in refusal_ids:
            kept = self.kept.get(refusal_id)
            if kept is None or kept.detail.row.state is not State.OPEN:
                continue
            if kept.ordered_at is None or kept.ordered_at <= lapsed:
                kept.ordered_at, kept.order_id = now, order_id
                places.append(Place(refusal_id, kept.detail.partition, kept.detail.offset))
        self.log.append(f"claim {viewer.username} {len(places)}")
        return tuple(places)

    async def sent(self, order_id: str, now: datetime) -> None:
        self.log.append("sent")

    async def release(self, order_id: str) -> None:
        self.log.append("release")
        for kept in self.kept.values():
            if kept.order_id == order_id:
                kept.ordered_at = kept.order_id = None

    async def arrive(self, came: Mapping[int, Refusal], decided: Sequence[Replayed] = ()) -> None:
        for offset, event in came.items():
            data = event.data
            name = data.gateway_id or ""
            self.counted.append((data.received_at.replace(minute=0, second=0, microsecond=0), name, data.reason.value))
            row = RefusalRow(
                event.id, data.received_at, data.reason.value, data.detail, name, data.topic, "", data.instance,
                data.raw_bytes, State.OPEN, False, None, None, None, None, None,
            )  # fmt: skip
            self.kept.setdefault(event.id, Kept(RefusalDetail(row, 1, offset, data.raw[:KEPT_BYTES])))
        for note in decided:
            self._decide(note)

    def _decide(self, note: Replayed) -> None:
        kept, data = self.kept.get(note.data.refusal_id), note.data
        if kept is None:
            return
        accepted = data.outcome is ReplayOutcome.ACCEPTED
        row = replace(
            kept.detail.row,
            state=State.REPLAYED if accepted else kept.detail.row.state,
            decided_at=note.time,
            decided_by=data.by,
            signals=data.signals,
            decided_reason=data.reason.value if data.reason else None,
            decided_detail=data.detail,
        )
        kept.detail, kept.ordered_at, kept.order_id = replace(kept.detail, row=row), None, None


@dataclass
class MemoryOrders:
    down: bool = False
    sent: list[ReplayOrder] = field(default_factory=list)

    async def send(self, order: ReplayOrder) -> None:
        if self.down:
            raise OrdersUnavailable
        self.sent.append(order)


def _row(kept: Kept, lapsed: datetime) -> RefusalRow:
    return replace(kept.detail.row, waiting=kept.ordered_at is not None and kept.ordered_at > lapsed)


def _largest(counts: Counter[str]) -> tuple[RefusalCount, ...]:
    return tuple(RefusalCount(name, refused) for name, refused in sorted(counts.items(), key=lambda c: (-c[1], c[0])))
