"""Delivery reports: what providers write, read by data; what strangers write, refused and counted."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from services.alerts.adapters.delivery_report_port import MAX_BYTES, WAITING, DeliveryReportPort
from services.alerts.adapters.gateway_files import Unusable, read_gateway
from services.alerts.adapters.webhook import sign
from services.alerts.domain.delivery.delivery_reports import (
    QUERY_PROFILES,
    REPORT_PROFILES,
    REPORTS_AT_ONCE,
    DeliveryReport,
    ReadReports,
    SentMessage,
    answered_reports,
    next_question,
    proven_at,
    query_of,
    reports_of,
    same_number,
)
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.delivery.telephony import PROFILES, Gateway, GatewayProvider, ReportAccess, Template
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.metrics import AlertsMetrics
from services.kernel.words import Channel, Proof
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0

SMS, VOICE = Channel.SMS, Channel.VOICE
ALIYUN, TENCENT, PLAIN = GatewayProvider
SUMMER = datetime(2017, 1, 1, 0, 0, 5, tzinfo=UTC)
OK, KEYED, GONE = (Proof.DELIVERED,), (Proof.ACKNOWLEDGED,), (Proof.FAILED,)
KEY = "a-key-of-thirty-two-characters-00"

ALIYUN_SMS = {
    "phone_number": "13800138000",
    "send_time": "2017-01-01 08:00:00",
    "report_time": "2017-01-01 08:00:05",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "1",
    "biz_id": "12345^1",
    "out_id": "67890",
}
ALIYUN_CALL = {
    "call_id": "100^1",
    "callee": "13800138000",
    "start_time": "",
    "end_time": "2017-01-01 08:00:05",
    "status_code": "200000",
    "dtmf": "",
}
TENCENT_SMS = {
    "user_receive_time": "2017-01-01 08:00:05",
    "nationcode": "86",
    "mobile": "13800138000",
    "report_status": "SUCCESS",
    "errmsg": "DELIVRD",
    "description": "用户短信送达成功",
    "sid": "5000:1",
}
OURS = {"message_id": "m", "number": "13800138000"}
REFUSED, LATER = Reason.RECIPIENT_REFUSED, Reason.NOT_DELIVERED
CALL = {"callid": "c1", "mobile": "13800138000", "nationcode": "86", "call_from": ""}


def one(channel: Channel, provider: GatewayProvider, said: object, key: str | None = "1") -> DeliveryReport:
    read = reports_of(REPORT_PROFILES[channel, provider], json.dumps(said).encode(), key)
    assert read.unreadable == 0
    [report] = read.reports
    return report


@pytest.mark.parametrize(
    ("channel", "provider", "said", "proofs", "code", "reason"),
    [
        (SMS, ALIYUN, [ALIYUN_SMS], OK, "DELIVERED", None),
        (SMS, ALIYUN, [ALIYUN_SMS | {"success": False, "err_code": "UNDELIV"}], GONE, "UNDELIV", Reason.NOT_DELIVERED),
        (SMS, TENCENT, [TENCENT_SMS], OK, "DELIVRD", None),
        (SMS, TENCENT, TENCENT_SMS | {"report_status": "FAIL", "errmsg": "X"}, GONE, "X", Reason.NOT_DELIVERED),
        (VOICE, ALIYUN, [ALIYUN_CALL], OK, "200000", None),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"dtmf": "1"}], (*KEYED, *OK), "200000", None),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"dtmf": "2"}], OK, "200000", None),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"status_code": "200002"}], GONE, "200002", Reason.NOT_DELIVERED),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"status_code": 200003}], GONE, "200003", Reason.NOT_DELIVERED),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"status_code": "200004"}], GONE, "200004", Reason.RECIPIENT_REFUSED),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"status_code": "200001", "dtmf": "1"}], KEYED, "200001", None),
        (VOICE, ALIYUN, [ALIYUN_CALL | {"status_code": "300000", "dtmf": "1"}], KEYED, "300000", None),
        (VOICE, TENCENT, {"voiceprompt_callback": CALL | {"result": "0", "accept_time": "1483228805"}}, OK, "0", None),
        (VOICE, TENCENT, {"voiceprompt_callback": CALL | {"result": "1"}}, GONE, "1", Reason.NOT_DELIVERED),
        (VOICE, TENCENT, {"voicekey_callback": CALL | {"keypress": "1"}}, KEYED, "", None),
        (VOICE, TENCENT, {"voice_failure_callback": CALL | {"failure_code": 8}}, GONE, "8", Reason.RECIPIENT_REFUSED),
        (VOICE, TENCENT, {"voice_failure_callback": CALL | {"failure_code": 3}}, GONE, "3", Reason.NOT_DELIVERED),
        (SMS, PLAIN, {"reports": [OURS | {"state": "delivered"}]}, OK, "delivered", None),
        (VOICE, PLAIN, {"reports": [OURS | {"state": "failed", "code": "busy"}]}, GONE, "busy", LATER),
        (VOICE, PLAIN, {"reports": [OURS | {"state": "failed", "code": "refused"}]}, GONE, "refused", REFUSED),
        (VOICE, PLAIN, {"reports": [OURS | {"state": "delivered", "key": "1"}]}, (*KEYED, *OK), "delivered", None),
    ],
)  # fmt: skip
def test_what_each_provider_writes(
    channel: Channel, provider: GatewayProvider, said: object, proofs: object, code: str, reason: Reason | None
) -> None:
    report = one(channel, provider, said)
    assert (report.proofs, report.code, report.reason) == (proofs, code, reason)


def test_times_are_chinas_or_seconds_and_believed_within_what_can_be() -> None:
    assert one(SMS, ALIYUN, [ALIYUN_SMS]).at == SUMMER
    accepted = {"voiceprompt_callback": CALL | {"result": "0", "accept_time": "1483228805"}}
    assert one(VOICE, TENCENT, accepted).at == SUMMER
    for nonsense in ("", "soon", "0", "9" * 40, "2017-13-01 00:00:00", None, [1], "٣٤"):
        assert one(SMS, ALIYUN, [ALIYUN_SMS | {"report_time": nonsense}]).at is None
    report = one(SMS, ALIYUN, [ALIYUN_SMS])
    sent, now = SUMMER - timedelta(seconds=60), SUMMER + timedelta(seconds=60)
    assert proven_at(report, sent, now) == SUMMER
    assert proven_at(report, now, now + timedelta(seconds=9)) == now
    assert proven_at(report, sent, sent + timedelta(seconds=1)) == sent + timedelta(seconds=1)


def test_a_key_proves_nothing_where_the_file_does_not_say_which() -> None:
    assert one(VOICE, ALIYUN, [ALIYUN_CALL | {"dtmf": "1"}], None).proofs == OK


def test_a_report_that_says_nothing_yet_is_read_and_left() -> None:
    said = json.dumps([ALIYUN_CALL | {"status_code": "200103"}]).encode()
    assert reports_of(REPORT_PROFILES[VOICE, ALIYUN], said, "1") == ReadReports(())


def test_strange_ones_among_reports_are_counted_and_cost_no_other() -> None:
    strange: list[Any] = [None, 1, "x", [], {}, {"biz_id": ""}, {"biz_id": {}}, {"biz_id": "x" * 101}, {"biz_id": "号"}]
    said = json.dumps([*strange, ALIYUN_SMS]).encode()
    read = reports_of(REPORT_PROFILES[SMS, ALIYUN], said, None)
    assert (len(read.reports), read.unreadable, read.left) == (1, len(strange), False)


def test_more_reports_than_we_take_at_once_are_left() -> None:
    said = json.dumps([ALIYUN_SMS] * (REPORTS_AT_ONCE + 1)).encode()
    read = reports_of(REPORT_PROFILES[SMS, ALIYUN], said, None)
    assert (len(read.reports), read.left) == (REPORTS_AT_ONCE, True)


NAMES = ["callid", "result", "x", "voiceprompt_callback", "reports", "message_id", "state", "at", "biz_id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("where", sorted(REPORT_PROFILES))
@given(said=JSON | st.binary())
def test_nothing_that_is_pushed_raises(where: tuple[Channel, GatewayProvider], said: Any) -> None:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    for report in reports_of(REPORT_PROFILES[where], body, "1").reports:
        assert 0 < len(report.message_id) <= 100
        assert len(report.code) <= 40
        assert report.code.isprintable()


def test_a_body_that_is_deep_or_no_json_is_one_unreadable_report() -> None:
    for body in (b"", b"[" * 100_000, b"\xff", b"{", b"9" * 5000):
        assert reports_of(REPORT_PROFILES[SMS, ALIYUN], body, None) == ReadReports((), 1)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("13800138000", "13800138000", True),
        ("13800138000", "+8613800138000", True),
        ("13800138000", "008613800138000", True),
        ("0591-87654321", "059187654321", True),
        ("0591-87654321", "8659187654321", True),
        ("13800138000", "1381111****", True),
        ("13800138000", "", True),
        ("13800138000", "13900139000", False),
        ("13800138000", "1380013800", False),
    ],
)
def test_a_number_is_the_same_however_it_is_written(ours: str, theirs: str, same: bool) -> None:
    assert same_number(ours, theirs) is same


def gateway(channel: Channel, provider: GatewayProvider, **reports: Any) -> Gateway:
    profile = PROFILES[channel, provider]
    access = ReportAccess(key=KEY, acknowledge_key="1", **reports)
    fire = {"fire": Template("T1", {})}
    return Gateway(provider, profile, "https://p/", fire, 50, key_id="id", key="secret", app_id="14", reports=access)


def test_a_question_names_the_message_and_its_answer_is_read_by_the_providers_code() -> None:
    sent = SentMessage(SMS, "12345^1", "13800138000", SUMMER - timedelta(seconds=5))
    made = query_of(gateway(SMS, ALIYUN), QUERY_PROFILES[SMS, ALIYUN], sent, "https://p/", "n", SUMMER)
    for said in ("Action=QuerySendDetails", "PhoneNumber=13800138000", "SendDate=20170101", "Signature="):
        assert said in made.body.decode()
    made = query_of(gateway(SMS, TENCENT), QUERY_PROFILES[SMS, TENCENT], sent, "https://p/", "n", SUMMER)
    assert json.loads(made.body) == {
        "PhoneNumber": "+8613800138000", "SmsSdkAppId": "14", "BeginTime": 1483228740, "Offset": 0, "Limit": 20,
    }  # fmt: skip
    assert made.headers["x-tc-action"] == "PullSmsSendStatusByPhoneNumber"

    def answered(provider: GatewayProvider, answer: object) -> ReadReports | None:
        return answered_reports(QUERY_PROFILES[SMS, provider], answer, "12345^1", None)

    detail = {"PhoneNum": "13800138000", "SendStatus": 3, "ErrCode": "DELIVERED", "ReceiveDate": "2017-01-01 08:00:05"}
    read = answered(ALIYUN, {"Code": "OK", "SmsSendDetailDTOs": {"SmsSendDetailDTO": [detail]}})
    assert read is not None
    assert read.reports == (DeliveryReport("12345^1", "13800138000", OK, "DELIVERED", None, SUMMER),)
    waits = {"SmsSendDetailDTO": [detail | {"SendStatus": 1}]}
    assert answered(ALIYUN, {"Code": "OK", "SmsSendDetailDTOs": waits}) == ReadReports(())
    assert answered(ALIYUN, {"Code": "isv.BUSINESS_LIMIT_CONTROL"}) is None
    status = {"SerialNo": "5000:1", "SubscriberNumber": "13800138000", "ReportStatus": "FAIL", "Description": "X"}
    read = answered(TENCENT, {"Response": {"PullSmsSendStatusSet": [status | {"UserReceiveTime": 1483228805}]}})
    assert read is not None
    assert read.reports == (DeliveryReport("5000:1", "13800138000", GONE, "X", Reason.NOT_DELIVERED, SUMMER),)
    assert answered(TENCENT, {"Response": {"Error": {"Code": "AuthFailure"}}}) is None


@pytest.mark.parametrize("odd", ["a\x00b", "a\nb", "号", "x" * 1000, ""])
def test_a_name_of_a_message_that_cannot_be_ours_costs_its_own_report_alone(odd: str) -> None:
    read = reports_of(
        REPORT_PROFILES[SMS, ALIYUN], json.dumps([ALIYUN_SMS | {"biz_id": odd}, ALIYUN_SMS]).encode(), None
    )
    assert ([each.message_id for each in read.reports], read.unreadable) == (["12345^1"], 1)


def test_nobody_is_asked_for_ever() -> None:
    assert next_question(T0, T0 + timedelta(hours=72)) is None
    assert next_question(T0, T0 + timedelta(hours=1)) == T0 + timedelta(hours=2)


class Intake:
    def __init__(self) -> None:
        self.taken: list[tuple[Channel, ReadReports]] = []
        self.answer: bool | Exception = True

    async def take(self, channel: Channel, read: ReadReports) -> bool:
        self.taken.append((channel, read))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Port:
    """The port with an Aliyun account for text messages and a plain one for calls."""

    def __init__(self) -> None:
        self.intake, self.registry = Intake(), CollectorRegistry()
        self.clock = ManualClock(T0)
        gateways = {SMS: gateway(SMS, ALIYUN), VOICE: gateway(VOICE, PLAIN)}
        port = DeliveryReportPort(
            gateways=gateways, intake=self.intake, metrics=AlertsMetrics(self.registry), clock=self.clock
        )
        transport = httpx.ASGITransport(port.app())
        self.client = httpx.AsyncClient(transport=transport, base_url="http://alerts", timeout=30)

    def refused(self, fate: str) -> float:
        labels = {"channel": "none", "fate": fate}
        return self.registry.get_sample_value("firenet_alerts_delivery_reports_total", labels) or 0.0

    async def push(self, path: str, said: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return await self.client.post(path, content=body, headers=dict(headers or {}))

    def signed(self, body: bytes, key: str = KEY, seconds: float = 0, message_id: str = "p1") -> dict[str, str]:
        stamp = int(self.clock.now().timestamp() + seconds)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign([key.encode()], message_id, stamp, body),
        }


async def test_the_port_takes_what_comes_with_the_key_and_answers_as_the_provider_wants() -> None:
    port = Port()
    answer = await port.push(f"/delivery-reports/sms/{KEY}", [ALIYUN_SMS])
    assert (answer.status_code, answer.json()) == (200, {"code": 0, "msg": "taken"})
    [(channel, read)] = port.intake.taken
    assert (channel, [each.message_id for each in read.reports]) == (SMS, ["12345^1"])
    for answered in (False, StoreUnavailable("away")):
        port.intake.answer = answered
        answer = await port.push(f"/delivery-reports/sms/{KEY}", [ALIYUN_SMS])
        assert (answer.status_code, answer.json()["code"]) == (503, 1), "it is to come again"


async def test_whoever_has_no_key_learns_nothing_and_is_counted() -> None:
    port = Port()
    body = b'{"reports":[]}'
    refused: Sequence[tuple[str, Mapping[str, str]]] = (
        ("/delivery-reports/sms", {}),
        ("/delivery-reports/sms/wrong", {}),
        ("/delivery-reports/email/" + KEY, {}),
        ("/delivery-reports/voice/" + KEY, {}),
        ("/delivery-reports/voice/" + KEY, port.signed(body)),
        ("/delivery-reports/voice", {}),
        ("/delivery-reports/voice", port.signed(body, "another-key-of-thirty-characters")),
        ("/delivery-reports/voice", port.signed(body, seconds=-301)),
        ("/delivery-reports/voice", port.signed(body, seconds=301)),
        ("/delivery-reports/voice", port.signed(b"another body")),
        ("/delivery-reports/voice", port.signed(body) | {"webhook-id": "p2"}),
        ("/delivery-reports/voice", port.signed(body) | {"webhook-timestamp": "x"}),
        ("/delivery-reports/voice", port.signed(body) | {"webhook-id": ""}),
    )
    for path, headers in refused:
        answer = await port.push(path, body, headers)
        assert (answer.status_code, answer.content) == (404, b""), path
    assert port.refused("forged") == len(refused)
    assert port.intake.taken == []
    assert (await port.push("/delivery-reports/voice", body, port.signed(body))).status_code == 200
    assert (await port.client.get("/metrics")).status_code == 404
    assert (await port.client.get(f"/delivery-reports/sms/{KEY}")).status_code == 405


async def test_what_is_too_long_is_cut_off() -> None:
    port = Port()
    answer = await port.push(f"/delivery-reports/sms/{KEY}", b" " * (MAX_BYTES + 1))
    assert (answer.status_code, port.refused("too_large")) == (413, 1)
    stranger = port.signed(b"", "another-key-of-thirty-characters")
    answer = await port.push("/delivery-reports/voice", b" " * (MAX_BYTES + 1), stranger)
    assert (answer.status_code, port.refused("too_large")) == (404, 2), (
        "a stranger does not learn that there is a channel"
    )
    assert port.intake.taken == []


async def test_strangers_who_keep_bodies_waiting_at_one_channel_keep_nobody_out_of_the_other() -> None:
    port, all_wait, hold = Port(), asyncio.Event(), asyncio.Event()
    begun = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        if begun == WAITING:
            all_wait.set()
        yield b" "
        await hold.wait()

    async def knock() -> int:
        stranger = port.signed(b"", "another-key-of-thirty-characters")
        path = "/delivery-reports/voice"
        return (await port.client.post(path, content=endless(), headers=stranger)).status_code

    waiting = [asyncio.create_task(knock()) for _ in range(WAITING)]
    await all_wait.wait()
    assert (await port.push("/delivery-reports/voice", b"{}", port.signed(b"{}"))).status_code == 429
    assert (await port.push(f"/delivery-reports/sms/{KEY}", [ALIYUN_SMS])).status_code == 200
    hold.set()
    assert set(await asyncio.gather(*waiting)) == {404}


def test_a_file_says_how_reports_come(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"

    def read(channel: Channel, provider: str, **reports: Any) -> ReportAccess:
        said = {
            "provider": provider,
            "key_id": "id",
            "key": "k",
            "templates": {"fire": {"code": "1"}},
            "url": "https://p/",
        }
        file.write_text(json.dumps(said | {"reports": reports}))
        return read_gateway(file, channel).reports

    assert read(SMS, "aliyun") == ReportAccess()
    assert read(SMS, "aliyun", key=KEY, query=True) == ReportAccess(KEY, "https://p/")
    assert read(VOICE, "tencent", key=KEY, acknowledge_key="1") == ReportAccess(KEY, None, "1")
    assert read(VOICE, "plain", query=True, query_url="https://q/").query_url == "https://q/"
    assert KEY not in repr(read(SMS, "aliyun", key=KEY))
    for channel, provider, reports in (
        (SMS, "aliyun", {"key": "short"}),
        (SMS, "aliyun", {"key": KEY + "/.."}),
        (SMS, "aliyun", {"acknowledge_key": "1"}),
        (VOICE, "aliyun", {"query": True}),
        (VOICE, "plain", {"query": True}),
        (VOICE, "plain", {"acknowledge_key": "11"}),
    ):
        with pytest.raises(Unusable) as refused:
            read(channel, provider, **reports)
        assert "short" not in str(refused.value)
        assert KEY not in str(refused.value)
