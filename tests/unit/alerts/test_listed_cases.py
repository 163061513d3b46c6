"""A case under a listing: open until the closure, its trouble's end is evidence only, its deadline is a step."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.who import Who
from services.alerts.domain.escalation.pack_rules import FlappingRules
from services.alerts.domain.escalation.triggers import Overdue
from services.alerts.domain.listing.listing import BY_LADDER, Listing, NoListing, NotPossible
from services.alerts.worker.listing import ListingService
from services.kernel.words import ClockKind, Instrument, ListingAct, ListingLevel, ListingState, Purpose, Recipient
from tests.unit.alerts.build import event, step
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.listings import said

DAY = 86400.0
H0 = step("H0", 0, Recipient.CENTRE)
H4 = step("H4", 24, Recipient.DEPARTMENT)
H7 = replace(step("H7", 48, Recipient.BRIGADE), document="I7")
H7L = step("H7L", 0, Recipient.BRIGADE, trigger=Overdue(ClockKind.LISTING))
LADDER = (H0, H4, H7, H7L)
A, B, C = (Who(name, None, "console") for name in ("officer-a", "officer-b", "officer-c"))
CLERK = Who("clerk", "health", "console")


class Listed:
    """A unit whose connection is lost, and the desk where its listing is worked on."""

    def __init__(self, *ladder: object) -> None:
        self.harness = Harness("U1", ladders={CaseKind.CONNECTION_LOST: ladder or LADDER, CaseKind.FIRE: (H0,)})
        self.harness.wait_for_documents(60)
        self.desk = ListingService(
            store=self.harness.store,
            directory=self.harness.directory,
            composer=self.harness.composer,
            clock=self.harness.clock,
        )

    @property
    def case(self) -> Case:
        (case,) = self.harness.store.tables.cases.values()
        return case

    @property
    def listing(self) -> Listing:
        return next(iter(self.harness.store.tables.listings.values()))

    @property
    def steps(self) -> list[str]:
        return [code for _, code in self.harness.store.tables.steps]

    async def happen(self, happening: Happening, cause: str = "d1") -> None:
        seconds = (self.harness.clock.now() - event().detected_at).total_seconds()
        await self.harness.take(event(happening, cause=cause, seconds=seconds))
        await self.harness.work()

    async def act(self, act: ListingAct, who: Who, **more: object) -> Listing:
        now = self.harness.clock.now()
        files = () if act is not ListingAct.HAND_IN else said(now).files
        what = said(now, **({"files": files} | more))  # type: ignore[arg-type] # names of its fields
        return await self.desk.act(self.listing.listing_id, self.listing.revision, act, who, what)

    async def begin(self) -> None:
        await self.happen(Happening.BEGAN)
        await self.harness.pass_time(60)
        await self.desk.propose(self.case.case_id, A, "长期离线")
        await self.act(ListingAct.LIST, A, days=10)

    async def close(self) -> None:
        await self.act(ListingAct.HAND_IN, CLERK)
        await self.act(ListingAct.PASS_RECHECK, B)
        await self.act(ListingAct.APPROVE_CLOSURE, C)


async def test_the_end_of_the_trouble_is_no_closure_and_tells_nobody_any_more() -> None:
    listed = Listed()
    await listed.begin()
    await listed.harness.pass_time(3600)
    await listed.happen(Happening.ENDED)
    assert listed.case.is_open
    assert listed.case.cured_at == listed.harness.clock.now()
    assert listed.listing.state is ListingState.LISTED
    kept = [one for one in listed.harness.store.tables.audit if one.action == "case_kept_open"]
    assert [one.detail["reason"] for one in kept] == ["listed"]
    await listed.harness.pass_time(5 * DAY, every=DAY / 2)
    assert "H4" not in listed.steps, "no letter about what is over"
    await listed.close()
    assert (listed.case.is_open, listed.case.close_reason) == (False, "listing_closed")
    await listed.harness.work()
    clear = [row for row in listed.harness.store.tables.notices.values() if row.notice.purpose is Purpose.ALL_CLEAR]
    assert clear, "whoever was told is told that it is over"


async def test_what_is_over_and_begins_again_climbs_on() -> None:
    listed = Listed()
    await listed.begin()
    await listed.happen(Happening.ENDED)
    await listed.harness.pass_time(DAY)
    await listed.happen(Happening.BEGAN, "d2")
    assert listed.case.cured_at is None
    assert listed.case.sightings.drops == 2
    await listed.harness.pass_time(DAY + 3600)
    assert "H4" in listed.steps
    await listed.happen(Happening.ENDED, "d2")
    assert listed.case.cured_at is not None, "the second finding's end is known to be this case's"


async def test_the_deadline_that_passes_is_a_step_though_the_trouble_is_over() -> None:
    listed = Listed()
    await listed.begin()
    await listed.happen(Happening.ENDED)
    await listed.harness.pass_time(14 * DAY, every=DAY / 2)
    assert listed.steps.count("H7L") == 1
    (taken,) = [one for (_, code), one in listed.harness.store.tables.steps.items() if code == "H7L"]
    assert taken.due_at == listed.listing.due_at


async def test_an_extension_moves_the_step_for_the_deadline() -> None:
    listed = Listed(H0, H7L)
    await listed.begin()
    first = listed.case.next_step_at
    await listed.act(ListingAct.ASK_EXTENSION, CLERK, days=20)
    assert listed.case.next_step_at == first
    await listed.act(ListingAct.GRANT_EXTENSION, A)
    assert first is not None
    assert listed.case.next_step_at == listed.listing.due_at
    assert listed.listing.due_at is not None
    assert listed.listing.due_at > first


async def test_a_closure_while_the_trouble_stands_leaves_the_case_open() -> None:
    listed = Listed()
    await listed.begin()
    await listed.close()
    assert listed.listing.state is ListingState.CLOSED
    assert listed.case.is_open
    assert not listed.case.is_listed
    await listed.harness.pass_time(2 * DAY, every=DAY / 4)
    assert "H4" in listed.steps
    await listed.happen(Happening.ENDED)
    assert not listed.case.is_open


async def test_the_papers_are_asked_for() -> None:
    listed = Listed()
    await listed.begin()
    await listed.close()
    papers = list(listed.harness.store.tables.requests.values())
    papers = [one for one in papers if one.instrument is not Instrument.FAULT_NOTICE]
    assert [one.instrument for one in papers] == [Instrument.LISTED_SUPERVISION, Instrument.LISTING_CLOSURE]
    said_ = papers[1].listed
    assert said_ is not None
    assert (said_.level, said_.inspector, said_.evidence) == (ListingLevel.DISTRICT, "李建国", 1)
    assert said_.cured_at is None, "nothing is said to be over that is not"
    assert papers[0].addressee is not None
    assert papers[0].addressee.zh == "本级人民政府"


async def test_the_step_of_the_bridge_proposes_once_and_not_beside_a_listing() -> None:
    listed = Listed()
    await listed.happen(Happening.BEGAN)
    await listed.harness.pass_time(3 * DAY, every=DAY / 4)
    assert (listed.listing.state, listed.listing.proposed_by) == (ListingState.PROPOSED, BY_LADDER)
    with pytest.raises(NotPossible, match="under_way"):
        await listed.desk.propose(listed.case.case_id, A, "再次提请")
    other = Listed()
    await other.begin()
    await other.harness.pass_time(3 * DAY, every=DAY / 4)
    assert "H7" in other.steps
    assert len(other.harness.store.tables.listings) == 1


async def test_a_proposal_that_was_declined_may_be_made_anew() -> None:
    listed = Listed(H0)
    await listed.happen(Happening.BEGAN)
    await listed.desk.propose(listed.case.case_id, A, "长期离线")
    await listed.act(ListingAct.DECLINE, A)
    again = await listed.desk.propose(listed.case.case_id, A, "仍未恢复")
    assert again.number == 2


async def test_who_may_do_what() -> None:
    listed = Listed(H0)
    await listed.happen(Happening.BEGAN)
    with pytest.raises(NoListing):
        await listed.desk.propose(listed.case.case_id, CLERK, "部门不提请")
    await listed.desk.propose(listed.case.case_id, A, "长期离线")
    with pytest.raises(NoListing):
        await listed.act(ListingAct.LIST, CLERK)
    await listed.act(ListingAct.LIST, A)
    with pytest.raises(NoListing):
        await listed.act(ListingAct.HAND_IN, Who("clerk", "education", "console"))
    for act in set(ListingAct) - {ListingAct.HAND_IN, ListingAct.ASK_EXTENSION}:
        with pytest.raises(NoListing):
            await listed.act(act, CLERK)
    await listed.act(ListingAct.HAND_IN, CLERK)


async def test_a_level_that_the_pack_does_not_name_and_a_stale_page_are_refused() -> None:
    listed = Listed(H0)
    listed.harness.directory.pack = replace(listed.harness.directory.pack, levels=(ListingLevel.CITY,))
    await listed.happen(Happening.BEGAN)
    await listed.desk.propose(listed.case.case_id, A, "长期离线")
    with pytest.raises(NotPossible, match="level_wrong"):
        await listed.act(ListingAct.LIST, A)
    await listed.act(ListingAct.LIST, A, level=ListingLevel.CITY)
    with pytest.raises(NotPossible, match="changed"):
        await listed.desk.act(listed.listing.listing_id, 1, ListingAct.WITHDRAW, A, said())


async def test_what_burns_and_what_is_over_is_nothing_to_be_proposed() -> None:
    listed = Listed(H0)
    await listed.harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, point="1"), topic="alarms")
    with pytest.raises(NotPossible, match="unfit"):
        await listed.desk.propose(listed.case.case_id, A, "火警")
    other = Listed(H0)
    await other.happen(Happening.BEGAN)
    await other.happen(Happening.ENDED)
    with pytest.raises(NotPossible, match="case_closed"):
        await other.desk.propose(other.case.case_id, A, "已恢复")


async def test_a_case_that_was_quiet_when_it_was_listed_waits_for_the_closure() -> None:
    """It flapped, was over for now, and was listed before it could be closed for that."""
    listed = Listed(H0)
    rules = FlappingRules(3, timedelta(hours=1), timedelta(hours=2), (Recipient.CENTRE,), "proposal")
    listed.harness.directory.pack = replace(listed.harness.directory.pack, flapping=rules)
    for n in range(4):
        await listed.happen(Happening.BEGAN, f"d{n}")
        listed.harness.clock.forward(60)
        await listed.happen(Happening.ENDED, f"d{n}")
    assert listed.case.flapping.quiet_until is not None
    await listed.desk.propose(listed.case.case_id, A, "反复离线")
    await listed.act(ListingAct.LIST, A)
    await listed.harness.pass_time(3 * 3600)
    assert listed.case.is_open
    assert listed.case.cured_at is not None
