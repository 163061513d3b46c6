"""The registry in memory: units, routes, contacts, bodies, and the pack of each district."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject, SubjectKind, unit_subject
from services.alerts.domain.errors import NoPack
from services.alerts.domain.escalation.pack_rules import WITHOUT_PACK
from services.kernel.words import ContactRole, Recipient
from services.runtime.kafka import Record
from tests.integration.alerts.scenario import (
    contact_record,
    district_pack,
    gateway_record,
    pack_record,
    sample_pack,
    street_record,
    unit_record,
)
from tests.unit.rules.test_adjustments import record as adjustment

NOW = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def directory(*records: Record) -> RegistryDirectory:
    one = RegistryDirectory(lambda: date(2026, 3, 4), lambda: None)
    for record in records:
        one.on_record((record.key or b"").decode(), record.value)
    return one


def test_directory_knows_units_routes_contacts_and_the_pack() -> None:
    here = directory(
        pack_record(sample_pack()),
        unit_record("U1", town="T07", lead="health", copies=("T07",)),
        gateway_record("U1", "unicom"),
        contact_record("c1", "centre", email="a@mail.firenet-demo.cn"),
        contact_record("c2", "U1", ContactRole.MANAGER, email="b@mail.firenet-demo.cn"),
    )
    facts = here.facts(unit_subject("U1"), NOW)
    assert (facts.town, facts.lead_department, facts.carriers) == ("T07", "health", ("unicom",))
    assert here.bodies("centre", "gulou") == ["centre"]
    assert here.bodies("acceptance", "gulou") == ["construction"]
    assert here.bodies("acceptance", "nowhere") == []
    assert [one.contact_id for one in here.contacts("U1")] == ["c2"]
    assert here.sizes("gulou") == {"town:T07": 1, "carrier:unicom": 1}
    rules = here.rules(NOW, "gulou")
    assert [step.code for step in rules.ladders[CaseKind.CONNECTION_LOST]][:5] == ["H0", "H1", "H2", "H3", "H4"]
    assert rules.group_wait == timedelta(seconds=30)


def test_directory_forgets_what_was_deleted_and_survives_garbage() -> None:
    here = directory(unit_record("U1"), contact_record("c1", "U1", email="a@mail.firenet-demo.cn"))
    here.on_record("contact:c1", None)
    here.on_record("unit:U1", b"not json")
    assert here.contacts("U1") == []
    assert here.facts(unit_subject("U1"), NOW).name == "第U1医院"
    assert here.facts(unit_subject("U9"), NOW).name == "U9"


def test_an_adjustment_changes_nothing_about_whom_to_tell() -> None:
    here = directory(pack_record(sample_pack()), unit_record("U1"))
    before = here.rules(NOW, "gulou")
    here.on_record("adjustment:A1", adjustment())
    assert here.rules(NOW, "gulou") == before
    assert here.facts(unit_subject("U1"), NOW).name == "第U1医院"


def test_without_a_pack_nothing_is_decided() -> None:
    with pytest.raises(NoPack):
        directory().rules(NOW, "")


def test_expired_pack_still_says_who_is_told() -> None:
    here = directory(pack_record(sample_pack(valid_to=date(2026, 2, 1))))
    assert here.rules(NOW, "").expired
    assert here.expired(NOW) == ["gulou"]


def test_a_body_answers_for_its_own_case_and_sees_it() -> None:
    here = directory(pack_record(sample_pack()), street_record("T07", "云澜街道", "Yunlan street"))
    street, health, whole = (
        here.facts(Subject(SubjectKind.BODY, of), NOW) for of in ("T07", "health", sample_pack().district)
    )
    assert (street.name, street.town, street.lead_department) == ("云澜街道", "T07", "")
    assert (health.name, health.town, health.lead_department) == ("卫生健康局", "", "health")
    assert (whole.name, whole.town, whole.lead_department) == ("全区", "", "")
    said = here.particulars(street, ["T07"], NOW, Recipient.COMMITTEE)
    assert said is not None
    assert (said.issuer_code, said.bodies["T07"].zh) == ("committee-office", "云澜街道")
    assert said.scopes["KEY"].zh == "消防安全重点单位"


def test_two_districts_never_share_a_ladder_or_a_centre() -> None:
    here = directory(
        pack_record(district_pack("gulou")),
        pack_record(district_pack("taijiang", valid_from=date(2026, 3, 1), version=7)),
    )
    for name in ("gulou", "taijiang"):
        rules = here.rules(NOW, name)
        assert (rules.pack_id, rules.ladders[CaseKind.FIRE][0].code) == (f"{name}-2026", f"F0-{name}")
        assert here.bodies("centre", name) == [f"centre-{name}"]
    assert here.rules(NOW, "") is WITHOUT_PACK, "whose district nobody knows, of two"
    assert set(here.bodies("centre", "")) == {"centre-gulou", "centre-taijiang"}


def test_a_district_without_a_pack_gets_no_ladder_of_another_and_is_heard_by_every_centre() -> None:
    here = directory(pack_record(district_pack("gulou")), pack_record(district_pack("taijiang")))
    rules = here.rules(NOW, "cangshan")
    assert (rules, rules.ladders, rules.common_by) == (WITHOUT_PACK, {}, ())
    assert set(here.bodies("centre", "cangshan")) == {"centre-gulou", "centre-taijiang"}
    assert here.bodies("brigade", "cangshan") == []


def test_where_there_is_one_district_whoever_is_in_no_register_goes_by_its_pack() -> None:
    here = directory(pack_record(district_pack("gulou")))
    assert (here.rules(NOW, "").pack_id, here.bodies("centre", "")) == ("gulou-2026", ["centre-gulou"])
    assert here.rules(NOW, "taijiang") is WITHOUT_PACK


def test_a_pack_of_a_few_days_gives_way_to_that_of_the_year() -> None:
    guard = district_pack("gulou", valid_from=date(2026, 3, 1), valid_to=date(2026, 3, 4))
    guard = guard.model_copy(update={"pack_id": "guard"})
    here = directory(pack_record(district_pack("gulou")), pack_record(guard))
    assert [here.rules(NOW + timedelta(days=days), "gulou").pack_id for days in (0, 1)] == ["guard", "gulou-2026"]


def test_pack_of_a_district_holds_from_its_day_on_and_does_not_lapse() -> None:
    here = directory(
        pack_record(district_pack("gulou", valid_from=date(2026, 1, 1), valid_to=date(2026, 2, 1))),
        pack_record(district_pack("taijiang", valid_from=date(2026, 6, 1))),
    )
    assert here.rules(NOW, "gulou").expired
    assert here.rules(NOW, "taijiang").pack_id == "taijiang-2026", "its only one, a little early"
    assert here.rules(NOW, "") is WITHOUT_PACK


def test_a_document_is_issued_by_the_centre_and_names_what_the_register_knows() -> None:
    here = directory(pack_record(sample_pack()), unit_record("U1", control_room_phone="0300-25550101"))
    said = here.particulars(here.facts(unit_subject("U1"), NOW), ["centre", "maintenance", "brigade"], NOW)
    assert said is not None
    assert said.telephone == "0300-25550101"
    assert (said.issuer_code, said.issuer.zh, said.name.zh) == ("centre", "消防远程监控中心", "第U1医院")
    assert said.category is not None
    assert said.category.zh == "医疗卫生机构"
    assert {code: name.zh for code, name in said.bodies.items()} == {
        "centre": "消防远程监控中心",
        "brigade": "消防救援大队",
    }
    assert said.town is None, "no name of it is known"


def test_where_no_centre_is_known_nobody_issues_a_document() -> None:
    here = directory(unit_record("U1"))
    assert here.particulars(here.facts(unit_subject("U1"), NOW), [], NOW) is None
