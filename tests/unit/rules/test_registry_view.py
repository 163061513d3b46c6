"""Records of the registry's topic become facts, sorted to the partitions that they concern."""

from datetime import UTC, date, datetime

from services.kernel.words import FindingKind
from services.rules.adapters.registry_view import EVERY_PARTITION, CompactedRegistryView
from services.rules.domain.time.instants import SECOND
from tests.integration.rules.harness import gateway_record, pack_record, registry_event, unit_record


def view(rate: float = 1.0) -> CompactedRegistryView:
    """Units are placed by their last digit."""
    return CompactedRegistryView(lambda unit_id: int(unit_id[-1]), rate)


def test_units_and_gateways_go_to_their_partition_and_packs_to_all() -> None:
    one = view()
    one.on_record("unit:U1", registry_event(unit_record("U1")))
    one.on_record("unit:U2", registry_event(unit_record("U2")))
    one.on_record("gateway:G", registry_event(gateway_record("G", "U2")))
    one.on_record("pack:sample-2026", registry_event(pack_record()))
    news = one.take_news()
    assert {position: (list(r.units), list(r.gateways), list(r.packs)) for position, r in news.items()} == {
        EVERY_PARTITION: ([], [], ["sample-2026"]),
        1: (["U1"], [], []),
        2: (["U2"], ["G"], []),
    }
    assert one.take_news() == {}


def test_rows_that_were_asked_for_are_no_news() -> None:
    one = view()
    one.on_record("unit:U1", registry_event(unit_record("U1")))
    assert list(one.rows(1).units) == ["U1"]
    assert one.take_news() == {}


def test_facts_keep_what_rules_decides_by() -> None:
    one = view()
    record = unit_record("U1", construction="new_build", accepted_on=date(2026, 5, 1), crowded_place=False)
    one.on_record("unit:U1", registry_event(record))
    (facts,) = one.rows(1).units["U1"]
    assert facts.facts == {"key_unit", "auto_fire_facilities", "fire_alarm_system", "new_build"}
    assert (facts.accepted_on, facts.place.category, facts.route.lead_department) == (
        date(2026, 5, 1),
        "HOSPITAL",
        "health",
    )
    assert facts.recorded_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp() * SECOND


def test_the_clock_rate_divides_supervision_but_not_the_patience_with_ticks() -> None:
    one = view(rate=60)
    one.on_record("pack:sample-2026", registry_event(pack_record()))
    (pack,) = one.rows(0).packs["sample-2026"]
    profile = pack.profiles["CN-FAST"]
    assert (profile.offline_after, profile.late_after) == (4 * SECOND, 1.5 * SECOND)
    assert pack.blind_after == 10 * SECOND


def test_scopes_of_the_sample_pack_are_those_of_the_clause() -> None:
    one = view()
    one.on_record("pack:sample-2026", registry_event(pack_record()))
    (pack,) = one.rows(0).packs["sample-2026"]
    scopes = {scope.name: scope for scope in pack.scopes}
    assert set(scopes["S1"].all_of) == {
        frozenset({"key_unit"}),
        frozenset({"auto_fire_facilities"}),
        frozenset({"crowded_place", "flammable_place"}),
    }
    assert (scopes["S1"].from_acceptance, scopes["S2"].from_acceptance) == (False, True)
    assert pack.ladder_clauses[FindingKind.FIRE] != pack.ladder_clauses[FindingKind.FAULT]


def test_a_record_that_cannot_be_read_is_counted_and_what_was_known_stays() -> None:
    one = view()
    one.on_record("unit:U1", registry_event(unit_record("U1")))
    one.on_record("unit:U1", b"not json")
    one.on_record("unit:U1", None)
    assert (one.refused, list(one.rows(1).units)) == (1, ["U1"])


def test_records_of_no_concern_are_not_even_read() -> None:
    one = view()
    one.on_record("contact:C", b"not json")
    assert (one.refused, one.take_news()) == (0, {})
