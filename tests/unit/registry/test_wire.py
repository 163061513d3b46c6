"""Domain values and wire models say the same."""

from datetime import date

import pytest

from schemas import codec
from schemas.registry import ContactVersion
from services.kernel.words import Construction
from services.registry.adapters.kafka import to_event
from services.registry.adapters.wire import from_json, from_wire, to_wire
from services.registry.domain.devices import networks
from services.registry.domain.entities import Facts, History, Kind, Version
from services.registry.domain.routing import resolve
from tests.unit.registry.builders import DAY, T0, contact, gateway, policy, street, unit

EXEMPT = unit(
    construction=Construction.RENOVATED, accepted_on=DAY, exempt_from=DAY, exempt_until=date(2026, 4, 1),
    exempt_reason="装修", profile="CN-GB", also_told=("police",), retired_on=date(2027, 1, 1),
)  # fmt: skip
DUTY = contact(duty_times="Mo-Fr 08:30-17:30; Sa,Su 09:00-12:00")
HOOK = contact(webhook_url="http://127.0.0.1:8099/", webhook_secret_ref="centre", retired_on=DAY)
DEVICE = gateway(
    device_profile="bcd_time", device_address="a18601000000", networks=networks("10.1.0.0/16; fd00::/8"),
    points=0,
)  # fmt: skip
CASES: list[tuple[Kind, Version[Facts]]] = [
    (Kind.UNIT, Version(unit(), DAY, T0, resolve(unit(), policy(), DAY))),
    (Kind.UNIT, Version(EXEMPT, DAY, T0, resolve(EXEMPT, policy(), DAY))),
    (Kind.GATEWAY, Version(gateway(vendor="霍", retired_on=DAY), DAY, T0)),
    (Kind.GATEWAY, Version(DEVICE, DAY, T0)),
    (Kind.CONTACT, Version(contact(), DAY, T0)),
    (Kind.CONTACT, Version(HOOK, DAY, T0)),
    (Kind.CONTACT, Version(DUTY, DAY, T0)),
    (Kind.DEPARTMENT, Version(street(), DAY, T0)),
    (Kind.PACK, Version(policy(), DAY, T0)),
]


@pytest.mark.parametrize(("kind", "version"), CASES)
def test_stored_body_gives_the_same_value_back(kind: Kind, version: Version[Facts]) -> None:
    assert from_json(kind, to_wire(version).model_dump_json()) == version


@pytest.mark.parametrize(("kind", "version"), CASES)
def test_record_decodes_as_the_topic_demands(kind: Kind, version: Version[Facts]) -> None:
    event = to_event(History(kind, version.facts.id, [version]), T0)
    decoded = codec.registry.decode(codec.registry.encode(event))
    assert decoded == event
    assert [from_wire(each) for each in decoded.data.record.versions] == [version]
    assert decoded.subject == f"{kind.value}:{version.facts.id}"


def test_contact_built_without_validation_is_what_validation_would_build() -> None:
    built = to_wire(Version(HOOK, DAY, T0))
    assert ContactVersion.model_validate_json(built.model_dump_json()) == built


def test_a_contact_of_before_there_were_duty_times_is_read() -> None:
    stored = to_wire(Version(contact(), DAY, T0)).model_dump_json()
    before = stored.replace(',"duty_times":null', "")
    assert before != stored
    assert from_json(Kind.CONTACT, before) == Version(contact(), DAY, T0)
    assert from_wire(ContactVersion.model_validate_json(before)) == Version(contact(), DAY, T0)


def test_event_id_depends_on_what_is_known_and_on_nothing_else() -> None:
    one = [Version(gateway(), DAY, T0)]
    two = [*one, Version(gateway(carrier="carrier-b"), DAY, T0.replace(hour=2))]
    ids = [to_event(History(Kind.GATEWAY, "G000001", each), T0.replace(minute=9)).id for each in (one, one, two)]
    assert ids[0] == ids[1] != ids[2]
