"""Who is off duty is left out while others of the same recipient are on duty; of a fire everybody is told."""

from datetime import date, timedelta

import pytest

from services.alerts.adapters.case_explanation import explained
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.routing.recipients import Recipients, recipients_of_first_step, recipients_of_step
from services.kernel.duty_times import parse
from services.kernel.words import AlarmState, Recipient
from tests.integration.alerts.scenario import contact_record
from tests.unit.alerts.build import HAZARD, T0, Book, case, contact, event, step
from tests.unit.alerts.harness import Harness

DAY = parse("Mo-Fr 08:30-17:30")
NIGHT = parse("Mo-Su 17:30-08:30")
BY_DAY, BY_NIGHT = contact("day", "centre", duty=DAY), contact("night", "centre", duty=NIGHT)
WEDNESDAY_16 = T0
"""16:00 in Shanghai."""
WEDNESDAY_20 = T0 + timedelta(hours=4)
SATURDAY_12 = T0 + timedelta(days=2, hours=20)
TO_CENTRE = step("S", 0, Recipient.CENTRE)


def told(found: Recipients) -> list[str]:
    return [one.contact_id for one in found.addresses]


def test_who_is_on_duty_is_told_and_who_is_not_is_named_with_the_end() -> None:
    found = recipients_of_step(Book(BY_DAY, BY_NIGHT), case(), TO_CENTRE, WEDNESDAY_16)
    assert (told(found), found.names, found.missing) == (["day"], ("centre",), ())
    assert found.off_duty == {"night": WEDNESDAY_16 + timedelta(hours=1, minutes=30)}
    assert told(recipients_of_step(Book(BY_DAY, BY_NIGHT), case(), TO_CENTRE, WEDNESDAY_20)) == ["night"]


def test_a_contact_without_duty_times_is_always_on_duty() -> None:
    found = recipients_of_step(Book(BY_DAY, contact("box", "centre")), case(), TO_CENTRE, WEDNESDAY_20)
    assert (told(found), list(found.off_duty)) == (["box"], ["day"])


def test_nobody_on_duty_means_all_are_told() -> None:
    other = contact("other", "centre", duty=DAY)
    found = recipients_of_step(Book(BY_DAY, other), case(), TO_CENTRE, SATURDAY_12)
    assert (told(found), found.off_duty, found.nobody) == (["day", "other"], {}, None)


def test_each_recipient_of_a_step_is_looked_at_by_itself() -> None:
    book = Book(BY_DAY, BY_NIGHT, contact("room", "U1", "control_room", duty=NIGHT))
    assert told(recipients_of_step(book, case(), HAZARD[0], WEDNESDAY_16)) == ["day", "room"]


def test_who_is_on_duty_but_cannot_be_reached_relieves_nobody() -> None:
    mute = contact("mute", "centre", email=None, phone="13800138000", duty=DAY)
    assert told(recipients_of_step(Book(mute, BY_NIGHT), case(), TO_CENTRE, WEDNESDAY_16)) == ["night"]


def test_the_centre_that_stands_in_is_told_by_its_duty_times_too() -> None:
    found = recipients_of_step(Book(BY_DAY, BY_NIGHT), case(), HAZARD[1], WEDNESDAY_16)
    assert (told(found), found.instead, list(found.off_duty)) == (["day"], True, ["night"])


@pytest.mark.parametrize("kind", sorted(URGENT))
def test_of_an_urgent_case_everybody_is_told_at_any_hour(kind: CaseKind) -> None:
    book, urgent = Book(BY_DAY, BY_NIGHT), case(kind)
    for resolve in (recipients_of_first_step, recipients_of_step):
        for at in (WEDNESDAY_16, WEDNESDAY_20, SATURDAY_12):
            found = resolve(book, urgent, TO_CENTRE, at)
            assert (told(found), found.off_duty) == (["day", "night"], {})


@pytest.mark.parametrize("odd", ["always", "PH 08:00-12:00", "Mo-Fr 8:30-17:30", "", "x" * 400])
def test_what_cannot_be_read_costs_no_notice(odd: str) -> None:
    rejected: list[None] = []
    here = RegistryDirectory(lambda: date(2026, 3, 4), lambda: rejected.append(None))
    for record in (
        contact_record("odd", "centre", email="a@mail.firenet-demo.cn", duty_times=odd),
        contact_record("night", "centre", email="b@mail.firenet-demo.cn", duty_times="Mo-Su 17:30-08:30"),
    ):
        here.on_record((record.key or b"").decode(), record.value)
    assert {one.contact_id: one.duty for one in here.contacts("centre")} == {"odd": None, "night": NIGHT}
    assert not rejected


def harness(*ladder: LadderStep) -> Harness:
    here = Harness("U1", group_wait=timedelta(0))
    here.directory.all = (BY_DAY, BY_NIGHT)
    return here


async def test_the_audit_entry_and_explain_say_who_was_left_out_until_when() -> None:
    here = harness()
    await here.take(event())
    await here.pass_time(1)
    assert here.recipients("H0") == ["day"]
    entry = next(one for one in here.store.tables.audit if one.action == "step_taken")
    assert entry.detail["off_duty"] == ["night until 2026-03-04T17:30+08:00"]
    (opened,) = here.store.tables.cases.values()
    taken = {"step": "H0", "due_at": T0, "taken_at": T0, "recipients": ["centre"], "nobody": None, "clause": "c"}
    left_out = [{"step": "H0", "off_duty": entry.detail["off_duty"]}]
    lines = list(explained(opened, AlarmState.UNACKNOWLEDGED, [taken], [], (), left_out))
    assert "    off duty, others on duty told: night until 2026-03-04T17:30+08:00" in lines


async def test_a_fire_tells_both_and_its_entry_says_nothing_of_duty() -> None:
    here = harness()
    await here.take(event(Happening.FIRED, kind=CaseKind.FIRE))
    await here.pass_time(1)
    assert {ready.to.contact_id for _, ready in here.carrier.sent} == {"day", "night"}
    entry = next(one for one in here.store.tables.audit if one.action == "step_taken")
    assert "off_duty" not in entry.detail
