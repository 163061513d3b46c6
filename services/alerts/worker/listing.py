"""What people do with listings (挂牌督办): each act is one transaction, with its entry in the audit chain."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from services.alerts.domain.audit.entry import AuditEntry, Detail
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.documents import Earlier, Listed
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict
from services.alerts.domain.escalation.ladder import AT_ONCE
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.ids import CaseId
from services.alerts.domain.listing.listing import (
    EvidenceFile,
    Listing,
    ListingEntry,
    ListingId,
    NoListing,
    NotPossible,
    Said,
    after,
    may_be_listed,
    proposed,
)
from services.alerts.domain.listing.of_case import under
from services.alerts.ports import CaseStore, CaseTransaction, Changes, Directory
from services.alerts.worker.acknowledgement import may_touch
from services.alerts.worker.notice_composer import NoticeComposer, cancel_waiting
from services.kernel.calendar import CHINA
from services.kernel.words import Instrument, ListingAct, ListingState, Recipient
from services.runtime.clock import Clock

OF_BODIES = frozenset({ListingAct.HAND_IN, ListingAct.ASK_EXTENSION})
"""What a department or street may do; all else is for the brigade, whom the console lets do it."""
CLAUSE = "000 三 5"
"""Of a pack that has no `major_danger`."""


class ListingService:
    """Raises NoListing, NotPossible, StoreUnavailable. Bodies do what `OF_BODIES` names, for cases that are theirs."""

    def __init__(self, *, store: CaseStore, directory: Directory, composer: NoticeComposer, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._composer = composer
        self._clock = clock

    @property
    def _is_working(self) -> Callable[[date], bool]:
        return self._composer.pace.calendar.is_working

    async def propose(self, case_id: CaseId, who: Who, reason: str) -> Listing:
        """Propose a listing by hand: a draft is asked for, and the brigade is told."""
        try:
            async with self._store.transaction() as transaction:
                case = await self._case(transaction, case_id, who, ListingAct.PROPOSE)
                if not case.is_open:
                    raise NotPossible("case_closed")
                if not may_be_listed(case):
                    raise NotPossible("unfit")
                if not reason:
                    raise NotPossible("reasons_missing")
                before = await transaction.listings_of(case_id)
                if any(one.is_active for one in before):
                    raise NotPossible("under_way")
                now, changes = self._clock.now(), Changes()
                listing = proposed(case_id, len(before) + 1, who.account, reason, now)
                self._write(changes, listing, who, ListingAct.PROPOSE, {"reason": reason}, now)
                step = self._step(case, f"PROPOSAL{listing.number}", Instrument.LISTED_SUPERVISION, now)
                earlier = await self._earlier(transaction, case)
                self._composer.notify_listing(changes, case, step, now, earlier)
                await transaction.save(changes)
        except Conflict as error:
            raise NotPossible("under_way") from error
        return listing

    async def act(self, listing_id: ListingId, seen: int, act: ListingAct, who: Who, said: Said) -> Listing:
        """Do what follows on the state that the reader saw, revision `seen`."""
        async with self._store.transaction() as transaction:
            found = await transaction.listing(listing_id)
            if found is None:
                raise NoListing
            case = await self._case(transaction, found.case_id, who, act)
            before = await transaction.listing(listing_id)  # as it is now that its case is locked
            assert before is not None, "no listing goes while its case is there"
            if before.revision != seen:
                raise NotPossible("changed")
            now, changes = self._clock.now(), Changes()
            if act is ListingAct.LIST and said.level not in self._directory.rules(now, case.facts.district).levels:
                raise NotPossible("level_wrong")
            listing = after(before, act, who.account, said, now, self._is_working)
            self._write(changes, listing, who, act, _detail(before, said), now)
            changes.evidence += [EvidenceFile(listing_id, listing.revision, one, said.source) for one in said.files]
            if (listing.is_in_force, listing.due_at) != (before.is_in_force, before.due_at):
                case = await self._follow(transaction, changes, case, listing, now)
            if listing.state is ListingState.CLOSED:
                step = self._step(case, f"CLOSURE{listing.number}", Instrument.LISTING_CLOSURE, now)
                listed = _listed(before, case, now)
                self._composer.notify_listing(changes, case, step, now, await self._earlier(transaction, case), listed)
            await transaction.save(changes)
        return listing

    async def _follow(
        self, transaction: CaseTransaction, changes: Changes, case: Case, listing: Listing, now: datetime
    ) -> Case:
        """Let the case go by the listing as it is now; a case that ends with it is told as any that ends."""
        then = under(case, listing, now, self._composer.pace)
        changes.put(then)
        if case.is_open and not then.is_open:
            cancel_waiting(changes, then, Reason.CASE_CLOSED)
            detail: Detail = {"reason": then.close_reason, "listing": listing.listing_id}
            changes.audit.append(AuditEntry(now, "alerts", "case_closed", case.case_id, detail))
            told = (await transaction.recipients([case.case_id])).get(case.case_id, [])
            self._composer.all_clear(changes, then, told, now)
        return then

    async def _case(self, transaction: CaseTransaction, case_id: CaseId, who: Who, act: ListingAct) -> Case:
        case = await transaction.case(case_id)
        if case is None or not may_touch(case, who.body_code) or (who.body_code is not None and act not in OF_BODIES):
            raise NoListing
        return case

    @staticmethod
    async def _earlier(transaction: CaseTransaction, case: Case) -> Sequence[Earlier]:
        return (await transaction.taken([case.case_id])).get(case.case_id, ())

    def _step(self, case: Case, code: str, document: Instrument, now: datetime) -> LadderStep:
        closure = document is Instrument.LISTING_CLOSURE
        return LadderStep(
            code=code,
            trigger=AT_ONCE,
            tells=(Recipient.BRIGADE,),
            document=document,
            name_zh="挂牌督办销案（草稿）" if closure else "提请挂牌督办（草稿）",
            name_en="Draft closure of the listing" if closure else "Draft proposal to list",
            clause=self._directory.rules(now, case.facts.district).listing_clause or CLAUSE,
        )

    @staticmethod
    def _write(
        changes: Changes, listing: Listing, who: Who, act: ListingAct, detail: dict[str, object], now: datetime
    ) -> None:
        changes.listings[listing.listing_id] = listing
        body = who.body_code or ""
        changes.listing_entries.append(
            ListingEntry(listing.listing_id, listing.revision, now, who.account, body, act, detail, listing.due_at)
        )
        about = {"listing": listing.listing_id, "state": str(listing.state), "via": who.via, "body": who.body_code}
        changes.audit.append(
            AuditEntry(now, who.account, f"listing_{act}", listing.case_id, {**about, **_plain(detail)})
        )


def _detail(before: Listing, said: Said) -> dict[str, object]:
    """Return what was said with an act, and the deadline that was asked for where one is decided on."""
    asked = before.extension
    found: dict[str, object] = {
        "text": said.text,
        "level": str(said.level) if said.level else "",
        "document": said.number,
        "on": said.on.isoformat() if said.on else "",
        "until": said.until.isoformat() if said.until else "",
        "asked_until": asked.until.isoformat() if asked else "",
        "inspector": said.inspector,
        "files": [f"{one.name} sha256:{one.sha256}" for one in said.files],
        "source": said.source,
    }
    return {name: value for name, value in found.items() if value}


def _plain(detail: dict[str, object]) -> Detail:
    return {name: list(value) if isinstance(value, list) else str(value) for name, value in detail.items()}


def _listed(listing: Listing, case: Case, now: datetime) -> Listed:
    recheck = listing.recheck
    assert listing.level is not None, "closed is what was listed"
    assert listing.listed_on is not None, "as above"
    assert listing.deadline is not None, "as above"
    assert recheck is not None, "and looked at"
    return Listed(
        level=listing.level,
        number=listing.document,
        on=listing.listed_on,
        deadline=listing.deadline,
        evidence=listing.evidence,
        inspector=recheck.inspector,
        rechecked_on=recheck.on,
        approved_on=now.astimezone(CHINA).date(),
        cured_at=case.cured_at or case.closed_at,
    )
