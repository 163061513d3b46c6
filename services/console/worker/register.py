"""The register for the pages: read within the viewer's slice, changed by the registry alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from services.console.domain.errors import NotFound
from services.console.domain.register import (
    Entity,
    EntityPage,
    EntityQuery,
    HandedIn,
    PackRow,
    ProposalDecision,
    ProposalPage,
    Taken,
    may,
    may_propose,
    may_read_register,
    may_work_on_register,
)
from services.console.domain.viewer import Viewer
from services.console.ports.register import RegisterOrders, RegisterRepository
from services.kernel.words import AdjustmentState, EntityKind, Language


class RegisterUseCases:
    """Implements the port `RegisterWork`."""

    def __init__(self, repository: RegisterRepository, orders: RegisterOrders) -> None:
        self._repository = repository
        self._orders = orders

    async def page(self, viewer: Viewer, query: EntityQuery) -> EntityPage:
        return await self._repository.page(may_read_register(viewer).slice, query)

    async def one(self, viewer: Viewer, kind: EntityKind, entity_id: str) -> Entity:
        entity = await self._repository.one(may_read_register(viewer).slice, kind, entity_id)
        return entity if viewer.slice.whole else replace(entity, waiting=())

    async def form(self, viewer: Viewer, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]:
        if entity_id is None:  # names of fields alone
            may_read_register(viewer)
        else:
            may_propose(viewer)
        return await self._orders.form(kind, entity_id)

    async def preview(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]:
        return await self._orders.preview(handed, may_propose(viewer))

    async def propose(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]:
        return await self._orders.propose(handed, may_propose(viewer))

    async def proposals(self, viewer: Viewer, state: AdjustmentState | None, offset: int, limit: int) -> ProposalPage:
        may_work_on_register(viewer)
        page = await self._repository.proposals(state, offset, limit)
        return replace(page, rows=tuple(replace(row, may=may(viewer, row)) for row in page.rows))

    async def preview_of(self, viewer: Viewer, proposal_id: str) -> Mapping[str, Any]:
        return await self._orders.preview_of(proposal_id, may_work_on_register(viewer))

    async def decide(self, viewer: Viewer, decision: ProposalDecision, proposal_id: str, note: str) -> str:
        return await self._orders.decide(decision, proposal_id, may_work_on_register(viewer), note)

    async def file(self, viewer: Viewer, proposal_id: str) -> Taken:
        may_work_on_register(viewer)
        name = await self._repository.file_name(proposal_id)
        if name is None:
            raise NotFound
        return Taken(name, "application/octet-stream", await self._orders.file(proposal_id))

    async def export(self, viewer: Viewer, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language) -> Taken:
        may_work_on_register(viewer)
        return await self._orders.export(kind, form, language)

    async def packs(self, viewer: Viewer) -> Sequence[PackRow]:
        may_work_on_register(viewer)
        return await self._repository.packs()

    async def pack(self, viewer: Viewer, pack_id: str, version: int) -> Taken:
        may_work_on_register(viewer)
        return await self._orders.pack(pack_id, version)

    async def pack_changes(self, viewer: Viewer, pack_id: str, version: int, former: int) -> Mapping[str, Any]:
        may_work_on_register(viewer)
        return await self._orders.pack_changes(pack_id, version, former)
