"""Files to versions: all of a file or nothing, every error of it told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import PurePath

from services.kernel.calendar import CHINA
from services.kernel.effective import in_force
from services.registry.domain.bodies import Body
from services.registry.domain.columns import COLUMNS, kind_of_file
from services.registry.domain.crosscheck import Known, check_row, pack_misses, shared_addresses, unique
from services.registry.domain.entities import Facts, Gateway, History, Kind, Routing, Unit, Version, of_type
from services.registry.domain.errors import ErrorList, FileRefused, RowError
from services.registry.domain.policy import Policies, Policy, changes, dated, policy_on
from services.registry.domain.reports import ImportReport
from services.registry.domain.routing import resolve
from services.registry.domain.rows import ParsedRow, read_row
from services.registry.domain.table import Table, lay_out
from services.registry.domain.timeline import plan
from services.registry.domain.twins import looks, near_twins
from services.registry.domain.words import NOTHING, Said, is_chinese
from services.registry.ports import Files, ImportNote, PackFile, PublishedDays, Register, Sheet, Store
from services.runtime.clock import Clock

MAX_VERSIONS = 400
_LISTED_PASSED = 10
_ORDER = {Kind.PACK: 0, Kind.DEPARTMENT: 1, Kind.UNIT: 2, Kind.GATEWAY: 3, Kind.CONTACT: 4}


def today_in_shanghai(now: datetime) -> date:
    return now.astimezone(CHINA).date()


class Importer:
    """`twins_meant`: whoever imports has said that ids which look alike are meant to be different.

    `is_agreed`: it is a proposal, which a second person looks at before it holds.
    """

    def __init__(
        self,
        *,
        files: Files,
        store: Store,
        clock: Clock,
        listed_errors: int = 200,
        twins_meant: bool = False,
        is_agreed: bool = False,
    ) -> None:
        self._is_agreed = is_agreed
        self._files = files
        self._store = store
        self._clock = clock
        self._listed = listed_errors
        self._twins_meant = twins_meant

    async def import_files(
        self, requests: Sequence[tuple[str, Kind | None]], *, dry_run: bool = False
    ) -> list[ImportReport]:
        """Import files, departments before units before the rest, whatever their order; each whole or not at all.

        With `dry_run` all are tried, those that refer to earlier ones of the same command too, and nothing is kept.
        Raises:  StoreUnavailable.
        """
        named = [(path, kind or kind_of_file(PurePath(path).name)) for path, kind in requests]
        named.sort(key=lambda each: -1 if each[1] is None else _ORDER[each[1]])
        reports: list[ImportReport] = []
        async with self._store.command(keep=not dry_run):
            for path, kind in named:
                reports.append(await self._import_file(path, kind))
        return reports

    async def _import_file(self, path: str, kind: Kind | None) -> ImportReport:
        if kind is None:
            expected = Said(
                "a file name that says units, gateways, departments or contacts; or --kind",
                "文件名中含有单位、装置、部门或联系人，或用 --kind 指明",
            )
            return self._refused(path, None, FileRefused([RowError(0, "", expected, path)]))
        sheet: Sheet | None = None
        table: Table | None = None
        try:
            sheet = self._files.read_sheet(path)
            table = lay_out(kind, sheet.rows)
            parsed = _parse(table, sheet, self._files)
            async with self._store.transaction() as register:
                report = await self._take(register, path, table, sheet, parsed)
        except FileRefused as refusal:
            report = self._refused(path, kind, refusal, table)
        return replace(report, notes=_notes(sheet, table))

    async def _take(
        self, register: Register, path: str, table: Table, sheet: Sheet, parsed: Sequence[ParsedRow]
    ) -> ImportReport:
        kind = table.kind
        now = await instant(register, self._clock)
        today = today_in_shanghai(now)
        policies = await load_policies(register)
        known = await _known(register, kind, policies, today)
        held = await register.histories(kind, [row.facts.id for row in parsed])
        errors = ErrorList()
        for row in parsed:
            if not _says_what_is_held(row, held.get(row.facts.id), today):
                errors.add(*check_row(row, known, today))
        errors.refuse_if_any()
        if not self._twins_meant:
            twins = near_twins(COLUMNS[kind][0].name, parsed, await register.ids(kind))
            if twins:
                raise FileRefused(twins, asks=True)
        added: list[Version[Facts]] = []
        planned: dict[str, Sequence[Version[Facts]]] = {}
        changed = 0
        for row in parsed:
            history = held.get(row.facts.id)
            versions = _plan_row(row, history, policies, today, now)
            if len(versions) + (0 if history is None else len(history.versions)) > MAX_VERSIONS:
                expected = Said(f"at most {MAX_VERSIONS} versions of one entity", f"同一对象最多 {MAX_VERSIONS} 个版本")
                errors.add(RowError(row.row, COLUMNS[kind][0].name, expected, row.facts.id))
            changed += bool(versions)
            added.extend(versions)
            planned[row.facts.id] = versions
        if kind is Kind.GATEWAY:
            errors.add(*await _shared_addresses(register, parsed, planned, today))
        errors.refuse_if_any()
        if added:
            note = ImportNote(_file_name(path), sheet.sha256, kind, len(parsed), changed, now)
            await register.add(kind, added, note)
        return ImportReport(path, kind, len(parsed), changed, len(added), chinese=table.chinese)

    async def import_pack(self, path: str, *, valid_from: date | None = None, dry_run: bool = False) -> ImportReport:
        """Import a policy pack and give each unit of its district the routes of it, from the day it begins.

        The first version of a pack begins on the pack's own first day, a later one today, unless `valid_from` says
        another day. The same pack again changes nothing.
        Raises:  StoreUnavailable.
        """
        try:
            pack = self._files.read_pack(path)
            async with self._store.command(keep=not dry_run), self._store.transaction() as register:
                report = await self._take_pack(register, path, pack, valid_from)
            notes = () if pack.doubt is None else (pack.doubt,)
            return replace(report, notes=notes, chinese=is_chinese(PurePath(path).name))
        except FileRefused as refusal:
            return self._refused(path, Kind.PACK, refusal)

    async def _take_pack(self, register: Register, path: str, pack: PackFile, valid_from: date | None) -> ImportReport:
        policy = pack.policy
        now = await instant(register, self._clock)
        today = today_in_shanghai(now)
        held = of_type(_versions(await register.histories(Kind.PACK, [policy.pack_id])), Policy)
        if any(version.facts == policy for version in held):
            return ImportReport(path, Kind.PACK, 1)
        newest = max((version.facts.number for version in held), default=0)
        if policy.number <= newest:
            expected = Said(
                f"a version above {newest}, which the register has with other content",
                f"高于 {newest} 的版本号（登记册中该版本内容不同）",
            )
            raise FileRefused([placed(RowError(0, "version", expected, str(policy.number)), pack)])
        since = valid_from or (max(policy.valid_from, today) if held else policy.valid_from)
        if too_early := reaches_back(since, await register.published_days(policy.district), agreed=self._is_agreed):
            raise FileRefused([placed(too_early, pack)])
        bodies = _bodies(await register.current(Kind.DEPARTMENT, max(since, today)))
        units = await register.histories(Kind.UNIT)
        current = of_type(await register.current(Kind.UNIT, max(since, today)), Unit)
        if misses := pack_misses(policy, [version.facts for version in current], bodies):
            raise FileRefused([placed(miss, pack) for miss in misses])
        note = ImportNote(_file_name(path), pack.sha256, Kind.PACK, 1, 1, now)
        await register.add(Kind.PACK, [Version(policy, since, now)], note)
        rerouted = _reroute(units, await load_policies(register), now)
        if rerouted:
            await register.add(Kind.UNIT, rerouted, None)
        count = len({version.facts.id for version in rerouted})
        return ImportReport(path, Kind.PACK, 1, 1, 1, rerouted=count)

    def _refused(self, path: str, kind: Kind | None, refusal: FileRefused, table: Table | None = None) -> ImportReport:
        """Say the errors in the order of the sheet and with its own headings."""
        found: Sequence[RowError] = refusal.errors
        named = is_chinese(PurePath(path).name)
        chinese: bool | None = named or (False if kind is Kind.PACK else None)
        if table is None:
            ordered = sorted(found, key=lambda error: (error.row, error.char, error.column))
        else:
            chinese = table.chinese or (named and not table.headings)
            ordered = sorted(found, key=lambda error: (error.row, table.place(error.column), error.column))
            ordered = [replace(error, column=table.heading(error.column)) for error in ordered[: self._listed]]
        return ImportReport(
            path,
            kind,
            0 if table is None else len(table.rows),
            errors=tuple(ordered[: self._listed]),
            total_errors=refusal.total,
            chinese=chinese,
            asks=refusal.asks,
        )


def reaches_back(since: date, days: PublishedDays, *, agreed: bool) -> RowError | None:
    """Return what is wrong with the day a pack begins on, None where nothing is.

    Figures of final days cannot follow it (decision 75); those of days that are published would be restated, which two
    people decide. A district without figures may have packs of any day.
    """
    if days.until is None or since >= days.until:
        return None
    if days.final_before is not None and since < days.final_before:
        first = days.final_before.isoformat()
        expected = Said(
            f"{first} or later (--valid-from): figures of days before it are final and would not follow this pack",
            f"{first} 或以后（--valid-from）：此前各日的数据已定稿，不随本政策包改变",
        )
        return RowError(0, "valid_from", expected, since.isoformat())
    if agreed:
        return None
    first = days.until.isoformat()
    expected = Said(
        f"{first} or later (--valid-from): figures up to it are published. What is to restate them by a revision is "
        "proposed at the console, where a second person approves",
        f"{first} 或以后（--valid-from）：此前各日的数据已公布。"
        "确需修订已公布数据的，在控制台提出，经第二人批准后另立版次",
    )
    return RowError(0, "valid_from", expected, since.isoformat())


def placed(error: RowError, pack: PackFile) -> RowError:
    """Return an error about a part of a pack at the line and column where that part stands."""
    line, char = pack.place_of([error.column])
    return replace(error, row=line, char=char)


def _notes(sheet: Sheet | None, table: Table | None) -> tuple[Said, ...]:
    notes = [] if sheet is None or sheet.doubt is None else [sheet.doubt]
    if table is not None and table.headings and table.passed:
        rows = [str(number) for number in table.passed[:_LISTED_PASSED]]
        more = len(table.passed) - len(rows)
        notes.append(
            Said(
                f"passed over, no data: row {', '.join(rows)}{f' and {more} more' if more else ''}",
                f"第 {'、'.join(rows)} 行{f'等 {len(table.passed)} 行' if more else ''}不是数据，已略过",
            )
        )
    return tuple(notes)


async def _shared_addresses(
    register: Register, parsed: Sequence[ParsedRow], planned: Mapping[str, Sequence[Version[Facts]]], today: date
) -> list[RowError]:
    if not any(isinstance(row.facts, Gateway) and row.facts.device_address for row in parsed):
        return []
    held = {gateway_id: history.versions for gateway_id, history in (await register.histories(Kind.GATEWAY)).items()}
    timelines = {
        gateway_id: of_type([*held.get(gateway_id, ()), *planned.get(gateway_id, ())], Gateway)
        for gateway_id in {*held, *planned}
    }
    return shared_addresses(parsed, timelines, today)


def _file_name(path: str) -> str:
    """Return the last part of a path; of a name that is not UTF-8 (GBK, out of an archive) the bytes are spelt out."""
    return PurePath(path).name.encode("utf-8", "backslashreplace").decode()


def _parse(table: Table, sheet: Sheet, files: Files) -> list[ParsedRow]:
    """Return the rows of a table as entities. Raises FileRefused with every error of the sheet."""
    parsed: list[ParsedRow] = []
    errors = ErrorList()
    errors.add(*table.errors)
    unusable = table.unusable(sheet.problems)
    errors.add(*unusable)
    reported = {(error.row, error.column) for error in unusable}
    width = len(table.names)
    for number, texts in table.rows:
        if any(text.strip() for text in texts[width:]):
            expected = Said(f"at most {width} cells, as in the heading", f"不超过表头的 {width} 列")
            errors.add(RowError(number, "", expected, Said(f"{len(texts)} cells", f"{len(texts)} 列")))
        cell_texts = {name: text for name, text in zip(table.names, texts, strict=False) if name is not None}
        row, problems = read_row(table.kind, number, cell_texts, files)
        parsed.append(row)
        errors.add(*(problem for problem in problems if (number, problem.column) not in reported))
    if not parsed and not table.errors:
        expected = Said("at least one row below the heading", "表头下至少一行数据")
        errors.add(RowError(table.heading_row, "", expected, NOTHING))
    errors.add(*unique(COLUMNS[table.kind][0].name, (row for row in parsed if row.facts.id)))
    errors.refuse_if_any()
    return parsed


def _says_what_is_held(row: ParsedRow, history: History[Facts] | None, today: date) -> bool:
    """Tell whether a row changes nothing. What it refers to is not asked for again: it may be gone since.

    A unit that left may have a category that no pack has any more, and an export of it must be taken back.
    """
    held = None if history is None else in_force(history.versions, row.valid_from or today)
    return held is not None and held.facts == row.facts


def _plan_row(
    row: ParsedRow, history: History[Facts] | None, policies: Policies, today: date, now: datetime
) -> Sequence[Version[Facts]]:
    day = row.valid_from or today
    facts = row.facts
    held = () if history is None else history.versions
    if isinstance(facts, Unit):
        return plan_unit(of_type(held, Unit), (day, facts), policies, now)
    return plan(held, (day, facts), _no_route, (), now)


def plan_unit(
    held: Sequence[Version[Unit]], change: tuple[date, Unit] | None, policies: Policies, now: datetime
) -> list[Version[Unit]]:
    """Return the versions that bring a unit's facts and routes up to date under `policies`."""
    districts = {version.facts.district for version in held} | ({change[1].district} if change else set())
    days = sorted({day for district in districts for day in changes(policies, district)})

    def route_of(unit: Unit, day: date) -> Routing | None:
        policy = policy_on(policies, unit.district, day)
        return None if policy is None else resolve(unit, policy, day)

    return plan(held, change, route_of, days, now)


def _no_route(_: object, __: date) -> None:
    return None


def _reroute(units: Mapping[str, History[Facts]], policies: Policies, now: datetime) -> list[Version[Unit]]:
    added: list[Version[Unit]] = []
    for history in units.values():
        added.extend(plan_unit(of_type(history.versions, Unit), None, policies, now))
    return added


async def load_policies(register: Register) -> Policies:
    """Return every version of every pack, with the day from which it holds."""
    versions = of_type(_versions(await register.histories(Kind.PACK)), Policy)
    return Policies(dated(version.facts, version.valid_from) for version in versions)


async def _known(register: Register, kind: Kind, policies: Policies, today: date) -> Known:
    needs_bodies = kind in (Kind.UNIT, Kind.CONTACT)
    bodies = _bodies(_versions(await register.histories(Kind.DEPARTMENT))) if needs_bodies else {}
    units = await register.ids(Kind.UNIT) if kind in (Kind.GATEWAY, Kind.CONTACT) else set()
    return Known(policies, bodies, units, looks(units))


async def instant(register: Register, clock: Clock) -> datetime:
    """Return now, but after everything recorded: a clock that was set back must not make new knowledge look old."""
    last = await register.last_recorded()
    now = clock.now()
    return now if last is None or now > last else last + timedelta(microseconds=1)


def _versions(histories: Mapping[str, History[Facts]]) -> list[Version[Facts]]:
    return [version for history in histories.values() for version in history.versions]


def _bodies(versions: Sequence[Version[Facts]]) -> dict[str, Body]:
    return {version.facts.code: version.facts for version in of_type(versions, Body)}
