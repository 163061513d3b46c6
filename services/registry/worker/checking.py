"""Policy packs as files, before anybody imports them: no database, no Kafka."""

from collections.abc import Sequence
from pathlib import PurePath

from services.registry.domain.entities import Kind
from services.registry.domain.errors import FileRefused, RowError
from services.registry.domain.pack_faults import Term, overlapping
from services.registry.domain.policy import Policy
from services.registry.domain.reports import ImportReport
from services.registry.domain.words import is_chinese
from services.registry.ports import Files, PackFile
from services.registry.worker.importing import placed


class PackCheck:
    """`listed`: so many errors of one file are told, the others counted."""

    def __init__(self, *, files: Files, listed: int = 200) -> None:
        self._files = files
        self._listed = listed

    def check(self, paths: Sequence[str]) -> list[ImportReport]:
        """Return one report for each file; of packs that are whole also whether the days of two overlap."""
        seen: dict[str, list[Term]] = {}
        return [self._check(path, seen) for path in paths]

    def _check(self, path: str, seen: dict[str, list[Term]]) -> ImportReport:
        try:
            pack = self._files.read_pack(path)
        except FileRefused as refusal:
            return self._report(path, refusal.errors, refusal.total)
        others = seen.setdefault(pack.policy.district, [])
        errors = _overlap(pack, others)
        others.append(_term(pack.policy))
        return self._report(path, errors, len(errors))

    def _report(self, path: str, errors: Sequence[RowError], total: int) -> ImportReport:
        chinese = is_chinese(PurePath(path).name)
        return ImportReport(path, Kind.PACK, errors=tuple(errors[: self._listed]), total_errors=total, chinese=chinese)


def _overlap(pack: PackFile, others: Sequence[Term]) -> list[RowError]:
    own = _term(pack.policy)
    expected = overlapping(own, others)
    if expected is None:
        return []
    return [placed(RowError(0, "valid_from", expected, f"{own.first} to {own.last}"), pack)]


def _term(policy: Policy) -> Term:
    return Term(policy.pack_id, policy.number, policy.valid_from, policy.valid_to)
