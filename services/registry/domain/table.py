"""A sheet as people lay it out: titles above the headings, notes below them, totals and signatures at the end."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.registry.domain.cells import clean, half_width
from services.registry.domain.columns import (
    COLUMNS,
    find_columns,
    is_note,
    known_headings,
    one_line,
    passed_over,
    plain,
)
from services.registry.domain.entities import Kind
from services.registry.domain.errors import RowError, shortened
from services.registry.domain.words import Said, is_chinese

Row = tuple[int, tuple[str, ...]]

LOOKED_AT = 30
"""So many filled rows from the top the headings are looked for in."""
_LONGEST_HEADING = 4_000
_ENOUGH = 2
"""So many known headings make a row that of the headings; one alone may stand in a title."""
_OTHER_MARKS = {
    ";": Said("semicolons", "分号"),
    "\t": Said("tabs", "制表符"),
    "；": Said("full-width semicolons", "全角分号"),
    "，": Said("full-width commas", "全角逗号"),
}
_END = re.compile(
    r"(?:合\s*计|总\s*计|小\s*计|共\s*计|总\s*数|填表|填报|制表|审核|审批|复核|经办|负责人|单位负责人|单位\(盖章\)|盖章|签字|签名|日\s*期|联系电话|电话"
    r"|说明|填写说明|注\s*:|备注\s*:|以上)"
    r"|(?:sub-?total|totals?|sum|note|notes|prepared by|checked by|approved by|signature|signed|date)(?![\w.-])",
    re.IGNORECASE,
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class CellProblem:
    """A cell that holds no text that could be used. `place` counts from 0, None for the row as a whole."""

    row: int
    place: int | None
    expected: Said
    found: str


@dataclass(frozen=True, slots=True)
class Table:
    """What of a sheet is data. `names` are the fields by place; `headings` how the file calls each of them.

    `passed` are numbers of rows that are none: titles, notes, totals, signatures. `chinese` is its language.
    """

    kind: Kind
    heading_row: int
    names: Sequence[str | None]
    headings: Mapping[str, str]
    rows: Sequence[Row]
    chinese: bool
    passed: Sequence[int] = ()
    errors: Sequence[RowError] = ()

    def heading(self, column: str) -> str:
        """Return how the file calls a field; one that it does not have is called as in its language's template."""
        if column in self.headings:
            return self.headings[column]
        return next((each.zh for each in COLUMNS[self.kind] if each.name == column and self.chinese), column)

    def unusable(self, problems: Sequence[CellProblem]) -> list[RowError]:
        """Return the problems of cells that matter: not those of titles, totals and columns of remarks."""
        passed = {*self.passed}
        errors: list[RowError] = []
        for problem in problems:
            place = problem.place
            outside = place is None or place >= len(self.names)
            column = "" if place is None else letter(place) if outside else self.names[place]
            if self.headings and problem.row >= self.heading_row and problem.row not in passed and column is not None:
                errors.append(RowError(problem.row, column, problem.expected, problem.found))
        return errors

    def place(self, column: str) -> int:
        return self.names.index(column) if column in self.names else -1


def letter(place: int) -> str:
    """Return what a spreadsheet calls its column, `A` for 0."""
    head, tail = divmod(place, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + tail)


def lay_out(kind: Kind, rows: Sequence[Row]) -> Table:
    """Return which rows are data and what stands in each column; `rows` are the filled ones, at least one.

    Its `errors` say what keeps the sheet from being read.
    """
    at, known = _heading_place(kind, rows)
    number, heading = rows[at]
    if not known:
        chinese = any(is_chinese(text) for _, texts in rows[:LOOKED_AT] for text in texts)
        return Table(kind, number, (), {}, (), chinese, errors=[_no_headings(kind, rows)])
    names, errors = find_columns(kind, heading, number)
    headings = {name: one_line(text) for name, text in zip(names, heading, strict=True) if name is not None}
    chinese = any(is_chinese(text) for text in headings.values())
    if errors:  # what stands below is not told: each of its rows would lack what the headings lack
        return Table(kind, number, names, headings, (), chinese, errors=errors)
    shape = _Shape(kind, names)
    errors += [_above(each) for each in rows[:at] if shape.is_data(each[1])]
    below = list(rows[at + 1 :])
    passed = [each[0] for each in rows[:at]]
    while below and (shape.repeats_heading(below[0][1]) or shape.is_notes(below[0][1])):
        passed.append(below.pop(0)[0])
    ending: list[int] = []
    while below and shape.is_end(below[-1][1]):
        ending.append(below.pop()[0])
    kept: list[Row] = []
    for row in below:
        if shape.repeats_heading(row[1]):
            passed.append(row[0])
        elif error := shape.no_data(row):
            errors.append(error)
        else:
            kept.append(row)
    errors += _unheaded([place for place, text in enumerate(heading) if not plain(text)], kept)
    return Table(kind, number, names, headings, kept, chinese, [*passed, *reversed(ending)], errors)


def _unheaded(places: Sequence[int], rows: Sequence[Row]) -> list[RowError]:
    """Return one error for each column that has values and no heading; passed over, they would be lost unseen."""
    expected = Said("a heading above this column (备注 for remarks)", "该列有表头（备注列请写“备注”）")
    errors: list[RowError] = []
    for place in places:
        first = next(((number, text) for number, texts in rows if (text := _cell(texts, place))), None)
        if first is not None:
            errors.append(RowError(first[0], letter(place), expected, shortened(first[1])))
    return errors


class _Shape:
    """Tells rows of data from the others."""

    def __init__(self, kind: Kind, names: Sequence[str | None]) -> None:
        self._names = names
        self._known = known_headings(kind)
        columns = COLUMNS[kind]
        self._id = names.index(columns[0].name) if columns[0].name in names else None
        self._required = [names.index(column.name) for column in columns if column.required and column.name in names]

    def is_data(self, texts: Sequence[str]) -> bool:
        """Tell whether a row above the headings is one of data: it has an id and most of what must be filled."""
        return self._is_named(texts) and 2 * self._filled(texts) > len(self._required)

    def repeats_heading(self, texts: Sequence[str]) -> bool:
        """Tell whether a row has the headings once more, in the other language for instance."""
        found = 0
        for text, name in zip(texts, self._names, strict=False):
            if passed_over(text):
                continue
            if name is None or self._known.get(plain(text)) != name:
                return False
            found += 1
        return found >= _ENOUGH

    def is_notes(self, texts: Sequence[str]) -> bool:
        """Tell whether a row below the headings says how to fill them in, or numbers the columns."""
        filled = [text for text in map(clean, texts) if text]
        numbered = len(filled) > _ENOUGH and filled == [str(number) for number in range(1, len(filled) + 1)]
        return numbered or all(map(is_note, filled))

    def is_end(self, texts: Sequence[str]) -> bool:
        """Tell whether a row behind the list is a total, a signature or a remark."""
        first = next((text for text in map(clean, texts) if text), "")
        return bool(_END.match(half_width(first))) and not all(_cell(texts, place) for place in self._required)

    def no_data(self, row: Row) -> RowError | None:
        """Return the one sentence for a row that cannot be data, where each of its cells would get one."""
        number, texts = row
        if self.is_end(texts):
            expected = Said("data; totals and signatures belong below the list", "数据行（合计、签字等请放在表格末尾）")
            return RowError(number, "", expected, _shown(texts))
        filled = sum(bool(clean(text)) for text in texts)
        if filled == 1 and len(self._required) > _ENOUGH:
            expected = Said("a row of data; only one cell of it is filled", "数据行（本行只填了一个单元格）")
            return RowError(number, "", expected, _shown(texts))
        if not self._is_named(texts) and 2 * self._filled(texts) < len(self._required):
            expected = Said(
                "a row of data; its id and most of what must be filled are missing",
                "数据行（本行缺少编号和大部分必填内容）",
            )
            return RowError(number, "", expected, _shown(texts))
        return None

    def _is_named(self, texts: Sequence[str]) -> bool:
        return self._id is not None and bool(_ID.fullmatch(_cell(texts, self._id)))

    def _filled(self, texts: Sequence[str]) -> int:
        return sum(bool(_cell(texts, place)) for place in self._required)


def _cell(texts: Sequence[str], place: int) -> str:
    return clean(texts[place]) if place < len(texts) else ""


def _shown(texts: Sequence[str]) -> str:
    return shortened("，".join(text for text in texts if text))


def _heading_place(kind: Kind, rows: Sequence[Row]) -> tuple[int, int]:
    """Return where the headings stand, and how many of them are known."""
    known = known_headings(kind)
    counts = [len({known[text] for text in map(plain, texts) if text in known}) for _, texts in rows[:LOOKED_AT]]
    best = max(counts)
    at = next((at for at, count in enumerate(counts) if count >= _ENOUGH), counts.index(best))
    return at, best


def _no_headings(kind: Kind, rows: Sequence[Row]) -> RowError:
    known = known_headings(kind)
    for number, texts in rows[:LOOKED_AT]:
        for mark, word in _OTHER_MARKS.items():
            parts = mark.join(texts)[:_LONGEST_HEADING].split(mark)
            if sum(plain(part) in known for part in parts) >= _ENOUGH:
                return RowError(number, "", Said("commas between the cells", "单元格之间用半角逗号分隔"), word)
    number, texts = next((row for row in rows if sum(map(bool, row[1])) > 1), rows[0])
    columns = [column for column in COLUMNS[kind] if column.required]
    expected = Said(
        f"a row of headings: {', '.join(f'{column.name} ({column.zh})' for column in columns)}",
        f"表头行：{'、'.join(column.zh for column in columns)}",
    )
    return RowError(number, "", expected, _shown(texts))


def _above(row: Row) -> RowError:
    expected = Said("the headings above all rows of data", "表头在所有数据行之上")
    return RowError(row[0], "", expected, _shown(row[1]))
