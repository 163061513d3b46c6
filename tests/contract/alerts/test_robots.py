"""Robots of group chats against a real HTTP server: what they are sent, and what each of their answers means."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from services.alerts.adapters.guarded_http import GuardedClient, receiver_client
from services.alerts.adapters.robots import RobotChannel
from services.alerts.adapters.secrets import SecretFiles
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Ready
from services.kernel.words import Channel, Purpose, RobotProvider
from tests.contract.alerts.provider_server import ProviderServer, robot_server
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0

NOW = datetime.fromtimestamp(1_700_000_000, UTC)
SECRET = "SECtest123"
LINK = "https://firenet.example/?case=C0123456789abcdef"


@pytest.fixture
async def robot() -> AsyncIterator[ProviderServer]:
    async with robot_server() as robot:
        yield robot


@asynccontextmanager
async def channel(folder: Path, *lines: str) -> AsyncIterator[RobotChannel]:
    (folder / "group").write_text("\n".join(lines))
    async with receiver_client(connections=1, deadline_s=30) as one:
        guarded = GuardedClient(client=one, apart=one, allow_local=True, deadline_s=30)
        clock = ManualClock(T0)
        clock.at = NOW
        yield RobotChannel(client=guarded, secrets=SecretFiles(folder), clock=clock, deadline_s=30)
        guarded.close()


def ready(provider: str, body: str = f"第一人民医院\n{LINK}\n", subject: str = "火警") -> Ready:
    return Ready(
        notice_id=NoticeId("0123456789abcdef0123456789abcdef"),
        case_id=CaseId("C0123456789abcdef"),
        to=Address(ContactId("c"), BodyCode("centre"), Channel.ROBOT, f"{provider}:group", None, "zh"),
        subject=subject,
        body=body,
        fire=True,
        attempts=1,
        purpose=Purpose.NOTICE,
        lang="zh",
        caused_at=NOW,
    )


async def test_dingtalk_is_signed_in_its_address_by_a_vector_made_with_openssl(
    robot: ProviderServer, tmp_path: Path
) -> None:
    async with channel(tmp_path, robot.url, SECRET) as one:
        assert (await one.send(ready("dingtalk"))).reason is None
    [(path, _, body)] = robot.received
    assert parse_qs(urlsplit(path).query, strict_parsing=True) == {
        "access_token": ["hidden"],
        "timestamp": ["1700000000000"],
        "sign": ["w3RMHXzixTMdzr8OHJUmVLS4IoPJVdu+Ut1LE48MePE="],
    }
    assert "%25" not in path, "encoded once"
    assert body == {"msgtype": "text", "text": {"content": f"火警\n第一人民医院\n{LINK}\n"}}


async def test_feishu_is_signed_in_its_body_by_a_vector_made_with_openssl(
    robot: ProviderServer, tmp_path: Path
) -> None:
    robot.answer = b'{"code":0,"data":{},"msg":"success"}'
    async with channel(tmp_path, robot.url, SECRET) as one:
        assert (await one.send(ready("feishu"))).reason is None
    [(path, _, body)] = robot.received
    assert "sign" not in path
    assert body == {
        "msg_type": "text",
        "content": {"text": f"火警\n第一人民医院\n{LINK}\n"},
        "timestamp": "1700000000",
        "sign": "eHRRCyLH7Z4IJQSJlfwertHZThRUYVu2hTUH02xPXYU=",
    }


@pytest.mark.parametrize("provider", list(RobotProvider))
async def test_robot_without_a_secret_is_sent_no_signature(
    provider: str, robot: ProviderServer, tmp_path: Path
) -> None:
    async with channel(tmp_path, robot.url) as one:
        await one.send(ready(provider))
    [(path, _, body)] = robot.received
    assert "sign" not in path
    assert "sign" not in body


@pytest.mark.parametrize(
    ("provider", "answer", "reason"),
    [
        ("dingtalk", {"errcode": 0}, None),
        ("dingtalk", {"errcode": 310000}, Reason.AUTH),
        ("dingtalk", {"errcode": 130101}, Reason.THROTTLED),
        ("wecom", {"errcode": 0}, None),
        ("wecom", {"errcode": 45009}, Reason.THROTTLED),
        ("wecom", {"errcode": 93000}, Reason.AUTH),
        ("feishu", {"code": 0}, None),
        ("feishu", {"code": 19021}, Reason.AUTH),
        ("feishu", {"code": 19022}, Reason.AUTH),
        ("feishu", {"code": 19024}, Reason.REJECTED),
        ("feishu", {"code": 9499}, Reason.REJECTED),
        ("feishu", {"code": 11232}, Reason.THROTTLED),
        ("dingtalk", {"errcode": 4242}, Reason.SERVER_ERROR),
        ("dingtalk", {"errcode": "0"}, Reason.SERVER_ERROR),
        ("dingtalk", {"errcode": False}, Reason.SERVER_ERROR),
        ("feishu", {"errcode": 0}, Reason.SERVER_ERROR),
        ("wecom", [], Reason.SERVER_ERROR),
    ],
)
async def test_the_providers_own_code_alone_says_whether_it_was_accepted(
    provider: str, answer: object, reason: Reason | None, robot: ProviderServer, tmp_path: Path
) -> None:
    robot.answer = json.dumps(answer).encode()
    async with channel(tmp_path, robot.url) as one:
        outcome = await one.send(ready(provider))
    assert outcome.reason is reason
    assert (outcome.retry_after is not None) == (reason is Reason.THROTTLED)


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (200, b"", Reason.SERVER_ERROR),
        (200, b"<html>login</html>", Reason.SERVER_ERROR),
        (200, b'{"errcode":0,"pad":"' + b"x" * 20_000 + b'"}', Reason.SERVER_ERROR),
        (302, b"", Reason.REDIRECT),
        (429, b"", Reason.THROTTLED),
        (500, b'{"errcode":0}', Reason.SERVER_ERROR),
    ],
)
async def test_an_answer_without_a_code_is_no_acceptance(
    status: int, answer: bytes, reason: Reason, robot: ProviderServer, tmp_path: Path
) -> None:
    robot.status, robot.answer = status, answer
    async with channel(tmp_path, robot.url) as one:
        assert (await one.send(ready("dingtalk"))).reason is reason


async def test_throttled_waits_as_long_as_the_provider_takes_nothing(robot: ProviderServer, tmp_path: Path) -> None:
    robot.answer = b'{"errcode":130101}'
    async with channel(tmp_path, robot.url) as one:
        assert (await one.send(ready("dingtalk"))).retry_after == timedelta(minutes=10)


@pytest.mark.parametrize("lines", [(), ("no address",), ("http://[::1",), ("ftp://127.0.0.1/x",)])
async def test_file_without_an_address_sends_nothing(lines: tuple[str, ...], tmp_path: Path) -> None:
    async with channel(tmp_path, *lines) as one:
        assert (await one.send(ready("dingtalk"))).reason in {Reason.NO_SECRET, Reason.ADDRESS_REFUSED}


@pytest.mark.parametrize("address", ["telegram:group", "group", ":group", ""])
async def test_robot_of_nobody_known_is_refused(address: str, tmp_path: Path) -> None:
    async with channel(tmp_path, "https://127.0.0.1/") as one:
        to = Address(ContactId("c"), BodyCode("centre"), Channel.ROBOT, address, None, "zh")
        assert (await one.send(replace(ready("dingtalk"), to=to))).reason is Reason.ADDRESS_REFUSED


async def test_neither_address_nor_secret_is_in_an_outcome(robot: ProviderServer, tmp_path: Path) -> None:
    for answer in (b'{"errcode":310000,"errmsg":"hidden SECtest123"}', b"hidden SECtest123"):
        robot.answer = answer
        async with channel(tmp_path, robot.url, SECRET) as one:
            outcome = await one.send(ready("dingtalk"))
        assert "hidden" not in repr(outcome)
        assert SECRET not in repr(outcome)


async def test_long_text_is_cut_between_characters_and_keeps_its_link(robot: ProviderServer, tmp_path: Path) -> None:
    async with channel(tmp_path, robot.url) as one:
        await one.send(ready("wecom", body="屏蔽部件：" + "三层走廊感烟；" * 500 + f"\n{LINK}\n"))
    text = robot.received[0].body["text"]["content"]
    assert 1_900 < len(text.encode()) <= 2_048
    assert text.endswith(LINK)
    assert "\ufffd" not in text
