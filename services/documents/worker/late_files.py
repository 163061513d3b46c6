"""Files of documents that there was no time for: made afterwards, for whoever prints them from the page."""

from collections.abc import Callable

from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import Document, File
from services.documents.domain.errors import BadForm, FilesUnavailable, StoreUnavailable
from services.documents.ports import LateFiles, Renderer, Typesetter
from services.kernel.words import DocumentState
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

AT_ONCE = 5
"""So few that what is wanted now does not wait for them."""


class LateFilesService:
    """Their mails have left: nobody waits, and nothing is sent again."""

    def __init__(self, *, store: LateFiles, renderer: Renderer, typesetter: Typesetter | None) -> None:
        self._store = store
        self._renderer = renderer
        self._typesetter = typesetter

    async def turn(self) -> int:
        """Make the files of some and return of how many. Raises StoreUnavailable."""
        if self._typesetter is None:
            return 0
        found = await self._store.lacking(AT_ONCE)
        for document in found:
            await self._store.put_files(document.document_id, await self._files(self._typesetter, document))
        return len(found)

    async def _files(self, typesetter: Typesetter, document: Document) -> tuple[File, ...]:
        try:
            entry = entry_of(document.request).worded(document.template)
        except ValueError:
            return ()  # its wording is one of a later version: a file in another would not be the document
        draft = document.state is DocumentState.DRAFT
        rendered = self._renderer.render(document.request, document.number_text, entry, document.issued_at, draft=draft)
        try:
            return await typesetter.files([one.letter for one in rendered])
        except (FilesUnavailable, BadForm) as error:
            get_logger().warning("late_files_missing", document_id=document.document_id, detail=str(error))
            return ()

    async def run(self, pause_s: float, on_progress: Callable[[], None], stop: Stop) -> None:
        """Turn until stop, with a pause after each turn that found nothing."""
        while not stop.is_set():
            try:
                busy = await self.turn() > 0
            except StoreUnavailable as error:
                get_logger().warning("late_files_wait", error=f"{type(error).__name__}: {error}")
                busy = False
            on_progress()
            if not busy:
                await stop.wait_for(pause_s)
