"""Files that people hand in: tried at once, taken when a second person agrees, or at once where nobody need agree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice

from services.kernel.words import AdjustmentState
from services.registry.domain import proposals
from services.registry.domain.approval import Person
from services.registry.domain.audit import entry_of_proposal
from services.registry.domain.effect import effects
from services.registry.domain.entities import Kind, of_type
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused
from services.registry.domain.policy import Policy
from services.registry.domain.proposals import (
    FieldChange,
    Histories,
    Preview,
    Proposal,
    ProposalFaulty,
    ProposalRequest,
)
from services.registry.domain.reports import ImportReport
from services.registry.domain.writing import Written, form_of, write_down
from services.registry.ports import Register, Store
from services.registry.worker.importing import Importer, instant, today_in_shanghai
from services.registry.worker.trying import snapshot
from services.runtime.clock import Clock

MAX_WAITING = 200
"""So many proposals at once nobody works off; each keeps its file."""


class ProposalService:
    """Implements the port `ProposalUseCases`. Each call is one transaction; nobody else changes the register meanwhile.

    `importer` makes the importer for one request: it reads that request's file and no other. Every method may raise
    AdjustmentRefused, ProposalFaulty or StoreUnavailable; then nothing is changed. What is taken still has to be
    published.
    """

    def __init__(self, *, store: Store, clock: Clock, importer: Callable[[Store, ProposalRequest], Importer]) -> None:
        self._store = store
        self._clock = clock
        self._importer = importer

    async def preview(self, request: ProposalRequest) -> Preview:
        """Take the file, look, and undo it."""
        return await self._try(proposals.bounded(request))

    async def preview_of(self, proposal_id: str) -> Preview:
        """Try a proposal that waits anew: what it would change today."""
        async with self._store.transaction() as register:
            held = await _held(register, proposal_id)
            other = await _changed_since(register, held)
            seen = await self._try(held.request)
        return replace(seen, overtaken=other or proposals.changes_otherwise(held, seen))

    async def propose(self, request: ProposalRequest, by: Person) -> Proposal:
        """Write down what somebody wants; take it at once where no second person is needed."""
        request = proposals.checked(request, by)
        async with self._store.transaction() as register:
            now = await instant(register, self._clock)
            if await register.proposals.waiting() >= MAX_WAITING:
                raise AdjustmentRefused(AdjustmentRefusal.TOO_MANY, f"{MAX_WAITING} proposals wait for a decision")
            seen = await self._try(request)
            if not seen.entities:
                raise AdjustmentRefused(AdjustmentRefusal.NO_CHANGE, "the register says so already")
            year = today_in_shanghai(now).year
            held = Proposal(
                f"R{year}-{await register.proposals.count(year) + 1:06d}",
                request,
                proposals.sha256_of(request),
                seen.report.rows,
                seen.entities,
                by.account,
                now,
                await register.last_recorded(),
                seen.changes_sha256,
                seen.needed,
            )
            await register.proposals.put(held)
            await register.adjustments.audit(entry_of_proposal("request", held, by, now))
            if not held.approvals_needed:
                held = replace(held, state=AdjustmentState.APPROVED, changed_at=now)
                await self._take(held)
                await register.proposals.put(held)
                await register.adjustments.audit(entry_of_proposal("take", held, by, now))
            return held

    async def approve(self, proposal_id: str, by: Person) -> Proposal:
        """Agree to it; with the last approval the register takes the file, known from now on.

        The file is tried before that: it must change what it would have changed when it was asked for, and no more.
        """
        async with self._store.transaction() as register:
            now = await instant(register, self._clock)
            held = await _held(register, proposal_id)
            approved = proposals.approve(held, by, now)
            if approved.state is AdjustmentState.APPROVED:
                other = await _changed_since(register, held)
                if other is None:
                    other = proposals.changes_otherwise(held, await self._try(held.request))
                if other is not None:
                    raise AdjustmentRefused(
                        AdjustmentRefusal.CHANGED_SINCE, f"{other} was changed since this was asked for"
                    )
                await self._take(approved)
            await register.proposals.put(approved)
            await register.adjustments.audit(entry_of_proposal("approve", approved, by, now))
            return approved

    async def reject(self, proposal_id: str, by: Person, note: str) -> Proposal:
        async with self._store.transaction() as register:
            now = await instant(register, self._clock)
            held = await _held(register, proposal_id)
            rejected = proposals.reject(held, by, now, note)
            await register.proposals.put(rejected)
            await register.adjustments.audit(entry_of_proposal("reject", rejected, by, now))
            return rejected

    async def withdraw(self, proposal_id: str, by: Person, note: str = "") -> Proposal:
        async with self._store.transaction() as register:
            now = await instant(register, self._clock)
            held = await _held(register, proposal_id)
            withdrawn = proposals.withdraw(held, by, now, note)
            await register.proposals.put(withdrawn)
            await register.adjustments.audit(entry_of_proposal("withdraw", withdrawn, by, now))
            return withdrawn

    async def content(self, proposal_id: str) -> tuple[str, bytes]:
        """Return name and bytes of the file of a proposal."""
        async with self._store.transaction() as register:
            held = await _held(register, proposal_id)
        return held.request.file_name, held.request.content

    async def export(self, kind: Kind, *, chinese: bool) -> Written:
        """Return what holds today of a kind of rows, as a file that changes nothing when it is handed in."""
        day = today_in_shanghai(self._clock.now())
        async with self._store.transaction() as register:
            return write_down(kind, await register.histories(kind), day, chinese=chinese)

    async def form(self, kind: Kind, entity_id: str | None) -> Mapping[str, str]:
        """Return the texts of an entity by field, as its form shows them; empty ones for a new one."""
        day = today_in_shanghai(self._clock.now())
        if entity_id is None:
            return form_of(kind, None, day)
        async with self._store.transaction() as register:
            history = (await register.histories(kind, [entity_id])).get(entity_id)
        if history is None:
            raise AdjustmentRefused(AdjustmentRefusal.UNKNOWN_ENTITY, f"{entity_id} is not in the register")
        return form_of(kind, history, day)

    async def pack(self, pack_id: str, version: int) -> Policy:
        """Return one version of a pack."""
        async with self._store.transaction() as register:
            history = (await register.histories(Kind.PACK, [pack_id])).get(pack_id)
        found = [each.facts for each in of_type(() if history is None else history.versions, Policy)]
        named = next((policy for policy in found if policy.number == version), None)
        if named is None:
            raise AdjustmentRefused(AdjustmentRefusal.UNKNOWN_PACK, f"there is no version {version} of {pack_id}")
        return named

    async def pack_changes(self, pack_id: str, former: int, latter: int) -> Sequence[FieldChange]:
        """Return what the latter version of a pack says otherwise than the former."""
        was, now = await self.pack(pack_id, former), await self.pack(pack_id, latter)
        return tuple(proposals.pack_changes(was.document, now.document))

    async def _try(self, request: ProposalRequest) -> Preview:
        today: date = today_in_shanghai(self._clock.now())
        async with self._store.command(keep=False):
            units, held = await snapshot(self._store), await self._histories(request.kind)
            report = await self._import(request, request.file_name)
            made = await self._histories(request.kind)
            effect = effects(units, await snapshot(self._store), today)
        found = tuple(islice(proposals.differences(request.kind, held, made), proposals.LISTED))
        ids = proposals.changed_ids(held, made)
        changed = {key: made[key] for key in ids}
        sha256 = proposals.sha256_of_changes(request.kind, held, changed)
        needed = int(proposals.needs_second_person(request.kind, held, changed)) if ids else 0
        return Preview(report, effect, found, ids, sha256, needed)

    async def _take(self, held: Proposal) -> None:
        await self._import(held.request, f"{held.proposal_id} {held.request.file_name}")

    async def _import(self, request: ProposalRequest, name: str) -> ImportReport:
        """Import the file inside the transaction that is open. Raises ProposalFaulty."""
        importer = self._importer(self._store, request)
        if request.kind is Kind.PACK:
            report = await importer.import_pack(name, valid_from=request.valid_from)
        else:
            (report,) = await importer.import_files([(name, request.kind)])
        if report.refused:
            raise ProposalFaulty(report)
        return report

    async def _histories(self, kind: Kind) -> Histories:
        async with self._store.transaction() as register:
            return await register.histories(kind)


async def _changed_since(register: Register, held: Proposal) -> str | None:
    """Return the id of what was changed since it was asked for; of a pack, that it has another version since."""
    histories = await register.histories(held.request.kind, held.entities)
    return proposals.changed_since(histories, held.entities, held.known_at)


async def _held(register: Register, proposal_id: str) -> Proposal:
    held = await register.proposals.get(proposal_id)
    if held is None:
        raise AdjustmentRefused(AdjustmentRefusal.UNKNOWN_PROPOSAL, f"there is no proposal {proposal_id}")
    return held
