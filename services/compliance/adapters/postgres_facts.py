"""What is kept of the log, and what was published, in PostgreSQL."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

from schemas.registry import RegistryData
from services.compliance.adapters import kept
from services.compliance.adapters.facts import registry_of
from services.compliance.adapters.figure_rows import body_event, figure_event, figure_row, published_of
from services.compliance.adapters.outage_rows import outage_row, standing_outage
from services.compliance.adapters.score_rows import listed_act_row
from services.compliance.adapters.statements import SQL
from services.compliance.domain.attribution import Lost
from services.compliance.domain.bodies import About, Assessment, Standing
from services.compliance.domain.changes import changes
from services.compliance.domain.checks import CheckStep
from services.compliance.domain.health import trouble_time
from services.compliance.domain.interruptions import Interruption, StandingOutage, joined
from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policies
from services.compliance.domain.publishing import Key
from services.compliance.domain.registry import Registry
from services.compliance.domain.signals import Pair
from services.compliance.domain.tally import UnitHistory
from services.compliance.domain.unit_day import Carry
from services.compliance.ports import (
    Dirt,
    FinalUnit,
    NewFigure,
    Position,
    Published,
    Step,
    Unavailable,
    UnitFacts,
    UnitResult,
)  # fmt: skip
from services.kernel.calendar import day_of, micros, midnight, moment
from services.kernel.words import ExchangeStep
from services.runtime.postgres import AWAY, Connection, Pool

HISTORIES_AT_ONCE = 500


class Overtaken(Unavailable):
    """Another process has taken the same step: this one looks anew where everything stands."""


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except AWAY as error:
        raise Unavailable(f"database: {type(error).__name__}") from error


class PostgresFacts:
    """Implements ports.FactStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        with translated():
            async with self._pool.connection() as connection, connection.transaction():
                yield connection

    async def position(self) -> Position | None:
        async with self._transaction() as connection:
            row = await (await connection.execute(SQL["position"])).fetchone()
        return None if row is None else Position(*row)

    async def take(self, step: Step) -> None:
        async with self._transaction() as connection:
            held = await (await connection.execute(SQL["lock"])).fetchone()
            before = 0 if held is None else held[0]
            values = {"known_at": step.known_at, "state": step.state, "before": before}
            moved = await connection.execute(SQL["advance"], values)
            if moved.rowcount != 1 or (step.known_at <= before and not step.anew):
                raise Overtaken(f"known up to {before} already")
            if step.anew:
                await connection.execute(SQL["begin_anew"])
                await connection.execute(SQL["forget_registry"])
            await self._take_registry(connection, step, before)
            late = await self._take_facts(connection, step)
            await _many(connection, SQL["add_listing_act"], [listed_act_row(act) for act in step.listings])
            await connection.execute(SQL["drop_carries"], (sorted(late),))
            if step.all_units or step.anew:
                await connection.execute(SQL["drop_all_carries"])
                await _soil(connection, [(0, "onwards")])

    async def _take_registry(self, connection: Connection, step: Step, before: int) -> None:
        old = await _registry(connection, before)
        await _many(connection, SQL["add_record"], step.records)
        changed = changes(old, await _registry(connection, step.known_at))
        await connection.execute(SQL["drop_carries"], (sorted(changed.units),))
        if changed.since is not None:
            await _soil(connection, [(changed.since, "onwards")])

    async def _take_facts(self, connection: Connection, step: Step) -> set[str]:
        """Store facts and return the units whose past they concern: what comes late is computed from the beginning."""
        late = {unit_id for (_, unit_id), times in step.heartbeats.items() if min(times) < step.late_from}
        rows = [
            (unit_id, gateway_id, day, raw)
            for (gateway_id, unit_id), times in step.heartbeats.items()
            for day, raw in kept.by_day(times).items()
        ]
        await _many(connection, SQL["add_heartbeats"], rows)
        gone: dict[tuple[Pair, int], list[int]] = defaultdict(list)
        for pair, received in step.replaced:
            gone[pair, day_of(received)].append(received)
            late.add(pair[1])
        for ((gateway_id, unit_id), day), times in gone.items():
            await _replace(connection, unit_id, gateway_id, day, times)
        return late | await self._take_signals(connection, step)

    async def _take_signals(self, connection: Connection, step: Step) -> set[str]:
        signals = [signal for signal, _ in step.signals]
        if not signals and not step.checks:
            return set()
        keys = ([s.key[0] for s in signals], [s.key[1] for s in signals], [s.received for s in signals])
        late = {row[0] for row in await (await connection.execute(SQL["units_of_signals"], keys)).fetchall()}
        late |= {signal.pair[1] for signal in signals if signal.received < step.late_from}
        times = ([s.pair[1] for s in signals], [day_of(trouble_time(s)) for s in signals])
        late |= {row[0] for row in await (await connection.execute(SQL["carries_before"], times)).fetchall()}
        rows = [(*signal.key, signal.pair[1], signal.received, raw) for signal, raw in step.signals]
        await _many(connection, SQL["add_signal"], rows)
        checks = [(each.gateway_id, each.command_id, each.ordered_at, each.step.value) for each in step.checks]
        await _many(connection, SQL["add_check"], checks)
        return late

    async def registry(self, known_at: int) -> Registry:
        async with self._transaction() as connection:
            return await _registry(connection, known_at)

    async def unit_facts(
        self, unit_ids: Sequence[str], gateways: Collection[Pair], kept_day: int, *, before: int | None = None
    ) -> UnitFacts:
        async with self._transaction() as connection:
            rows = await (await connection.execute(SQL["units"], (list(unit_ids),))).fetchall()
            carries: dict[str, Carry] = {}
            for row in rows:
                of_now = kept.carry_of(row[0], row[1], row[2]) if before is None else None
                found = of_now or kept.carry_of(row[0], kept_day or None, row[5])
                if found is not None:
                    carries[row[0]] = found
            signals = await (await connection.execute(SQL["signals_of"], (list(unit_ids),))).fetchall()
            pairs = sorted(gateways)
            since = [kept.since(carries.get(unit_id), (gateway_id, unit_id)) for gateway_id, unit_id in pairs]
            heartbeats: dict[Pair, list[int]] = defaultdict(list)
            beats = await connection.execute(SQL["heartbeats_of"], (*_columns(pairs, 2), since))
            for gateway_id, unit_id, day, raw in await beats.fetchall():
                if before is None or day < before:
                    heartbeats[gateway_id, unit_id] += sorted(kept.instants(day, raw))
            steps = await (await connection.execute(SQL["checks_of"], (_columns(pairs, 2)[0],))).fetchall()
        checks = [CheckStep(command, gateway_id, at, ExchangeStep(step)) for command, gateway_id, at, step in steps]
        return UnitFacts([kept.signal(row[0]) for row in signals], heartbeats, checks, carries)

    async def save_units(self, results: Sequence[UnitResult]) -> None:
        ids, firsts = [each.unit_id for each in results], [each.first for each in results]
        starts = [midnight(each.first) for each in results]
        async with self._transaction() as connection:
            dirt: set[tuple[int, str]] = set()
            old: dict[str, dict[int, str]] = defaultdict(dict)
            for unit_id, day, parts in await (await connection.execute(SQL["days_since"], (ids, firsts))).fetchall():
                old[unit_id][day] = parts
            stored = {row[0]: row for row in await (await connection.execute(SQL["units"], (ids,))).fetchall()}
            held = await (await connection.execute(SQL["kept_day"])).fetchone()
            final = 0 if held is None else held[0]
            outages = await _stored_outages(connection, ids, starts)
            losses = await _stored_losses(connection, ids, starts)
            added, dropped, units = [], [], []
            for result in results:
                was, now = old[result.unit_id], {day.day: kept.day_text(day) for day in result.days}
                added += [(result.unit_id, day, text) for day, text in now.items() if was.get(day) != text]
                dropped += [(result.unit_id, day) for day in was if day not in now]
                dirt |= _dirt(was, now)
                row = stored.get(result.unit_id)
                unit = _unit_row(result)
                dirt |= _dirt_of_events([] if row is None else [*row[3], *row[4]], [*_events(result)], final)
                if row is None or unit != _stored(row):
                    units.append(unit)
            await _many(connection, SQL["add_day"], added)
            await _many(connection, SQL["drop_day"], dropped)
            await _many(connection, SQL["save_unit"], units)
            await _soil(connection, dirt | await _save_outages(connection, results, outages, losses))

    async def unclosed_from(self) -> datetime | None:
        async with self._transaction() as connection:
            row = await (await connection.execute(SQL["unclosed_from"])).fetchone()
        return None if row is None else row[0]

    async def move_kept(self, before: int, day: int) -> None:
        async with self._transaction() as connection:
            moved = await connection.execute(SQL["move_kept"], {"before": before, "day": day})
            if moved.rowcount != 1:
                raise Overtaken("another process has made days final")

    async def forget(self, final: Sequence[FinalUnit], day: int, reach: int) -> Mapping[str, int]:
        unit_ids, before = sorted(each.unit_id for each in final), midnight(day)
        beats = [
            (unit_id, gateway_id, day_of(cut.at)) for each in final for (gateway_id, unit_id), cut in each.cuts.items()
        ]
        gone = [key for each in final for key in each.gone]
        silent = [key for each in final for key in each.silent]
        losses = {"unit_ids": unit_ids, "before": before, "reach": reach}
        async with self._transaction() as connection:
            rows = [(kept.cuts_text(each.cuts), each.unit_id) for each in final]
            await _many(connection, SQL["save_kept"], rows)
            await connection.execute(SQL["silence_signals"], _columns(silent, 2))

            async def dropped(statement: str, parameters: Any) -> int:
                return (await connection.execute(statement, parameters)).rowcount

            return {
                "heartbeats": await dropped(SQL["forget_heartbeats"], _columns(beats, 3)),
                "signals": await dropped(SQL["forget_signals"], _columns(gone, 2)),
                "unit_days": await dropped(SQL["forget_days"], (unit_ids, day)),
                "interruptions": await dropped(SQL["forget_interruptions"], (unit_ids, before)),
                "losses": await dropped(SQL["forget_losses"], losses),
                "outages": await dropped(SQL["forget_outages"], (unit_ids, moment(before))),
            }

    async def forget_checks(self, day: int) -> int:
        async with self._transaction() as connection:
            return (await connection.execute(SQL["forget_checks"], (midnight(day),))).rowcount

    async def computed(self, known_at: int) -> None:
        async with self._transaction() as connection:
            await connection.execute(SQL["computed"], {"known_at": known_at})

    async def dirt(self) -> Dirt:
        async with self._transaction() as connection:
            rows = await (await connection.execute(SQL["dirt"])).fetchall()
        of = {part: [day for day, name in rows if name == part] for part in ("within", "beginning", "onwards", "lost")}
        onwards = min(of["onwards"], default=None)
        return Dirt(frozenset(of["within"]), frozenset(of["beginning"]), onwards, frozenset(of["lost"]))

    async def histories(self, registry: Registry, first: int, last: int) -> AsyncIterator[UnitHistory]:
        async with self._transaction() as connection, connection.cursor(name="histories") as cursor:
            cursor.itersize = HISTORIES_AT_ONCE
            await cursor.execute(SQL["histories"], (first, last))
            async for unit_id, faults, checks, days in cursor:
                rows = registry.units.get(unit_id)
                if rows is not None:
                    parts = [kept.day_of_text(each) for each in days]
                    yield UnitHistory(unit_id, rows, parts, kept.faults_of(faults), kept.checks_of(checks))

    async def open_faults(self) -> Sequence[int]:
        async with self._transaction() as connection:
            return [row[0] for row in await (await connection.execute(SQL["open_faults"])).fetchall()]

    async def published(self, window: Window) -> Mapping[Key, Published]:
        async with self._transaction() as connection:
            found = await connection.execute(SQL["standing_figures"], (window.kind.value, moment(window.start)))
            return {
                Key(row[0], row[1], row[2], row[3], window): published_of(row[4], row[5])
                for row in await found.fetchall()
            }

    async def standing(self) -> Sequence[Standing]:
        async with self._transaction() as connection:
            rows = await (await connection.execute(SQL["standing_findings"])).fetchall()
        return [Standing(row[0], About(*row[1:5]), micros(row[5]), row[6], row[7]) for row in rows]

    async def losses(self, start: int, end: int, policies: Policies) -> Sequence[Lost]:
        async with self._transaction() as connection:
            rows = await (await connection.execute(SQL["losses_between"], (start, end))).fetchall()
        found = (kept.lost_of(row, policies) for row in rows)
        return [each for each in found if each is not None]

    async def interruptions(self, start: int, end: int, reach: int) -> Sequence[Interruption]:
        asked = {"start": start, "end": end, "lost_from": start - reach, "lost_to": end + reach}
        async with self._transaction() as connection:
            rows = await (await connection.execute(SQL["interruptions_between"], asked)).fetchall()
        return [kept.interruption_of(row) for row in rows]

    async def standing_outages(self, start: int, end: int, also: Sequence[Interruption]) -> Sequence[StandingOutage]:
        near = [each for each in also if not start <= each.start < end]
        asked = {
            "start": moment(start),
            "end": moment(end),
            "unit_ids": [each.unit_id for each in near],
            "starts": [moment(each.start) for each in near],
        }
        async with self._transaction() as connection:
            rows = await (await connection.execute(SQL["standing_outages"], asked)).fetchall()
        return [standing_outage(row) for row in rows]

    async def publish(
        self,
        position: Position,
        closed: int | None,
        figures: Sequence[NewFigure],
        assessment: Assessment,
        outages: Sequence[StandingOutage] = (),
        *,
        keep_dirt: bool = False,
        all_outages: bool = True,
    ) -> None:
        async with self._transaction() as connection:
            values = {
                "known_at": position.known_at,
                "closed": closed,
                "outages": all_outages and not keep_dirt,
                "before": position.published_at,
            }
            if (await connection.execute(SQL["published"], values)).rowcount != 1:
                raise Overtaken("another process has published")
            known_at = position.known_at
            await _many(connection, SQL["add_figure"], [figure_row(each, known_at) for each in figures])
            await _many(connection, SQL["add_message"], [figure_event(each, known_at) for each in figures])
            await _many(connection, SQL["save_finding"], [_finding_row(each) for each in assessment.standing])
            await _many(connection, SQL["add_message"], [body_event(each, known_at) for each in assessment.findings])
            await _many(connection, SQL["add_outage"], [outage_row(each, known_at) for each in outages])
            if not keep_dirt:
                await connection.execute(SQL["clean"])


def _columns(rows: Sequence[Sequence[Any]], many: int) -> list[list[Any]]:
    return [[row[index] for row in rows] for index in range(many)]


async def _many(connection: Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    wanted = list(rows)
    if wanted:
        async with connection.cursor() as cursor:
            await cursor.executemany(statement, wanted)


async def _soil(connection: Connection, days: Iterable[tuple[int, str]]) -> None:
    await _many(connection, SQL["soil"], sorted(days))


async def _registry(connection: Connection, known_at: int) -> Registry:
    rows = await (await connection.execute(SQL["records"])).fetchall()
    return registry_of([RegistryData.model_validate_json(data, extra="ignore") for (data,) in rows], known_at)


async def _replace(connection: Connection, unit_id: str, gateway_id: str, day: int, gone: Sequence[int]) -> None:
    row = await (await connection.execute(SQL["heartbeats_of_day"], (unit_id, gateway_id, day))).fetchone()
    if row is not None:
        left = kept.without(day, row[0], gone)
        await connection.execute(SQL["replace_heartbeats"], (left, unit_id, gateway_id, day))


def _unit_row(result: UnitResult) -> tuple[Any, ...]:
    first, cuts = (None, {}) if result.carry is None else result.carry
    return (
        result.unit_id, first, kept.cuts_text(cuts), kept.faults_text(result.faults),
        kept.checks_text(result.checks),
    )  # fmt: skip


def _stored(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return a row as `_unit_row` would have written it."""
    return (row[0], row[1], *(json.dumps(each) for each in row[2:5]))


def _dirt(was: Mapping[int, str], now: Mapping[int, str]) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for day in was.keys() | now.keys():
        old, new = was.get(day), now.get(day)
        if old != new:
            found.add((day, "within"))
            if _beginning(old) != _beginning(new):
                found.add((day, "beginning"))
    return found


def _beginning(text: str | None) -> object:
    return None if text is None else kept.day_of_text(text).beginning


def _events(result: UnitResult) -> Iterator[Sequence[int | str | None]]:
    yield from ([fault.begun, fault.ended] for fault in result.faults)
    yield from result.checks


def _dirt_of_events(was: Sequence[Sequence[Any]], now: Sequence[Sequence[Any]], final: int) -> set[tuple[int, str]]:
    """Return the days on which a fault began, or a check was ordered, that has another end now.

    What is not told any more of days before `final` is gone with them, and no news.
    """
    old, new = {tuple(each) for each in was}, {tuple(each) for each in now}
    days = {day_of(each[0]) for each in new - old} | {day for each in old - new if (day := day_of(each[0])) >= final}
    return {(day, "within") for day in days}


async def _stored_outages(
    connection: Connection, unit_ids: Sequence[str], starts: Sequence[int]
) -> Mapping[str, list[Interruption]]:
    """Return, of each unit, the interruptions that reach its instant or lie after it."""
    found: dict[str, list[Interruption]] = defaultdict(list)
    for row in await (await connection.execute(SQL["interruptions_since"], (unit_ids, starts))).fetchall():
        found[row[0]].append(kept.interruption_of(row))
    return found


async def _stored_losses(
    connection: Connection, unit_ids: Sequence[str], starts: Sequence[int]
) -> Mapping[str, set[tuple[Any, ...]]]:
    """Return, of each unit, the losses from its instant on, as rows."""
    found: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for row in await (await connection.execute(SQL["losses_since"], (unit_ids, starts))).fetchall():
        found[row[0]].add(tuple(row))
    return found


async def _save_outages(
    connection: Connection,
    results: Sequence[UnitResult],
    outages: Mapping[str, Sequence[Interruption]],
    losses: Mapping[str, set[tuple[Any, ...]]],
) -> set[tuple[int, str]]:
    """Put what was found in place of what there is; return the days of which anything is another."""
    gone: list[tuple[Any, ...]] = []
    added: list[Interruption] = []
    gone_losses: list[tuple[Any, ...]] = []
    added_losses: list[tuple[Any, ...]] = []
    for result in results:
        was = set(outages.get(result.unit_id, ()))
        now = set(joined(was, result.interruptions, midnight(result.first)))
        gone += [(each.unit_id, each.start) for each in was - now]
        added += now - was
        lost_before, lost = losses.get(result.unit_id, set()), {kept.lost_row(each) for each in result.losses}
        gone_losses += [row[:3] for row in lost_before - lost]
        added_losses += lost - lost_before
    await _many(connection, SQL["drop_interruption"], gone)
    await _many(connection, SQL["add_interruption"], [kept.interruption_row(each) for each in added])
    await _many(connection, SQL["drop_loss"], gone_losses)
    await _many(connection, SQL["add_loss"], added_losses)
    times = [*(row[1] for row in gone), *(each.start for each in added)]
    times += [row[2] for row in (*gone_losses, *added_losses)]
    return {(day_of(at), "lost") for at in times}


def _finding_row(each: Standing) -> tuple[Any, ...]:
    return (each.finding_id, *each.about, moment(each.figure_from), each.revision, each.is_missed)
