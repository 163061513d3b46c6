"""`NameRepository` on console.name_initials, and the initials themselves."""

from collections.abc import Mapping, Sequence

from services.console.adapters.postgres_read import translated
from services.console.adapters.statements import SQL
from services.runtime.postgres import Pool


class PostgresNames:
    """Two short statements; the names are those of rules.units."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def missing(self, limit: int) -> Sequence[str]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(SQL["names_without_initials"].encode(), {"limit": limit})
            return [row[0] for row in await cursor.fetchall()]

    async def keep(self, initials: Mapping[str, str]) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            values = {"names": list(initials), "initials": list(initials.values())}
            await connection.execute(SQL["keep_initials"].encode(), values)


def initials_of(name: str) -> str:
    """Return the initials of a name's pinyin. Phrases are read as such: 重庆路 is "cql", not "zql"."""
    from pypinyin import Style, lazy_pinyin

    found = "".join(lazy_pinyin(name, style=Style.FIRST_LETTER, strict=False))
    return "".join(char for char in found.lower() if char.isascii() and char.isalnum())
