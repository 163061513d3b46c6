"""Budgets: a quota holds ordinary notices and no fire, a ladder that breaks one is kept from telephones, aloud."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from schemas.registry import PackRecord, PackVersion
from services.alerts.adapters.packs import PackShelf
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.budgets import DAY, MINUTE, Budget, over_quota, worst_a_day
from services.alerts.domain.delivery.destinations import Destinations, Due
from services.alerts.domain.delivery.letters import letter_of_step
from services.alerts.domain.delivery.telephony import PROFILES, Gateway, GatewayProvider
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.lanes.delivery_workers import budget_of, budgets_of
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Changes
from services.kernel.words import BY_TELEPHONE, Channel, Recipient
from tests.integration.alerts.scenario import EARLY, sample_pack
from tests.unit.alerts.build import T0, address, case, step
from tests.unit.alerts.harness import Harness

HOURS = timedelta(hours=1)
GATEWAY = Gateway(
    provider=GatewayProvider.ALIYUN,
    profile=PROFILES[Channel.SMS, GatewayProvider.ALIYUN],
    url="https://sms.firenet-demo.cn/",
    templates={},
    per_number_a_day=10,
    a_day=20,
)


def due(number: int, address: str = "sms:13800138000", channel: Channel = Channel.SMS) -> Due:
    return Due(NoticeId(f"{number:032x}"), channel, address)


def lane(*, fire: bool) -> Destinations:
    gateways = {Channel.SMS: GATEWAY}
    return Destinations(
        slots=99,
        per_address=99,
        per_channel={},
        budget=lambda address: budget_of(address, gateways, fire=fire),
        budgets=budgets_of(gateways, fire=fire),
    )


def test_a_number_gets_its_quota_of_ordinary_notices_in_a_day_and_the_rest_waits() -> None:
    places = lane(fire=False)
    waiting = [due(number) for number in range(12)]
    begun = places.choose(waiting, T0)
    assert len(begun) == 7, "three of ten are kept for fires"
    for one in begun:
        places.finished(one, failed=False, now=T0)
    assert places.choose(waiting, T0 + 23 * HOURS) == []
    assert places.busy_addresses(T0 + 23 * HOURS) == ["sms:13800138000"]
    assert len(places.choose(waiting, T0 + 24 * HOURS)) == 7


def test_a_channel_gets_its_quota_whatever_the_numbers_and_holds_no_other_channel() -> None:
    places = lane(fire=False)
    waiting = [due(number, f"sms:{13800138000 + number}") for number in range(30)]
    assert len(places.choose([*waiting, due(99, "a@b", Channel.EMAIL)], T0)) == 14 + 1
    assert places.busy_channels(T0 + 23 * HOURS) == [Channel.SMS]
    assert places.busy_channels(T0 + 24 * HOURS) == []


def test_no_budget_holds_a_fire_back() -> None:
    assert len(lane(fire=True).choose([due(number) for number in range(50)], T0)) == 50


def test_what_was_not_sent_after_all_takes_nothing_of_a_channels_quota() -> None:
    places = Destinations(slots=9, per_address=9, per_channel={}, budgets={Channel.SMS: Budget(1, DAY)})
    places.choose([due(0)], T0)
    places.finished(due(0), failed=None, now=T0)
    assert places.choose([due(1, "sms:13900139000")], T0) != []


def test_a_robot_keeps_its_pace_for_fires_too() -> None:
    assert budget_of("dingtalk:group", {}, fire=True) == Budget(6, MINUTE)
    assert budget_of("dingtalk:group", {}, fire=False) == Budget(8, MINUTE)
    assert budget_of("a@firenet-demo.cn", {}, fire=False) is None


@pytest.mark.parametrize(
    ("hours", "worst"), [((), 1), ((0,), 2), ((0, 4, 23), 4), ((0, 24, 48), 2), ((0, 12, 24, 30), 4)]
)
def test_the_worst_day_of_a_ladder_is_what_one_contact_hears_of_one_case(hours: tuple[int, ...], worst: int) -> None:
    ladder = [step(f"H{number}", after, Recipient.CENTRE) for number, after in enumerate(hours)]
    assert worst_a_day(ladder) == worst


def test_a_board_entry_and_another_roles_step_cost_a_number_nothing() -> None:
    ladder = [
        step("H0", 0, Recipient.CENTRE),
        step("H1", 1, Recipient.STREET),
        step("H2", 2, Recipient.CENTRE, board_only=True),
    ]
    assert worst_a_day(ladder) == 2
    assert over_quota({CaseKind.FAULT: ladder}, 2) == {}
    assert over_quota({CaseKind.FAULT: ladder}, 1) == {CaseKind.FAULT: 2}


def test_a_pack_whose_worst_day_breaks_the_quota_is_refused_to_telephones_when_loaded() -> None:
    def shelf(per_number_a_day: int | None) -> frozenset[CaseKind]:
        pack = sample_pack()
        one = PackShelf(per_number_a_day)
        one.put(PackRecord(id="p", versions=(PackVersion(valid_from=EARLY, recorded_at=T0, pack=pack),)))
        chosen = one.of("gulou", T0.date())
        assert chosen is not None
        return chosen.rules.over_quota

    assert CaseKind.CONNECTION_LOST in shelf(1)
    assert CaseKind.FIRE not in shelf(1), "of a fire nothing is refused"
    assert shelf(50) == frozenset()
    assert shelf(None) == frozenset()


def test_what_is_kept_from_telephones_is_counted_from_zero() -> None:
    registry = CollectorRegistry()
    AlertsMetrics(registry)
    for channel in BY_TELEPHONE:
        assert registry.get_sample_value("firenet_alerts_over_quota_total", {"channel": channel}) == 0


@pytest.mark.parametrize(("kind", "told"), [(CaseKind.CONNECTION_LOST, False), (CaseKind.FIRE, True)])
def test_a_kind_over_its_quota_goes_to_no_telephone_and_a_fire_goes_all_the_same(kind: CaseKind, told: bool) -> None:
    here = Harness(over_quota=frozenset({CaseKind.CONNECTION_LOST, CaseKind.FIRE}))
    one = case(kind)
    to = [address(), Address(ContactId("c1"), BodyCode("centre"), Channel.SMS, "sms:13800138000", None, "zh")]
    changes = Changes()
    here.composer._write_notices(changes, letter_of_step(one, one.ladder[0], T0), to)
    assert {notice.to.channel for notice in changes.notices} == (
        {Channel.EMAIL, Channel.SMS} if told else {Channel.EMAIL}
    )
    counted = here.registry.get_sample_value("firenet_alerts_over_quota_total", {"channel": "sms"})
    assert counted == (0 if told else 1)


def test_whoever_has_nothing_but_a_telephone_is_not_left_out_over_a_quota() -> None:
    here = Harness(over_quota=frozenset({CaseKind.CONNECTION_LOST}))
    one, changes = case(), Changes()
    to = Address(ContactId("c9"), BodyCode("centre"), Channel.SMS, "sms:13800138000", None, "zh")
    here.composer._write_notices(changes, letter_of_step(one, one.ladder[0], T0), [address(), to])
    assert {notice.to.channel for notice in changes.notices} == {Channel.EMAIL, Channel.SMS}
