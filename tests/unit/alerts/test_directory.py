"""The registry in memory: units, routes, contacts, bodies, and the pack of each district."""

from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.pack import Pack
from services.alerts.adapters.registry_directory import RegistryDirectory
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import unit_subject
from services.alerts.domain.errors import NoPack
from services.kernel.words import ContactRole
from services.runtime.kafka import Record
from tests.integration.alerts.world import contact_record, gateway_record, pack_record, sample_pack, unit_record

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
    assert [one.contact_id for one in here.contacts("U1")] == ["c2"]
    assert here.sizes("gulou") == {"town:T07": 1, "carrier:unicom": 1}
    rules = here.rules(NOW, "gulou")
    assert [step.code for step in rules.ladders[CaseKind.CONNECTION_LOST]] == ["H0", "H1", "H2", "H3", "H4"]
    assert rules.group_wait == timedelta(seconds=30)


def test_directory_forgets_what_was_deleted_and_survives_garbage() -> None:
    here = directory(unit_record("U1"), contact_record("c1", "U1", email="a@mail.firenet-demo.cn"))
    here.on_record("contact:c1", None)
    here.on_record("unit:U1", b"not json")
    assert here.contacts("U1") == []
    assert here.facts(unit_subject("U1"), NOW).name == "第U1医院"
    assert here.facts(unit_subject("U9"), NOW).name == "U9"


def test_without_a_pack_nothing_is_decided() -> None:
    with pytest.raises(NoPack):
        directory().rules(NOW, "")


def test_expired_pack_still_says_who_is_told() -> None:
    here = directory(pack_record(sample_pack(valid_to=date(2026, 2, 1))))
    assert here.rules(NOW, "").expired
    assert here.expired(NOW) == ["sample"]


def of_district(name: str, **changes: object) -> Pack:
    """A pack whose fire step is called after its district."""
    raw = sample_pack(pack_id=f"{name}-2026", district=name, **changes).model_dump(mode="json")
    raw["ladders"]["fire"]["steps"][0]["code"] = f"F-{name}"
    raw["departments"] = [{**one, "code": f"{one['code']}-{name}"} for one in raw["departments"]]
    for route in raw["routes"]:
        route["lead"] = route["lead"] and f"{route['lead']}-{name}"
        route["copies"] = [f"{code}-{name}" for code in route["copies"]]
    raw["default_route"]["copies"] = [f"{code}-{name}" for code in raw["default_route"]["copies"]]
    return Pack.model_validate(raw)


def test_two_districts_never_share_a_ladder_or_a_centre() -> None:
    here = directory(
        pack_record(of_district("gulou")),
        pack_record(of_district("taijiang", valid_from=date(2026, 3, 1), version=7)),
    )
    for name in ("gulou", "taijiang"):
        rules = here.rules(NOW, name)
        assert (rules.pack_id, rules.ladders[CaseKind.FIRE][0].code) == (f"{name}-2026", f"F-{name}")
        assert here.bodies("centre", name) == [f"centre-{name}"]
    assert here.rules(NOW, "").pack_id == "taijiang-2026", "of an unknown district the newest"


def test_pack_of_a_district_holds_from_its_day_on_and_does_not_lapse() -> None:
    here = directory(
        pack_record(of_district("gulou", valid_from=date(2026, 1, 1), valid_to=date(2026, 2, 1))),
        pack_record(of_district("taijiang", valid_from=date(2026, 6, 1))),
    )
    assert here.rules(NOW, "gulou").expired
    assert here.rules(NOW, "taijiang").pack_id == "taijiang-2026", "its only one, a little early"
    assert here.rules(NOW, "").pack_id == "gulou-2026"
