"""The registry topic to the directory: who speaks for which unit."""

from schemas import codec
from schemas.registry import GatewayRecord, GatewayVersion
from schemas.topics import REGISTRY
from services.ingest.domain.directory import Device, Directory, Version
from services.ingest.metrics import Metrics
from services.runtime.kafka import CompactedFollower
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

_PREFIX = "gateway:"


class RegistryFeed:
    """Keeps a directory like the topic, from its beginning on. A record that cannot be read changes nothing."""

    def __init__(self, bootstrap: str, directory: Directory, metrics: Metrics) -> None:
        self._directory = directory
        self._metrics = metrics
        self._follower = CompactedFollower(bootstrap, REGISTRY, self.on_record)
        self.caught_up = False

    async def run(self, stop: Stop) -> None:
        await self._follower.run(stop)

    async def wait_caught_up(self, deadline_s: float) -> None:
        """Return once all that stood in the topic at the start was read. Raises KafkaUnavailable."""
        await self._follower.caught_up(deadline_s)
        self.caught_up = True

    def on_record(self, key: str, value: bytes | None) -> None:
        if not key.startswith(_PREFIX):
            return
        gateway_id = key.removeprefix(_PREFIX)
        if value is None:
            self._directory.remove(gateway_id)
        else:
            try:
                self._take(gateway_id, value)
            except codec.BadRecord as bad:
                self._metrics.registry_bad.inc()
                get_logger().error("registry_record_bad", key=key[:100], detail=bad.detail)
        self._metrics.gateways.set(len(self._directory))

    def _take(self, gateway_id: str, value: bytes) -> None:
        record = codec.registry.decode(value).data.record
        if not isinstance(record, GatewayRecord) or record.id != gateway_id:
            raise codec.BadRecord("the record is not the gateway that its key names")
        self._directory.put(gateway_id, [_version(version) for version in record.versions])


def _version(version: GatewayVersion) -> Version:
    address = None if version.device_address is None else bytes.fromhex(version.device_address)
    device = Device(version.device_profile or "standard", address, version.networks)
    return Version(version.valid_from, version.unit_id, version.retired_on, device)
