"""Files that people hand in: what they are is read from their content, never from their name.

Few kinds are taken, none of which a browser runs. They are kept by their hash and given out as attachments only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

MAX_FILES = 5
MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_ALL_BYTES = 10 * 1024 * 1024
"""A scanned letter has some hundred kilobytes, a photograph of a telephone three to five megabytes."""
MAX_NAME = 80

PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ENDINGS = {PDF: ".pdf", JPEG: ".jpg", PNG: ".png", DOCX: ".docx", XLSX: ".xlsx"}
"""The ending that a file is given out with, whatever it was called."""
_BEGINNINGS = ((b"%PDF-", PDF), (b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n", PNG))
_ZIP = b"PK\x03\x04"
_OFFICE = ((b"word/document.xml", DOCX), (b"xl/workbook.xml", XLSX))
_MACROS = b"vbaProject"


class Unfit(ValueError):
    """Files that are not taken; `reason`: `too_many_files`, `file_too_large`, `files_too_large`, `file_type`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()

    @property
    def size(self) -> int:
        return len(self.content)


def checked_uploads(files: Sequence[tuple[str, bytes]]) -> tuple[Upload, ...]:
    """Return the files, each (name, content), as they may be kept. Raises Unfit; an empty one was never chosen."""
    chosen = [(name, content) for name, content in files if content or name]
    if len(chosen) > MAX_FILES:
        raise Unfit("too_many_files")
    if any(len(content) > MAX_FILE_BYTES for _, content in chosen):
        raise Unfit("file_too_large")
    if sum(len(content) for _, content in chosen) > MAX_ALL_BYTES:
        raise Unfit("files_too_large")
    return tuple(_checked(name, content) for name, content in chosen)


def _checked(name: str, content: bytes) -> Upload:
    media_type = media_type_of(content)
    if media_type is None:
        raise Unfit("file_type")
    return Upload(safe_name(name, media_type), media_type, content)


def media_type_of(content: bytes) -> str | None:
    """Return what the content is, None for what is not taken. Nothing is unpacked: names stand in it as they are."""
    found = next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), None)
    if found is None and content.startswith(_ZIP) and _MACROS not in content:
        found = next((kind for part, kind in _OFFICE if part in content), None)
    return found


def safe_name(name: str, media_type: str) -> str:
    """Return a name without path, control or reserved characters, with the ending of what the file is."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(one if one.isprintable() and one not in '<>:"|?*%' else "_" for one in last)
    stem = plain.rpartition(".")[0] or plain
    return (stem.strip(" .")[:MAX_NAME] or "file") + ENDINGS[media_type]
