"""The PDF of a document: read back for its order and pages, the same bytes each time, and none rather than boxes."""

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import docx
import pytest
from pypdf import PdfReader

from services.documents.adapters.labels import LABELS
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.adapters.typesetter import TypstTypesetter, find_fonts
from services.documents.domain.catalogue import entry_of
from services.documents.domain.errors import BadForm, FilesUnavailable
from services.documents.domain.letter import Letter
from services.documents.domain.reasons import FilesMissing, FormRule
from services.documents.domain.request import Named, Request
from services.kernel.words import FileKind, Instrument, Language
from tests.unit.documents.build import at
from tests.unit.documents.samples import LONG, VARIANTS, sample

pytestmark = pytest.mark.thorough

RENDERER = TemplateRenderer()
LARGE = 10**7
needs_fonts = pytest.mark.skipif(not find_fonts().complete, reason="no Chinese font: apt-get install fonts-noto-cjk")


@pytest.fixture(scope="module")
def typesetter() -> TypstTypesetter:
    return TypstTypesetter(timeout_s=60, max_bytes=LARGE)


def letters(wanted: Request) -> dict[Language, Letter]:
    entry = entry_of(wanted)
    number = "" if entry.draft else f"消监{entry.word}〔2026〕12号"
    done = RENDERER.render(wanted, number, entry, at(60), draft=entry.draft)
    return {one.letter.language: one.letter for one in done}


async def pages(typesetter: TypstTypesetter, letter: Letter) -> list[str]:
    """Return the text of each page without any white space."""
    (file, *_) = await typesetter.files([letter])
    return [re.sub(r"\s|\u200b", "", page.extract_text()) for page in PdfReader(io.BytesIO(file.content)).pages]


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@needs_fonts
@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("instrument", list(Instrument))
async def test_the_parts_of_every_document_stand_in_their_order(
    typesetter: TypstTypesetter, instrument: Instrument, language: Language
) -> None:
    letter = letters(sample(instrument))[language]
    words = LABELS[language]
    found = await pages(typesetter, letter)
    whole = "".join(found)
    at_ = 0
    parts = [letter.number or words.blank_number, letter.title, letter.addressee + words.colon]
    parts += [block.text for block in letter.body] + [letter.date or words.blank_date]
    parts += [f"{words.copies}{words.comma.join(letter.copies)}"] if letter.copies else []
    parts += [sheet.title for sheet in (*letter.attachments, letter.slip, letter.evidence) if sheet]
    for part in parts:
        place = whole.find(bare(part), at_)
        assert place >= 0, part
        at_ = place + len(bare(part))
    assert bare(letter.body[0].text)[:20] in found[0], "page 1 shows the body"
    assert bare(words.evidence) in found[-1]
    assert not any(letter.evidence.rows[1][1] in page for page in found[:-1]), (
        "internal words on the evidence sheet only"
    )


@needs_fonts
async def test_pages_are_numbered_from_the_second_on_and_run_on_over_the_sheets(typesetter: TypstTypesetter) -> None:
    found = await pages(typesetter, letters(sample("I4", "long"))[Language.ZH])
    assert len(found) > 5
    assert "—1—" not in found[0]
    for number, page in enumerate(found[1:], start=2):
        assert f"—{number}—" in page
    slips = [page for page in found if page.startswith("回执")]
    assert len(slips) == 1
    assert "受文单位印章" in slips[0], "a sheet of its own"


@needs_fonts
async def test_sixty_components_are_all_on_the_sheets(typesetter: TypstTypesetter) -> None:
    wanted = sample("I3", "long")
    whole = "".join(await pages(typesetter, letters(wanted)[Language.ZH]))
    assert wanted.trouble is not None
    for one in wanted.trouble.listed:
        assert one.address in whole


@needs_fonts
@pytest.mark.parametrize("variant", VARIANTS)
async def test_the_same_letter_gives_the_same_bytes_in_any_process(variant: str) -> None:
    one, other = (TypstTypesetter(timeout_s=60, max_bytes=LARGE) for _ in range(2))
    wanted = list(letters(sample("I5", variant)).values())
    assert await one.files(wanted) == await other.files(wanted)


@needs_fonts
async def test_foreign_text_is_no_markup(typesetter: TypstTypesetter) -> None:
    evil = '*粗* #strong[x] $a$ <b>@ref _斜_ // 注 = 标题 #import "/etc/passwd" \\ `raw` [ ] { }'
    wanted = sample("I1")
    assert wanted.unit is not None
    unit = replace(wanted.unit, name=replace(wanted.unit.name, zh=evil, en=evil), address=evil)
    for letter in letters(replace(wanted, unit=unit, addressee=unit.name)).values():
        assert bare(evil) in "".join(await pages(typesetter, letter)), letter.language


@needs_fonts
async def test_a_name_of_two_hundred_letters_stays_on_the_paper(typesetter: TypstTypesetter) -> None:
    letter = replace(letters(sample("I1"))[Language.EN], title="X" * 200, addressee="Y" * 200)
    (file, *_) = await typesetter.files([letter])
    lines: list[float] = []
    reader = PdfReader(io.BytesIO(file.content))
    reader.pages[0].extract_text(visitor_text=lambda text, _cm, tm, *_: lines.append(tm[4]) if text.strip() else None)
    assert max(lines) < 210 / 25.4 * 72


@needs_fonts
async def test_a_title_that_pushes_the_body_off_the_first_page_is_refused(typesetter: TypstTypesetter) -> None:
    letter = replace(letters(sample("I1"))[Language.ZH], title="很长的题目" * 120)
    with pytest.raises(BadForm) as refused:
        await typesetter.files([letter])
    assert refused.value.rules == (FormRule.BODY_NOT_ON_FIRST_PAGE,)


@needs_fonts
async def test_a_draft_comes_as_a_file_to_write_on_too_and_says_the_same(typesetter: TypstTypesetter) -> None:
    letter = letters(sample("I7"))[Language.ZH]
    files = await typesetter.files([letter])
    assert [one.kind for one in files] == [FileKind.PDF, FileKind.DOCX]
    said = "\n".join(paragraph.text for paragraph in docx.Document(io.BytesIO(files[1].content)).paragraphs)
    for part in (letter.title, letter.addressee, *(block.text for block in letter.body), letter.issuer):
        assert part in said
    assert "草稿" in said
    with zipfile.ZipFile(io.BytesIO(files[1].content)) as packed:
        assert 'w:eastAsia="仿宋_GB2312"' in packed.read("word/document.xml").decode()


@needs_fonts
async def test_what_is_issued_is_not_to_be_written_on(typesetter: TypstTypesetter) -> None:
    files = await typesetter.files(list(letters(sample("I4")).values()))
    assert [(one.language, one.kind) for one in files] == [(Language.ZH, FileKind.PDF), (Language.EN, FileKind.PDF)]


async def test_without_a_chinese_font_there_are_no_files_and_a_reason_rather_than_boxes(tmp_path: Path) -> None:
    bare_machine = TypstTypesetter(timeout_s=60, max_bytes=LARGE, folders=[tmp_path], system=False)
    assert not bare_machine.fonts.complete
    with pytest.raises(FilesUnavailable) as missing:
        await bare_machine.files(list(letters(sample("I1")).values()))
    assert missing.value.reason is FilesMissing.NO_FONT


@needs_fonts
async def test_where_the_fonts_of_the_form_are_wanted_strictly_others_do_not_do() -> None:
    strict = TypstTypesetter(timeout_s=60, max_bytes=LARGE, strict=True)
    if not strict.fonts.substituted:
        pytest.skip("this machine has 仿宋 and 小标宋")
    with pytest.raises(FilesUnavailable):
        await strict.files(list(letters(sample("I1")).values()))


@needs_fonts
async def test_a_file_that_is_too_large_or_too_slow_is_left_out() -> None:
    wanted = list(letters(sample("I1")).values())
    for one, reason in (
        (TypstTypesetter(timeout_s=60, max_bytes=1000), FilesMissing.TOO_LARGE),
        (TypstTypesetter(timeout_s=0, max_bytes=LARGE), FilesMissing.TOO_SLOW),
    ):
        with pytest.raises(FilesUnavailable) as missing:
            await one.files(wanted)
        assert missing.value.reason is reason


@needs_fonts
@pytest.mark.parametrize("language", list(Language))
async def test_a_circular_about_many_bodies_tells_of_each_on_wide_pages(
    typesetter: TypstTypesetter, language: Language
) -> None:
    told = sample("I6").circular
    assert told is not None
    many = [
        replace(one, body=Named(f"第{n}号{LONG['zh']}", f"No. {n} {LONG['en']}"))
        for n, one in enumerate(told.standings * 12)
    ]
    letter = letters(replace(sample("I6"), circular=replace(told, standings=tuple(many))))[language]
    (file, *_) = await typesetter.files([letter])
    wide = [page for page in PdfReader(io.BytesIO(file.content)).pages if page.mediabox.width > page.mediabox.height]
    sheet = re.sub(r"\s|\u200b", "", "".join(page.extract_text() for page in wide))
    names = [bare(one.body.in_language(language)) for one in many]
    assert [name for name in names if name not in sheet] == []
    assert LABELS[language].provisional_score in sheet
