"""`ReadModel` on PostgreSQL: the views of rules, the tables of alerts, the registry in force. Reads only."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout, TooManyRequests

from services.console.adapters import rows
from services.console.adapters.case_pages import Parameters, case_pages, place_of, search_parameters
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.case_list import CaseQuery
from services.console.domain.cases import (
    URGENT_KINDS,
    CaseDetail,
    CaseDocument,
    CaseList,
    CaseRow,
    Comment,
    Component,
    Delivery,
    Fire,
    Receipt,
    TakenStep,
    Telephone,
    Verified,
)
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.district_map import MapQuery, MapUnit, Position
from services.console.domain.errors import DataUnavailable, NotFound
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.passages import as_shown
from services.console.domain.rates import RateCounts
from services.console.domain.units import CaseMark, Passage, Tally, UnitDetail, UnitPage, UnitQuery, UnitRow
from services.console.domain.viewer import WHOLE, Slice
from services.kernel.words import PROOFS_BY_STRENGTH, FileKind, Language, VisibilityState
from services.runtime.postgres import Pool

CASES_IN_PICTURE = 60
OUTAGES = 20
"""Of a unit so many are shown, the newest."""


@asynccontextmanager
async def translated(deadline_s: float) -> AsyncIterator[None]:
    """Turn what the driver raises, and no answer within `deadline_s` seconds, into DataUnavailable."""
    try:
        async with asyncio.timeout(deadline_s):
            yield
    except (psycopg.Error, PoolTimeout, TooManyRequests, TimeoutError, OSError) as error:
        raise DataUnavailable(type(error).__name__) from error


class PostgresReadModel:
    """Each call is one read-only snapshot (REPEATABLE READ), so that sums and lists agree with each other."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def visibility(self) -> Sequence[PartitionVisibility]:
        async with self._snapshot() as reader:
            return [
                PartitionVisibility(row[0], row[1], VisibilityState(row[2]))
                for row in await reader.all(SQL["visibility"])
            ]

    async def names(self) -> Names:
        async with self._snapshot() as reader:
            found = rows.names(await reader.all(SQL["packs"]), await reader.all(SQL["departments"]))
            return replace(found, people={row[0]: (row[0], row[1]) for row in await reader.all(SQL["people"])})

    async def live_counts(self) -> Sequence[tuple[str, RateCounts]]:
        async with self._snapshot() as reader:
            return await self._rates(reader, WHOLE)

    async def snapshot(self, slice_: Slice) -> DashboardSnapshot:
        async with self._snapshot(slice_) as reader:
            rates = await self._rates(reader, slice_)
            boards: dict[str, list[RateCounts]] = {"town": [], "department": [], "category": []}
            headline: list[RateCounts] = []
            for dimension, counts in rates:
                (headline if dimension == "district" else boards[dimension]).append(counts)
            return DashboardSnapshot(
                headline=tuple(sorted(headline, key=lambda row: row.scope)),
                boards={name: tuple(found) for name, found in boards.items()},
                tally=await self._tally(reader),
                cases=await self._cases(reader, CaseQuery(limit=CASES_IN_PICTURE)),
                fires=await self._fires(reader),
            )

    async def fires(self, slice_: Slice) -> tuple[Fire, ...]:
        async with self._snapshot(slice_) as reader:
            return await self._fires(reader)

    async def units(self, slice_: Slice, query: UnitQuery) -> UnitPage:
        where, parameters = unit_filter(query)
        async with self._snapshot(slice_) as reader:
            read = await reader.all(SQL["units"], where=where, **parameters, offset=query.offset, limit=query.limit)
            found, total = [row[1:] for row in read], read[0][0] if read else 0
            if not read and query.offset:
                ((total,),) = await reader.all(SQL["units_count"], where=where, **parameters)
            marks = await self._marks(reader, [row[0] for row in found])
            return UnitPage(total, tuple(self._unit(row, marks) for row in found))

    async def map_units(self, slice_: Slice, query: MapQuery) -> Sequence[MapUnit]:
        async with self._snapshot(slice_) as reader:
            found = await reader.all(SQL["map_units"], town=query.town, community=query.community)
            return [MapUnit(*row) for row in found]

    async def positions(self) -> Mapping[str, Position]:
        async with self._snapshot() as reader:
            return {row[0]: (row[1], row[2]) for row in await reader.all(SQL["positions"])}

    async def unit(self, slice_: Slice, unit_id: str, since: datetime) -> UnitDetail:
        async with self._snapshot(slice_) as reader:
            found = await reader.all(SQL["unit"], unit_id=unit_id)
            if not found:
                raise NotFound
            stored = [Passage(*row) for row in await reader.all(SQL["passages"], unit_id=unit_id, since=since)]
            marks = await self._marks(reader, [unit_id])
            unit = self._unit(found[0], marks)
            phones = (await self._telephones(reader, [unit_id]))[unit_id]
            unit = replace(unit, address_en=(await self._english(reader, [unit_id])).get(unit_id, ""))
            published = rows.outages_of(await reader.all(SQL["unit_outages"], unit_id=unit_id, most=OUTAGES))
            shown = tuple(as_shown(stored, since))
            return UnitDetail(unit, since, shown, tuple(marks.get(unit_id, ())), phones, published)

    async def cases(self, slice_: Slice, query: CaseQuery) -> CaseList:
        async with self._snapshot(slice_) as reader:
            return await self._cases(reader, query)

    async def case(self, slice_: Slice, case_id: str) -> CaseDetail:
        async with self._snapshot(slice_) as reader:
            found = await self._with_steps(reader, await reader.all(SQL["case"], case_id=case_id))
            if not found:
                raise NotFound
            components = await self._components(reader, [case_id])
            unit_id = found[0].unit_id
            phones = await self._telephones(reader, [unit_id] if unit_id else [])
            english = await self._english(reader, [unit_id] if unit_id else [])
            premises = await reader.all(SQL["premises"], unit_id=unit_id) if unit_id else []
            (papers,) = await reader.all(SQL["case_papers"], case_id=case_id)
            sent = await reader.all(SQL["deliveries"], case_id=case_id, strength=list(PROOFS_BY_STRENGTH))
            deliveries = [Delivery(*row) for row in sent]
            return CaseDetail(
                case=replace(found[0], address_en=english.get(unit_id or "", "")),
                deliveries=tuple(deliveries),
                finding_id=papers[0],
                clause=papers[1],
                route_clause=papers[2],
                pack_id=papers[3],
                pack_version=papers[4],
                telephones=phones[unit_id or ""],
                premises=tuple(name for (name,) in premises),
                comments=tuple(Comment(*row) for row in await reader.all(SQL["comments"], case_id=case_id)),
                verifications=tuple(
                    Verified(*row[1:]) for row in await reader.all(SQL["verifications"], case_ids=[case_id])
                ),
                evidence=rows.flat(papers[5]),
                close_reason=papers[6],
                acknowledged_via=papers[7],
                common_case_id=papers[8],
                sightings=papers[9],
                signals=tuple(rows.case_signal(row) for row in await reader.all(SQL["case_signals"], case_id=case_id)),
                components=components[case_id],
                documents=tuple(
                    CaseDocument(row[0], row[1], row[2], tuple(row[3]))
                    for row in await reader.all(SQL["case_documents"], case_id=case_id)
                ),
            )

    async def document_file(
        self, slice_: Slice, case_id: str, document_id: str, language: Language, kind: FileKind
    ) -> bytes:
        asked = {"case_id": case_id, "document_id": document_id, "language": str(language), "kind": str(kind)}
        async with self._snapshot(slice_) as reader:
            found = await reader.all(SQL["document_file"], **asked)
        if not found:
            raise NotFound
        return bytes(found[0][0])

    @asynccontextmanager
    async def _snapshot(self, slice_: Slice | None = None) -> AsyncIterator["_Reader"]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield _Reader(connection, slice_)

    async def _rates(self, reader: "_Reader", slice_: Slice) -> list[tuple[str, RateCounts]]:
        if slice_.whole:
            found = await reader.all(SQL["rates_whole"])
        else:
            ((is_town,),) = await reader.all(SQL["is_town"])
            accountable = SQL["accountable_town"] if is_town else SQL["accountable_lead"]
            found = await reader.all(SQL["rates_of_slice"], accountable=accountable)
        return [(row[1], RateCounts(row[0], *row[2:])) for row in found]

    async def _tally(self, reader: "_Reader") -> Tally:
        connection: dict[str, int] = defaultdict(int)
        health: dict[str, int] = defaultdict(int)
        total = troubled = unrouted = stamp = 0
        for row in await reader.all(SQL["tally"]):
            connection[row[0]] += row[2]
            health[row[1]] += row[2]
            total, troubled, unrouted, stamp = total + row[2], troubled + row[3], unrouted + row[4], stamp + row[5]
        token = f"{stamp:x}.{total}.{troubled}"
        return Tally(dict(connection), dict(health), total, troubled, unrouted, token)

    async def _fires(self, reader: "_Reader") -> tuple[Fire, ...]:
        found = [
            *await reader.all(SQL["fires"], kinds=list(URGENT_KINDS)),
            *await reader.all(SQL["fires_without_case"]),
        ]
        fires = [Fire(*row) for row in found]
        # However many strangers ring, they push no fire off the list.
        fires.sort(key=lambda fire: (fire.acknowledged_at is not None, fire.kind != "fire"))
        if reader.whole:  # a department takes no fire, so none waits for it
            fires += [replace(Fire(*row[:-1]), ended_at=row[-1]) for row in await reader.all(SQL["fires_ended"])]
        return await self._with_components(reader, fires[:50])

    async def _with_components(self, reader: "_Reader", fires: Sequence[Fire]) -> tuple[Fire, ...]:
        of_case = await self._components(reader, [fire.case_id for fire in fires if fire.case_id is not None])
        bare = [fire.unit_id for fire in fires if fire.case_id is None]
        found = await reader.all(SQL["components_of_units"], unit_ids=bare) if bare else []
        of_unit = rows.components(found)
        phones = await self._telephones(reader, [fire.unit_id for fire in fires])
        verified = await self._verified(reader, [fire.case_id for fire in fires if fire.case_id is not None])
        english = await self._english(reader, [fire.unit_id for fire in fires])
        return tuple(
            replace(
                fire,
                components=of_unit[fire.unit_id] if fire.case_id is None else of_case[fire.case_id],
                telephones=phones[fire.unit_id],
                verified=verified.get(fire.case_id or ""),
                address_en=english.get(fire.unit_id, ""),
            )
            for fire in fires
        )

    async def _telephones(self, reader: "_Reader", unit_ids: Sequence[str]) -> Mapping[str, tuple[Telephone, ...]]:
        """Return the numbers of units, for brigade and centre: they call, and people's numbers are nobody else's."""
        by: dict[str, tuple[Telephone, ...]] = defaultdict(tuple)
        if reader.whole and unit_ids:
            for row in await reader.all(SQL["telephones"], unit_ids=list(unit_ids)):
                by[row[0]] += (Telephone(*row[1:4]),)
        return by

    async def _english(self, reader: "_Reader", unit_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the addresses for readers of English, of the units for which the register has one."""
        found = await reader.all(SQL["english_addresses"], unit_ids=list(unit_ids)) if unit_ids else []
        return dict(found)

    async def _verified(self, reader: "_Reader", case_ids: Sequence[str]) -> Mapping[str, Verified]:
        """Return what was found last of each case that somebody looked at."""
        found = await reader.all(SQL["verifications"], case_ids=list(case_ids)) if case_ids else []
        return {row[0]: Verified(*row[1:]) for row in found}

    async def _components(self, reader: "_Reader", case_ids: Sequence[str]) -> Mapping[str, tuple[Component, ...]]:
        found = await reader.all(SQL["components"], case_ids=list(case_ids)) if case_ids else []
        return rows.components(found)

    async def _cases(self, reader: "_Reader", query: CaseQuery) -> CaseList:
        pages = case_pages(query, hides_members=reader.whole)
        ((total, unacknowledged, held, shelved),) = await reader.all(SQL["case_counts"])
        # nobody else takes a case that is over, so none waits for him
        ((returned,),) = await reader.all(SQL["returned_count"]) if reader.whole else ((0,),)
        ((matching,),) = await reader.all(SQL["cases_matching"], where=pages.where, **pages.parameters)
        found = await reader.all(pages.page, where=pages.where, after=pages.after, **pages.parameters)
        page = found[: query.limit]
        order = {row[0]: place for place, row in enumerate(page)}
        wide = await reader.all(SQL["cases_of_page"], case_ids=list(order)) if order else []
        cases = await self._with_steps(reader, sorted(wide, key=lambda row: order[row[0]]))
        behind = str(place_of(page[-1])) if len(found) > query.limit else None
        return CaseList(total, unacknowledged, held, tuple(cases), matching, behind, shelved, returned)

    async def _with_steps(self, reader: "_Reader", found: Sequence[Row]) -> list[CaseRow]:
        ids = [row[0] for row in found]
        taken: dict[str, list[TakenStep]] = defaultdict(list)
        deliveries: dict[str, dict[str, int]] = defaultdict(dict)
        receipts: dict[str, list[Receipt]] = defaultdict(list)
        verified = await self._verified(reader, ids)
        if ids:
            for row in await reader.all(SQL["receipts"], case_ids=ids):
                receipts[row[0]].append(Receipt(*row[1:]))
            for row in await reader.all(SQL["steps"], case_ids=ids):
                taken[row[0]].append(TakenStep(row[1], row[2], row[3], row[4], row[5], tuple(row[6]), row[7]))
            for case_id, state, count in await reader.all(SQL["delivery_counts"], case_ids=ids):
                deliveries[case_id][state] = count
        return [
            replace(
                rows.case_row(row, tuple(taken[row[0]]), deliveries[row[0]], tuple(receipts[row[0]])),
                verified=verified.get(row[0]),
            )
            for row in found
        ]

    async def _marks(self, reader: "_Reader", unit_ids: list[str]) -> Mapping[str, list[CaseMark]]:
        marks: dict[str, list[CaseMark]] = defaultdict(list)
        if unit_ids:
            for row in await reader.all(SQL["case_marks"], unit_ids=unit_ids):
                marks[row[0]].append(CaseMark(*row[1:]))
        return marks

    @staticmethod
    def _unit(row: Row, marks: Mapping[str, list[CaseMark]]) -> UnitRow:
        mine = marks.get(row[0])
        return rows.unit_row(row, mine[0] if mine else None)


class _Reader:
    """Runs named texts within one snapshot; fills in the slice, so that no question can forget it."""

    def __init__(self, connection: AsyncConnection[Row], slice_: Slice | None) -> None:
        self._connection = connection
        self._department = slice_.department if slice_ else None
        self.whole = slice_ is None or slice_.whole

    async def all(
        self, text: str, /, *, where: str = "TRUE", after: str = "TRUE", accountable: str = "TRUE", **parameters: Any
    ) -> list[Row]:
        filled = text.format(
            slice=SQL["slice_whole"] if self.whole else SQL["slice_of_department"],
            where=where,
            after=after,
            accountable=accountable,
        )
        cursor = await self._connection.execute(filled.encode(), {"department": self._department, **parameters})
        return await cursor.fetchall()


def unit_filter(query: UnitQuery) -> tuple[str, Parameters]:
    """Return the condition, made of fixed texts, and its parameters. Nothing a reader typed becomes SQL."""
    conditions, parameters = ["connection <> 'retired'"], Parameters()
    for column, value in (("town", query.town), ("lead_department", query.department), ("category", query.category)):
        if value is not None:
            conditions.append(f"{column} = %({column})s")
            parameters[column] = value
    if query.connection:
        conditions.append("connection_now = ANY(%(connection)s)")
        parameters["connection"] = [state.value for state in query.connection]
    if query.health:
        conditions.append("health_now = ANY(%(health)s)")
        parameters["health"] = [state.value for state in query.health]
    if query.scope is not None:
        conditions.append("scopes @> ARRAY[%(scope)s::text]")
        parameters["scope"] = query.scope
    if query.troubled:
        conditions.append(SQL["troubled"])
    if query.text:
        conditions.append(SQL["named_like"])
        parameters |= search_parameters(query.text)
    return " AND ".join(conditions), parameters
