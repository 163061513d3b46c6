"""Which policy pack holds in which district on a day: as rules and the registry choose it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from schemas.pack import Ladder, Pack, Step
from schemas.registry import PackRecord
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.errors import NoPack
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.escalation.steps import LadderStep


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pack and what it says about cases."""

    pack: Pack
    rules: PackRules


class Packs:
    """All packs that the registry has published, and the one in force of each district, found once a day."""

    def __init__(self) -> None:
        self._records: dict[str, PackRecord] = {}
        self._chosen: tuple[date, dict[str, Chosen]] | None = None
        self._newest: Chosen | None = None

    def put(self, record: PackRecord) -> None:
        self._records[record.id] = record
        self._chosen = None

    def remove(self, pack_id: str) -> None:
        self._records.pop(pack_id, None)
        self._chosen = None

    def of(self, district: str, day: date) -> Chosen:
        """Return the pack of the district; where it has none, or is not known, the newest of all. Raises NoPack."""
        chosen = self.of_all(day).get(district, self._newest)
        if chosen is None:
            raise NoPack("no policy pack is known")
        return chosen

    def of_all(self, day: date) -> Mapping[str, Chosen]:
        """Return the pack of every district that has one."""
        if self._chosen is None or self._chosen[0] != day:
            begun = [(since, pack) for since, pack in self._dated() if since <= day]
            # better a pack a little early than nobody told
            waiting = [(since, pack) for since, pack in reversed(self._dated()) if since > day]
            packs = {pack.district: pack for _, pack in (*waiting, *begun)}
            found = {
                name: Chosen(pack, rules_of(pack, expired=pack.valid_to < day)) for name, pack in sorted(packs.items())
            }
            newest = (begun or waiting)[-1:]
            self._newest = found[newest[0][1].district] if newest else None
            self._chosen = (day, found)
        return self._chosen[1]

    def longest_window(self, day: date) -> timedelta:
        """Return the longest time within which losses have a common cause, in any district. Raises NoPack."""
        windows = [chosen.rules.common_window for chosen in self.of_all(day).values()]
        if not windows:
            raise NoPack("no policy pack is known")
        return max(windows)

    def _dated(self) -> list[tuple[date, Pack]]:
        """Return every version with its first day, oldest first. A pack does not lapse at its last day."""
        found = [
            (max(version.valid_from, version.pack.valid_from), version.pack.version, number, version.pack)
            for number, version in enumerate(
                version for _, record in sorted(self._records.items()) for version in record.versions
            )
        ]
        return [(since, pack) for since, _, _, pack in sorted(found, key=lambda one: one[:3])]


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
        common_tells=cause.tells,
        common_clause=cause.clause,
        expired=expired,
    )


def _steps(ladder: Ladder) -> tuple[LadderStep, ...]:
    return tuple(_step(step) for step in ladder.steps)


def _step(step: Step) -> LadderStep:
    return LadderStep(
        code=step.code,
        after=timedelta(seconds=step.after_s),
        tells=step.tells,
        document=step.document,
        name_zh=step.name_zh,
        name_en=step.name_en,
        clause=step.clause,
        reply_working_days=step.reply_working_days,
        board_only=step.board_only,
    )
