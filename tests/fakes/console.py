"""Ports of the console in memory. The read model and the accounts obey the contract suites with the real ones."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from operator import itemgetter

from services.console.domain.account_audit import AccountAct, AccountLink, entry, link
from services.console.domain.accounts import Account, Session, lock_until, session_of
from services.console.domain.case_list import CasePlace, CaseQuery, CaseSort, CaseView
from services.console.domain.cases import CaseDetail, CaseList, CaseRow, Fire
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.district_map import MapQuery, MapUnit, Position
from services.console.domain.errors import (
    AccountExists,
    BadCredentials,
    DataUnavailable,
    IdentityTaken,
    LastAdministrator,
    NotFound,
    WrongCode,
    WrongPassword,
)
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.identity import Identity
from services.console.domain.rates import LIVE_RATE, RateCounts
from services.console.domain.screens import Screen
from services.console.domain.second_factor import Enrolment, SecondFactor
from services.console.domain.units import Tally, UnitDetail, UnitPage, UnitQuery, UnitRow
from services.console.domain.viewer import Slice, Username, Viewer
from services.kernel.policy import Target
from services.kernel.words import AlarmCause, AlarmState, FileKind, Language, Verification, VisibilityState

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
RANK: tuple[Callable[[UnitRow], bool], ...] = (
    lambda unit: unit.health == "fire",
    lambda unit: unit.connection == "offline",
    lambda unit: unit.partly_connected,
    lambda unit: unit.health == "fault",
    lambda unit: unit.health == "isolated",
    lambda unit: unit.health == "partly_isolated",
    lambda unit: unit.connection == "late",
    lambda unit: unit.line_drops > 0,
    lambda unit: unit.connection == "never_connected",
    lambda unit: unit.connection == "unknown",
    lambda unit: unit.connection == "commissioning",
    lambda unit: unit.connection == "exempt",
)


def pressing(unit: UnitRow) -> int:
    return next((rank for rank, holds in enumerate(RANK) if holds(unit)), len(RANK))


def troubled(unit: UnitRow) -> bool:
    return (
        unit.connection not in ("online", "exempt", "retired")
        or unit.health not in ("normal", "unknown")
        or unit.partly_connected
        or unit.line_drops > 0
    )


def _target(scope: str) -> Target:
    return Target(f"T-{scope}", LIVE_RATE, scope, ">=", Fraction(1), "1", "12-31", "clause")


@dataclass
class FakeReadModel:
    """The district in lists. `away` makes every read fail; `reads` counts them by method."""

    all_units: list[UnitRow] = field(default_factory=list)
    all_cases: list[CaseRow] = field(default_factory=list)
    visibilities: list[PartitionVisibility] = field(
        default_factory=lambda: [PartitionVisibility(0, T0, VisibilityState.CLEAR)]
    )
    known_names: Names = field(default_factory=lambda: Names(targets={scope: _target(scope) for scope in ("S1", "S2")}))
    known_positions: dict[str, Position] = field(default_factory=dict)
    away: bool = False
    reads: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event | None = None

    async def visibility(self) -> Sequence[PartitionVisibility]:
        await self._read("visibility")
        return list(self.visibilities)

    async def names(self) -> Names:
        await self._read("names")
        return self.known_names

    async def live_counts(self) -> Sequence[tuple[str, RateCounts]]:
        await self._read("live_counts")
        return self._rates(Slice(None))

    async def snapshot(self, slice_: Slice) -> DashboardSnapshot:
        await self._read("picture")
        rates = self._rates(slice_)
        boards = {
            dimension: tuple(row for found, row in rates if found == dimension)
            for dimension in ("town", "department", "category")
        }
        return DashboardSnapshot(
            headline=tuple(row for found, row in rates if found == "district"),
            boards=boards,
            tally=self._tally(slice_),
            cases=await self.cases(slice_, CaseQuery()),
            fires=self._fires(slice_),
        )

    async def fires(self, slice_: Slice) -> tuple[Fire, ...]:
        if self.away:
            raise DataUnavailable("away")
        self.reads["fires"] += 1
        return self._fires(slice_)

    async def units(self, slice_: Slice, query: UnitQuery) -> UnitPage:
        await self._read("units")
        found = [unit for unit in self._of(slice_) if _asked(unit, query)]
        found.sort(key=lambda unit: (pressing(unit), unit.unit_id))
        return UnitPage(len(found), tuple(found[query.offset : query.offset + query.limit]))

    async def map_units(self, slice_: Slice, query: MapQuery) -> Sequence[MapUnit]:
        await self._read("map_units")
        return [
            MapUnit(
                unit.unit_id, unit.name, unit.name_en, unit.town, unit.community,
                unit.connection, unit.health, unit.partly_connected,
            )
            for unit in self._of(slice_)
            if unit.connection != "retired"
            and query.town in (None, unit.town)
            and query.community in (None, unit.community)
        ]  # fmt: skip

    async def positions(self) -> Mapping[str, Position]:
        await self._read("positions")
        return dict(self.known_positions)

    async def unit(self, slice_: Slice, unit_id: str, since: datetime) -> UnitDetail:
        await self._read("unit")
        for unit in self._of(slice_):
            if unit.unit_id == unit_id:
                return UnitDetail(unit, since, (), ())
        raise NotFound

    async def cases(self, slice_: Slice, query: CaseQuery) -> CaseList:
        await self._read("cases")
        here = [case for case in self.all_cases if slice_.holds(case.lead_department, case.copy_departments, case.town)]
        opened = [case for case in here if case.state == "open"]
        asked = sorted(
            (_placed(case, query) for case in here if _wanted(case, query, whole=slice_.whole)), key=itemgetter(0)
        )
        rest = [
            (key, place, case) for key, place, case in asked if query.after is None or key > _key(query.after, query)
        ]
        page, more = rest[: query.limit], len(rest) > query.limit
        return CaseList(
            len(opened), sum(case.acknowledged_at is None for case in opened), 0,
            tuple(case for _, _, case in page), len(asked), str(page[-1][1]) if more else None,
            sum(case.shelved is not None for case in opened),
            sum(case.alarm_state is AlarmState.RETURNED_UNACKNOWLEDGED for case in here) if slice_.whole else 0,
        )  # fmt: skip

    async def case(self, slice_: Slice, case_id: str) -> CaseDetail:
        await self._read("case")
        for case in self.all_cases:
            if case.case_id == case_id and slice_.holds(case.lead_department, case.copy_departments, case.town):
                return CaseDetail(case, (), "finding", "clause", "route", "pack", 1, (), None, None, None, 1)
        raise NotFound

    async def document_file(
        self, slice_: Slice, case_id: str, document_id: str, language: Language, kind: FileKind
    ) -> bytes:
        await self.case(slice_, case_id)
        return f"{document_id} {language} {kind}".encode()

    def _of(self, slice_: Slice) -> list[UnitRow]:
        return [unit for unit in self.all_units if slice_.holds(unit.lead_department, unit.copy_departments, unit.town)]

    def _fires(self, slice_: Slice) -> tuple[Fire, ...]:
        mine = [
            case
            for case in self.all_cases
            if case.kind == "fire" and slice_.holds(case.lead_department, case.copy_departments, case.town)
        ]
        ended = [case for case in mine if slice_.whole and case.acknowledged_at is None and case.closed_at]
        return tuple(
            Fire(
                case.unit_id or "", case.case_id, case.unit_name, "", "", case.town, case.effective_at, None, None,
                ended_at=case.closed_at,
            )
            for case in [*(one for one in mine if one.state == "open"), *ended]
        )  # fmt: skip

    def _tally(self, slice_: Slice) -> Tally:
        mine = self._of(slice_)
        return Tally(
            connection=dict(Counter(unit.connection for unit in mine)),
            health=dict(Counter(unit.health for unit in mine)),
            total=len(mine),
            troubled=sum(map(troubled, mine)),
            unrouted=sum(not unit.routed for unit in mine),
            token=str(hash(tuple(mine))),
        )

    def _rates(self, slice_: Slice) -> list[tuple[str, RateCounts]]:
        mine = self._of(slice_)
        if slice_.department is not None:
            is_town = any(unit.town == slice_.department for unit in self.all_units)
            mine = [unit for unit in mine if (unit.town if is_town else unit.lead_department) == slice_.department]
        groups: dict[tuple[str, str, str], list[UnitRow]] = {}
        for unit in mine:
            for scope in unit.scopes:
                for dimension, value in (
                    ("district", "sample" if slice_.whole else ""),
                    ("town", unit.town),
                    ("department", unit.lead_department),
                    ("category", unit.category),
                ):
                    groups.setdefault((scope, dimension, value), []).append(unit)
        return [(dimension, _count(scope, value, units)) for (scope, dimension, value), units in sorted(groups.items())]

    async def _read(self, method: str) -> None:
        self.reads[method] += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise DataUnavailable("away")


def _wanted(case: CaseRow, query: CaseQuery, *, whole: bool) -> bool:
    hides = whole and query.alarm_state is None and query.view in (CaseView.OPEN, CaseView.UNTAKEN)
    text = query.text.lower()
    return (
        case.state == ("closed" if query.of_closed else "open")
        and (query.alarm_state is None or case.alarm_state is query.alarm_state)
        and (not hides or case.shelved is None)
        and (query.view is not CaseView.UNTAKEN or case.acknowledged_at is None)
        and (query.view is not CaseView.MINE or (case.owner is not None and case.owner.account == query.reader))
        and (not query.kinds or case.kind in query.kinds)
        and (query.step is None or case.step == query.step)
        and (query.town is None or case.town == query.town)
        and (query.department is None or query.department in (case.lead_department, *case.copy_departments))
        and (not text or any(text in word.lower() for word in (case.case_id, case.unit_id or "", case.unit_name)))
    )


def _placed(case: CaseRow, query: CaseQuery) -> tuple[tuple[object, ...], CasePlace, CaseRow]:
    urgency = {"fire": 0, "unreadable_alarm": 1, "unregistered_alarm": 1}.get(case.kind, 2)
    rank = urgency * 4 + (case.acknowledged_at is not None) * 2 + (case.kind != "common_cause")
    at = case.closed_at if query.of_closed else case.opened_at
    assert at is not None
    place = CasePlace(rank, case.next_step_at, at, case.case_id)
    return _key(place, query), place, case


def _key(place: CasePlace, query: CaseQuery) -> tuple[object, ...]:
    at = place.at.timestamp()
    if query.of_closed:
        return (-at, place.case_id)
    if query.sort is CaseSort.NEWEST:
        return (-at, [-ord(char) for char in place.case_id])
    if query.sort is CaseSort.OLDEST:
        return (at, place.case_id)
    return (place.rank, place.due.timestamp() if place.due else float("inf"), at, place.case_id)


def _count(scope: str, value: str, units: list[UnitRow]) -> RateCounts:
    def number(state: str) -> int:
        return sum(unit.connection == state and not unit.partly_connected for unit in units)

    partly = sum(unit.partly_connected for unit in units)
    return RateCounts(
        scope, value, number("online"), number("late"), number("offline") + partly, number("unknown"),
        number("never_connected"), number("commissioning"), number("exempt"),
    )  # fmt: skip


def _asked(unit: UnitRow, query: UnitQuery) -> bool:
    wanted = (
        (query.town, unit.town),
        (query.department, unit.lead_department),
        (query.category, unit.category),
    )
    text = query.text.lower()
    return (
        all(asked is None or asked == value for asked, value in wanted)
        and (not query.connection or unit.connection in query.connection)
        and (not query.health or unit.health in query.health)
        and (query.scope is None or query.scope in unit.scopes)
        and (not query.troubled or troubled(unit))
        and (not text or any(text in value.lower() for value in (unit.name, unit.name_en, unit.unit_id)))
    )


@dataclass
class FakeAccounts:
    accounts: dict[str, Account] = field(default_factory=dict)
    sessions: dict[str, tuple[Username, str, datetime]] = field(default_factory=dict)
    links: list[AccountLink] = field(default_factory=list)
    steps: dict[str, int] = field(default_factory=dict)
    by_provider: set[str] = field(default_factory=set)

    async def find(self, username: str) -> Account | None:
        return self.accounts.get(username)

    async def save(self, account: Account, now: datetime) -> None:
        self.accounts[account.username] = self._saved(account)
        self._end(account.username)

    async def put(self, account: Account, act: AccountAct) -> None:
        self._done(act, self._saved(account))

    def _saved(self, account: Account) -> Account:
        before = self.accounts.get(account.username, account)
        return replace(
            account, disabled=False, failed_logins=0, locked_until=None, one_time_until=None,
            second_factor=before.second_factor, recovery_codes=before.recovery_codes, identity=before.identity,
        )  # fmt: skip

    async def create(self, account: Account, act: AccountAct) -> None:
        if account.username in self.accounts:
            raise AccountExists
        self._done(act, account)

    async def put_screen(self, screen: Account, act: AccountAct) -> None:
        there = self.accounts.get(screen.username)
        if there is not None and not there.viewer.is_screen:
            raise AccountExists
        self._done(act, replace(there or screen, display_name=screen.display_name, disabled=False))

    async def screens(self) -> Sequence[Screen]:
        def until(name: str) -> datetime | None:
            return max((ends for username, _, ends in self.sessions.values() if username == name), default=None)

        return [
            Screen(each.username, each.display_name, each.disabled, until(each.username))
            for each in self.accounts.values()
            if each.viewer.is_screen
        ]

    async def change_password(
        self, username: Username, verified: str, password_hash: str, act: AccountAct, *, keep: str
    ) -> None:
        account = self._current(username, verified)
        if account is None:
            raise WrongPassword
        changed = replace(account, password_hash=password_hash, one_time_until=None, failed_logins=0, locked_until=None)
        self._done(act, changed, keep)

    async def edit(self, described: Viewer, act: AccountAct) -> None:
        changed = replace(
            self._there(described.username), role=described.role, department=described.department,
            display_name=described.display_name, administers=described.administers,
            display_name_en=described.display_name_en,
        )  # fmt: skip
        self._done(act, changed)

    async def reset(self, username: Username, password_hash: str, until: datetime, act: AccountAct) -> None:
        changed = replace(
            self._there(username), password_hash=password_hash, one_time_until=until, disabled=False,
            failed_logins=0, locked_until=None,
        )  # fmt: skip
        self._done(act, changed)

    async def disable(self, username: str, act: AccountAct) -> None:
        self._done(act, replace(self._there(username, screens=True), disabled=True))

    async def linked(self, identity: Identity) -> Account | None:
        return next((account for account in self.accounts.values() if account.identity == identity), None)

    async def link(self, username: str, identity: Identity | None, act: AccountAct) -> None:
        account = self.accounts.get(username)
        other = None if identity is None else await self.linked(identity)
        if account is None or account.viewer.is_screen or (other is not None and other.username != username):
            raise IdentityTaken
        self._done(act, replace(account, identity=identity))

    async def set_second_factor(
        self, verified: Account, factor: SecondFactor, recovery_codes: Sequence[str], act: AccountAct, *, keep: str
    ) -> None:
        account = self._current(verified.username, verified.password_hash)
        if account is None or account.second_factor is not None:
            raise WrongCode
        self.steps[account.username] = factor.step
        self._done(act, replace(account, second_factor=factor.sealed, recovery_codes=tuple(recovery_codes)), keep)

    async def drop_second_factor(self, username: str, act: AccountAct, *, keep: str | None = None) -> None:
        account = self.accounts.get(username)
        if account is None or account.second_factor is None:
            raise NotFound
        self._done(act, replace(account, second_factor=None, recovery_codes=()), keep)

    async def take_step(self, username: Username, sealed: str, step: int) -> bool:
        if self.accounts[username].second_factor != sealed or self.steps[username] >= step:
            return False
        self.steps[username] = step
        return True

    async def take_recovery_code(
        self, username: Username, digest: str, act: AccountAct, *, keep: str | None = None
    ) -> bool:
        account = self.accounts[username]
        if digest not in account.recovery_codes:
            return False
        left = tuple(code for code in account.recovery_codes if code != digest)
        self._done(act, replace(account, recovery_codes=left), keep)
        return True

    async def end_sessions(self, username: str, act: AccountAct) -> None:
        self._done(act, self._there(username, screens=True))

    async def audited(self) -> Sequence[AccountLink]:
        return list(self.links)

    async def all(self) -> Sequence[Account]:
        return [self.accounts[name] for name in sorted(self.accounts)]

    async def failed(self, username: Username, now: datetime) -> int:
        if username not in self.accounts:
            return 0
        failures = self.accounts[username].failed_logins + 1
        self.accounts[username] = replace(
            self.accounts[username], failed_logins=failures, locked_until=lock_until(failures, now)
        )
        return failures

    async def succeeded(self, username: Username) -> None:
        self.accounts[username] = replace(self.accounts[username], failed_logins=0, locked_until=None)

    async def open_session(
        self,
        token_hash: str,
        verified: Account,
        csrf: str,
        now: datetime,
        until: datetime,
        *,
        by_provider: bool = False,
    ) -> None:
        current = self._current(verified.username, verified.password_hash)
        proven = (verified.second_factor, verified.identity)
        if current is None or (current.second_factor, current.identity) != proven:
            raise BadCredentials
        self.sessions = {key: value for key, value in self.sessions.items() if value[2] > now}
        self.sessions[token_hash] = (verified.username, csrf, until)
        if by_provider:
            self.by_provider.add(token_hash)

    async def session(self, token_hash: str, now: datetime) -> Session | None:
        username, csrf, until = self.sessions.get(token_hash, (None, "", now))
        if username is None or until <= now or self.accounts[username].disabled:
            return None
        account = self.accounts[username]
        return session_of(account, csrf, until, by_provider=token_hash in self.by_provider)

    async def close_session(self, token_hash: str) -> None:
        self.sessions.pop(token_hash, None)

    def _end(self, username: str, keep: str | None = None) -> None:
        self.sessions = {key: value for key, value in self.sessions.items() if value[0] != username or key == keep}

    def _there(self, username: str, *, screens: bool = False) -> Account:
        account = self.accounts.get(username)
        if account is None or (account.viewer.is_screen and not screens):
            raise NotFound
        return account

    def _current(self, username: str, password_hash: str) -> Account | None:
        account = self.accounts.get(username)
        return None if account is None or account.disabled or account.password_hash != password_hash else account

    def _done(self, act: AccountAct, account: Account, keep: str | None = None) -> None:
        before = self.accounts
        after = before | {account.username: account}
        if any(map(_lasting_administrator, before.values())) and not any(map(_lasting_administrator, after.values())):
            raise LastAdministrator
        self.accounts = after
        self._end(account.username, keep)
        self.links.append(link(entry(act, account), self.links[-1] if self.links else None))


def _lasting_administrator(account: Account) -> bool:
    return account.administers and not account.disabled and account.one_time_until is None


@dataclass
class FakePasswords:
    """`hash:` before the password. `checked` counts, for unknown accounts too."""

    checked: int = 0

    async def hash(self, password: str) -> str:
        return f"hash:{password}"

    async def matches(self, password_hash: str | None, password: str) -> bool:
        self.checked += 1
        return password_hash == f"hash:{password}"


class FakeCodes:
    """The code of a step is its last six digits; `sealed:` before a secret is its seal. Obeys the suite of the real."""

    offered = True

    def begin(self, username: str, now: datetime) -> Enrolment:
        return Enrolment("SECRET", f"otpauth://totp/{username}", "M0 0h1v1h-1z", 1, f"{username} {now.timestamp()}")

    def confirm(self, pending: str, username: str, code: str, now: datetime) -> SecondFactor:
        owner, _, begun = pending.rpartition(" ")
        step = self.step_of(f"sealed:{username}", username, code, now)
        if owner != username or step is None or now.timestamp() - float(begun) >= 900:
            raise WrongCode
        return SecondFactor(f"sealed:{username}", step)

    def step_of(self, sealed: str, username: str, code: str, now: datetime) -> int | None:
        current = int(now.timestamp()) // 30
        fits = [step for step in range(current - 1, current + 2) if code == f"{step % 1_000_000:06d}"]
        return max(fits, default=None) if sealed == f"sealed:{username}" else None


@dataclass
class FakeSecrets:
    made: int = 0

    def password(self) -> str:
        self.made += 1
        return f"one-time-{self.made:04d}"

    def token(self) -> str:
        self.made += 1
        return f"token{self.made:04d}xyz"

    def digest(self, token: str) -> str:
        return f"digest:{token}"


@dataclass
class FakeChanges:
    """Wakes when `wake` is called."""

    queue: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    def wake(self) -> None:
        self.queue.put_nowait(None)

    async def wakes(self) -> AsyncIterator[None]:
        while True:
            await self.queue.get()
            yield None


@dataclass
class FakeCommands:
    """Keeps what was acknowledged, or fails with `failure`."""

    done: list[tuple[str, Viewer, str]] = field(default_factory=list)
    failure: Exception | None = None

    async def acknowledge(self, case_id: str, viewer: Viewer, note: str) -> None:
        self._do(case_id, viewer, note)

    async def acknowledge_all(self, case_ids: Sequence[str], viewer: Viewer, note: str) -> Mapping[str, str]:
        for case_id in case_ids:
            self._do(case_id, viewer, note)
        return dict.fromkeys(case_ids, "done")

    async def own(self, case_id: str, viewer: Viewer) -> None:
        self._do(case_id, viewer, "own")

    async def release(self, case_id: str, viewer: Viewer) -> None:
        self._do(case_id, viewer, "release")

    async def comment(self, case_id: str, viewer: Viewer, text: str) -> None:
        self._do(case_id, viewer, text)

    async def verify(
        self, case_id: str, viewer: Viewer, finding: Verification, note: str, cause: AlarmCause | None
    ) -> None:
        self._do(case_id, viewer, f"{finding} {cause or ''} {note}")

    async def shelve(self, case_id: str, viewer: Viewer, minutes: int, note: str) -> None:
        self._do(case_id, viewer, f"shelve {minutes} {note}")

    async def unshelve(self, case_id: str, viewer: Viewer) -> None:
        self._do(case_id, viewer, "unshelve")

    async def escalate(self, case_id: str, viewer: Viewer, step: str, note: str) -> None:
        self._do(case_id, viewer, f"escalate {step} {note}")

    async def merge(self, case_id: str, viewer: Viewer, into: str) -> None:
        self._do(case_id, viewer, f"merge {into}")

    async def grave_result(self, viewer: Viewer, body_id: str, text: str, *, begins: bool) -> None:
        self._do(body_id, viewer, f"grave_result {begins} {text}")

    async def sign_off(self, viewer: Viewer) -> None:
        self._do("", viewer, "sign_off")

    def _do(self, case_id: str, viewer: Viewer, note: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.done.append((case_id, viewer, note))
