"""Files that come with a reply or an appeal: see `kernel.uploads`; what is not taken is refused as all that is."""

from collections.abc import Sequence

from services.documents.domain.errors import BadUpload
from services.kernel import uploads
from services.kernel.uploads import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES, Upload

__all__ = ["MAX_ALL_BYTES", "MAX_FILES", "MAX_FILE_BYTES", "Upload", "checked_uploads"]


def checked_uploads(files: Sequence[tuple[str, bytes]]) -> tuple[Upload, ...]:
    """Return the files, each (name, content), as they may be kept. Raises BadUpload."""
    try:
        return uploads.checked_uploads(files)
    except uploads.Unfit as error:
        raise BadUpload(error.reason) from error
