"""Delivery reports over real HTTP: pushed to the port that strangers may reach, and asked for at a provider's."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from deploy.stack.ports import free_ports
from services.alerts.adapters.delivery_report_port import DeliveryReportPort
from services.alerts.adapters.delivery_report_queries import ProviderQuery
from services.alerts.adapters.guarded_http import GuardedClient
from services.alerts.domain.delivery.delivery_reports import ReadReports, SentMessage
from services.alerts.domain.delivery.telephony import GatewayProvider, ReportAccess
from services.alerts.lanes.ordinary import OrdinaryLane
from services.alerts.lanes.parts import Parts
from services.alerts.metrics import AlertsMetrics
from services.alerts.settings import AlertsSettings
from services.kernel.words import Channel, Proof
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.runtime.public_http import PublicServer
from tests.contract.alerts.provider_server import ProviderServer, provider_server
from tests.contract.alerts.test_telephony import NOW, TRUSTED, gateway, ready, telephone
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0

KEY = "a-key-of-thirty-two-characters-00"
REPORT = {"phone_number": "13800138000", "success": True, "err_code": "DELIVERED", "biz_id": "1^1"}


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with provider_server() as one:
        yield one


class Taken:
    def __init__(self) -> None:
        self.reads: list[ReadReports] = []

    async def take(self, channel: Channel, read: ReadReports) -> bool:
        self.reads.append(read)
        return True


async def test_what_is_pushed_arrives_and_nothing_else_is_there() -> None:
    (port,) = free_ports(1)
    taken, stop = Taken(), Stop()
    account = gateway("https://p/", Channel.SMS, GatewayProvider.ALIYUN, reports=ReportAccess(KEY))
    door = DeliveryReportPort(
        gateways={Channel.SMS: account},
        intake=taken,
        metrics=AlertsMetrics(CollectorRegistry()),
        clock=ManualClock(T0),
    )
    server = PublicServer(door.app(), "127.0.0.1", port, connections=8)
    serving = asyncio.create_task(server.serve(stop))
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        assert (await client.post(f"/delivery-reports/sms/{KEY}", json=[REPORT])).json() == {"code": 0, "msg": "taken"}
        for path in ("/", "/metrics", "/healthz", "/readyz", "/v1/cases/C1", "/delivery-reports/sms"):
            assert (await client.get(path)).status_code in (404, 405), path
    stop.set()
    await serving
    assert [one.message_id for one in taken.reads[0].reports] == ["1^1"]


@pytest.mark.parametrize(
    ("channel", "provider", "answer", "message_id"),
    [
        (Channel.SMS, GatewayProvider.ALIYUN, {"Code": "OK", "BizId": "9^9"}, "9^9"),
        (Channel.VOICE, GatewayProvider.ALIYUN, {"Code": "OK", "CallId": "8^8"}, "8^8"),
        (
            Channel.SMS,
            GatewayProvider.TENCENT,
            {"Response": {"SendStatusSet": [{"Code": "Ok", "SerialNo": "5000:1"}]}},
            "5000:1",
        ),
        (Channel.VOICE, GatewayProvider.TENCENT, {"Response": {"SendStatus": {"CallId": "c"}}}, "c"),
        (Channel.SMS, GatewayProvider.PLAIN, {"code": 0, "message_id": "m"}, "m"),
        (Channel.SMS, GatewayProvider.PLAIN, {"code": 0}, ""),
        (Channel.SMS, GatewayProvider.PLAIN, {"code": 0, "message_id": "x" * 101}, ""),
        (Channel.SMS, GatewayProvider.PLAIN, {"code": 0, "message_id": "a\nb"}, ""),
        (Channel.SMS, GatewayProvider.PLAIN, {"code": "quota", "message_id": "m"}, ""),
    ],
)
async def test_an_accepted_message_is_known_by_the_providers_name_for_it(
    channel: Channel, provider: GatewayProvider, answer: object, message_id: str, server: ProviderServer
) -> None:
    server.answer = json.dumps(answer).encode()
    async with telephone(gateway(server.url, channel, provider)) as one:
        assert (await one.send(ready(channel))).message_id == message_id


async def test_a_provider_is_asked_for_one_message_and_its_silence_is_no_report(server: ProviderServer) -> None:
    clock = ManualClock(T0)
    clock.at = NOW
    async with httpx.AsyncClient(verify=TRUSTED, trust_env=False, timeout=30) as client:
        guarded = GuardedClient(client=client, apart=client, allow_local=True, deadline_s=30)
        query = ProviderQuery(
            channel=Channel.SMS,
            gateway=gateway(server.url, Channel.SMS, GatewayProvider.PLAIN),
            url=server.url,
            client=guarded,
            clock=clock,
            deadline_s=30,
        )
        message = SentMessage(Channel.SMS, "m", "13800138000", NOW)
        said = {"message_id": "m", "number": "13800138000", "state": "delivered"}
        server.answer = json.dumps({"code": 0, "reports": [said]}).encode()
        read = await query.ask(message)
        assert read is not None
        assert [(one.message_id, one.proofs) for one in read.reports] == [("m", (Proof.DELIVERED,))]
        [(_, headers, asked)] = server.received
        assert (asked, headers["authorization"]) == (
            {"message_id": "m", "number": "13800138000"},
            "Bearer testSecret",
        )
        for answer, status in ((b'{"code":"auth"}', 200), (b"nothing", 200), (server.answer, 503)):
            server.answer, server.status = answer, status
            assert await query.ask(message) is None
        guarded.close()


async def test_a_port_that_is_taken_is_tried_again_and_ends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.json"
    account = {"provider": "aliyun", "key_id": "i", "key": "k", "templates": {"fire": {"code": "1"}}}
    file.write_text(json.dumps(account | {"reports": {"key": KEY, "query": True}}))
    holder = socket.create_server(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    settings = AlertsSettings(api_token=SecretStr("12345678"), sms_gateway=file, delivery_report_port=port)
    registry, stop = CollectorRegistry(), Stop()
    parts = Parts(settings, SystemClock(), registry)

    def failures() -> float:
        labels = {"task": "delivery-reports"}
        return registry.get_sample_value("firenet_alerts_task_failures_total", labels) or 0.0

    async with AsyncExitStack() as stack:
        nothing: Any = None  # neither database nor Kafka is asked before a report comes
        tasks = OrdinaryLane(parts, nothing, nothing, nothing, stack).tasks(asyncio.Event(), stop)
        assert "delivery-report-questions" in tasks
        for name, task in tasks.items():
            if name != "delivery-reports":
                task.close()
        serving = asyncio.create_task(tasks["delivery-reports"])
        while failures() == 0:
            assert not serving.done()
            await asyncio.sleep(0.01)
        holder.close()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            while (status := await answered(client, f"http://127.0.0.1:{port}/delivery-reports/sms/{KEY}")) is None:
                assert not serving.done()
                await asyncio.sleep(0.05)
        assert status == 200
        stop.set()
        await serving


async def answered(client: httpx.AsyncClient, url: str) -> int | None:
    try:
        return (await client.post(url, json=[])).status_code
    except httpx.ConnectError:
        return None
