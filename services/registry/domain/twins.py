"""Ids that people take for one another: two units where one is meant, of which no gateway can ever reach the second."""

from collections.abc import Collection, Iterable, Mapping

from services.registry.domain.errors import RowError
from services.registry.domain.rows import ParsedRow
from services.registry.domain.words import Said

_ALIKE = str.maketrans("oi_.", "0l--")


def look(entity_id: str) -> str:
    """Return how an id looks: capital or small, O or 0, l, I or 1, and which mark divides it make no difference."""
    return entity_id.casefold().translate(_ALIKE).replace("1", "l")


def looks(ids: Collection[str]) -> dict[str, str]:
    """Return ids by how they look."""
    return {look(each): each for each in ids}


def near_twins(column: str, rows: Iterable[ParsedRow], held: Collection[str]) -> list[RowError]:
    """Return a question for each row whose id is new and looks like another one's of the register or of the file.

    `held` are all ids of the register. Ids that it holds already are not asked about again.
    """
    by_look = looks(held)
    first: dict[str, tuple[str, int]] = {}
    questions: list[RowError] = []
    for row in rows:
        entity_id = row.facts.id
        looking = look(entity_id)
        earlier, where = first.setdefault(looking, (entity_id, row.row))
        if entity_id in held:
            continue
        if looking in by_look:
            questions.append(_question(row, column, by_look[looking], Said("in the register", "登记册中已有")))
        elif earlier != entity_id:
            questions.append(_question(row, column, earlier, Said(f"in row {where}", f"第 {where} 行为")))
    return questions


def _question(row: ParsedRow, column: str, other: str, where: Said) -> RowError:
    expected = Said(
        f"an id that cannot be taken for {other} ({where}); if it is meant so, run it again with --yes",
        f"不会与 {other} 混淆的编号（{where.zh} {other}）；确属不同对象请加 --yes 重新导入",
    )
    return RowError(row.row, column, expected, row.facts.id)


def meant(text: str, by_look: Mapping[str, str]) -> Said:
    """Return the words that name the known id which `text` looks like; none when it looks like none."""
    known = by_look.get(look(text))
    return Said("", "") if known is None else Said(f" (did you mean {known}?)", f"（是否应为 {known}？）")
