"""The register and what changes it: adjustments, proposals, packs, what-ifs."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, Protocol

from services.console.domain.adjustments import (
    AdjustmentPage,
    AdjustmentQuery,
    AdjustmentRow,
    Decision,
    InForceRow,
    NewAdjustment,
)
from services.console.domain.register import (
    Entity,
    EntityPage,
    EntityQuery,
    HandedIn,
    PackRow,
    ProposalDecision,
    ProposalPage,
    Taken,
)
from services.console.domain.viewer import Slice, Viewer
from services.console.domain.what_if import NewWhatIf, PackSource, WhatIfRow
from services.kernel.words import AdjustmentState, EntityKind, Language, Period


class AdjustmentRepository(Protocol):
    """The registry's adjustments, read. Every method raises DataUnavailable when there is no answer in time."""

    async def page(self, slice_: Slice, query: AdjustmentQuery) -> AdjustmentPage:
        """Return those of units of the slice, the newest first."""
        ...

    async def one(self, slice_: Slice, adjustment_id: str) -> AdjustmentRow:
        """Raises NotFound outside the slice."""
        ...

    async def in_force(self, slice_: Slice, now: datetime) -> Sequence[InForceRow]:
        """Return what is on test, in maintenance or exempt at `now`, by unit."""
        ...


class AdjustmentOrders(Protocol):
    """Orders to the service that keeps the register.

    Every method raises AdjustmentRefused, NotAllowed, NotFound, TooBusy, RegistryUnavailable.
    """

    async def request(self, asked: NewAdjustment, viewer: Viewer) -> str:
        """Return the id of the adjustment once it is stored."""
        ...

    async def decide(self, decision: Decision, adjustment_id: str, viewer: Viewer, note: str) -> str:
        """Return the state of the adjustment once the decision is stored."""
        ...


class Adjustments(Protocol):
    """What the pages may do with adjustments; all of it within the viewer's slice. Raises as the two above do."""

    async def page(self, viewer: Viewer, query: AdjustmentQuery) -> AdjustmentPage: ...

    async def in_force(self, viewer: Viewer) -> Sequence[InForceRow]: ...

    async def request(self, viewer: Viewer, asked: NewAdjustment) -> str:
        """Raises NotFound for a unit outside the slice."""
        ...

    async def decide(self, viewer: Viewer, decision: Decision, adjustment_id: str, note: str) -> str: ...


class RegisterRepository(Protocol):
    """The register, read. Every method raises DataUnavailable when there is no answer in time."""

    async def page(self, slice_: Slice, query: EntityQuery) -> EntityPage:
        """Return the entities of a kind by id: for a department its units and what belongs to them."""
        ...

    async def one(self, slice_: Slice, kind: EntityKind, entity_id: str) -> Entity:
        """Raises NotFound outside the slice."""
        ...

    async def packs(self) -> Sequence[PackRow]: ...

    async def proposals(self, state: AdjustmentState | None, offset: int, limit: int) -> ProposalPage:
        """Return them, the newest first."""
        ...

    async def file_name(self, proposal_id: str) -> str | None: ...


class RegisterOrders(Protocol):
    """The service that keeps the register. Mappings are its answers as they came, JSON objects for the page.

    Every method raises AdjustmentRefused (FaultyFile among them), NotAllowed, NotFound, TooBusy, RegistryUnavailable.
    """

    async def form(self, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]: ...

    async def preview(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        """Return what it would change; of what would not be taken, the report with its errors alone."""
        ...

    async def preview_of(self, proposal_id: str, viewer: Viewer) -> Mapping[str, Any]: ...

    async def propose(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        """Return id and state of the proposal once it is stored."""
        ...

    async def decide(self, decision: ProposalDecision, proposal_id: str, viewer: Viewer, note: str) -> str:
        """Return the state of the proposal once the decision is stored."""
        ...

    async def file(self, proposal_id: str) -> bytes: ...

    async def export(self, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language) -> Taken: ...

    async def pack(self, pack_id: str, version: int) -> Taken: ...

    async def checked_pack(self, content: str, viewer: Viewer) -> str:
        """Return the pack in a file (base64) as YAML; FaultyFile has every error at its line and column."""
        ...

    async def pack_changes(self, pack_id: str, version: int, former: int) -> Mapping[str, Any]: ...


class WhatIfRepository(Protocol):
    """Questions what a pack would have said, with the answers of compliance. Raises DataUnavailable."""

    async def ask(self, new: NewWhatIf, by: str, now: datetime) -> int:
        """Return its number. Raises WhatIfRunning, WhatIfsWaiting. What is too old goes at the same time."""
        ...

    async def rows(self, now: datetime) -> Sequence[WhatIfRow]:
        """Return the newest, without their results."""
        ...

    async def one(self, what_if_id: int, now: datetime) -> WhatIfRow:
        """Raises NotFound."""
        ...


class RegisterWork(Protocol):
    """What the pages may do with the register. Raises as the two above do, and NotAllowed for who may not."""

    async def page(self, viewer: Viewer, query: EntityQuery) -> EntityPage: ...

    async def one(self, viewer: Viewer, kind: EntityKind, entity_id: str) -> Entity: ...

    async def form(self, viewer: Viewer, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]: ...

    async def preview(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]: ...

    async def propose(self, viewer: Viewer, handed: HandedIn) -> Mapping[str, Any]: ...

    async def proposals(
        self, viewer: Viewer, state: AdjustmentState | None, offset: int, limit: int
    ) -> ProposalPage: ...

    async def preview_of(self, viewer: Viewer, proposal_id: str) -> Mapping[str, Any]: ...

    async def decide(self, viewer: Viewer, decision: ProposalDecision, proposal_id: str, note: str) -> str: ...

    async def file(self, viewer: Viewer, proposal_id: str) -> Taken: ...

    async def export(
        self, viewer: Viewer, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language
    ) -> Taken: ...

    async def packs(self, viewer: Viewer) -> Sequence[PackRow]: ...

    async def pack(self, viewer: Viewer, pack_id: str, version: int) -> Taken: ...

    async def pack_changes(self, viewer: Viewer, pack_id: str, version: int, former: int) -> Mapping[str, Any]: ...


class WhatIfWork(Protocol):
    """What the pages may do with such questions. Raises as RegisterOrders and WhatIfRepository do, and NotAllowed."""

    async def ask(self, viewer: Viewer, kind: Period, day: date, source: PackSource) -> Mapping[str, Any]:
        """Return its number as `what_if_id`; of a pack that is none, the `report` with its errors."""
        ...

    async def rows(self, viewer: Viewer) -> Sequence[WhatIfRow]: ...

    async def one(self, viewer: Viewer, what_if_id: int) -> WhatIfRow: ...
