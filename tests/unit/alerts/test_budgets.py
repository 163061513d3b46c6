"""Budgets: a quota holds ordinary notices and no fire, a ladder that breaks one is kept from telephones, aloud."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from schemas.registry import PackRecord, PackVersion
from services.alerts.adapters.packs import PackShelf
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.budgets import MINUTE, Budget, Quota, Spent, over_quota, worst_a_day
from services.alerts.domain.delivery.letters import letter_of_step
from services.alerts.domain.delivery.telephony import PROFILES, Gateway, GatewayProvider
from services.alerts.domain.ids import BodyCode, ContactId
from services.alerts.domain.routing.contacts import Address
from services.alerts.lanes.delivery_workers import pace_of, quotas_of
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


def test_a_number_and_a_channel_have_their_quota_and_three_tenths_are_kept_for_fires() -> None:
    gateways = {Channel.SMS: GATEWAY}
    assert quotas_of(gateways, fire=False) == {Channel.SMS: Quota(7, 14)}
    assert quotas_of(gateways, fire=True) == {}, "no quota holds a fire back"
    spent, quota = Spent(), Quota(7, 14)
    assert [spent.spend(Channel.SMS, "sms:1", quota) for _ in range(9)] == [True] * 7 + [False] * 2
    assert sum(spent.spend(Channel.SMS, f"sms:{number}", quota) for number in range(2, 30)) == 7
    assert spent.spend(Channel.VOICE, "tel:1", Quota(1)), "another channel has its own"
    assert not spent.spend(Channel.VOICE, "tel:1", Quota(1))


def test_a_robot_keeps_its_pace_for_fires_too() -> None:
    assert pace_of("dingtalk:group", fire=True) == Budget(6, MINUTE)
    assert pace_of("dingtalk:group", fire=False) == Budget(8, MINUTE)
    assert pace_of("a@firenet-demo.cn", fire=False) is None


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
