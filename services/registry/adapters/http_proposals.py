"""The API of proposals on the registry's status server: try a file, hand it in, decide about it, and take files out.

A form comes as `row`, the fields of one entity as text; it becomes a file of one row, so that one reader judges both.
"""

import asyncio
import base64
import binascii
import csv
import io
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field, StringConstraints

from services.kernel.words import EntityKind, ProposalKind
from services.registry.adapters import effect_text
from services.registry.adapters.http_api import ID, Decision, Who
from services.registry.adapters.sheets import FORMS, pack_yaml
from services.registry.domain.approval import bad, refused
from services.registry.domain.columns import COLUMNS, Column
from services.registry.domain.entities import Kind
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused, StoreUnavailable
from services.registry.domain.proposals import (
    LISTED,
    MAX_BYTES,
    MAX_FILE_NAME,
    FieldChange,
    Preview,
    Proposal,
    ProposalFaulty,
    ProposalRequest,
)
from services.registry.domain.reports import ImportReport
from services.registry.domain.rows import BODY_KIND, CONSTRUCTION, LANGUAGE, ROLE
from services.registry.domain.words import said
from services.registry.domain.writing import first_chinese
from services.registry.metrics import RegistryMetrics
from services.registry.ports import ProposalUseCases

BODY_BYTES = MAX_BYTES * 4 // 3 + 16 * 1024
"""Of a body with a file in it, as base64."""
LARGE = dict.fromkeys(("/v1/proposals", "/v1/proposals/preview", "/v1/packs/check"), BODY_BYTES)
AT_ONCE = 2
"""Each holds a file and the register in memory, and the register's lock lets only one work anyway."""
ProposalIdPath = Annotated[str, Path(pattern=ID)]
PackVersion = Annotated[int, Path(ge=1, le=1_000_000)]
Cell = Annotated[str, StringConstraints(max_length=2_000)]
MEDIA = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

CHOICES: Mapping[str, Mapping[str, StrEnum]] = {
    "construction": CONSTRUCTION,
    "kind": BODY_KIND,
    "role": ROLE,
    "lang": LANGUAGE,
}
YES_NO = frozenset({"key_unit", "auto_fire_facilities", "crowded_place", "flammable_place", "fire_alarm_system"})

Checked = Callable[[bytes], bytes]
"""Returns the pack in a file as an import takes it back. Raises ProposalFaulty with every error at its place."""
Opened = Callable[[str], AbstractAsyncContextManager[ProposalUseCases]]
"""Opens the desk on a connection of its own for one account."""
T = TypeVar("T")


class Handed(Who):
    """A file (`content`, base64) or a form (`row`: texts by field); one of the two."""

    kind: ProposalKind
    file_name: str = Field(default="", max_length=MAX_FILE_NAME)
    content: str | None = Field(default=None, max_length=BODY_BYTES)
    row: dict[str, Cell] | None = Field(default=None, max_length=64)
    reason: str = Field(default="", max_length=2000)
    valid_from: date | None = None
    meant: bool = False

    def request(self) -> ProposalRequest:
        """Raises AdjustmentRefused."""
        kind = Kind(self.kind)
        if (self.content is None) == (self.row is None):
            raise bad("either a file or the row of a form")
        name, content = self.file_name, b""
        if self.row is not None:
            name, content = f"{kind.value}.csv", sheet_of(kind, self.row)
        else:
            content = _decoded(self.content or "")
        return ProposalRequest(kind, name, content, self.reason, self.valid_from, self.meant)


class HandedPack(Who):
    """A file (`content`, base64) that nothing is changed by."""

    content: str = Field(max_length=BODY_BYTES)


def _decoded(content: str) -> bytes:
    """Raises AdjustmentRefused."""
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise bad("content: base64") from None


def sheet_of(kind: Kind, row: Mapping[str, str]) -> bytes:
    """Return a CSV of one row under the English headings, the names of the fields. Raises AdjustmentRefused."""
    names = [column.name for column in COLUMNS.get(kind, ())]
    unknown = [name for name in row if name not in names]
    if not names or unknown:
        raise bad("row: fields of the kind")
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerow([row.get(name, "") for name in names])
    return out.getvalue().encode()


class ProposalRoutes:
    """The handlers. One that works on a file holds one of AT_ONCE places; `taken` is told of what must be published."""

    def __init__(self, opened: Opened, checked: Checked, taken: Callable[[], None], metrics: RegistryMetrics) -> None:
        self._opened = opened
        self._checked = checked
        self._taken = taken
        self._metrics = metrics
        self._inside = 0

    async def preview(self, handed: Handed) -> dict[str, Any]:
        with self._place("preview"):
            return _preview(await self._do("preview", handed, lambda desk: desk.preview(handed.request())))

    async def preview_of(self, proposal_id: ProposalIdPath, who: Who) -> dict[str, Any]:
        with self._place("preview"):
            return _preview(await self._do("preview", who, lambda desk: desk.preview_of(proposal_id)))

    async def propose(self, handed: Handed) -> dict[str, Any]:
        with self._place("request"):
            held = await self._do("request", handed, lambda desk: desk.propose(handed.request(), handed.person()))
        self._taken()
        return _proposal(held)

    async def approve(self, proposal_id: ProposalIdPath, decided: Decision) -> dict[str, Any]:
        with self._place("approve"):
            held = await self._do("approve", decided, lambda desk: desk.approve(proposal_id, decided.person()))
        self._taken()
        return _proposal(held)

    async def reject(self, proposal_id: ProposalIdPath, decided: Decision) -> dict[str, Any]:
        by, note = decided.person(), decided.note
        return _proposal(await self._do("reject", decided, lambda desk: desk.reject(proposal_id, by, note)))

    async def withdraw(self, proposal_id: ProposalIdPath, decided: Decision) -> dict[str, Any]:
        by, note = decided.person(), decided.note
        return _proposal(await self._do("withdraw", decided, lambda desk: desk.withdraw(proposal_id, by, note)))

    async def check_pack(self, handed: HandedPack) -> dict[str, str]:
        with self._place("check"):
            found = await asyncio.to_thread(self._checked, _decoded(handed.content))
        return {"pack": found.decode()}

    @contextmanager
    def _place(self, action: str) -> Iterator[None]:
        if self._inside >= AT_ONCE:
            self._metrics.proposals.labels(action, AdjustmentRefusal.TOO_MANY.value).inc()
            raise refused(AdjustmentRefusal.TOO_MANY, f"{AT_ONCE} files are being worked on")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def _do(self, action: str, who: Who, work: Callable[[ProposalUseCases], Awaitable[T]]) -> T:
        outcome = "ok"
        try:
            async with self._opened(who.account) as desk:
                return await work(desk)
        except AdjustmentRefused as refusal:
            outcome = refusal.refusal.value
            raise
        except ProposalFaulty:
            outcome = "faulty"
            raise
        except StoreUnavailable:
            outcome = "unavailable"
            raise
        finally:
            self._metrics.proposals.labels(action, outcome).inc()


def add_proposals(
    app: FastAPI, opened: Opened, checked: Checked, taken: Callable[[], None], metrics: RegistryMetrics
) -> None:
    """Add the routes under `/v1/proposals`, `/v1/export` and `/v1/packs`.

    Refusals as in `build_api`; besides 422 `{"code": "faulty", "report"}` for a file that the register would not take.
    """
    routes = ProposalRoutes(opened, checked, taken, metrics)
    app.add_api_route("/v1/packs/check", routes.check_pack, methods=["POST"])
    app.add_api_route("/v1/proposals/preview", routes.preview, methods=["POST"])
    app.add_api_route("/v1/proposals", routes.propose, methods=["POST"])
    for name in ("preview", "approve", "reject", "withdraw"):
        handler = routes.preview_of if name == "preview" else getattr(routes, name)
        app.add_api_route(f"/v1/proposals/{{proposal_id}}/{name}", handler, methods=["POST"])

    @app.exception_handler(ProposalFaulty)
    async def faulty(request: Request, error: ProposalFaulty) -> JSONResponse:
        return JSONResponse({"code": "faulty", "detail": str(error), "report": _report(error.report)}, 422)

    _add_files(app, opened)


def _add_files(app: FastAPI, opened: Opened) -> None:
    """Add what is taken out: the file of a proposal, rows of a kind, a pack and what two versions of it differ in."""

    @app.get("/v1/proposals/{proposal_id}/file")
    async def content(proposal_id: ProposalIdPath) -> Response:
        async with opened("registry") as desk:
            _, file = await desk.content(proposal_id)
        return Response(file, media_type="application/octet-stream")

    @app.get("/v1/forms/{kind}")
    async def form(kind: EntityKind, id: Annotated[str | None, Query(pattern=ID)] = None) -> dict[str, Any]:  # noqa: A002
        async with opened("registry") as desk:
            row = await desk.form(Kind(kind), id)
        return {"row": row, "columns": [_column(column) for column in COLUMNS[Kind(kind)]]}

    @app.get("/v1/export/{kind}")
    async def export(
        kind: EntityKind, form: Literal["csv", "xlsx"] = "xlsx", lang: Annotated[str, Query(pattern="^(zh|en)$")] = "zh"
    ) -> Response:
        async with opened("registry") as desk:
            written = await desk.export(Kind(kind), chinese=lang == "zh")
        return Response(FORMS[form](written), media_type=MEDIA[form])

    @app.get("/v1/packs/{pack_id}/{version}")
    async def pack(pack_id: ProposalIdPath, version: PackVersion) -> Response:
        async with opened("registry") as desk:
            found = await desk.pack(pack_id, version)
        return Response(pack_yaml(found), media_type="application/yaml")

    @app.get("/v1/packs/{pack_id}/{version}/since/{former}")
    async def since(pack_id: ProposalIdPath, version: PackVersion, former: PackVersion) -> dict[str, Any]:
        async with opened("registry") as desk:
            return {"fields": _fields(await desk.pack_changes(pack_id, former, version))}


def _column(column: Column) -> dict[str, Any]:
    """Return a field as a form needs it; `choices` are pairs [word of the file, its Chinese word]."""
    words = CHOICES.get(column.name)
    choices = (
        None if words is None else [[each.value, first_chinese(words, each)] for each in dict.fromkeys(words.values())]
    )
    if column.name in YES_NO:
        choices = [["yes", "是"], ["no", "否"]]
    return {"name": column.name, "zh": column.zh, "required": column.required, "choices": choices}


def _pair(text: str) -> list[str]:
    """Return a sentence as [zh, en]."""
    return [said(text, chinese=True), said(text, chinese=False)]


def _report(report: ImportReport) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "changed": report.changed,
        "rerouted": report.rerouted,
        "asks": report.asks,
        "notes": [_pair(note) for note in report.notes],
        "total_errors": report.total_errors,
        "errors": [
            {"row": each.row, "char": each.char, "column": each.column, "expected": _pair(each.expected),
             "found": _pair(each.found)}
            for each in report.errors[:LISTED]
        ],
    }  # fmt: skip


def _preview(seen: Preview) -> dict[str, Any]:
    return {
        "report": _report(seen.report),
        "effect": [_pair(line) for line in effect_text.lines(seen.effects)],
        "differences": [
            {"id": each.entity_id, "valid_from": each.valid_from.isoformat(), "new": each.new,
             "fields": _fields(each.fields)}
            for each in seen.differences
        ],
        "entities_total": len(seen.entities),
        "approvals_needed": seen.needed,
        "overtaken": seen.overtaken,
    }  # fmt: skip


def _fields(changes: Sequence[FieldChange]) -> list[dict[str, str | None]]:
    return [{"name": each.name, "before": each.before, "after": each.after} for each in changes]


def _proposal(held: Proposal) -> dict[str, Any]:
    return {
        "proposal_id": held.proposal_id,
        "state": held.state.value,
        "requested_by": held.requested_by,
        "approvals": list(held.approvals),
        "approvals_needed": held.approvals_needed,
    }
