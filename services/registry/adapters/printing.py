"""Reports as text for people, and entities as JSON for programs."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from services.registry.adapters import effect_text, explain_text
from services.registry.adapters.wire import to_wire
from services.registry.domain.cells import half_width
from services.registry.domain.credentials import Access, GatewayCredentials
from services.registry.domain.effect import Effects
from services.registry.domain.entities import Facts, History, Version
from services.registry.domain.errors import RowError
from services.registry.domain.reports import CheckReport, ImportReport, PackExplained, UnitExplained
from services.registry.domain.words import said

LISTED_GAPS = 50
LISTED_UNITS = 10


class Printer:
    def __init__(self, out: TextIO) -> None:
        self._out = out

    def line(self, text: str) -> None:
        self._out.write(f"{text}\n")

    def topics(self, created: Sequence[str]) -> None:
        self.line(f"topics created: {', '.join(created) if created else 'none, all are there'}")

    def published(self, count: int) -> None:
        self.line(f"published: {count} entities" if count else "published: nothing new")

    def report(self, report: ImportReport, *, dry_run: bool) -> None:
        """Say what became of a file; what is wrong with it in the language of its headings."""
        for note in report.notes:
            self.line(f"{report.file}：{note.zh}" if report.chinese else f"{report.file}: {note}")
        if report.refused:
            self._errors(report)
            more = report.total_errors - len(report.errors)
            if report.chinese:
                tail = f"（另有 {more} 处未列出）" if more else ""
                self.line(f"{report.file}：未导入，共 {report.total_errors} 处问题{tail}；文件内容均未写入")
                return
            tail = f" ({more} more not listed)" if more else ""
            self.line(f"{report.file}: refused, {report.total_errors} errors{tail}; nothing of it was taken")
            return
        kept = "would change" if dry_run else "changed"
        rerouted = f", {report.rerouted} units rerouted" if report.rerouted else ""
        self.line(
            f"{report.file}: {report.rows} rows, {report.changed} {kept}, {report.versions} new versions{rerouted}"
        )

    def effects(self, effects: Effects, reports: Sequence[ImportReport]) -> None:
        """Say what a dry run would change, in the language of the files; in both where they do not agree.

        Nothing when all files are refused: that they would change nothing would sound as if they were taken.
        """
        refused = [report.refused for report in reports]
        if all(refused):
            return
        languages = {report.chinese for report in reports}
        without = [effect_text.WITHOUT_REFUSED] if any(refused) else []
        for line in (*without, *effect_text.lines(effects)):
            if languages != {True}:
                self.line(line)
            if False not in languages:
                self.line(line.zh)

    def exported(self, files: Sequence[tuple[str, int]]) -> None:
        for file, rows in files:
            self.line(f"{file}: {rows} rows" if not file.endswith(".yaml") else file)

    def confirmed(self) -> bool:
        """Ask at the terminal whether ids that look alike are meant to be different."""
        self._out.write("take these ids as different ones? 确属不同对象，继续导入？[y/N] ")
        self._out.flush()
        return half_width(sys.stdin.readline().strip()).casefold() in ("y", "yes", "是")

    def history(self, history: History[Facts] | None, entity_id: str) -> bool:
        if history is None:
            self.line(f"{entity_id} is not in the register")
            return False
        for version in history.versions:
            self.line(_as_json(version))
        return True

    def entities(self, versions: Sequence[Version[Facts]]) -> None:
        for version in versions:
            self.line(_as_json(version))

    def explained(self, found: UnitExplained | None, unit_id: str) -> bool:
        if found is None:
            self.line(f"{unit_id} is not in the register, or no policy pack holds for its district")
            return False
        for line in explain_text.unit_lines(found):
            self.line(line)
        return True

    def pack_explained(self, found: PackExplained | None, pack_id: str) -> bool:
        if found is None:
            self.line(f"{pack_id} is not a policy pack of the register")
            return False
        for line in explain_text.pack_lines(found):
            self.line(line)
        return True

    def packs_checked(self, reports: Sequence[ImportReport]) -> int:
        """Say what is wrong with files of packs; return the exit code: 1 when anything is."""
        for report in reports:
            self._errors(report)
            if report.refused:
                more = report.total_errors - len(report.errors)
                tail = f" ({more} more not listed)" if more else ""
                self.line(f"{report.file}: {report.total_errors} errors{tail}")
            else:
                self.line(f"{report.file}: nothing wrong")
        return int(any(report.refused for report in reports))

    def _errors(self, report: ImportReport) -> None:
        for error in report.errors:
            if not report.chinese:
                self.line(_in_english(report.file, error))
            if report.chinese is not False:
                self.line(_in_chinese(report.file, error))

    def checked(self, report: CheckReport) -> None:
        self.line(f"{report.units} units, {report.without_gateway} without a gateway")
        shown = ", ".join(report.unrouted[:LISTED_UNITS])
        more = f" and {len(report.unrouted) - LISTED_UNITS} more" if len(report.unrouted) > LISTED_UNITS else ""
        self.line(f"unrouted: {len(report.unrouted)} (target 0){f': {shown}{more}' if shown else ''}")
        for sentence in report.expired:
            self.line(f"pack {sentence}; it still holds until another is imported")
        if report.unpublished:
            self.line(f"{report.unpublished} entities are not published yet: run `publish`")
        for gap in report.gaps[:LISTED_GAPS]:
            self.line(f"{gap.what}: {gap.units} units, {gap.example} for one")
        if len(report.gaps) > LISTED_GAPS:
            self.line(f"... and {len(report.gaps) - LISTED_GAPS} more gaps")
        self.line("check: clean" if report.clean else "check: something would go unread")

    def shown(self, count: int, out: Path | None) -> None:
        where = "above; they are not shown again" if out is None else f"in {out}, their only copy"
        self.line(f"passwords: {count} new, {where}" if count else "passwords: nothing to do")
        if count:
            self.line("the broker takes them after `credentials write`")

    def revoked(self, passwords: int, certificates: int) -> None:
        self.line(f"revoked: {passwords} passwords, {certificates} certificates")
        self.line("it holds at the broker after `credentials write`")

    def held(self, gateways: Sequence[GatewayCredentials], now: datetime) -> None:
        for each in gateways:
            certificates = [
                {
                    "serial": certificate.serial,
                    "expires_at": certificate.expires_at.isoformat(timespec="seconds"),
                    "holds": each.speaks and certificate.revoked_at is None and certificate.expires_at > now,
                }
                for certificate in each.certificates
            ]
            issued_at = None if each.password is None else each.password.issued_at.isoformat(timespec="seconds")
            body = {
                "gateway_id": each.gateway_id,
                "in_force": each.speaks,
                "password_issued_at": issued_at,
                "certificates": certificates,
            }
            self.line(json.dumps(body, ensure_ascii=False))

    def written(self, access: Access, folder: Path) -> None:
        self.line(f"{folder}: {len(access.passwords)} passwords, {len(access.revoked)} certificates shut out")
        self.line("now let the broker read it: send SIGHUP to mosquitto; sessions on passwords that fell away end then")
        if access.shut_out:
            self.line("then run `credentials disconnect`: a session on a revoked certificate ends only so")


def _in_english(file: str, error: RowError) -> str:
    if error.char:
        part = f", {error.column}" if error.column else ""
        return f"{file}, line {error.row}, column {error.char}{part}: expected {error.expected}; found {error.found}"
    place = f"row {error.row}" if error.row else "file"
    column = f", column {error.column}" if error.column else ""
    return f"{file}, {place}{column}: expected {error.expected}; found {error.found}"


def _in_chinese(file: str, error: RowError) -> str:
    place = f"第 {error.row} 行" if error.row else "整个文件"
    column = f"“{error.column}”列" if error.column else ""
    if error.char:
        column = f"第 {error.char} 列{f'（{error.column}）' if error.column else ''}"
    return f"{file}，{place}{column}：应为{said(error.expected, chinese=True)}；实际为{said(error.found, chinese=True)}"


def _as_json(version: Version[Facts]) -> str:
    return json.dumps(to_wire(version).model_dump(mode="json", exclude_none=True), ensure_ascii=False)
