"""What changed goes to the topic. A crash between import and publish is made up for by the next publish."""

from services.registry.domain.entities import Facts, History, Kind
from services.registry.ports import Bus, Store
from services.runtime.clock import Clock


class Publisher:
    def __init__(self, *, store: Store, bus: Bus, clock: Clock, batch: int = 500) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._batch = batch

    async def publish_all(self) -> int:
        """Publish every entity there is; return how many. Raises StoreUnavailable, BusUnavailable, RecordTooLarge."""
        async with self._store.transaction() as register:
            await register.mark_all_unpublished()
        return await self.publish()

    async def publish(self, only: Kind | None = None) -> int:
        """Publish every entity whose record is older than its versions, or those of one kind; return how many.

        The mark is taken away in the transaction that read the versions, after Kafka has them: a crash in between
        repeats records, which changes nothing.
        Raises:  StoreUnavailable, BusUnavailable, RecordTooLarge.
        """
        count = 0
        while True:
            async with self._store.transaction() as register:
                waiting = await register.unpublished(self._batch, only)
                if not waiting:
                    return count
                ids: dict[Kind, list[str]] = {}
                for kind, entity_id in waiting:
                    ids.setdefault(kind, []).append(entity_id)
                histories: list[History[Facts]] = []
                for kind, wanted in ids.items():
                    histories.extend((await register.histories(kind, wanted)).values())
                await self._bus.publish(histories, self._clock.now())
                await register.published(waiting)
            count += len(histories)
