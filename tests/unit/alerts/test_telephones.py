"""Whoever has to call a unit reads its numbers in the notice; nobody else does."""

from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import unit_subject
from services.alerts.domain.routing.contacts import Telephones
from services.kernel.words import ContactRole
from tests.integration.alerts.scenario import contact_record, unit_record
from tests.unit.alerts.build import event
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.test_directory import NOW, directory


def test_numbers_are_the_unit_s_own_else_those_of_its_contacts() -> None:
    mail = {"email": "a@mail.firenet-demo.cn"}
    here = directory(
        unit_record("U1", control_room_phone="0300-25550101"),
        contact_record("c1", "U1", ContactRole.CONTROL_ROOM, phone="0300-25550109", **mail),
        contact_record("c2", "U1", ContactRole.MANAGER, phone="0300-25550103", **mail),
        contact_record("c3", "U9", ContactRole.CONTROL_ROOM, phone="0300-25550107", **mail),
        unit_record("U2", responsible_person="林安", responsible_phone="0300-25550105"),
    )
    assert here.telephones(unit_subject("U1"), NOW) == Telephones("0300-25550101", "0300-25550103")
    assert here.telephones(unit_subject("U2"), NOW) == Telephones(None, "0300-25550105", "林安")
    assert here.telephones(unit_subject("U9"), NOW) == Telephones("0300-25550107"), "a unit that is in no register"
    assert not here.telephones(unit_subject("U3"), NOW)


async def test_the_centre_reads_the_numbers_and_the_unit_and_its_department_do_not() -> None:
    harness, number = Harness(), "0300-25550101"
    harness.directory.phones = Telephones(number)
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s1", point="1"), topic="alarms")
    await harness.take(event())
    await harness.pass_time(25 * 3600)
    notices = [row.notice for row in harness.store.tables.notices.values()]
    to_centre = [one for one in notices if one.to.body_code == "centre"]
    others = [one for one in notices if one.to.body_code != "centre"]
    assert to_centre
    assert others
    assert all(number in one.body for one in to_centre)
    assert not any(number in one.body for one in others)
