"""Drafts become documents: their issuer has numbered and dated them by itself, and says so here."""

from dataclasses import replace
from datetime import datetime

from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import File, numbered
from services.documents.domain.errors import FilesUnavailable, NotNumbered
from services.documents.ports import DocumentStore, Renderer, Typesetter
from services.documents.worker.issuing import checked
from services.runtime.clock import Clock
from services.runtime.logging import get_logger


class DraftService:
    """Enters the number and date that an issuer gave a draft, and makes its texts and files anew with them."""

    def __init__(
        self, *, store: DocumentStore, renderer: Renderer, typesetter: Typesetter | None, clock: Clock
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._typesetter = typesetter
        self._clock = clock

    async def number(self, document_id: str, number: str, issued_at: datetime, *, by: str) -> None:
        """Return once it is written. Raises NotNumbered, BadForm, StoreUnavailable."""
        async with self._store.transaction() as transaction:
            draft = await transaction.document(document_id)
            if draft is None:
                raise NotNumbered(f"there is no document {document_id}")
            issued = numbered(draft, number, issued_at)
            try:  # what its issuer has read is what he numbers, whatever the wording of later ones is
                entry = entry_of(draft.request).worded(draft.template)
            except ValueError as error:
                raise NotNumbered(f"the draft was made as {draft.template}, which is none of ours") from error
            rendered = checked(self._renderer.render(draft.request, number, entry, issued_at, draft=False))
            files: tuple[File, ...] = ()
            if self._typesetter is not None:
                try:
                    files = await self._typesetter.files([one.letter for one in rendered])
                except FilesUnavailable as error:
                    get_logger().warning("document_without_files", reason=error.reason, detail=str(error))
            issued = replace(issued, renditions=tuple(one.rendition for one in rendered), files=files)
            await transaction.put_numbered(issued, by, self._clock.now())
        get_logger().info("draft_numbered", document_id=document_id, number=number, by=by)
