"""A draft as DOCX, to be finished on the paper of who issues it: the same letter, in the type the form asks for."""

import io
import zipfile
from datetime import UTC

from docx import Document as new_document
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.text.paragraph import Paragraph

from services.documents.adapters.labels import LABELS, Labels
from services.documents.domain.letter import BlockKind, Letter, Sheet

FANG, HEI, SONG = "仿宋_GB2312", "黑体", "方正小标宋简体"
"""Whoever opens the file has them, or its program puts others in their place."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def word_of(letter: Letter) -> bytes:
    """Return the letter as a file of Word, the same bytes each time. What is foreign is text, never markup."""
    words = LABELS[letter.language]
    document = new_document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(37), Mm(35)
    section.left_margin, section.right_margin = Mm(28), Mm(26)
    properties = document.core_properties
    properties.title, properties.author = letter.title, letter.issuer
    properties.created = properties.modified = letter.issued_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    _letter(document, letter, words)
    for sheet in letter.attachments:
        _line(document, words.attachment, font=HEI, on_new_page=True)
        _table(document, sheet)
    if letter.slip is not None:
        _table(document, letter.slip, on_new_page=True)
    return _settled(document)


def _letter(document: Document, letter: Letter, words: Labels) -> None:
    _line(document, words.draft, size=10.5)
    _line(document, letter.number or words.blank_number, align=WD_ALIGN_PARAGRAPH.RIGHT)
    _line(document, letter.title, font=SONG, size=22, align=WD_ALIGN_PARAGRAPH.CENTER)
    _line(document, letter.addressee + words.colon)
    for block in letter.body:
        _line(document, words.indent + block.text, font=HEI if block.kind is BlockKind.HEADING else FANG)
    for sheet in letter.attachments:
        _line(document, words.indent + words.attachment + words.colon_and + sheet.title)
    _line(document, "")
    _line(document, letter.issuer, align=WD_ALIGN_PARAGRAPH.RIGHT)
    _line(document, letter.date or words.blank_date, align=WD_ALIGN_PARAGRAPH.RIGHT)
    if letter.copies:
        _line(document, words.copies + words.comma.join(letter.copies) + words.stop, size=14)


def _table(document: Document, sheet: Sheet, *, on_new_page: bool = False) -> None:
    _line(document, sheet.title, font=SONG, size=18, align=WD_ALIGN_PARAGRAPH.CENTER, on_new_page=on_new_page)
    rows = ([sheet.columns] if sheet.columns else []) + list(sheet.rows)
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    for row, said in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, said, strict=True):
            _put(cell.paragraphs[0], text, FANG, 12)
    if sheet.foot:
        _line(document, sheet.foot, size=12, align=WD_ALIGN_PARAGRAPH.RIGHT)


def _line(
    document: Document,
    text: str,
    *,
    font: str = FANG,
    size: float = 16,
    align: WD_ALIGN_PARAGRAPH | None = None,
    on_new_page: bool = False,
) -> None:
    paragraph = document.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.paragraph_format.page_break_before = on_new_page
    if align is not None:
        paragraph.alignment = align
    _put(paragraph, text, font, size)


def _put(paragraph: Paragraph, text: str, font: str, size: float) -> None:
    run = paragraph.add_run(text)
    run.font.size = Pt(size)
    run.font.name = "Times New Roman"
    fonts = run._element.get_or_add_rPr().find(qn("w:rFonts"))  # the library knows no other way to the Chinese one
    if fonts is not None:
        fonts.set(qn("w:eastAsia"), font)


def _settled(document: Document) -> bytes:
    """Return the file with the times of its parts set: the library writes those of the clock."""
    made, out = io.BytesIO(), io.BytesIO()
    document.save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name, EPOCH), source.read(name), zipfile.ZIP_DEFLATED)
    return out.getvalue()
