"""Files that people hand in: few, small, of kinds that no browser runs, known by their content."""

import io
import zipfile

import pytest

from services.documents.domain.errors import BadUpload
from services.documents.domain.uploads import checked_uploads
from services.kernel.uploads import (
    DOCX,
    JPEG,
    MAX_ALL_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_NAME,
    PDF,
    PNG,
    XLSX,
    media_type_of,
    safe_name,
)


def office(*parts: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in parts:
            archive.writestr(part, "<x/>")
    return packed.getvalue()


def refused(*files: tuple[str, bytes]) -> str:
    with pytest.raises(BadUpload) as caught:
        checked_uploads(files)
    return caught.value.reason


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"%PDF-1.7\n", PDF),
        (b"\xff\xd8\xff\xe0", JPEG),
        (b"\x89PNG\r\n\x1a\n....", PNG),
        (office("[Content_Types].xml", "word/document.xml"), DOCX),
        (office("[Content_Types].xml", "xl/workbook.xml"), XLSX),
        (office("word/document.xml", "word/vbaProject.bin"), None),
        (office("evil.exe"), None),
        (b"MZ\x90\x00", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", None),
        (b"<!doctype html><script>alert(1)</script>", None),
        (b"#!/bin/sh\n", None),
        (b" %PDF-1.7", None),
        (b"", None),
    ],
)
def test_what_a_file_is_stands_in_its_content(content: bytes, found: str | None) -> None:
    assert media_type_of(content) == found


def test_a_name_is_no_path_no_markup_and_no_other_ending() -> None:
    assert safe_name("../../etc/passwd", PDF) == "passwd.pdf"
    assert safe_name("C:\\temp\\photo.jpg.exe", JPEG) == "photo.jpg.jpg"
    assert safe_name("<img src=x>.html", PNG) == "_img src=x_.png"
    assert safe_name("证明\r\nX-Evil: 1\0.pdf", PDF) == "证明__X-Evil_ 1_.pdf"
    assert safe_name("\u202egpj.exe", JPEG) == "_gpj.jpg"
    assert safe_name("", PDF) == safe_name("...", PDF) == "file.pdf"
    assert len(safe_name("长" * 500, PDF)) == MAX_NAME + 4


def test_a_file_is_kept_by_its_content_and_named_by_it() -> None:
    (one,) = checked_uploads([("letter.exe", b"%PDF-1.7"), ("", b"")])
    assert (one.name, one.media_type, one.size) == ("letter.pdf", PDF, 8)
    assert len(one.sha256) == 64


def test_number_and_size_have_bounds() -> None:
    pdf = b"%PDF-"
    whole = pdf.ljust(MAX_FILE_BYTES, b" ")
    assert len(checked_uploads([("a", pdf)] * MAX_FILES)) == MAX_FILES
    assert refused(*[("a", pdf)] * (MAX_FILES + 1)) == "too_many_files"
    assert checked_uploads([("a", whole)])[0].size == MAX_FILE_BYTES
    assert refused(("a", whole + b" ")) == "file_too_large"
    assert len(checked_uploads([("a", whole)] * (MAX_ALL_BYTES // MAX_FILE_BYTES))) == 2
    assert refused(*[("a", whole)] * 2, ("b", pdf)) == "files_too_large"
    assert refused(("a", b"")) == "file_type", "a name without content is no file"
