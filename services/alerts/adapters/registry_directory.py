"""The registry in memory, followed from firenet.registry.v1: units, routes, contacts, bodies, the pack in force."""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from schemas import codec
from schemas.pack import Ladder, Pack, Step
from schemas.registry import (
    ContactRecord,
    ContactVersion,
    DepartmentRecord,
    GatewayRecord,
    GatewayVersion,
    PackRecord,
    UnitRecord,
    UnitVersion,
    Version,
)
from services.alerts.domain.values import (
    BodyCode,
    CaseKind,
    Contact,
    ContactId,
    LadderStep,
    NoPack,
    PackRules,
    Role,
    UnitFacts,
    UnitId,
)
from services.runtime.logging import get_logger

CHINA = ZoneInfo("Asia/Shanghai")
V = TypeVar("V", bound=Version)


def in_force(versions: Sequence[V], day: date) -> V | None:
    """Return the version that holds on `day`: the last of the order that is valid by then."""
    return next((version for version in reversed(versions) if version.valid_from <= day), None)


class RegistryDirectory:
    """See ports.Directory. `on_record` feeds it; what it cannot read it counts and leaves as it was."""

    def __init__(self, today: Callable[[], date], on_rejected: Callable[[], None]) -> None:
        self._today = today
        self._on_rejected = on_rejected
        self._units: dict[str, UnitRecord] = {}
        self._gateways: dict[str, GatewayRecord] = {}
        self._contacts: dict[str, ContactRecord] = {}
        self._departments: dict[str, DepartmentRecord] = {}
        self._packs: dict[str, PackRecord] = {}
        self._contacts_of: dict[str, set[str]] = defaultdict(set)
        self._gateways_of: dict[str, set[str]] = defaultdict(set)
        self._rules: tuple[date, PackRules, Pack] | None = None
        self._sizes: Mapping[str, int] | None = None

    def on_record(self, key: str, value: bytes | None) -> None:
        """Take one record of the topic; None removes the entity."""
        kind, _, entity = key.partition(":")
        self._sizes = None
        if value is None:
            self._remove(kind, entity)
            return
        try:
            record = codec.registry.decode(value).data.record
        except codec.BadRecord as error:
            self._on_rejected()
            get_logger().warning("registry_record_rejected", key=key[:80], detail=error.detail)
            return
        if isinstance(record, UnitRecord):
            self._units[record.id] = record
        elif isinstance(record, GatewayRecord):
            self._gateways[record.id] = record
            for gateway in record.versions:
                self._gateways_of[gateway.unit_id].add(record.id)
        elif isinstance(record, ContactRecord):
            self._contacts[record.id] = record
            for contact in record.versions:
                self._contacts_of[contact.body_code].add(record.id)
        elif isinstance(record, DepartmentRecord):
            self._departments[record.id] = record
        else:
            self._packs[record.id] = record
            self._rules = None

    def _remove(self, kind: str, entity: str) -> None:
        self._rules = None
        for name, entities in (
            ("unit", self._units),
            ("gateway", self._gateways),
            ("contact", self._contacts),
            ("department", self._departments),
            ("pack", self._packs),
        ):
            if name == kind:
                entities.pop(entity, None)

    def rules(self, now: datetime) -> PackRules:
        return self._pack(now.astimezone(CHINA).date())[0]

    def _pack(self, day: date) -> tuple[PackRules, Pack]:
        if self._rules is None or self._rules[0] != day:
            found = [
                version.pack
                for record in self._packs.values()
                for version in record.versions
                if version.valid_from <= day and version.pack.valid_from <= day
            ]
            if not found:
                raise NoPack("no policy pack is in force")
            # an expired pack still says who is told: silence would be worse, the gauge says so
            pack = max(found, key=lambda pack: (pack.valid_to >= day, pack.valid_from, pack.version))
            self._rules = (day, rules_of(pack, expired=pack.valid_to < day), pack)
        return self._rules[1], self._rules[2]

    def unit(self, unit_id: UnitId, now: datetime) -> UnitFacts:
        day = now.astimezone(CHINA).date()
        record = self._units.get(unit_id)
        version = in_force(record.versions, day) if record else None
        if version is None:
            return UnitFacts(unit_id=unit_id, name=unit_id, carriers=self._carriers(unit_id, day))
        return UnitFacts(
            unit_id=unit_id,
            name=version.name,
            name_en=version.name_en,
            district=version.district,
            town=version.town,
            category=version.category,
            lead_department=version.lead_department,
            copy_departments=tuple(version.copy_departments),
            route_clause=version.route_clause,
            carriers=self._carriers(unit_id, day),
        )

    def _carriers(self, unit_id: str, day: date) -> tuple[str, ...]:
        versions = (
            in_force(self._gateways[gateway].versions, day)
            for gateway in self._gateways_of.get(unit_id, ())
            if gateway in self._gateways
        )
        return tuple(sorted({found.carrier for found in versions if found and _serves(found, unit_id, day)}))

    def bodies(self, kind: str) -> Sequence[BodyCode]:
        day = self._today()
        found: dict[str, str] = {}
        with contextlib.suppress(NoPack):
            found.update((one.code, one.kind) for one in self._pack(day)[1].departments)
        for record in self._departments.values():
            version = in_force(record.versions, day)
            if version is not None:
                found[version.department.code] = version.department.kind
        return [BodyCode(code) for code, of_kind in found.items() if of_kind == kind]

    def contacts(self, body: str) -> Sequence[Contact]:
        day = self._today()
        found = []
        for contact_id in sorted(self._contacts_of.get(body, ())):
            record = self._contacts.get(contact_id)
            version = in_force(record.versions, day) if record else None
            if version and version.body_code == body and (version.retired_on is None or version.retired_on > day):
                found.append(_contact(version))
        return found

    def sizes(self) -> Mapping[str, int]:
        if self._sizes is None:
            day = self._today()
            counts: Counter[str] = Counter()
            for unit_id, record in self._units.items():
                version = in_force(record.versions, day)
                if version is not None and not _retired(version, day):
                    counts[f"town:{version.town}"] += 1
                    counts.update(f"carrier:{carrier}" for carrier in self._carriers(unit_id, day))
            self._sizes = counts
        return self._sizes


def _serves(version: GatewayVersion, unit_id: str, day: date) -> bool:
    return version.unit_id == unit_id and (version.retired_on is None or version.retired_on > day)


def _retired(version: UnitVersion, day: date) -> bool:
    return version.retired_on is not None and version.retired_on <= day


def _contact(version: ContactVersion) -> Contact:
    return Contact(
        contact_id=ContactId(version.contact_id),
        body_code=BodyCode(version.body_code),
        role=str(version.role),
        lang=version.lang,
        email=version.email,
        webhook_url=str(version.webhook_url) if version.webhook_url else None,
        webhook_secret_ref=version.webhook_secret_ref,
    )


def rules_of(pack: Pack, *, expired: bool) -> PackRules:
    """Return what the pack says about cases; a ladder for a kind that we do not know is left out."""
    known = {str(kind) for kind in CaseKind}
    ladders = {
        CaseKind(kind): _steps(ladder) for ladder in pack.ladders.values() for kind in ladder.kinds if kind in known
    }
    cause = pack.common_cause
    return PackRules(
        pack_id=pack.pack_id,
        version=pack.version,
        ladders=ladders,
        group_wait=timedelta(seconds=pack.group_wait_s),
        reopen_within=timedelta(seconds=pack.reopen_within_s),
        common_by=tuple(cause.by),
        common_units=cause.units,
        common_window=timedelta(seconds=cause.window_s),
        common_hold=timedelta(seconds=cause.hold_s),
        common_tells=tuple(Role(role) for role in cause.tells),
        common_clause=cause.clause,
        expired=expired,
    )


def _steps(ladder: Ladder) -> tuple[LadderStep, ...]:
    return tuple(_step(step) for step in ladder.steps)


def _step(step: Step) -> LadderStep:
    return LadderStep(
        code=step.code,
        after=timedelta(seconds=step.after_s),
        tells=tuple(Role(role) for role in step.tells),
        document=step.document,
        name_zh=step.name_zh,
        name_en=step.name_en,
        clause=step.clause,
        reply_working_days=step.reply_working_days,
        board_only=step.board_only,
    )
