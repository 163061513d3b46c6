"""Records of firenet.registry.v1, sorted to the partitions that they concern."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas import codec
from services.rules.adapters.registry_plain import read
from services.rules.adapters.registry_records import Adjustments, Gateways, Packs, Units
from services.rules.domain import facts
from services.rules.ports import Rows
from services.runtime.logging import get_logger

EVERY_PARTITION = -1

_WANTED = ("unit:", "gateway:", "pack:", "adjustment:")
"""How the keys of these records begin; contacts and departments are of no concern here and not even read."""


class _Held(NamedTuple):
    """Rows that can be added to."""

    units: dict[str, tuple[facts.UnitVersion, ...]]
    gateways: dict[str, tuple[facts.GatewayVersion, ...]]
    packs: dict[str, tuple[facts.PackVersion, ...]]
    adjustments: dict[str, tuple[facts.AdjustmentVersion, ...]]


def _none_held() -> _Held:
    return _Held({}, {}, {}, {})


class CompactedRegistryView:
    """Implements ports.RegistryView over a follower that calls `on_record`.

    `partition_of` maps a unit id to its partition of the signals topic; durations of profiles are divided by `rate`.
    """

    def __init__(self, partition_of: Callable[[str], int], rate: float) -> None:
        self._partition_of = partition_of
        self._rate = rate
        self._all: defaultdict[int, _Held] = defaultdict(_none_held)
        self._news: defaultdict[int, _Held] = defaultdict(_none_held)
        self.refused = 0

    def on_record(self, key: str, value: bytes | None) -> None:
        """Take a record in. One that cannot be read is counted and passed over; what was known stays."""
        if value is None or not key.startswith(_WANTED):
            return  # the registry retires entities, it never deletes them
        try:
            record = read(value, self._rate)
        except codec.BadRecord as error:
            self.refused += 1
            get_logger().warning("registry_record_refused", key=key[:160], detail=error.detail)
            return
        # Not by `match`: of the many records that a start reads its patterns would be a twentieth.
        if isinstance(record, Units):
            position = self._partition_of(record.id)
            self._all[position].units[record.id] = self._news[position].units[record.id] = record.versions
        elif isinstance(record, Gateways):
            for position in {self._partition_of(version.unit_id) for version in record.versions}:
                self._all[position].gateways[record.id] = self._news[position].gateways[record.id] = record.versions
        elif isinstance(record, Adjustments):
            position = self._partition_of(record.versions[0].unit_id)
            self._all[position].adjustments[record.id] = self._news[position].adjustments[record.id] = record.versions
        elif isinstance(record, Packs):
            shared, news = self._all[EVERY_PARTITION], self._news[EVERY_PARTITION]
            shared.packs[record.id] = news.packs[record.id] = record.versions

    def rows(self, partition: int) -> Rows:
        self._news.pop(partition, None)  # told with the rest
        held, shared = self._all[partition], self._all[EVERY_PARTITION]
        return Rows(dict(held.units), dict(held.gateways), dict(shared.packs), dict(held.adjustments))

    def take_news(self) -> Mapping[int, Rows]:
        news, self._news = self._news, defaultdict(_none_held)
        return {position: Rows(*held) for position, held in sorted(news.items())}

    @property
    def has_pack(self) -> bool:
        return bool(self._all[EVERY_PARTITION].packs)
