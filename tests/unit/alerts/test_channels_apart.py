"""Channels apart: a file that cannot be used costs its channel alone, and one that hangs holds up no other."""

import json
import os
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import certifi
import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.alerts.app import Alerts
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import NoticeId
from services.alerts.lanes.parts import Parts
from services.alerts.settings import AlertsSettings
from services.kernel.words import Channel
from services.runtime.settings import load
from tests.contract.alerts.test_telephony import ready
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0
from tests.unit.deploy.files import DEPLOY

GOOD = {"provider": "aliyun", "key_id": "i", "key": "hidden-key", "templates": {"fire": {"code": "SMS_1"}}}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ALERTS_API_TOKEN", "0123456789")
    return tmp_path


def broken(registry: CollectorRegistry) -> set[Channel]:
    name = "firenet_alerts_channel_broken"
    return {channel for channel in Channel if registry.get_sample_value(name, {"channel": channel})}


def parts(registry: CollectorRegistry) -> Parts:
    return Parts(load(AlertsSettings), ManualClock(T0), registry)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "content", "channel"),
    [
        ("ALERTS_SMS_GATEWAY", "hidden-key {", Channel.SMS),
        ("ALERTS_SMS_GATEWAY", None, Channel.SMS),
        ("ALERTS_VOICE_GATEWAY", json.dumps(GOOD | {"templates": {}}), Channel.VOICE),
        ("ALERTS_MQTT_CA", "hidden-key", Channel.MQTT),
        ("ALERTS_MQTT_CA", None, Channel.MQTT),
        ("ALERTS_MQTT_PASSWORD_FILE", None, Channel.MQTT),
        ("ALERTS_SMTP_PASSWORD_FILE", None, Channel.EMAIL),
        ("ALERTS_LINK_KEY_FILE", None, Channel.EMAIL),
        ("ALERTS_WEBHOOK_CA", "hidden-key", Channel.WEBHOOK),
        ("ALERTS_WEBHOOK_CA", None, Channel.WEBHOOK),
    ],
)
def test_a_file_that_cannot_be_used_costs_its_channel_and_is_told(
    monkeypatch: pytest.MonkeyPatch, environment: Path, name: str, content: str | None, channel: Channel
) -> None:
    path = environment / "file"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("ALERTS_MQTT_HOST", "centre.firenet-demo.cn")
    registry = CollectorRegistry()
    with structlog.testing.capture_logs() as said:
        Alerts(load(AlertsSettings), ManualClock(T0))
        parts(registry)
    assert broken(registry) == {channel}
    events = [line for line in said if line["event"] == "channel_file_unusable"]
    assert {(line["file"], line["log_level"]) for line in events} == {(str(path), "error")}
    assert all(line["why"] for line in events)
    assert "hidden-key" not in str(said)


@pytest.mark.thorough
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE, Channel.MQTT])
async def test_its_notices_wait_until_it_is_mended(
    monkeypatch: pytest.MonkeyPatch, environment: Path, channel: Channel
) -> None:
    for name in ("ALERTS_SMS_GATEWAY", "ALERTS_VOICE_GATEWAY", "ALERTS_MQTT_CA"):
        monkeypatch.setenv(name, str(environment / "none"))
    monkeypatch.setenv("ALERTS_MQTT_HOST", "centre.firenet-demo.cn")
    made = parts(CollectorRegistry())
    async with AsyncExitStack() as stack:
        worker = made.delivery_workers.worker(stack, "fire", made.interim_store.notices)
        outcome = await worker._carriers[channel].send(ready(Channel.SMS))
    assert outcome.reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize(
    ("keys", "used"), [("hidden-key", None), ("hidden-key-of-twenty,hidden-key-of-before", b"hidden-key-of-twenty")]
)
def test_a_key_of_links_that_is_none_costs_the_links_alone(
    monkeypatch: pytest.MonkeyPatch, keys: str, used: bytes | None
) -> None:
    monkeypatch.setenv("ALERTS_LINK_KEY", keys)
    registry = CollectorRegistry()
    with structlog.testing.capture_logs() as said:
        assert parts(registry).channel_files.link_key == used
    assert broken(registry) == {Channel.EMAIL}
    assert "hidden-key" not in str(said)


@pytest.mark.thorough
def test_files_that_can_be_used_break_nothing(monkeypatch: pytest.MonkeyPatch, environment: Path) -> None:
    path = environment / "sms.json"
    path.write_text(json.dumps(GOOD | {"templates": {"fire": {"code": "1", "text": "{1}发生{"}}}))
    monkeypatch.setenv("ALERTS_SMS_GATEWAY", str(path))
    monkeypatch.setenv("ALERTS_WEBHOOK_CA", certifi.where())
    monkeypatch.setenv("ALERTS_MQTT_CA", certifi.where())
    monkeypatch.setenv("ALERTS_MQTT_HOST", "centre.firenet-demo.cn")
    registry = CollectorRegistry()
    with structlog.testing.capture_logs() as said:
        files = parts(registry).channel_files
    assert broken(registry) == set()
    assert (set(files.gateways), files.has_broker, files.per_number_a_day) == ({Channel.SMS}, True, 35)
    assert [(line["event"], line["unfilled"]) for line in said] == [("gateway_template_odd", ["{1}", "{"])]


@pytest.mark.parametrize(
    ("name", "starts"),
    [("ALERTS_MQTT_PASSWORD_FILE", True), ("ALERTS_HEARTBEAT_URL_FILE", True), ("PGPASSWORD_FILE", False)],
)
def test_a_containers_missing_file_of_one_channel_keeps_alerts_from_nothing(name: str, starts: bool) -> None:
    entrypoint = DEPLOY / "images/app/entrypoint.sh"
    done = subprocess.run(
        ["bash", str(entrypoint), "env"],
        env={"PATH": os.environ["PATH"], name: "/nowhere/file"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode == 0) is starts
    assert (f"{name}=/nowhere/file" in done.stdout) is starts
    assert f"entrypoint: {name} names no readable file" in done.stderr


@pytest.mark.thorough
async def test_channels_that_hang_keep_no_mail_of_a_fire_waiting() -> None:
    made = parts(CollectorRegistry())
    async with AsyncExitStack() as stack:
        places = made.delivery_workers.worker(stack, "fire", made.interim_store.notices)._lanes.destinations
    for is_retry in (True, False):  # none of these ever lands
        hanging = [
            Due(NoticeId(f"{channel}{n}{is_retry}"), channel, f"{channel}{n}", is_retry=is_retry)
            for channel in Channel
            for n in range(99)
            if channel is not Channel.EMAIL
        ]
        places.choose(hanging, T0)
    assert set(places.busy_channels()) == set(Channel) - {Channel.EMAIL}
    mails = [Due(NoticeId(f"m{n}"), Channel.EMAIL, f"m{n}@x") for n in range(4)]
    assert places.choose(mails, T0) == mails
