"""`WhatIfRepository` in PostgreSQL: our table of questions, and the answers in that of compliance."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from services.console.adapters.postgres_read import translated
from services.console.adapters.postgres_report_schedules import append_audit
from services.console.adapters.rows import Row, all_rows
from services.console.adapters.statements import SQL
from services.console.domain.errors import NotFound, WhatIfRunning, WhatIfsWaiting
from services.console.domain.report_schedules import ScheduleEntry
from services.console.domain.what_if import KEPT, LISTED, MAX_OPEN, TAKEN_WITHIN, NewWhatIf, WhatIfRow
from services.kernel.words import Period
from services.runtime.postgres import Pool


class PostgresWhatIfs:
    """Every call is one transaction."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def ask(self, new: NewWhatIf, by: str, now: datetime) -> int:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["what_if_lock"].encode())
            await connection.execute(SQL["what_ifs_forget"].encode(), {"before": now - KEPT})
            ((own, every),) = await all_rows(connection, SQL["what_ifs_open"], by=by, since=now - TAKEN_WITHIN)
            if own:
                raise WhatIfRunning
            if every >= MAX_OPEN:
                raise WhatIfsWaiting
            asked = {"kind": new.kind.value, "first": new.first, "source": new.source, "pack": new.pack}
            ((what_if_id,),) = await all_rows(connection, SQL["what_if_ask"], by=by, now=now, **asked)
            digest = hashlib.sha256(new.pack.encode()).hexdigest()
            told = {"kind": new.kind.value, "first": new.first.isoformat(), "source": new.source, "sha256": digest}
            await append_audit(connection, ScheduleEntry(now, by, "what_if", str(what_if_id), told))
            return int(what_if_id)

    async def rows(self, now: datetime) -> Sequence[WhatIfRow]:
        asked = {"before": now - KEPT, "since": now - TAKEN_WITHIN, "most": LISTED}
        async with translated(self._deadline_s), self._pool.connection() as connection:
            return [_row(row) for row in await all_rows(connection, SQL["what_ifs_newest"], **asked)]

    async def one(self, what_if_id: int, now: datetime) -> WhatIfRow:
        asked = {"before": now - KEPT, "since": now - TAKEN_WITHIN, "what_if_id": what_if_id}
        async with translated(self._deadline_s), self._pool.connection() as connection:
            found = await all_rows(connection, SQL["what_if_one"], **asked)
        if not found:
            raise NotFound
        return _row(found[0])


def _row(row: Row) -> WhatIfRow:
    what_if_id, kind, *rest = row
    return WhatIfRow(what_if_id, Period(kind), *rest)
