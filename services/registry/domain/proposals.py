"""A proposal: a file that somebody wants the register to take, and what other people say to it.

A form is a file of one row, so that one reader judges both. Which proposals need a second person: those that could
move a figure, or lead letters elsewhere. `FREE` lists what can do neither; everything else can.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from services.kernel.chain import digest_of
from services.kernel.effective import in_force, ordered
from services.kernel.words import AdjustmentState, ContactRole, Role
from services.registry.domain.approval import (
    Person,
    approvals_with,
    bad,
    check_decides,
    check_withdraws,
    checked_person,
    optional,
    refused,
    text,
)
from services.registry.domain.columns import COLUMNS
from services.registry.domain.effect import Effects
from services.registry.domain.entities import Contact, Facts, History, Kind, Unit, Version
from services.registry.domain.errors import AdjustmentRefusal, RegistryError
from services.registry.domain.policy import Policy
from services.registry.domain.reports import ImportReport
from services.registry.domain.timeline import periods
from services.registry.domain.writing import cell

MAX_BYTES = 4 * 1024 * 1024
MAX_FILE_NAME = 120
LISTED = 200
"""So many differences are told; a file can have thousands, and nobody reads them."""
MAX_VALUE = 300
FREE: Mapping[Kind, frozenset[str]] = {
    Kind.UNIT: frozenset({"control_room_phone", "responsible_person", "responsible_phone"}),
    Kind.CONTACT: frozenset({"name", "lang", "phone"}),
}
"""Whom to call, and how to speak to him. No scope, rate, route or address of a letter follows from it.

A contact's telephone is free only as long as neither text messages nor voice calls go to it.
"""
PROPOSED = (Kind.DEPARTMENT, Kind.UNIT, Kind.GATEWAY, Kind.CONTACT, Kind.PACK)

NAMING = ("code", "scope", "name", "id", "category")
"""Keys of a pack that name the item of a list."""

Histories = Mapping[str, History[Facts]]


@dataclass(frozen=True, slots=True)
class ProposalRequest:
    """`valid_from` is for packs: rows say it themselves. `meant`: ids that look like others are meant so."""

    kind: Kind
    file_name: str
    content: bytes = field(repr=False)
    reason: str
    valid_from: date | None = None
    meant: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A request and what became of it. `entities`: ids of what it changes. `note`: of the last who acted.

    `known_at`: the newest `recorded_at` that the register had when it was asked for, None when it was empty.
    `changes_sha256`: of all that it would have changed then, see `sha256_of_changes`.
    """

    proposal_id: str
    request: ProposalRequest
    sha256: str
    rows: int
    entities: tuple[str, ...]
    requested_by: str
    requested_at: datetime
    known_at: datetime | None
    changes_sha256: str
    approvals_needed: int
    approvals: tuple[str, ...] = ()
    state: AdjustmentState = AdjustmentState.REQUESTED
    changed_at: datetime | None = None
    note: str = ""

    @property
    def id(self) -> str:
        return self.proposal_id


@dataclass(frozen=True, slots=True)
class FieldChange:
    """`name` is the field, for a pack the path in it. None: there was, or is, nothing."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A version that would be new: what it says otherwise than what holds on its day. `new`: nothing does yet."""

    entity_id: str
    valid_from: date
    new: bool
    fields: tuple[FieldChange, ...]


class ProposalFaulty(RegistryError):
    """The register would not take the file. `report` says what is to be mended, or asks whether it is meant so."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__(f"{report.total_errors} errors")
        self.report = report


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would change if it were taken now. `needed`: so many other people have to agree.

    `differences` are at most LISTED of them; `changes_sha256` covers all.
    `overtaken`: what was changed since a proposal was made, which therefore cannot be approved.
    """

    report: ImportReport
    effects: Effects
    differences: tuple[Difference, ...]
    entities: tuple[str, ...]
    changes_sha256: str
    needed: int
    overtaken: str | None = None


def checked(request: ProposalRequest, by: Person) -> ProposalRequest:
    """Return the request in clean text. Raises AdjustmentRefused: `bad_request`, `not_allowed`."""
    checked_person(by)
    if by.role not in (Role.BRIGADE, Role.CENTRE):
        raise refused(AdjustmentRefusal.NOT_ALLOWED, "an account of the brigade or the centre proposes")
    return replace(bounded(request), reason=text("reason", request.reason))


def bounded(request: ProposalRequest) -> ProposalRequest:
    """Return the request with its file's bare name. Raises AdjustmentRefused for what is too large or no kind."""
    if request.kind not in PROPOSED:
        raise bad(f"kind: one of {', '.join(PROPOSED)}")
    if not 1 <= len(request.content) <= MAX_BYTES:
        raise bad(f"a file of 1 byte to {MAX_BYTES // 1024 // 1024} MiB")
    if request.valid_from is not None and request.kind is not Kind.PACK:
        raise bad("rows say themselves from which day they hold")
    name = request.file_name.replace("\\", "/").rpartition("/")[2]
    return replace(request, file_name=text("file name", name, MAX_FILE_NAME))


def sha256_of(request: ProposalRequest) -> str:
    return hashlib.sha256(request.content).hexdigest()


def approve(held: Proposal, by: Person, now: datetime) -> Proposal:
    """Return it with one approval more. Raises AdjustmentRefused."""
    approvals, state = approvals_with(held, by)
    return replace(held, approvals=approvals, state=state, changed_at=now, note="")


def reject(held: Proposal, by: Person, now: datetime, note: str) -> Proposal:
    """Return it rejected, which a second person does and says why. Raises AdjustmentRefused."""
    check_decides(held, by)
    return replace(held, state=AdjustmentState.REJECTED, changed_at=now, note=text("note", note))


def withdraw(held: Proposal, by: Person, now: datetime, note: str = "") -> Proposal:
    """Return it withdrawn, which only who asked may, while it waits. Raises AdjustmentRefused."""
    check_withdraws(held, by)
    return replace(held, state=AdjustmentState.WITHDRAWN, changed_at=now, note=optional("note", note) or "")


def needs_second_person(kind: Kind, before: Histories, after: Histories) -> bool:
    """Tell whether a proposal could move a figure or lead letters elsewhere, on any day of the past or the future.

    A contact that is new takes no letter away from anybody, unless others of its body have duty times: while they are
    off duty, who is new is told instead of them. Nor does a grid officer go without: the town's is told only as
    long as a unit has none of its own. `before` therefore holds all that there is of the kind.
    """
    if kind not in FREE:
        return True
    shared = _with_duty_times(before) if kind is Kind.CONTACT else frozenset[str]()
    asked = [
        key
        for key in after
        if kind is not Kind.CONTACT or key in before or _bodies(after[key]) & shared or _is_grid_officer(after[key])
    ]
    return any(_bound(before.get(key)) != _bound(after[key]) for key in asked)


def _with_duty_times(contacts: Histories) -> frozenset[str]:
    """Return the bodies of which a contact has, had or will have duty times."""
    facts = (version.facts for history in contacts.values() for version in history.versions)
    return frozenset(one.body_code for one in facts if isinstance(one, Contact) and one.duty_times)


def _is_grid_officer(history: History[Facts]) -> bool:
    return any(
        isinstance(one.facts, Contact) and one.facts.role is ContactRole.GRID_OFFICER for one in history.versions
    )


def _bodies(history: History[Facts]) -> frozenset[str]:
    return frozenset(one.facts.body_code for one in history.versions if isinstance(one.facts, Contact))


def _bound(history: History[Facts] | None) -> list[tuple[date, date, Facts]]:
    """Return what holds from when to when, without what is FREE."""
    return _periods([replace(version, facts=_bare(version.facts)) for version in _versions(history)])


def _bare(facts: Facts) -> Facts:
    """Return the facts with nothing in the fields that are FREE; only to be compared."""
    names: frozenset[str] = frozenset()
    if isinstance(facts, Unit):
        names = FREE[Kind.UNIT]
    elif isinstance(facts, Contact):
        names = FREE[Kind.CONTACT] - ({"phone"} if facts.sms or facts.voice else set())
    return replace(facts, **dict.fromkeys(names))  # type: ignore[arg-type]  # a name and a language may not be None


def changed_since(histories: Histories, ids: Sequence[str], known_at: datetime | None) -> str | None:
    """Return the first id of which the register says something else today than at `known_at`, None when none.

    Who approves approves what was asked for then; another's change meanwhile would be undone unseen. A route that a
    new pack brought is no other saying.
    """
    for key in ids:
        versions = _versions(histories.get(key))
        known = [version for version in versions if known_at is not None and version.recorded_at <= known_at]
        if _periods(known) != _periods(versions):
            return key
    return None


def changes_otherwise(held: Proposal, seen: Preview) -> str | None:
    """Return an id of which the file would change today what it would not have changed when it was asked for.

    Nobody saw that: the whole file is taken, also the rows of it that said then what the register said. None: it
    would change what it would have changed then. Where the ids are the same, it is the first one of the proposal.
    """
    if held.changes_sha256 == seen.changes_sha256:
        return None
    return min(set(held.entities) ^ set(seen.entities), default=held.entities[0])


def sha256_of_changes(kind: Kind, before: Histories, after: Histories) -> str:
    """Return sha256 of all that a file changes: until which day, and what is said otherwise than before.

    Since which day is not in it: the file says that, or else it is the day on which the file is taken, which is a
    later one when somebody agrees. Nor is a route, which follows from the pack.
    """
    names = _names(kind)
    found = [
        [key, until.isoformat(), *_told(names, former, facts)]
        for key in changed_ids(before, after)
        for until, former, facts in _changed(_versions(before.get(key)), after[key].versions)
    ]
    return digest_of({"kind": kind.value, "changes": found})


def _changed(
    before: Sequence[Version[Facts]], after: Sequence[Version[Facts]]
) -> Iterator[tuple[date, Facts | None, Facts]]:
    """Yield each span of days of which something else is said after: its end, what was said and what is."""
    was, now = _periods(before), _periods(after)
    days = sorted({day for day, _, _ in (*was, *now)})
    for day, until in zip(days, [*days[1:], date.max], strict=True):
        former = next((facts for since, end, facts in was if since <= day < end), None)
        facts = next((facts for since, end, facts in now if since <= day < end), None)
        if facts is not None and facts != former:
            yield until, former, facts


def _told(names: Sequence[str], former: Facts | None, facts: Facts) -> list[object]:
    """Return a change as texts; of a pack both whole documents, since `_fields` tells of a long one only a part."""
    if isinstance(facts, Policy):
        return [former.document if isinstance(former, Policy) else None, facts.document]
    return [[each.name, each.before, each.after] for each in _fields(names, former, facts)]


def changed_ids(before: Histories, after: Histories) -> tuple[str, ...]:
    """Return the ids of what has more versions after than before."""
    return tuple(key for key in sorted(after) if len(after[key].versions) != len(_versions(before.get(key))))


def differences(kind: Kind, before: Histories, after: Histories) -> Iterator[Difference]:
    """Yield each version that is new, by id and day, with what it says otherwise."""
    names = _names(kind)
    for key in changed_ids(before, after):
        held = ordered(_versions(before.get(key)))
        for version in after[key].versions:
            if version in held:
                continue
            former = in_force(held, version.valid_from)
            fields = _fields(names, None if former is None else former.facts, version.facts)
            yield Difference(key, version.valid_from, former is None, fields)


def _names(kind: Kind) -> list[str]:
    return [column.name for column in COLUMNS.get(kind, ()) if column.name != "valid_from"]


def _fields(names: Sequence[str], former: Facts | None, facts: Facts) -> tuple[FieldChange, ...]:
    if isinstance(facts, Policy):
        return tuple(pack_changes(former.document if isinstance(former, Policy) else "{}", facts.document))
    found = [(name, _said(former, name), _said(facts, name)) for name in names]
    return tuple(FieldChange(name, was, now) for name, was, now in found if was != now)


def _said(facts: Facts | None, name: str) -> str | None:
    return None if facts is None else cell(facts, name, chinese=True) or None


def pack_changes(former: str, document: str) -> Iterator[FieldChange]:
    """Yield what two versions of a pack (canonical JSON) say differently, by path, at most LISTED times 5."""
    was, now = dict(_leaves(json.loads(former))), dict(_leaves(json.loads(document)))
    paths = [path for path in {**was, **now} if was.get(path) != now.get(path)]
    for path in paths[: LISTED * 5]:
        yield FieldChange(path, was.get(path), now.get(path))


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value with its path; items of a list that have a code or name are called by it, not by their place."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list) and any(isinstance(item, dict | list) for item in tree):
        names = [_called(item) for item in tree]
        for place, (item, name) in enumerate(zip(tree, names, strict=True)):
            called = name if name is not None and names.count(name) == 1 else str(place)
            yield from _leaves(item, f"{path}[{called}]")
    else:
        yield path, _shown(tree)


def _called(item: Any) -> str | None:
    """Return the name by which an item of a list is known wherever it stands."""
    if not isinstance(item, dict):
        return None
    return next((item[key] for key in NAMING if isinstance(item.get(key), str)), None)


def _shown(value: Any) -> str:
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return told if len(told) <= MAX_VALUE else f"{told[: MAX_VALUE - 1]}…"


def _periods(versions: Sequence[Version[Facts]]) -> list[tuple[date, date, Facts]]:
    return periods(versions) if versions else []


def _versions(history: History[Facts] | None) -> Sequence[Version[Facts]]:
    return () if history is None else history.versions
