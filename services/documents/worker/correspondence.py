"""What recipients and the brigade do to documents: sign, answer, appeal, decide, take a link back."""

from collections.abc import Callable, Sequence

from services.documents.domain import correspondence as domain
from services.documents.domain.correspondence import Actor, Change, Correspondence, Written
from services.documents.domain.errors import NotFound
from services.documents.domain.uploads import Upload
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import CorrespondenceStore
from services.kernel.links import opened
from services.kernel.words import SubmissionState
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

Step = Callable[[Correspondence], tuple[Correspondence, Change | None]]


class CorrespondenceService:
    """`link_keys` prove signed links, the newest first. Without one no link opens anything."""

    def __init__(
        self,
        *,
        store: CorrespondenceStore,
        metrics: DocumentsMetrics,
        clock: Clock,
        link_keys: Sequence[bytes],
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._link_keys = tuple(link_keys)
        self._wake = wake

    async def open_link(self, text: str) -> tuple[str, str, str]:
        """Return (document id, contact, party) of a link. Raises NotFound: nothing says why it opens nothing."""
        link = opened(text, self._link_keys, self._clock.now())
        party = None if link is None else await self._store.party_of_link(link.document_id, link.recipient)
        self._metrics.links.labels("opened" if party else "refused").inc()
        if link is None or party is None:
            raise NotFound
        return link.document_id, link.recipient, party

    async def sign(self, document_id: str, actor: Actor) -> None:
        """Raises NotFound, NotPossible, StoreUnavailable; signing twice changes nothing."""
        await self._do(document_id, actor.party, lambda stands: domain.sign(stands, actor, self._clock.now()))

    async def submit(self, document_id: str, actor: Actor, written: Written) -> None:
        """Raises NotFound, NotPossible, StoreUnavailable."""
        await self._do(
            document_id,
            actor.party,
            lambda stands: domain.submit(stands, actor, written, self._clock.now()),
            written.files,
        )

    async def decide(
        self, document_id: str, submission_id: str, verdict: SubmissionState, by: str, reasons: str
    ) -> None:
        """Raises NotFound, NotPossible, StoreUnavailable. Who may is for the caller to know."""
        await self._do(
            document_id,
            None,
            lambda stands: domain.decide(stands, submission_id, verdict, by, reasons, self._clock.now()),
        )

    async def revoke(self, document_id: str, contact_id: str, by: str) -> None:
        """Take back the link of one contact. Raises NotFound, StoreUnavailable."""
        if not await self._store.revoke(document_id, contact_id, by, self._clock.now()):
            raise NotFound
        get_logger().info("link_revoked", document_id=document_id, contact=contact_id, by=by)

    async def _do(self, document_id: str, party: str | None, step: Step, files: Sequence[Upload] = ()) -> None:
        async with self._store.transaction() as transaction:
            stands = await transaction.load(document_id)
            if stands is None or (party is not None and not stands.concerns(party)):
                raise NotFound
            after, change = step(stands)
            if change is not None:
                await transaction.save(after, change, files)
        if change is not None:
            self._metrics.changes.labels(change.what).inc()
            get_logger().info("document_changed", document_id=document_id, what=change.what, party=change.party)
            self._wake()
