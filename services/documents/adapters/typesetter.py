"""Letters and reports as PDF by typst, and drafts as DOCX: in threads of their own, within a time, the same bytes."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import typst

from services.documents.adapters.labels import LABELS, Labels, printed
from services.documents.adapters.word import word_of
from services.documents.domain.document import File
from services.documents.domain.errors import BadForm, FilesUnavailable
from services.documents.domain.letter import Letter
from services.documents.domain.reasons import FilesMissing, FormRule
from services.documents.domain.report import Report
from services.kernel.words import FileKind, Language
from services.runtime.logging import get_logger

Said = TypeVar("Said")
Made = TypeVar("Made")
TEMPLATE = Path(__file__).parent / "templates" / "letter.typ"
REPORT = TEMPLATE.with_name("report.typ")
WANTED = {
    "song": ("FZXiaoBiaoSong-B05S", "方正小标宋简体", "STZhongsong", "Noto Serif CJK SC"),
    "fang": ("FangSong_GB2312", "仿宋_GB2312", "FangSong", "STFangsong", "Noto Serif CJK SC"),
    "hei": ("SimHei", "Heiti SC", "Noto Sans CJK SC"),
}
"""By what each kind of type is taken from, the best first: the last is the one that may be shipped (OFL)."""
NAMES = {"song": "小标宋", "fang": "仿宋", "hei": "黑体"}
MAX_TOTAL_BYTES = 480 * 1024
"""Of all files of a document: as base64, with the texts, they fit into a message of the topic, 1 MiB."""
LATIN = ("Libertinus Serif",)
"""Comes with the engine."""


@dataclass(frozen=True, slots=True)
class Fonts:
    """The families that are used, and which kinds of type are not the one that the form asks for."""

    families: dict[str, tuple[str, ...]]
    substituted: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Say whether Chinese can be set at all: without such a font it would be boxes."""
        return all(self.families.values())


def find_fonts(folders: Sequence[Path] = (), *, system: bool = True) -> Fonts:
    """Return what this machine has, in `folders` and, with `system`, where it keeps its fonts."""
    found = typst.Fonts(include_system_fonts=system, font_paths=[str(one) for one in folders])
    there = {font.family for font in found.fonts()}
    families = {kind: tuple(one for one in wanted if one in there)[:1] for kind, wanted in WANTED.items()}
    lacking = tuple(kind for kind, has in families.items() if has == (WANTED[kind][-1],) and kind != "hei")
    return Fonts(families, lacking)


class TypstTypesetter:
    """See ports.Typesetter. What hangs holds its thread: those behind it wait no longer than for themselves.

    Letters have a thread and reports another: anybody at a console may ask for a report after the other, and a letter
    that waited behind them would go out without its PDF.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        max_bytes: int,
        folders: Sequence[Path] = (),
        system: bool = True,
        strict: bool = False,
    ) -> None:
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._fonts = find_fonts(folders, system=system)
        self._usable = self._fonts.complete and not (strict and self._fonts.substituted)
        self._letters = ThreadPoolExecutor(max_workers=1, thread_name_prefix="letters")
        self._reports = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reports")
        self._compilers = {
            template: typst.Compiler(
                root=str(TEMPLATE.parent), font_paths=[str(one) for one in folders], ignore_system_fonts=not system
            )
            for template in (TEMPLATE, REPORT)
        }
        self._say()

    @property
    def fonts(self) -> Fonts:
        return self._fonts

    async def files(self, letters: Sequence[Letter]) -> tuple[File, ...]:
        return await self._set(self._letters, self._all, tuple(letters))

    async def report(self, report: Report) -> bytes:
        return await self._set(self._reports, self._report, report)

    async def _set(self, thread: ThreadPoolExecutor, work: Callable[[Said], Made], said: Said) -> Made:
        if not self._usable:
            raise FilesUnavailable(FilesMissing.NO_FONT, "no Chinese font; see docs/documents.md")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(thread, work, said)
        except TimeoutError as error:
            raise FilesUnavailable(FilesMissing.TOO_SLOW, f"{self._timeout_s} s") from error

    def close(self) -> None:
        for thread in (self._letters, self._reports):
            thread.shutdown(wait=False, cancel_futures=True)

    def _all(self, letters: Sequence[Letter]) -> tuple[File, ...]:
        files = [File(letter.language, FileKind.PDF, self._pdf(letter)) for letter in letters]
        files += [File(letter.language, FileKind.DOCX, word_of(letter)) for letter in letters if letter.draft]
        sizes = [len(one.content) for one in files]
        if max(sizes) > self._max_bytes or sum(sizes) > MAX_TOTAL_BYTES:
            raise FilesUnavailable(FilesMissing.TOO_LARGE, f"{sizes} bytes")
        return tuple(files)

    def _pdf(self, letter: Letter) -> bytes:
        return self._compiled(TEMPLATE, "letter", _data_of(letter, self._fonts), letter.issued_at)

    def _report(self, report: Report) -> bytes:
        return self._compiled(REPORT, "report", _data_of_report(report, self._fonts), report.made_at)

    def _compiled(self, template: Path, name: str, data: dict[str, object], at: datetime) -> bytes:
        try:
            made = self._compilers[template].compile(
                input=str(template),
                format="pdf",
                sys_inputs={name: json.dumps(data, ensure_ascii=False)},
                timestamp=int(at.timestamp()),
                pdf_standards="a-2b",
                pdf_tags=False,  # they double what a long list weighs, and the page is there for who cannot see
            )
        except typst.TypstError as error:
            if FormRule.BODY_NOT_ON_FIRST_PAGE in str(error):
                raise BadForm([FormRule.BODY_NOT_ON_FIRST_PAGE]) from error
            raise FilesUnavailable(FilesMissing.ENGINE, str(error)[:500]) from error
        if not isinstance(made, bytes):
            raise FilesUnavailable(FilesMissing.ENGINE, f"{type(made).__name__} instead of bytes")
        return made

    def _say(self) -> None:
        fonts = {kind: list(families) for kind, families in self._fonts.families.items()}
        if not self._usable:
            get_logger().error("documents_without_files", fonts=fonts, hint="install fonts-noto-cjk, or name a folder")
        elif self._fonts.substituted:
            get_logger().warning("fonts_substituted", fonts=fonts)


def _data_of(letter: Letter, fonts: Fonts) -> dict[str, object]:
    words = LABELS[letter.language]
    return printed(letter) | {
        "words": asdict(words),
        "fonts": _families(letter.language, fonts),
        "body": [{"kind": str(block.kind), "text": block.text} for block in letter.body],
        "attachments": [asdict(sheet) for sheet in letter.attachments],
        "slip": asdict(letter.slip) if letter.slip else None,
        "evidence": asdict(letter.evidence),
        "substituted": _substituted(words, fonts),
    }


def _data_of_report(report: Report, fonts: Fonts) -> dict[str, object]:
    words = LABELS[report.language]
    return {
        "lang": str(report.language),
        "title": report.title,
        "mark": words.provisional if report.provisional else "",
        "head": report.head,
        "sections": [asdict(section) for section in report.sections],
        "foot": report.foot,
        "fonts": _families(report.language, fonts),
        "substituted": _substituted(words, fonts),
    }


def _families(language: Language, fonts: Fonts) -> dict[str, list[str]]:
    latin = () if language is Language.ZH else LATIN
    return {kind: [*latin, *families] for kind, families in fonts.families.items()}


def _substituted(words: Labels, fonts: Fonts) -> str:
    """Return the sentence that says which fonts stand in; "" when none does."""
    if not fonts.substituted:
        return ""
    used = sorted({family for kind in fonts.substituted for family in fonts.families[kind]})
    return words.substituted.format(
        missing=words.comma.join(NAMES[kind] for kind in fonts.substituted), used=words.comma.join(used)
    )
