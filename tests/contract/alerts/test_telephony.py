"""Text messages and voice calls against a real HTTP server: what each provider is sent, and what its codes mean."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.alerts.adapters.guarded_http import GuardedClient
from services.alerts.adapters.telephony import TelephoneChannel
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.delivery.telephony import (
    PROFILES,
    Gateway,
    GatewayProvider,
    Template,
    aliyun_signed,
    tc3_signed,
)
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Ready
from services.kernel.words import Channel, Purpose
from tests.contract.alerts.provider_server import ProviderServer, provider_server
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0

NOW = datetime.fromtimestamp(1_700_000_000, UTC)
KEY = "testSecret"
TRUSTED = httpx.create_ssl_context(trust_env=False)  # once: reading it takes longer than a test
VALUES = {"unit": "第一人民医院", "point": "3层走廊感烟", "since": "03-04 16:00"}
FIRE = Template("SMS_1", {"name": "unit", "place": "point", "at": "since"}, "{unit}{point}于{since}火警，请立即核实。")
GOOD: Mapping[tuple[Channel, GatewayProvider], object] = {
    (Channel.SMS, GatewayProvider.ALIYUN): {"Code": "OK", "BizId": "1"},
    (Channel.VOICE, GatewayProvider.ALIYUN): {"Code": "OK", "CallId": "1"},
    (Channel.SMS, GatewayProvider.TENCENT): {"Response": {"SendStatusSet": [{"Code": "Ok"}], "RequestId": "1"}},
    (Channel.VOICE, GatewayProvider.TENCENT): {"Response": {"SendStatus": {"CallId": "1"}, "RequestId": "1"}},
    (Channel.SMS, GatewayProvider.PLAIN): {"code": 0},
    (Channel.VOICE, GatewayProvider.PLAIN): {"code": "0"},
}


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with provider_server() as one:
        yield one


def gateway(url: str, channel: Channel, provider: GatewayProvider, **more: Any) -> Gateway:
    profile = PROFILES[channel, provider]
    account = Gateway(
        provider=provider,
        profile=profile,
        url=url,
        templates={"fire": FIRE},
        per_number_a_day=profile.per_number_a_day,
        sign_name="消防监控",
        app_id="1400006666",
        caller="059187654321",
        key_id="testId",
        key=KEY,
    )
    return replace(account, **more)


@asynccontextmanager
async def telephone(account: Gateway | None) -> AsyncIterator[TelephoneChannel]:
    clock = ManualClock(T0)
    clock.at = NOW
    async with httpx.AsyncClient(verify=TRUSTED, trust_env=False, timeout=30) as one:
        guarded = GuardedClient(client=one, apart=one, allow_local=True, deadline_s=30)
        yield TelephoneChannel(client=guarded, gateway=account, clock=clock, deadline_s=30)
        guarded.close()


def ready(channel: Channel = Channel.SMS, sort: str = "fire", values: Mapping[str, str] = VALUES) -> Ready:
    scheme = "sms" if channel is Channel.SMS else "tel"
    return Ready(
        notice_id=NoticeId("0123456789abcdef0123456789abcdef"),
        case_id=CaseId("C0123456789abcdef"),
        to=Address(ContactId("c"), BodyCode("centre"), channel, f"{scheme}:13800138000", None, "zh"),
        subject="火警",
        body=json.dumps({"sort": sort, "values": dict(values)}, ensure_ascii=False),
        fire=True,
        attempts=1,
        purpose=Purpose.NOTICE,
        lang="zh",
        caused_at=NOW,
    )


def test_every_channel_of_every_provider_has_a_profile() -> None:
    assert set(PROFILES) == {(channel, one) for channel in (Channel.SMS, Channel.VOICE) for one in GatewayProvider}


@pytest.mark.parametrize(("channel", "provider"), list(GOOD))
async def test_accepted_is_what_the_provider_calls_so(
    channel: Channel, provider: GatewayProvider, server: ProviderServer
) -> None:
    server.answer = json.dumps(GOOD[channel, provider]).encode()
    async with telephone(gateway(server.url, channel, provider)) as one:
        outcome = await one.send(ready(channel))
    assert outcome.reason is None
    assert outcome.detail.endswith("1 parts")


async def test_aliyun_gets_a_form_with_the_template_and_its_parameters(server: ProviderServer) -> None:
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN)) as one:
        await one.send(ready())
    [(_, headers, form)] = server.received
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert (form["Action"], form["PhoneNumbers"], form["SignName"]) == ("SendSms", "13800138000", "消防监控")
    assert json.loads(form["TemplateParam"]) == {"name": "第一人民医院", "place": "3层走廊感烟", "at": "03-04 16:00"}
    signature = form.pop("Signature")
    again = {name: form[name] for name in form if not name.startswith("Signature")}
    for name in ("AccessKeyId", "Timestamp"):
        again.pop(name)
    made = aliyun_signed(again, key_id="testId", key=KEY, nonce=form["SignatureNonce"], now=NOW)
    assert made["Signature"] == signature


def test_aliyuns_signature_is_that_of_its_own_documentation() -> None:
    made = aliyun_signed(
        {
            "Format": "XML",
            "Action": "SendSms",
            "Version": "2017-05-25",
            "RegionId": "cn-hangzhou",
            "PhoneNumbers": "15300000001",
            "SignName": "阿里云短信测试专用",
            "TemplateParam": '{"customer":"test"}',
            "TemplateCode": "SMS_71390007",
            "OutId": "123",
        },
        key_id="testId",
        key="testSecret",
        nonce="45e25e9b-0a6f-4070-8c85-2956eda1b466",
        now=datetime(2017, 7, 12, 2, 42, 19, tzinfo=UTC),
        method="GET",
    )
    assert made["Signature"] == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


def test_tencents_signature_is_that_of_its_own_documentation() -> None:
    headers = tc3_signed(
        b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}',
        "cvm.tencentcloudapi.com",
        {"Service": "cvm", "Action": "DescribeInstances", "Version": "2017-03-12", "Region": "ap-guangzhou"},
        key_id="AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        key="Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
        now=datetime.fromtimestamp(1551113065, UTC),
    )
    assert headers["authorization"].endswith(
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


async def test_tencent_gets_json_signed_in_its_headers(server: ProviderServer) -> None:
    server.answer = json.dumps(GOOD[Channel.SMS, GatewayProvider.TENCENT]).encode()
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.TENCENT)) as one:
        await one.send(ready())
    [(_, headers, body)] = server.received
    assert (headers["x-tc-action"], headers["x-tc-timestamp"]) == ("SendSms", "1700000000")
    assert headers["authorization"].startswith("TC3-HMAC-SHA256 Credential=testId/2023-11-14/sms/tc3_request")
    assert body["PhoneNumberSet"] == ["+8613800138000"]
    assert body["TemplateParamSet"] == ["第一人民医院", "3层走廊感烟", "03-04 16:00"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", Reason.THROTTLED),
        ("Throttling.User", Reason.THROTTLED),
        ("isv.DAY_LIMIT_CONTROL", Reason.QUOTA),
        ("isv.MONTH_LIMIT_CONTROL", Reason.QUOTA),
        ("isv.AMOUNT_NOT_ENOUGH", Reason.QUOTA),
        ("isv.OUT_OF_SERVICE", Reason.QUOTA),
        ("isv.MOBILE_NUMBER_ILLEGAL", Reason.RECIPIENT_REFUSED),
        ("isv.SMS_TEMPLATE_ILLEGAL", Reason.REJECTED),
        ("isv.SMS_SIGNATURE_ILLEGAL", Reason.REJECTED),
        ("isv.SIGN_STATE_ILLEGAL", Reason.REJECTED),
        ("isv.SMS_SIGNATURE_SCENE_ILLEGAL", Reason.REJECTED),
        ("isv.SMS_CONTENT_ILLEGAL", Reason.REJECTED),
        ("isv.TEMPLATE_MISSING_PARAMETERS", Reason.REJECTED),
        ("isv.PARAM_LENGTH_LIMIT", Reason.REJECTED),
        ("isv.PARAM_NOT_SUPPORT_URL", Reason.REJECTED),
        ("isv.BLACK_KEY_CONTROL_LIMIT", Reason.REJECTED),
        ("isv.PRODUCT_UN_SUBSCRIPT", Reason.AUTH),
        ("isv.ACCOUNT_ABNORMAL", Reason.AUTH),
        ("isv.DENY_IP_RANGE", Reason.AUTH),
        ("isp.RAM_PERMISSION_DENY", Reason.AUTH),
        ("SignatureDoesNotMatch", Reason.AUTH),
        ("InvalidAccessKeyId.NotFound", Reason.AUTH),
        ("isp.SYSTEM_ERROR", Reason.SERVER_ERROR),
        ("isv.NEW_CODE", Reason.SERVER_ERROR),
        ("", Reason.SERVER_ERROR),
        (True, Reason.SERVER_ERROR),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_aliyuns_code_says_what_became_of_it(
    code: object, reason: Reason, status: int, server: ProviderServer
) -> None:
    server.status, server.answer = status, json.dumps({"Code": code, "Message": KEY}).encode()
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN)) as one:
        outcome = await one.send(ready())
    assert outcome.reason is (Reason.REJECTED if status == 400 and code is True else reason)
    assert (outcome.retry_after is not None) == (reason in {Reason.THROTTLED, Reason.QUOTA})
    assert KEY not in repr(outcome)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Reason.THROTTLED),
        ("LimitExceeded.PhoneNumberOneHourLimit", Reason.THROTTLED),
        ("LimitExceeded.DeliveryFrequencyLimit", Reason.THROTTLED),
        ("LimitExceeded.PhoneNumberDailyLimit", Reason.QUOTA),
        ("LimitExceeded.PhoneNumberSameContentDailyLimit", Reason.QUOTA),
        ("FailedOperation.InsufficientBalanceInSmsPackage", Reason.QUOTA),
        ("FailedOperation.PhoneNumberInBlacklist", Reason.RECIPIENT_REFUSED),
        ("InvalidParameterValue.IncorrectPhoneNumber", Reason.RECIPIENT_REFUSED),
        ("FailedOperation.TemplateIncorrectOrUnapproved", Reason.REJECTED),
        ("FailedOperation.SignatureIncorrectOrUnapproved", Reason.REJECTED),
        ("FailedOperation.ContainSensitiveWord", Reason.REJECTED),
        ("InvalidParameterValue.ContentLengthLimit", Reason.REJECTED),
        ("UnauthorizedOperation.RequestIpNotInWhitelist", Reason.AUTH),
        ("InternalError.SigVerificationFail", Reason.AUTH),
        ("InternalError.Timeout", Reason.SERVER_ERROR),
        ("AuthFailure.SignatureFailure", Reason.AUTH),
        ("RequestLimitExceeded.UinLimitExceeded", Reason.THROTTLED),
    ],
)
@pytest.mark.parametrize("where", ["error", "status"])
async def test_tencents_code_says_what_became_of_it(
    code: str, reason: Reason, where: str, server: ProviderServer
) -> None:
    said = {"Error": {"Code": code}} if where == "error" else {"SendStatusSet": [{"Code": code, "Fee": 0}]}
    server.answer = json.dumps({"Response": said}).encode()
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.TENCENT)) as one:
        assert (await one.send(ready())).reason is reason


@pytest.mark.parametrize(("channel", "provider"), list(GOOD))
@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (200, b"", Reason.SERVER_ERROR),
        (200, b"<html>login</html>", Reason.SERVER_ERROR),
        (200, b"[]", Reason.SERVER_ERROR),
        (200, b'{"Response":{"SendStatusSet":[],"SendStatus":{}}}', Reason.SERVER_ERROR),
        (200, b"[" * 16_000, Reason.SERVER_ERROR),
        (302, b"", Reason.REDIRECT),
        (401, b"", Reason.AUTH),
        (429, b"", Reason.THROTTLED),
        (503, b"", Reason.SERVER_ERROR),
    ],
)
async def test_an_answer_without_a_code_is_no_acceptance(
    channel: Channel, provider: GatewayProvider, status: int, answer: bytes, reason: Reason, server: ProviderServer
) -> None:
    server.status, server.answer = status, answer
    async with telephone(gateway(server.url, channel, provider)) as one:
        assert (await one.send(ready(channel))).reason is reason


async def test_a_code_of_success_with_a_status_of_failure_is_no_acceptance(server: ProviderServer) -> None:
    server.status = 500
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN)) as one:
        assert (await one.send(ready())).reason is Reason.SERVER_ERROR


async def test_a_call_that_the_provider_has_no_number_for_is_no_acceptance(server: ProviderServer) -> None:
    async with telephone(gateway(server.url, Channel.VOICE, GatewayProvider.ALIYUN)) as one:
        assert (await one.send(ready(Channel.VOICE))).reason is Reason.SERVER_ERROR


async def test_throttled_waits_as_long_as_the_provider_takes_nothing(server: ProviderServer) -> None:
    server.answer = b'{"Code":"isv.BUSINESS_LIMIT_CONTROL"}'
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN)) as one:
        assert (await one.send(ready())).retry_after == timedelta(minutes=5)


async def test_what_no_approved_template_says_is_not_sent(server: ProviderServer) -> None:
    async with telephone(gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN)) as one:
        assert (await one.send(ready(sort="trouble"))).reason is Reason.NOT_CONFIGURED
    async with telephone(None) as one:
        assert (await one.send(ready())).reason is Reason.NOT_CONFIGURED
    assert server.received == []


async def test_long_and_forbidden_values_are_shortened_never_refused(server: ProviderServer) -> None:
    values = {"unit": "第一人民医院" * 30, "point": "见 http://10.0.0.1/x 感烟", "since": ""}
    account = gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN, most_parts=1)
    async with telephone(account) as one:
        outcome = await one.send(ready(values=values))
    assert outcome.detail.endswith("1 parts")
    said = json.loads(server.received[0].body["TemplateParam"])
    assert len(said["name"]) <= 35
    assert said["name"].endswith("…")
    assert (said["place"], said["at"]) == ("见 感烟", "-")


async def test_neither_key_nor_number_is_in_an_outcome_or_a_gateway_as_text(server: ProviderServer) -> None:
    account = gateway(server.url, Channel.SMS, GatewayProvider.ALIYUN)
    server.answer = b'{"Code":"isv.MOBILE_NUMBER_ILLEGAL","Message":"13800138000"}'
    async with telephone(account) as one:
        outcome = await one.send(ready())
    assert "13800138000" not in repr(outcome)
    assert KEY not in repr(account)


@pytest.mark.parametrize(
    "url", ["http://sms.firenet-demo.cn:port/", "ftp://sms.firenet-demo.cn/", "http://192.168.7.7/", "nothing"]
)
async def test_a_gateway_at_an_address_that_is_none_waits_until_its_file_is_mended(url: str) -> None:
    async with telephone(gateway(url, Channel.SMS, GatewayProvider.PLAIN)) as one:
        outcome = await one.send(ready(Channel.SMS))
    assert outcome.reason is Reason.NOT_CONFIGURED
